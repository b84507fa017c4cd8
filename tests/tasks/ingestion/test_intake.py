"""What is asked of a file before it becomes a batch."""

import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.batch_checks import BatchProfile
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.schema.schema import Schema
from tasks.ingestion.intake import take_in
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
