"""A folder of a text encoder, whichever kind it is: tried when it is copied, and opened beside the model."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from releve.adapters.vectors.sentence_model import NETWORK, SentenceModel, import_sentence_model, network_file
from releve.adapters.vectors.static_model import (
    ARRAYS,
    SOURCE_ARRAYS,
    StaticModel,
    import_static_model,
    is_static_model,
)
from releve.core.errors import BadInput, ReleveError
from releve.domain.neighbours.text_vectors import TextEncoder

MOST_BYTES = 500_000_000  # of all files: each release carries them, and each process of the service holds them
PROBES = ("a", "a text of several words, and of two parts")


def import_model(source: Path) -> dict[str, bytes]:
    """What to copy of a folder, by the name it is copied to, once it has embedded a text.

    Raise BadInput naming what is missing, too large, or of a kind that is not run here.
    """
    if not source.is_dir():
        raise BadInput(
            f"neighbours.model is {source}, and there is no such folder. Name the folder of an ONNX model with its "
            "tokenizer.json or of a model2vec model, or set neighbours.model to '' for character n-grams"
        )
    is_static = is_static_model(source)
    path = source / SOURCE_ARRAYS if is_static else network_file(source)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise BadInput(f"{path} has {size:,} bytes, at most {MOST_BYTES:,} fit into a release; take a smaller model")
    files = import_static_model(source) if is_static else import_sentence_model(source)
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        encoder = open_model(Path(folder))
        assert encoder is not None, "one of both was copied"
        try:
            vectors = encoder.encode(PROBES)
        except ReleveError:
            raise
        except Exception as error:  # tokenizers and ONNX Runtime raise what they like
            reason = str(error).strip().splitlines()[0]
            raise BadInput(f"the model in {source} cannot be run: {reason}") from None
    if not np.isfinite(vectors).all():
        raise BadInput(f"the model in {source} gives vectors that are not finite; export it again, as float32")
    return files


def open_model(folder: Path) -> TextEncoder | None:
    """The encoder whose files were copied into a model's folder; None where there is none."""
    if (folder / NETWORK).is_file():
        return SentenceModel(folder)
    return StaticModel(folder) if (folder / ARRAYS).is_file() else None
