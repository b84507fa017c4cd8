import base64

import numpy as np
import pandas as pd
import pytest

from releve.adapters.tables.image_files import read_images
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.images import png

SCHEMA = Schema.from_dict(
    {
        "columns": {"photo": {"type": "image", "max_bytes": 400, "nullable": True}},
        "target": {"name": "y", "classes": [0, 1]},
    }
)
IMAGE = png(np.zeros((2, 2)))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    (tmp_path / "photos" / "deep" / "one.png").write_bytes(base64.b64decode(IMAGE))
    (tmp_path / "photos" / "notes.png").write_text("no image")
    (tmp_path / "photos" / "large.png").write_bytes(bytes(401))
    (tmp_path / "photos" / "broken.png").write_bytes(base64.b64decode(IMAGE)[:40])
    (tmp_path / "secret.png").write_bytes(base64.b64decode(IMAGE))
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "photos"


def checked(folder, *cells):
    frame = pd.DataFrame({"photo": pd.Series(cells, dtype=object), "y": 1})
    return check_frame(SCHEMA, read_images(frame, SCHEMA, folder))


@pytest.mark.parametrize(
    "cell", ["deep/one.png", "./deep/../deep/one.png", " deep/one.png\n", IMAGE, base64.b64decode(IMAGE)]
)
def test_a_row_holds_the_file_that_its_path_names_whole(folder, cell):
    assert checked(folder, cell).accepted["photo"].tolist() == [IMAGE]


@pytest.mark.parametrize("cell", ["", " ", None])
def test_an_empty_cell_is_a_missing_image_and_no_path(folder, cell):
    assert checked(folder, cell).accepted["photo"].tolist() == [""]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("two.png", "is 'two.png', and there is no such file in"),
        ("deep", "is 'deep', and there is no such file in"),
        ("../secret.png", "is '../secret.png', which leaves the folder of the images"),
        ("link.png", "is 'link.png', which leaves the folder of the images"),
        ("/etc/passwd", "is '/etc/passwd', which leaves the folder of the images"),
        ("large.png", "is 'large.png', a file of 401 bytes, expected at most 400"),
        ("notes.png", "is 'notes.png', which is no PNG or JPEG file"),
        ("broken.png", "is no PNG or JPEG image that can be read"),
        ("a\0b.png", "which cannot be read"),
        ("x" * 5000, "which cannot be read"),
    ],
)
def test_a_path_that_leads_to_no_image_rejects_its_row_alone(folder, path, reason):
    found = checked(folder, "deep/one.png", path, None)

    assert (len(found.accepted), found.rejected_rows) == (2, [1])
    assert reason in found.problems[0].reason
    if "broken" not in path:
        assert str(found.problems[0].value) == path


def test_other_tables_are_left_alone(tmp_path):
    frame = pd.DataFrame({"y": [1]})

    assert read_images(frame, SCHEMA, tmp_path) is frame
