"""What a model sees of mixed rows, and the smallest change of one cell that brings another decision."""

import numpy as np
import pytest

from releve.domain.explanation.changes import smallest_changes
from releve.domain.explanation.hybrids import HybridRows, changeable
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema
from tests.tables import BRIGHT, DARK, rentals_schema, shop_row, shop_schema


def shop(row, *others):
    schema = shop_schema()
    return HybridRows(schema, arrays_of_rows(schema, [row]), arrays_of_rows(schema, others))


def rental(**changes):
    return {"note": "x", "season": "warm", "day": "2021-05-01", "temperature": 20.0, "sky": DARK, **changes}


def test_parts_of_a_date_and_pixels_of_an_image_move_together():
    schema = rentals_schema()
    own, other = rental(), rental(day="2023-11-30", sky=BRIGHT, season="cold")
    rows = HybridRows(schema, arrays_of_rows(schema, [own]), arrays_of_rows(schema, [other]))
    taken = np.array([[name in ("day", "note") for name in schema.names], [name == "sky" for name in schema.names]])

    mixed = rows.arrays(taken, np.array([0, 0]))

    wanted = arrays_of_rows(schema, [rental(sky=BRIGHT, season="cold"), other | {"sky": DARK}])
    assert {block: cells.tolist() for block, cells in mixed.items()} == {
        block: cells.tolist() for block, cells in wanted.items()
    }
    assert dict(zip(schema.names, rows.differs[0].tolist(), strict=True)) == {
        "temperature": False,
        "day": True,
        "season": True,
        "note": False,
        "sky": True,
    }


def test_a_missing_cell_is_equal_to_a_missing_one_alone():
    rows = shop(shop_row(weight=None, kind=None), shop_row(weight=None, kind=None), shop_row())

    assert rows.differs.tolist() == [[False, False, False], [False, True, True]]  # price, weight, kind


@pytest.mark.parametrize(("price", "row_price", "size"), [(28.0, 20.0, 0.1), (100.0, 20.0, 1.0), (20.0, 20.0, 0.0)])
def test_the_size_of_a_number_is_a_share_of_its_range(price, row_price, size):
    rows = shop(shop_row(price=row_price), shop_row(price=price), shop_row(price=100.0))

    assert rows.distance(0, 0) == pytest.approx(size)


def test_a_category_a_missing_own_number_and_a_date_have_their_sizes():
    schema = rentals_schema()
    others = arrays_of_rows(
        schema, [rental(day="2021-05-02", season="cold"), rental(day="2021-05-11", temperature=5.0)]
    )
    rows = HybridRows(schema, arrays_of_rows(schema, [rental(temperature=None)]), others)
    temperature, day, season = (schema.names.index(name) for name in ("temperature", "day", "season"))

    assert rows.distance(season, 0) == 1.0
    assert rows.distance(temperature, 1) == 1.0
    assert rows.distance(day, 0) == pytest.approx(0.1, abs=1e-3)


def found_in(rows, *, threshold, features=(0, 1, 2), most=5):
    """Decide by the price alone, which is the first of the numbers."""
    asked = []

    def ask(taken, of):
        asked.extend(of)
        return rows.arrays(taken, of)["numbers"][:, :1].astype(np.float64)

    changes, tried = smallest_changes(
        ask, rows, lambda outputs: outputs[:, 0] >= threshold, features=features, most=most
    )
    assert tried == len(asked)
    return changes, tried


def test_the_smallest_change_is_told_and_equal_cells_are_asked_once():
    prices = (90.0, 50.0, 50.0, 60.0, 30.0)
    rows = shop(shop_row(price=20.0), *(shop_row(price=price) for price in prices))

    changes, tried = found_in(rows, threshold=50.0)

    assert [(each.feature, each.reference, each.outputs.tolist()) for each in changes] == [(0, 1, [50.0])]
    assert changes[0].size == pytest.approx(30 / 70) and tried == 4


def test_nothing_is_told_where_nothing_changes_the_decision_or_may_be_changed():
    rows = shop(shop_row(price=20.0), shop_row(price=90.0), shop_row(price=90.0, weight=None))

    assert found_in(rows, threshold=95.0) == ([], 1)  # no cell becomes a missing one
    assert found_in(rows, threshold=50.0, features=(1, 2)) == ([], 0)
    assert found_in(shop(shop_row(), shop_row()), threshold=0.0) == ([], 0)


class TestWithFeaturesThatNobodySends:
    """The calendar follows from the time, and lags from other rows."""

    def rows_of(self, features):
        table = {"target": {"name": "rented", "task": "regression"}, "time": "at", "columns": {"at": {"type": "date"}}}
        schema = Schema.from_dict(table | {"features": features})

        def row(day):
            phases = {name: float(day) / 10 for name in schema.names if name != "at"}
            return {"at": f"2024-01-{day:02d}", **phases}

        own, others = arrays_of_rows(schema, [row(1)]), arrays_of_rows(schema, [row(3), row(9)])
        return schema, HybridRows(schema, own, others)

    def test_the_calendar_moves_with_the_time(self):
        schema, rows = self.rows_of({"calendar": "day"})
        time = schema.names.index("at")

        assert rows.differs.sum(axis=0).tolist() == [2 * (place == time) for place in range(len(schema.names))]
        taken = np.arange(len(schema.names)) != time
        arrays = rows.arrays(np.array([taken, taken]), np.array([0, 1]))
        assert all(np.array_equal(arrays[block], rows.references[block]) for block in arrays)
        assert rows.distance(time, 0) == pytest.approx(2 / 8)

    def test_no_change_of_what_nobody_sends_is_proposed(self):
        with_lags = {"lags": {"rented": [1]}, "calendar": "day"}

        assert changeable(self.rows_of({"calendar": "day"})[0]) == {"at"}
        assert changeable(self.rows_of(with_lags)[0]) == set()
