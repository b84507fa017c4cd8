"""The rows that travel with a model, to explain its answers against."""

import pandas as pd
import pytest

from releve.domain.explanation import references
from releve.domain.explanation.references import REFERENCES, ReferenceRows
from releve.domain.schema.schema import BATCH, ROW
from releve.domain.schema.validation import check_frame, row_problems
from tests.tables import rentals_rows, rentals_schema, shop_rows, shop_schema


def placed(frame: pd.DataFrame, schema) -> pd.DataFrame:
    accepted = check_frame(schema, frame).accepted
    return accepted.assign(**{BATCH: "a.csv", ROW: range(len(accepted))})


def test_labels_are_among_them_as_often_as_among_all_rows_from_the_oldest_to_the_newest():
    frame = shop_rows(640)
    frame["bought"] = ["yes"] * 160 + ["no"] * 480

    found = ReferenceRows.of(placed(frame, shop_schema()), shop_schema()).rows

    assert [each.label for each in found].count("yes") == REFERENCES / 4
    assert [each.row for each in found] == sorted(each.row for each in found)
    assert found[0].row < 40 and found[-1].row > 600


def test_numbers_are_spread_and_every_cell_can_be_sent_to_predict():
    schema = rentals_schema()

    found = ReferenceRows.of(placed(rentals_rows(320), schema), schema).rows

    labels = sorted(each.label for each in found)
    assert labels[0] < rentals_rows(320)["rented"].median() < labels[-1]
    assert not row_problems(schema, [each.cells for each in found])
    assert (
        found[0].row_id and ReferenceRows.model_validate_json(ReferenceRows(rows=found).model_dump_json()).rows == found
    )


@pytest.mark.parametrize("rows", [1, REFERENCES, REFERENCES + 1])
def test_of_few_rows_all_are_taken(rows):
    found = ReferenceRows.of(placed(shop_rows(rows), shop_schema()), shop_schema()).rows

    assert len(found) == min(rows, REFERENCES) == len({each.row for each in found})


def test_large_cells_leave_room_for_fewer_rows(monkeypatch):
    monkeypatch.setattr(references, "MOST_CHARACTERS", 1_000)

    found = ReferenceRows.of(placed(shop_rows(320), shop_schema()), shop_schema()).rows

    assert 1 < len(found) < REFERENCES
