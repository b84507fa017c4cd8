"""Cells of images: what is one, and the pixels that a model sees of it."""

import base64
import zlib

import numpy as np
import pytest
from PIL import Image

from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.columns import read_column, write_column
from releve.domain.schema.images import MAX_BYTES, as_text
from releve.domain.schema.plain_rows import arrays_of_plain_rows
from releve.domain.schema.schema import Schema
from tests.images import png, written

STRIPES = np.array([[0, 255], [51, 102]])


def photo(**keys):
    return read_column("photo", {"type": "image", "size": [2, 2], **keys}, source="shop.yaml")


def schema_of(**keys):
    columns = {"photo": {"type": "image", "size": [2, 2], **keys}}
    return Schema.from_dict({"columns": columns, "target": {"name": "y", "classes": [0, 1]}})


def bomb(width, height):
    """A PNG of a few bytes whose header announces many pixels."""
    content = bytearray(base64.b64decode(png(STRIPES)))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return as_text(bytes(content))


def test_a_model_sees_light_from_0_to_1_row_after_row():
    np.testing.assert_allclose(photo().pixels(png(STRIPES)), STRIPES / 255, atol=1e-7)
    assert schema_of().model_numbers == ["photo.0_0", "photo.0_1", "photo.1_0", "photo.1_1"]


def test_colours_are_three_numbers_a_pixel():
    red = np.zeros((2, 2, 3))
    red[..., 0] = 255

    assert photo(mode="rgb").pixels(png(red)).tolist() == [[[1, 0, 0]] * 2] * 2
    assert schema_of(mode="rgb", size=[1, 1]).model_numbers == ["photo.0_0_r", "photo.0_0_g", "photo.0_0_b"]


@pytest.mark.parametrize(
    "image",
    [
        png(np.full((5, 9), 102)),
        png(np.full((5, 9), 102), mode="P"),
        png(np.full((5, 9), 102 * 257, dtype=np.uint16)),
        as_text(written(Image.new("CMYK", (9, 5), (0, 0, 0, 153)), "JPEG", quality=100)),
        as_text(written(Image.new("L", (9, 5), 102), "JPEG", quality=100)),
    ],
    ids=["grey", "palette", "16 bits", "JPEG of a printer", "grey JPEG"],
)
def test_every_kind_of_pixel_is_brought_to_one_scale(image):
    np.testing.assert_allclose(photo().pixels(image), 0.4, atol=0.01)


def test_what_is_transparent_is_white():
    clear = np.zeros((2, 2, 4))

    assert (photo().pixels(png(clear)) == 1).all()


def test_a_photo_is_turned_as_its_camera_says():
    turned = Image.Exif()
    turned[0x0112] = 3  # by half a turn

    image = png(STRIPES, exif=turned)

    np.testing.assert_allclose(photo().pixels(image), STRIPES[::-1, ::-1] / 255, atol=1e-7)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("photos/1.png", "is 'photos/1.png', expected a PNG or JPEG image as base64"),
        (7, "is 7, expected a PNG or JPEG image as base64"),
        (as_text(written(Image.new("L", (2, 2)), "GIF")), "expected a PNG or JPEG image as base64"),
        ("/9j/not base64", "expected a PNG or JPEG image as base64"),
        (png(STRIPES)[:40], "is no PNG or JPEG image that can be read"),
        (png(np.random.default_rng(7).integers(0, 255, (50, 50)))[:2000], "is a broken PNG image"),
        (bomb(5000, 5000), "is an image of 5000 x 5000 pixels, expected at most 20,000,000 (max_pixels)"),
        (bomb(20_000, 20_000), "is an image of more than 178,956,970 pixels, which is never decoded"),
        (bomb(2**30, 2**30), "is an image of more than 178,956,970 pixels, which is never decoded"),
    ],
)
def test_what_is_no_image_or_too_large_is_refused_with_its_reason(value, reason):
    assert reason in photo().problem(value)


def test_a_file_may_have_as_many_bytes_and_pixels_as_the_column_says():
    image = png(STRIPES)
    size = len(base64.b64decode(image))

    assert photo(max_bytes=size, max_pixels=4).problem(image) is None
    assert f"an image of {size} bytes, expected at most {size - 1}" in photo(max_bytes=size - 1).problem(image)
    assert "an image of 2 x 2 pixels, expected at most 3" in photo(max_pixels=3).problem(image)


def test_a_missing_image_is_missing_pixels():
    schema = schema_of(nullable=True)

    for arrays in (arrays_of_rows(schema, [{"photo": None}]), arrays_of_plain_rows(schema, [{"photo": ""}])):
        assert np.isnan(arrays["numbers"]).all()
    assert arrays_of_plain_rows(schema_of(), [{"photo": None}]) is None


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"size": [0, 8]}, r"size: \[0, 8\]; expected \[width, height\], each from 1 to 256"),
        ({"size": 8}, "size: 8; expected"),
        ({"mode": "CMYK"}, "mode: 'CMYK'; expected grey or rgb"),
        ({"max_pixels": 0}, "max_pixels: 0; expected a whole number of pixels"),
        ({"max_length": 5}, "has the unknown"),
    ],
)
def test_a_wrong_key_of_an_image_is_named(keys, reason):
    with pytest.raises(Exception, match=reason):
        photo(**keys)


def test_a_column_is_written_as_it_is_read():
    column = photo(mode="rgb", max_bytes=MAX_BYTES - 1)

    assert read_column("photo", write_column(column), source="shop.yaml") == column
