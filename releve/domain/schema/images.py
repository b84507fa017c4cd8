"""Images: PNG and JPEG files, held as base64 texts, and their pixels as models see them.

The content says what a file is, never its name: no other decoder of Pillow is ever tried, and none runs before the
header has said how many pixels it would make. The same text gives the same pixels, wherever a row came from.
"""

import base64
import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.cells import format_value

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG")
ENDINGS = (".png", ".jpg", ".jpeg")
BEGINNINGS = ("iVBORw0KGgo", "/9j/")  # of their first bytes, as base64
MAX_BYTES = 5_000_000  # of a file; as base64 it still fits into a request
MAX_PIXELS = 20_000_000  # once decoded, some 60 MB; a telephone's photo has 12 million
MOST_PIXELS = 178_956_970  # whatever max_pixels says: what Pillow itself takes for a bomb
SIZE, MODE = (16, 16), "grey"
MODES = {"grey": ("L", ("",)), "rgb": ("RGB", ("_r", "_g", "_b"))}  # Pillow's name, and how the parts of a pixel end
MOST_SIDE = 256  # pixels that a model sees of a row or a column of pixels
WHITE = (255, 255, 255, 255)


@dataclass(frozen=True)
class UnreadImage:
    """Stands in a file's column of images for a path that led to none."""

    path: str
    reason: str  # as a sentence part

    def __str__(self) -> str:
        return self.path


def is_image_text(text: str) -> bool:
    """Whether a text is meant as the base64 of a PNG or JPEG file; any other is none, or a path."""
    return text.startswith(BEGINNINGS)


def as_text(content: bytes) -> str:
    """Write a file as a cell holds it."""
    return base64.b64encode(content).decode()


def text_length(size: int) -> int:
    """Characters of the base64 of so many bytes."""
    return -(-size // 3) * 4


def pixel_count(text: str) -> int:
    """Read from the header how many pixels an image would have; 0 for what is no image."""
    try:
        width, height = _opened(base64.b64decode(text)).size
    except ValueError:
        return 0
    return width * height


def decode(text: str, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> "Image":
    """Return the image that a cell holds, upright. Raise ValueError with the reason, as a sentence part."""
    try:
        content = base64.b64decode(text, validate=True) if is_image_text(text) else b""
    except ValueError:
        content = b""
    if not content:
        raise ValueError(f"is {format_value(text)}, expected a PNG or JPEG image as base64")
    if len(content) > max_bytes:
        raise ValueError(f"is an image of {len(content):,} bytes, expected at most {max_bytes:,} (max_bytes)")
    image = _opened(content)
    width, height = image.size
    if width * height > max_pixels:
        raise ValueError(f"is an image of {width} x {height} pixels, expected at most {max_pixels:,} (max_pixels)")
    from PIL import ImageOps

    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except Exception as error:  # a broken file makes decoders raise what they like
        raise ValueError(f"is a broken {image.format} image: {error}") from None


def pixels(image: "Image", *, size: tuple[int, int], mode: str) -> NDArray[np.float32]:
    """Return what a model sees: (height, width) or (height, width, 3), 0 is black and 1 full light."""
    from PIL import Image

    seen = _converted(image, mode).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(seen, dtype=np.float32) / np.float32(255)


def encoder_pixels(
    text: str, *, whole: tuple[int, int] | int, part: tuple[int, int], mode: str, resample: int
) -> NDArray[np.uint8]:
    """Return the middle `part` of an image brought to the size `whole`: width and height, or the shorter side.

    (height, width) or (height, width, 3), 255 is full light. `text` is a checked cell, `resample` a filter of Pillow.
    """
    from PIL.Image import Resampling

    image = _converted(decode(text, max_bytes=len(text), max_pixels=sys.maxsize), mode)
    width, height = image.size
    over, down = (min(image.size),) * 2 if isinstance(whole, int) else image.size
    whole_width, whole_height = (whole, whole) if isinstance(whole, int) else whole
    seen_width, seen_height = part[0] * over / whole_width, part[1] * down / whole_height
    left, top = (width - seen_width) / 2, (height - seen_height) / 2
    box = (left, top, left + seen_width, top + seen_height)  # a long, narrow image is never made larger whole
    return np.asarray(image.resize(part, Resampling(resample), box=box))


def from_pixels(values: NDArray[np.floating]) -> str:
    """Write pixels, as `pixels` returns them, as a PNG in a cell."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.round(values * 255).astype(np.uint8)).save(file, "PNG")
    return as_text(file.getvalue())


def _converted(image: "Image", mode: str) -> "Image":
    """Return an image without transparency, of a mode of `MODES`."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel, of which Pillow would keep the wrong ones
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    pillow_mode, _ = MODES[mode]
    return image.convert(pillow_mode)


def _opened(content: bytes) -> "Image":
    from PIL import Image

    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)  # reads the header alone
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"is an image of more than {MOST_PIXELS:,} pixels, which is never decoded") from None
    except Exception:
        raise ValueError("is no PNG or JPEG image that can be read") from None
