"""Which version of a row counts, at the boundaries of the rule."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from releve.domain.ingestion.row_versions import ANSWER_ID, NewestRows, RowVersions
from releve.domain.schema.schema import BATCH, ROW, Schema

COLUMNS = {
    "order": {"type": "category", "feature": False},
    "day": {"type": "date", "feature": False},
    "price": {"type": "number"},
}
MONDAY, TUESDAY = pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")


def schema(**keys):
    return Schema.from_dict({"target": {"name": "sold", "task": "regression"}, "columns": COLUMNS, **keys})


NAMED, NAMED_AND_TIMED, NAMELESS = schema(id="order"), schema(id="order", time="day"), schema(time="day")


def versions(*rows):
    """A batch per row: order, day, answer, label."""
    frame = pd.DataFrame(list(rows), columns=["order", "day", ANSWER_ID, "sold"])
    frame["day"] = frame["day"].astype("datetime64[us]")
    return frame.assign(price=1.0, **{BATCH: [f"{number:04d}" for number in range(len(rows))], ROW: 0})


def counted(frame, table):
    return NewestRows.of(frame, table).rows["sold"].tolist()


A, B = ("a", MONDAY, ""), ("b", MONDAY, "")


def test_the_newest_version_counts_in_the_place_of_the_first():
    newest = NewestRows.of(versions((*A, 1), (*B, 2), (*A, 3), (*A, 4)), NAMED)

    assert newest.rows["sold"].tolist() == [4, 2]
    assert newest.rows[BATCH].tolist() == ["0000", "0001"]
    assert newest.is_corrected.tolist() == [True, False]
    assert newest.superseded == 2


@pytest.mark.parametrize(
    ("second", "table", "labels"),
    [
        (("a", MONDAY, ""), NAMED_AND_TIMED, [2]),
        (("a", TUESDAY, ""), NAMED_AND_TIMED, [1, 2]),  # seen twice
        (("a", TUESDAY, ""), NAMED, [2]),
        (("a", pd.NaT, ""), NAMED_AND_TIMED, [1, 2]),
        (("a", MONDAY, "some answer"), NAMED_AND_TIMED, [2]),  # it came by both ways
        (("a", MONDAY, ""), NAMELESS, [1, 2]),
    ],
)
def test_a_row_is_named_by_its_id_and_its_time_where_the_scenario_has_them(second, table, labels):
    assert counted(versions((*A, 1), (*second, 2)), table) == labels


@pytest.mark.parametrize("table", [NAMED_AND_TIMED, NAMELESS])
def test_a_row_without_an_id_is_named_by_the_answer_that_it_was(table):
    frame = versions(("", MONDAY, "x", 1), ("", MONDAY, "y", 2), ("", MONDAY, "x", 3), ("", TUESDAY, "y", 4))

    assert counted(frame, table) == [3, 4]


@pytest.mark.parametrize("table", [NAMED, NAMED_AND_TIMED, NAMELESS])
@pytest.mark.parametrize("nothing", ["", None])
def test_equal_rows_that_nothing_names_are_rows_of_their_own(table, nothing):
    frame = versions((nothing, MONDAY, nothing, 1), (nothing, MONDAY, nothing, 1))

    assert counted(frame, table) == [1, 1]


def test_two_rows_of_one_id_without_a_time_are_one():
    assert counted(versions(("a", pd.NaT, "", 1), ("a", pd.NaT, "", 2)), NAMED_AND_TIMED) == [2]


def test_rows_keep_their_places_whatever_comes_later():
    random = np.random.default_rng(7)
    frame = versions(*((f"o{random.integers(20)}", MONDAY, "", place) for place in range(100)))

    places = [NewestRows.of(frame.head(end), NAMED).rows["order"].tolist() for end in range(1, 101)]

    assert all(before == now[: len(before)] for before, now in pairwise(places))


@pytest.mark.parametrize(("place", "superseded"), [(0, 3), (1, 3), (2, 3), (3, 2), (5, 0)])
def test_versions_of_a_file_are_counted_against_those_before_it_and_its_own(place, superseded):
    frame = versions((*A, 1), (*B, 2), (*A, 3), (*A, 4), (*B, 5))

    assert RowVersions.of(frame, NAMED).superseded_from(place) == superseded


@pytest.mark.parametrize(("place", "corrected"), [(0, 0), (1, 1), (2, 2), (3, 1), (4, 1), (5, 1), (6, 0)])
def test_rows_that_were_there_are_corrected_once_and_where_their_label_is_another_one_in_the_end(place, corrected):
    frame = versions((*A, 1), (*B, 2), (*A, 3), (*A, 3), (*B, 5), (*B, 6))

    assert RowVersions.of(frame, NAMED).corrected_from(place, frame["sold"].to_numpy()) == corrected
