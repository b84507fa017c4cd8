from dataclasses import replace

import numpy as np
import pytest

from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign, IndexType
from releve.domain.neighbours.vectors import Entries
from releve.domain.prediction_log.records import AnswerLine, SearchLine
from releve.domain.prediction_log.reproduction import (
    Difference,
    Differs,
    GivenAgain,
    Reproduction,
    compare_answers,
    compare_neighbours,
    hide_personal,
    nearest_again,
)
from releve.domain.schema.personal import HIDDEN

LINE = AnswerLine(
    id="20240131-9f2c01ab.0.5e77c0",
    at="2024-01-31T12:00:00.000000Z",
    scenario="shop",
    model="shop:one",
    index="releve_shop_one",
    arm="champion",
    rows=[{"x": 1}, {"x": 2}],
    labels=["a", "b"],
    probabilities=[[0.6, 0.4], [0.3, 0.7]],
    intervals=None,
    latency_ms=None,
)
FLAT = IndexDesign()
QUERY = np.array([0.0, 0.0], dtype=np.float32)
ENTRIES = Entries(
    ids=np.arange(4),
    vectors=np.array([[0, 1], [1, 0], [2, 0], [0, 3]], dtype=np.float32),
    labels=["a", "b", "a", "b"],
    batches=["one", "one", "two", "two"],
    rows=np.array([0, 1, 0, 1]),
)


ALL = np.arange(len(ENTRIES))


def again(labels=("a", "b"), probabilities=((0.6, 0.4), (0.3, 0.7)), intervals=None) -> GivenAgain:
    return GivenAgain(labels, probabilities, intervals)


@pytest.mark.parametrize(("off", "same"), [(0.0, True), (0.9e-6, True), (1.1e-6, False)])
def test_a_probability_may_be_off_by_a_millionth(off, same):
    differences = compare_answers(LINE, again(probabilities=((0.6, 0.4), (0.3 + off, 0.7 - off))))

    assert [(each.place, each.what) for each in differences] == ([] if same else [(1, Differs.PROBABILITY)])


@pytest.mark.parametrize(("factor", "same"), [(1 + 0.9e-6, True), (1 + 1.1e-6, False)])
def test_a_number_and_its_interval_may_be_off_by_a_millionth_of_their_size(factor, same):
    line = replace(LINE, labels=[2e6, 0.0], probabilities=None, intervals=[[1e6, 3e6], [-1.0, 1.0]])

    differences = compare_answers(line, again([2e6 * factor, 0.0], None, [[1e6, 3e6 * factor], [-1.0, 1.0]]))

    assert [each.what for each in differences] == ([] if same else [Differs.LABEL, Differs.INTERVAL])


def test_another_class_differs_and_so_do_probabilities_that_are_no_more_there():
    differences = compare_answers(LINE, again(labels=("a", "c"), probabilities=None))

    assert [(each.place, each.what) for each in differences] == [
        (0, Differs.PROBABILITY),
        (1, Differs.LABEL),
        (1, Differs.PROBABILITY),
    ]


def nearest(limit, metric=DistanceMetric.L2, among=ALL):
    return nearest_again(ENTRIES, QUERY, among, limit=limit, metric=metric)


def search(*, limit=2, swapped=False, **changes) -> SearchLine:
    """What an index of ENTRIES says, in which the two rows at distance 1 may come in any order."""
    found = [{**each, **changes} for each in nearest(limit or 1)[:limit]]
    return SearchLine("s", LINE.at, "shop", "shop:one", "i", "champion", {}, found[::-1] if swapped else found)


def compared(line: SearchLine, *, limit=2, design=FLAT, among=ALL) -> list[int]:
    again = nearest(limit, design.metric, among)
    return [each.place for each in compare_neighbours(line, again, ENTRIES, QUERY, among, design=design)]


def test_of_rows_equally_far_any_may_come_first():
    assert compared(search(limit=2, swapped=True)) == []
    assert compared(search(limit=3, swapped=True), limit=3) == [0]


@pytest.mark.parametrize("changes", [{"label": "c"}, {"row": 7}, {"batch": "three"}, {"distance": 1.1}])
def test_a_neighbour_is_a_row_with_its_label_and_its_distance(changes):
    assert compared(search(limit=2, **changes)) == [0, 1]


def test_a_neighbour_too_few_differs():
    assert compared(search(limit=1)) == [1]


def test_an_index_that_is_not_exact_may_miss_a_row_but_not_invent_one():
    missed = replace(line := search(limit=3), neighbours=line.neighbours[1:])
    hnsw = IndexDesign(IndexType.HNSW)

    assert compared(missed, limit=2) == [1]
    assert compared(missed, limit=2, design=hnsw) == []
    assert compared(search(limit=1), design=hnsw) == []
    assert compared(search(row=7), design=hnsw) == [0, 1]


def test_a_neighbour_outside_of_what_was_asked_for_differs():
    filtered = np.array([1, 3])

    assert [each["label"] for each in nearest(2, among=filtered)] == ["b", "b"]
    assert compared(search(), among=filtered) == [0]
    assert compared(search(limit=0), among=filtered[:0]) == []


def test_distances_are_those_of_the_index():
    assert compared(search(), design=IndexDesign(metric=DistanceMetric.IP)) == [0, 1]


def test_no_cell_of_a_personal_column_is_shown_of_an_answer():
    line = replace(LINE, rows=[{"x": 1, "mail": "zoe@example.org"}, {}])

    shown = hide_personal(Reproduction(LINE.id, line), frozenset({"mail"}), id="x").line

    assert isinstance(shown, AnswerLine)
    assert shown.rows == [{"x": 1, "mail": HIDDEN}, {}]


def test_neither_a_personal_cell_nor_a_row_by_a_personal_id_is_shown_of_a_search():
    filters = [{"field": "town", "value": "Ulm", "low": None}, {"field": "kind", "value": "new", "low": None}]
    near, other = {"label": "a", "row_id": "C-1"}, {"label": "a", "row_id": "C-2"}
    question = {"row": {"x": 1, "town": "Ulm"}, "vector": None, "filters": filters}
    line = SearchLine("s", "2024", "shop", "shop:one", "index", "champion", question, [near])
    found = Reproduction("s", line, again=[other], differences=(Difference(0, Differs.NEIGHBOUR, near, other),))

    shown = hide_personal(found, frozenset({"town", "customer"}), id="customer")
    named = hide_personal(found, frozenset({"town"}), id="customer")

    assert isinstance(shown.line, SearchLine)
    assert shown.line.question["row"] == {"x": 1, "town": HIDDEN}
    assert [each["value"] for each in shown.line.question["filters"]] == [HIDDEN, "new"]
    assert not any("C-" in repr(each) for each in (shown.line.neighbours, shown.again, shown.differences))
    assert (named.again, named.differences) == (found.again, found.differences)
