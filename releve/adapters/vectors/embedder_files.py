"""The encoders of an embedder, as files beside a model's description: arrays and networks, never pickles."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.vectors.encoders import open_image_model, open_text_model
from releve.core.errors import Conflict
from releve.domain.neighbours.embedding import Embedder, EmbedderDescription
from releve.domain.neighbours.text_vectors import CellEncoder, NgramVectors

EPOCH = (1980, 1, 1, 0, 0, 0)  # the same arrays are the same bytes, whenever they are written


class EmbedderAltered(Conflict):
    """What embeds texts or images is not what the model's description names."""

    code = "embedder_altered"


def ngrams_file(column: int) -> str:
    """Where the n-grams of the text column at `column`, counted from 0, are kept."""
    return f"ngrams_{column}.npz"


def text_files(embedder: Embedder) -> dict[str, bytes]:
    """Files to put beside the description, by name. Those of a folder are copied by `import_model`."""
    return {
        ngrams_file(column): _packed(encoder)
        for column, encoder in enumerate(embedder.texts)
        if isinstance(encoder, NgramVectors)
    }


def load_embedder(folder: Path, described: EmbedderDescription) -> Embedder:
    """The embedder that is `described`. Raises EmbedderAltered when the files are others."""
    of_texts, of_images = open_text_model(folder), open_image_model(folder)
    texts = tuple(of_texts or _read(folder / ngrams_file(column)) for column in range(len(described.texts)))
    images = () if of_images is None else (of_images,) * len(described.images)
    named = (*described.texts, *described.images)
    if (versions := tuple(encoder.version for encoder in (*texts, *images))) != named:
        raise EmbedderAltered(
            f"the encoders in {folder} have the versions {', '.join(each[:12] for each in versions)}, but the "
            f"model was packaged with {', '.join(each[:12] for each in named)}; restore the folder from its backup"
        )
    return Embedder(described.low, described.high, described.categories, texts, images)


def _packed(encoder: NgramVectors) -> bytes:
    letters = "\0".join(encoder.ngrams).encode("utf-8", "surrogatepass")
    arrays: dict[str, NDArray[Any]] = {
        "ngrams": np.frombuffer(letters, np.uint8),
        "weights": encoder.weights,
        "axes": encoder.axes,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), one.getvalue(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _read(path: Path) -> CellEncoder:
    if not path.is_file():
        raise EmbedderAltered(f"{path} is missing; restore the model's folder from its backup")
    with np.load(path, allow_pickle=False) as arrays:
        letters = arrays["ngrams"].tobytes().decode("utf-8", "surrogatepass")
        return NgramVectors(tuple(letters.split("\0")) if letters else (), arrays["weights"], arrays["axes"])
