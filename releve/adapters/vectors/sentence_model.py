"""Text encoders as ONNX files with their tokenizers, such as sentence-transformers exports, run without torch.

Nothing is downloaded here: a person puts a model's folder somewhere, and packaging copies what is needed into the
model's own folder, so that a release answers alone and its digest covers the sentence model too.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from releve.adapters.vectors.encoder_folder import network_file, open_network, read_config, reason_of, try_network
from releve.core.errors import BadInput, Unavailable
from releve.domain.neighbours.text_vectors import unit_length

NETWORK, TOKENIZER, READING = "sentence.onnx", "sentence_tokenizer.json", "sentence_reading.json"  # as copied
POOLING = "1_Pooling/config.json"
MODULES = ("Transformer", "Pooling", "Normalize")  # what is run here; a Dense layer, say, is not
TOKENS = ("last_hidden_state", "token_embeddings")  # what exporters call the vectors of the tokens
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SENTENCES, READY = "sentence_embedding", "none"  # an output that needs no pooling, and how that is kept
TOGETHER = 32  # texts per run
MOST_TOKENS = 512  # where neither file says: the length that BERT learned
PAD = 0  # any token: what is padded is masked

Length = Annotated[int, Field(ge=0, le=2**31)]  # in tokens; 0 says nothing


class _Module(BaseModel):
    type: str


class _SentenceConfig(BaseModel):
    max_seq_length: Length | None = None


class _Truncation(BaseModel):
    max_length: Length | None = None


class _Tokenizer(BaseModel):
    truncation: _Truncation | None = None


@dataclass(frozen=True)
class SentenceModel:
    """A sentence model in a folder, under the names it is copied by."""

    folder: Path

    @cached_property
    def version(self) -> str:
        """sha256 over network, tokenizer and how they are read."""
        total = hashlib.sha256()
        for name in (NETWORK, TOKENIZER, READING):
            total.update(hashlib.sha256((self.folder / name).read_bytes()).digest())
        return total.hexdigest()

    @cached_property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._run([[PAD]], [[0]]).shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (texts, dimension); zeros for an empty text. Its neighbours in the list change no vector."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        filled = [place for place, text in enumerate(texts) if text.strip()]
        for start in range(0, len(filled), TOGETHER):
            places = filled[start : start + TOGETHER]
            encodings = self._tokenizer.encode_batch([texts[place] for place in places])
            known = {place: each for place, each in zip(places, encodings, strict=True) if each.ids}
            if known:
                vectors[[*known]] = self._run(
                    [each.ids for each in known.values()], [each.type_ids for each in known.values()]
                )
        return unit_length(vectors)

    def check_tokens(self) -> None:
        """Raise BadInput where the network has fewer tokens than the tokenizer, or takes them in another form."""
        tokens = self._tokenizer.get_vocab(with_added_tokens=True)
        try:
            self._run([[max(tokens.values(), default=PAD)]], [[0]])
        except Exception as error:  # ONNX Runtime raises what it likes
            raise BadInput(
                f"the network cannot be asked for the last of the tokenizer's {len(tokens):,} tokens: "
                f"{reason_of(error)}"
            ) from None

    def _run(self, tokens: Sequence[Sequence[int]], types: Sequence[Sequence[int]]) -> NDArray[Any]:
        """The vectors of texts, each of which has a token; before they are scaled."""
        width = max(map(len, tokens))
        inputs = {
            "input_ids": _padded(tokens, width, PAD),
            "attention_mask": _padded([[1] * len(each) for each in tokens], width, 0),
            "token_type_ids": _padded(types, width, 0),
        }
        wanted = {each.name for each in self._session.get_inputs()}
        asked = {name: block for name, block in inputs.items() if name in wanted}
        found: NDArray[Any] = self._session.run([self._reading["output"]], asked)[0]
        if self._reading["pooling"] == READY:
            return found
        return POOLINGS[self._reading["pooling"]](found, inputs["attention_mask"][:, :, None])

    @cached_property
    def _reading(self) -> Any:
        return json.loads((self.folder / READING).read_text())

    @cached_property
    def _session(self) -> Any:
        return open_network((self.folder / NETWORK).read_bytes())

    @cached_property
    def _tokenizer(self) -> Any:
        return open_tokenizer(self.folder / TOKENIZER, max_tokens=self._reading["max_tokens"])


def open_tokenizer(path: Path, *, max_tokens: int | None = None) -> Any:
    """The tokenizer of a file; without padding, which is masked, so that a fixed width only costs time."""
    try:
        import tokenizers
    except ImportError:
        raise Unavailable(
            "a text encoder needs the package tokenizers, which is not installed: install releve[sentences]"
        ) from None
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation() if max_tokens is None else tokenizer.enable_truncation(max_tokens)
    return tokenizer


def import_sentence_model(source: Path) -> dict[str, bytes]:
    """What to copy of a folder with an ONNX file and a tokenizer, by the name it is copied to.

    Files of sentence-transformers say how it is read; without them the mean of the tokens is taken, or the output
    `sentence_embedding` where there is one. Raise BadInput naming what is missing or of a kind that is not run here.
    """
    _check_modules(source)
    network, tokenizer = network_file(source), source / "tokenizer.json"
    output, pooling = _output(network, source)
    reading = {"output": output, "pooling": pooling, "max_tokens": _max_tokens(source, tokenizer)}
    return {
        NETWORK: network.read_bytes(),
        TOKENIZER: tokenizer.read_bytes(),
        READING: json.dumps(reading, sort_keys=True).encode(),
    }


def _output(network: Path, source: Path) -> tuple[str, str]:
    """Choose what the network is asked for, and how that is pooled."""
    session = try_network(network)
    inputs = [each.name for each in session.get_inputs()]
    if "input_ids" not in inputs or set(inputs) - {*INPUTS}:
        raise BadInput(f"{network} takes {', '.join(inputs)}; expected input_ids, and of {', '.join(INPUTS[1:])} any")
    axes = {each.name: len(each.shape) for each in session.get_outputs()}
    tokens = [name for name in axes if axes[name] == 3]
    is_described = (source / POOLING).is_file() or (source / "modules.json").is_file()
    if axes.get(SENTENCES) == 2 and not is_described:
        return SENTENCES, READY
    if not tokens:
        raise BadInput(
            f"{network} has the outputs {', '.join(axes)}; expected one of three axes (texts, tokens, numbers), "
            f"or {SENTENCES} of two (texts, numbers)"
        )
    return next((name for name in TOKENS if name in tokens), tokens[0]), _pooling(source) if is_described else "mean"


def _max_tokens(source: Path, tokenizer: Path) -> int:
    """How many tokens of a text are read, by the first file that says so."""
    path = source / "sentence_bert_config.json"
    config = read_config(path, _SentenceConfig) if path.is_file() else _SentenceConfig()
    truncation = read_config(tokenizer, _Tokenizer).truncation or _Truncation()
    return config.max_seq_length or truncation.max_length or MOST_TOKENS


def _check_modules(source: Path) -> None:
    path = source / "modules.json"
    modules = read_config(path, list[_Module]) if path.is_file() else []
    kinds = [each.type.rpartition(".")[2] for each in modules]
    if unknown := [kind for kind in kinds if kind not in MODULES]:
        raise BadInput(
            f"{path} names {', '.join(unknown)}; only {', '.join(MODULES)} are run here. Choose a model without it"
        )


def _needed(source: Path, name: str) -> Path:
    if not (source / name).is_file():
        raise BadInput(f"{source} has no {name}, which a sentence-transformers model needs; download it whole")
    return source / name


def _pooling(source: Path) -> str:
    path = _needed(source, POOLING)
    values = read_config(path, dict[str, Any])
    modes: list[str] = [values["pooling_mode"]] if isinstance(values.get("pooling_mode"), str) else []
    if not modes:  # as older models say it: "pooling_mode_mean_tokens": true
        chosen = [name for name, on in values.items() if name.startswith("pooling_mode_") and on is True]
        modes = [name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for name in chosen]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise BadInput(f"{path} pools by {', '.join(modes) or 'nothing'}; expected one of {', '.join(POOLINGS)}")
    return modes[0]


def _padded(rows: Sequence[Sequence[int]], width: int, filler: int) -> NDArray[np.int64]:
    return np.array([[*row] + [filler] * (width - len(row)) for row in rows], dtype=np.int64)


POOLINGS: dict[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]] = {
    "mean": lambda tokens, mask: (tokens * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1),
    "cls": lambda tokens, mask: tokens[:, 0],
    "max": lambda tokens, mask: np.where(mask == 1, tokens, -np.inf).max(axis=1),
}  # from the vectors of the tokens, (texts, tokens, numbers), and which of them are no padding
