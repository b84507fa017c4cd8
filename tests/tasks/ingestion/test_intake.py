"""What is asked of a file before it becomes a batch."""

import base64
import json

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.batch_checks import BatchProfile
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.schema.schema import Schema
from tasks.ingestion import intake
from tasks.ingestion.intake import take_in
from tests.images import png
from tests.tables import make_params

SCHEMA = Schema.from_dict(
    {"target": {"name": "sold", "task": "regression"}, "columns": {"day": {"type": "date"}}, "time": "day"}
)
JANUARY = pd.date_range("2024-01-01", periods=5)


def taken(folder, *, refuse=(), **columns):
    """A file of January comes after one that ended in March."""
    path = folder / "rows.parquet"
    pd.DataFrame({"day": JANUARY, "sold": 1.0, **columns}).to_parquet(path)
    params = make_params(batch={"refuse": list(refuse), "ignore": ["duplicate_rows"]})
    earlier = BatchProfile(rows=5, newest=pd.Timestamp("2024-03-01").timestamp())
    return take_in(path, SCHEMA, params=params, work_dir=folder / "work", earlier=earlier)


def test_a_file_that_goes_back_in_time_warns_or_is_refused(tmp_path):
    (tmp_path / "work").mkdir()

    assert taken(tmp_path).warnings == (
        "day begins at 2024-01-01T00:00:00, before the newest known, "
        "2024-03-01T00:00:00 (check time_back; params.yaml: batch)",
    )
    with pytest.raises(BadInput, match="day begins at 2024-01-01T00:00:00, before the newest known"):
        taken(tmp_path, refuse=["time_back"])


def test_answers_go_back_in_time_as_their_labels_come(tmp_path):
    (tmp_path / "work").mkdir()

    found = taken(tmp_path, refuse=["time_back"], **{ANSWER_ID: list("abcde")})

    assert (found.accepted, found.warnings) == (5, ())


def test_images_become_part_of_the_rows_and_each_that_cannot_is_a_rejected_row(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "ROWS_WITH_IMAGES", 2)
    image = png(np.zeros((2, 2)))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(base64.b64decode(image))
    (tmp_path / "rows.csv").write_text(f"photo,sold\none.png,1\ntwo.png,2\n../rows.csv,3\n{image},4\none.png,5\n")
    columns = {"photo": {"type": "image", "size": [2, 2]}}
    schema = Schema.from_dict({"target": {"name": "sold", "task": "regression"}, "columns": columns})
    params = make_params(ingest={"max_rejected_share": 0.5})

    found = take_in(tmp_path / "rows.csv", schema, params=params, work_dir=tmp_path, images=tmp_path / "photos")
    found.rows.close()
    found.rows.move(tmp_path / "kept.parquet")
    found.quarantine.keep(tmp_path / "rejected.parquet")

    kept, rejected = pd.read_parquet(tmp_path / "kept.parquet"), pd.read_parquet(tmp_path / "rejected.parquet")
    assert kept.to_dict("list") == {"photo": [image] * 3, "sold": [1, 4, 5]}
    assert rejected[["row", "value"]].to_numpy().tolist() == [[3, "two.png"], [4, "../rows.csv"]]
    assert json.loads(rejected["cells"][0]) == {"photo": "two.png", "sold": "2"}  # to be sent again, with the file
