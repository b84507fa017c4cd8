"""Small images as cells hold them."""

import io
from typing import Any

import numpy as np
from PIL import Image

from releve.domain.schema.images import as_text


def png(pixels: Any, *, mode: str | None = None, **options: Any) -> str:
    """A PNG of 8-bit pixels, (height, width) or (height, width, channels), or of 16 bits where they are uint16."""
    pixels = np.asarray(pixels)
    image = Image.fromarray(pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint8))
    return as_text(written(image.convert(mode) if mode else image, "PNG", **options))


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file of this kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
