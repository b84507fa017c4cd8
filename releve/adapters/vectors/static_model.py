"""Static embeddings as model2vec saves them: a vector for each token, and a text is the weighted mean of its tokens'.

Such a model has a few megabytes and takes microseconds, as no network runs. The folder is read without its package:
`model.safetensors` is a JSON header and plain arrays, and `tokenizers` reads the rest.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.vectors.sentence_model import open_tokenizer
from releve.core.errors import BadInput
from releve.domain.neighbours.text_vectors import unit_length

ARRAYS, TOKENIZER = "static.safetensors", "static_tokenizer.json"  # as copied
SOURCE_ARRAYS, SOURCE_TOKENIZER = "model.safetensors", "tokenizer.json"  # as model2vec calls them
MOST_TOKENS = 512  # of a text, as model2vec reads it
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "i1"}


@dataclass(frozen=True)
class StaticModel:
    """A model2vec model in a folder, under the names it is copied by."""

    folder: Path

    @cached_property
    def version(self) -> str:
        """sha256 over vectors and tokenizer."""
        parts = (hashlib.sha256((self.folder / name).read_bytes()).digest() for name in (ARRAYS, TOKENIZER))
        return hashlib.sha256(b"".join(parts)).hexdigest()

    @cached_property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._arrays["embeddings"].shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (texts, dimension); zeros for a text without a known token."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for vector, encoding in zip(vectors, encodings, strict=True):
            ids = np.array([each for each in encoding.ids if each != self._unknown][:MOST_TOKENS], dtype=np.int64)
            if len(ids):
                rows = self._arrays["mapping"][ids] if "mapping" in self._arrays else ids
                found = self._arrays["embeddings"][rows].astype(np.float32)
                weights = self._arrays["weights"][ids][:, None] if "weights" in self._arrays else 1
                vector[:] = (found * weights).mean(axis=0)
        return unit_length(vectors)

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return read_safetensors(self.folder / ARRAYS)

    @cached_property
    def _tokenizer(self) -> Any:
        return open_tokenizer(self.folder / TOKENIZER)

    @cached_property
    def _unknown(self) -> int | None:
        """The token of what no token stands for, which says nothing."""
        model = json.loads((self.folder / TOKENIZER).read_bytes())["model"]
        token, unknown = model.get("unk_token"), model.get("unk_id")
        found: int | None = unknown if token is None else self._tokenizer.token_to_id(token)
        return found


def is_static_model(source: Path) -> bool:
    """Whether a folder holds static embeddings, and not the weights of a network."""
    path = source / SOURCE_ARRAYS
    return path.is_file() and "embeddings" in _header(path)[0]


def import_static_model(source: Path) -> dict[str, bytes]:
    """What to copy of a model2vec folder, by the name it is copied to. Raise BadInput."""
    arrays = read_safetensors(source / SOURCE_ARRAYS)
    vectors, tokens = arrays["embeddings"], open_tokenizer(source / SOURCE_TOKENIZER).get_vocab_size()
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise BadInput(f"the embeddings of {source / SOURCE_ARRAYS} are no rows of finite numbers; download it again")
    places, weights = arrays.get("mapping", np.arange(len(vectors))), arrays.get("weights", np.ones(tokens))
    for name, array in {"mapping": places, "weights": weights}.items():
        if array.ndim != 1 or not np.isfinite(array).all() or (name == "mapping" and array.dtype.kind != "i"):
            raise BadInput(f"the array {name} of {source / SOURCE_ARRAYS} is no list of numbers; download it again")
    if min(len(places), len(weights)) < tokens or not 0 <= places.min() <= places.max() < len(vectors):
        raise BadInput(f"{source / SOURCE_ARRAYS} has no vector for some of the tokenizer's {tokens:,} tokens")
    return {
        ARRAYS: (source / SOURCE_ARRAYS).read_bytes(),
        TOKENIZER: (source / SOURCE_TOKENIZER).read_bytes(),
    }


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of a file. Raise BadInput for one that is broken."""
    header, start = _header(path)
    content = memoryview(path.read_bytes())[start:]
    arrays = {}
    try:
        for name, each in header.items():
            first, end = each["data_offsets"]
            arrays[name] = np.frombuffer(content[first:end], DTYPES[each["dtype"]]).reshape(each["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} holds the array {name}, which cannot be read: {error}; download it again") from None
    return arrays


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Describe the arrays of a file, and say at which byte they begin."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header = dict(json.loads(file.read(min(size, path.stat().st_size))))
        except (TypeError, ValueError, RecursionError):
            raise BadInput(f"{path} is no safetensors file; download it again") from None
    return {name: each for name, each in header.items() if name != "__metadata__"}, 8 + size
