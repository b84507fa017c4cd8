"""A folder of an encoder of texts or of images: tried when it is copied, and opened beside the model."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from releve.adapters.vectors.encoder_folder import network_file, reason_of
from releve.adapters.vectors.image_model import CONFIG, ImageModel, import_image_model
from releve.adapters.vectors.image_model import NETWORK as IMAGE_NETWORK
from releve.adapters.vectors.sentence_model import (
    MOST_TOKENS,
    NETWORK,
    SentenceModel,
    import_sentence_model,
)
from releve.adapters.vectors.static_model import (
    ARRAYS,
    SOURCE_ARRAYS,
    SOURCE_TOKENIZER,
    StaticModel,
    import_static_model,
    is_static_model,
)
from releve.core.errors import BadInput, ReleveError
from releve.domain.neighbours.text_vectors import CellEncoder
from releve.domain.neighbours.vectors import MAX_DIMENSION
from releve.domain.schema.images import from_pixels

MOST_BYTES = 500_000_000  # of all files: each release carries them, and each process of the service holds them
PROBES = ("a", "a text of several words, and of two parts", "a " * MOST_TOKENS)
IMAGE_PROBES = (np.zeros((2, 2)), np.linspace(0, 1, 60).reshape(4, 5, 3))


def encodes_images(source: Path) -> bool:
    """Whether a folder is meant for images, and not for texts. Raise BadInput where nothing says so."""
    if not source.is_dir():
        raise BadInput(
            f"neighbours.model is {source}, and there is no such folder. Name the folder of an ONNX model with its "
            f"{SOURCE_TOKENIZER} or {CONFIG}, or of a model2vec model, or set neighbours.model to '' for character "
            "n-grams and pixels"
        )
    of_texts, of_images = ((source / name).is_file() for name in (SOURCE_TOKENIZER, CONFIG))
    if of_texts == of_images:
        raise BadInput(
            f"{source} has {'both' if of_texts else 'no'} {SOURCE_TOKENIZER}, which encoders of texts need, "
            f"{'and' if of_texts else 'and no'} {CONFIG}, which those of images need; it has to have one of them"
        )
    return of_images


def import_model(source: Path) -> dict[str, bytes]:
    """What to copy of a folder, by the name it is copied to, once it has embedded a text or an image.

    Raise BadInput naming what is missing, too large, or of a kind that is not run here.
    """
    of_images = encodes_images(source)
    is_static = not of_images and is_static_model(source)
    path = source / SOURCE_ARRAYS if is_static else network_file(source)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise BadInput(f"{path} has {size:,} bytes, at most {MOST_BYTES:,} fit into a release; take a smaller model")
    copied = import_image_model if of_images else import_static_model if is_static else import_sentence_model
    try:
        files = copied(source)
        vectors = _tried(files, of_images=of_images)
    except (ReleveError, OSError):
        raise
    except Exception as error:  # tokenizers and ONNX Runtime raise what they like
        raise BadInput(f"the model in {source} cannot be run: {reason_of(error)}") from None
    if not np.isfinite(vectors).all():
        raise BadInput(f"the model in {source} gives vectors that are not finite; export it again, as float32")
    if not 1 <= vectors.shape[1] <= MAX_DIMENSION:
        raise BadInput(
            f"the model in {source} gives vectors of {vectors.shape[1]:,} numbers, expected 1 to {MAX_DIMENSION:,}; "
            "take another model"
        )
    return files


def _tried(files: Mapping[str, bytes], *, of_images: bool) -> NDArray[np.float32]:
    """The vectors of PROBES, or of IMAGE_PROBES."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for each, content in files.items():
            (folder / each).write_bytes(content)
        encoder = open_image_model(folder) if of_images else open_text_model(folder)
        assert encoder is not None, "one of them was copied"
        if isinstance(encoder, SentenceModel):
            encoder.check_tokens()
        return encoder.encode([from_pixels(image) for image in IMAGE_PROBES] if of_images else PROBES)


def open_text_model(folder: Path) -> CellEncoder | None:
    """The encoder of texts whose files were copied into a model's folder; None where there is none."""
    if (folder / NETWORK).is_file():
        return SentenceModel(folder)
    return StaticModel(folder) if (folder / ARRAYS).is_file() else None


def open_image_model(folder: Path) -> CellEncoder | None:
    """The encoder of images whose files were copied into a model's folder; None where there is none."""
    return ImageModel(folder) if (folder / IMAGE_NETWORK).is_file() else None
