import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.neighbours.filters import Condition, draw_filters, matching
from releve.domain.neighbours.vectors import BATCH, LABEL, Entries


def make_entries(rows: int = 100, *, labels: int = 2, kept: dict[str, list[str]] | None = None) -> Entries:
    return Entries(
        ids=np.arange(rows, dtype=np.int64),
        vectors=np.ones((rows, 1), dtype=np.float32),
        labels=[f"class {row % labels}" for row in range(rows)],
        batches=[f"{2020 + 4 * row // rows}.csv" for row in range(rows)],
        rows=np.arange(rows, dtype=np.int64),
        kept=kept or {},
    )


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ((), 100),
        ((Condition(LABEL, "class 1"),), 50),
        ((Condition(BATCH, low="2021.csv", high="2022.csv"),), 50),
        ((Condition(BATCH, low="2021.csv"), Condition(LABEL, "class 0")), 37),
        ((Condition(BATCH, high="2020"),), 0),
    ],
)
def test_a_row_matches_where_it_meets_every_condition(conditions, rows):
    assert matching(make_entries(), conditions).sum() == rows


@pytest.mark.parametrize("condition", [{"value": "a\n"}, {"low": "x" * 1025}, {"high": "\ud800"}])
def test_a_text_that_no_index_holds_cannot_be_asked_for(condition):
    with pytest.raises(BadInput):
        Condition(BATCH, **condition)


def test_drawn_filters_leave_half_of_the_rows_a_sixth_and_a_twentieth():
    entries = make_entries(1000, kept={"plan": ["gold" if row % 20 == 3 else "basic" for row in range(1000)]})

    drawn = draw_filters(entries)

    assert [round(float(rows.mean()), 3) for _, rows in drawn] == [0.5, 0.125, 0.05]
    assert all((rows == matching(entries, conditions)).all() for conditions, rows in drawn)


def test_a_filter_that_leaves_fewer_rows_than_neighbours_is_not_drawn():
    drawn = draw_filters(make_entries(100, labels=20))

    assert [int(rows.sum()) for _, rows in drawn] == [25]


def test_where_every_row_is_alike_no_filter_is_drawn():
    assert draw_filters(make_entries(25, labels=1)) == []
