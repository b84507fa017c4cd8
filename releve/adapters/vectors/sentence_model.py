"""Sentence-transformers models, run from their ONNX export by ONNX Runtime and `tokenizers`: no torch.

Nothing is downloaded here: a person puts a model's folder somewhere, and packaging copies what is needed into the
model's own folder, so that a release answers alone and its digest covers the sentence model too.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput, Unavailable
from releve.domain.neighbours.text_vectors import unit_length

NETWORK, TOKENIZER, READING = "sentence.onnx", "sentence_tokenizer.json", "sentence_reading.json"  # as copied
NETWORKS = ("onnx/model.onnx", "model.onnx")  # where a sentence-transformers folder keeps its export
MODULES = ("Transformer", "Pooling", "Normalize")  # what is run here; a Dense layer, say, is not
TOKENS = ("last_hidden_state", "token_embeddings")  # what exporters call the vectors of the tokens
TOGETHER = 32  # texts per run
MOST_TOKENS = 512  # where neither file says: the length that BERT learned
PAD = 0  # any token: what is padded is masked


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
        return int(self._run(["a"]).shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (texts, dimension); zeros for an empty text. Its neighbours in the list change no vector."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        filled = [place for place, text in enumerate(texts) if text.strip()]
        for start in range(0, len(filled), TOGETHER):
            places = filled[start : start + TOGETHER]
            vectors[places] = self._run([texts[place] for place in places])
        return unit_length(vectors)

    def _run(self, texts: list[str]) -> NDArray[Any]:
        encodings = self._tokenizer.encode_batch(texts)
        width = max(len(each.ids) for each in encodings)
        inputs = {
            "input_ids": _padded([each.ids for each in encodings], width, PAD),
            "attention_mask": _padded([each.attention_mask for each in encodings], width, 0),
            "token_type_ids": _padded([each.type_ids for each in encodings], width, 0),
        }
        session, output = self._session
        wanted = {each.name for each in session.get_inputs()}
        tokens = session.run([output], {name: block for name, block in inputs.items() if name in wanted})[0]
        return POOLINGS[self._reading["pooling"]](tokens, inputs["attention_mask"][:, :, None])

    @cached_property
    def _reading(self) -> Any:
        return json.loads((self.folder / READING).read_text())

    @cached_property
    def _session(self) -> tuple[Any, str]:
        import onnxruntime

        path, options = self.folder / NETWORK, onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_outputs() if len(each.shape) == 3]
        if not names:
            raise BadInput(f"{path} has no output of three axes (texts, tokens, numbers); export it again")
        return session, next((name for name in TOKENS if name in names), names[0])

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            import tokenizers
        except ImportError:
            raise Unavailable(
                "a sentence model needs the package tokenizers, which is not installed: install releve[sentences]"
            ) from None
        tokenizer = tokenizers.Tokenizer.from_file(str(self.folder / TOKENIZER))
        tokenizer.no_padding()  # a file may ask for a fixed width; padding is masked, so it only costs time
        tokenizer.enable_truncation(self._reading["max_tokens"])
        return tokenizer


def import_model(source: Path) -> dict[str, bytes]:
    """What to copy of a sentence-transformers folder, by the name it is copied to.

    Raises BadInput naming what is missing or of a kind that is not run here.
    """
    if not source.is_dir():
        raise BadInput(
            f"neighbours.model is {source}, and there is no such folder. Download a sentence-transformers model with "
            "its ONNX export and name its folder, or set search.model to '' for character n-grams"
        )
    _check_modules(source)
    network = _network_file(source)
    path = source / "sentence_bert_config.json"
    config = json.loads(path.read_text()) if path.is_file() else {}
    reading = {"pooling": _pooling(source), "max_tokens": int(config.get("max_seq_length") or MOST_TOKENS)}
    return {
        NETWORK: network.read_bytes(),
        TOKENIZER: _needed(source, "tokenizer.json").read_bytes(),
        READING: json.dumps(reading, sort_keys=True).encode(),
    }


def _check_modules(source: Path) -> None:
    path = source / "modules.json"
    kinds = [str(each["type"]).rpartition(".")[2] for each in json.loads(path.read_text())] if path.is_file() else []
    if unknown := [kind for kind in kinds if kind not in MODULES]:
        raise BadInput(
            f"{path} names {', '.join(unknown)}; only {', '.join(MODULES)} are run here. Choose a model without it"
        )


def _network_file(source: Path) -> Path:
    networks = [source / name for name in NETWORKS if (source / name).is_file()]
    if not networks:
        raise BadInput(
            f"{source} has neither {' nor '.join(NETWORKS)}; take a model that brings its ONNX export, "
            "or export it (optimum-cli export onnx --task feature-extraction)"
        )
    beside = [path.name for path in networks[0].parent.iterdir() if path.name.startswith(f"{networks[0].name}_data")]
    if beside or (networks[0].parent / f"{networks[0].name}.data").exists():
        raise BadInput(f"{networks[0]} keeps its weights in a file of their own; save it as one file (below 2 GB)")
    return networks[0]


def _needed(source: Path, name: str) -> Path:
    if not (source / name).is_file():
        raise BadInput(f"{source} has no {name}, which a sentence-transformers model needs; download it whole")
    return source / name


def _pooling(source: Path) -> str:
    path = _needed(source, "1_Pooling/config.json")
    values = json.loads(path.read_text())
    modes: list[str] = [values["pooling_mode"]] if isinstance(values.get("pooling_mode"), str) else []
    if not modes:  # as older models say it: "pooling_mode_mean_tokens": true
        chosen = [name for name, on in values.items() if name.startswith("pooling_mode_") and on is True]
        modes = [name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for name in chosen]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise BadInput(f"{path} pools by {', '.join(modes) or 'nothing'}; expected one of {', '.join(POOLINGS)}")
    return modes[0]


def _padded(rows: list[list[int]], width: int, filler: int) -> NDArray[np.int64]:
    return np.array([row + [filler] * (width - len(row)) for row in rows], dtype=np.int64)


POOLINGS: dict[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]] = {
    "mean": lambda tokens, mask: (tokens * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1),
    "cls": lambda tokens, mask: tokens[:, 0],
    "max": lambda tokens, mask: np.where(mask == 1, tokens, -np.inf).max(axis=1),
}  # from the vectors of the tokens, (texts, tokens, numbers), and which of them are no padding
