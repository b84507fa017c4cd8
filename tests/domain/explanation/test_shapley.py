"""What each feature moved: held against all orders of the features, and against how far estimates may lie off."""

from itertools import permutations

import numpy as np
import pytest

from releve.core.errors import TooLarge
from releve.domain.explanation.shapley import contributions

MOST_ROWS = 131_072
REFERENCES = 32


def tangled(rows):
    """A function of which three features make what none of them makes alone."""
    return np.tanh(rows[:, 0] * rows[:, 1]) + rows[:, 2] * rows[:, 0] * (rows[:, 1] > 0) + rows.sum(axis=1) / 10


def explained(function, row, references, *, most_rows=MOST_ROWS, seed=0):
    return contributions(
        lambda taken, of: function(np.where(taken, row, references[of])),
        references != row,
        answer=float(function(row[None])[0]),
        references=function(references),
        most_rows=most_rows,
        seed=seed,
    )


def drawn(features, *, seed=0, references=REFERENCES):
    random = np.random.default_rng(seed)
    return random.normal(size=features), random.normal(size=(references, features))


def by_all_orders(function, row, references):
    """The definition: what a feature changes at its turn, over all orders and references."""
    moved, orders = np.zeros(len(row)), [*permutations(range(len(row)))]
    for reference in references:
        for order in orders:
            mixed = reference.copy()
            before = function(mixed[None])[0]
            for feature in order:
                mixed[feature] = row[feature]
                after = function(mixed[None])[0]
                moved[feature] += after - before
                before = after
    return moved / len(orders) / len(references)


def test_exact_values_are_those_of_the_definition():
    row, references = drawn(5, references=6)
    references[0] = row
    references[1, :3] = row[:3]
    references[2, 1:] = row[1:]

    found = explained(tangled, row, references)

    assert found.errors is None
    assert found.values == pytest.approx(by_all_orders(tangled, row, references), abs=1e-6)


@pytest.mark.parametrize("most_rows", [MOST_ROWS, 2_000])
def test_the_values_make_the_whole_way_from_the_reference_to_the_answer(most_rows):
    row, references = drawn(9)

    found = explained(tangled, row, references, most_rows=most_rows)

    assert (found.errors is None) == (most_rows == MOST_ROWS)
    assert found.asked <= most_rows
    assert found.values.sum() == pytest.approx(found.answer - found.reference, abs=1e-12)
    assert found.reference == pytest.approx(tangled(references).mean())


@pytest.mark.parametrize("most_rows", [0, 1, 63])
def test_a_feature_alone_is_exact_however_slow_the_model_is(most_rows):
    row, references = drawn(1)

    found = explained(lambda rows: rows[:, 0] ** 2, row, references, most_rows=most_rows)

    assert found.errors is None
    assert found.values[0] == pytest.approx(found.answer - found.reference)


@pytest.mark.parametrize(("features", "is_exact"), [(11, True), (12, True), (13, False)])
def test_a_dozen_features_are_exact_and_one_more_is_estimated(features, is_exact):
    row, references = drawn(features)

    found = explained(tangled, row, references)

    assert (found.errors is None) == is_exact
    assert found.asked <= MOST_ROWS


def test_many_features_are_exact_where_a_dozen_of_them_differ_from_each_reference():
    row, references = drawn(40)
    same = np.random.default_rng(1).random(references.shape).argsort(axis=1) >= 12
    references[same] = np.broadcast_to(row, references.shape)[same]

    assert explained(tangled, row, references).errors is None


def test_a_feature_that_is_the_same_everywhere_moves_nothing():
    row, references = drawn(6)
    references[:, 2] = row[2]

    assert explained(tangled, row, references).values[2] == 0


def test_a_row_among_equal_references_is_moved_by_nothing():
    row, _ = drawn(4)

    found = explained(tangled, row, np.array([row] * 3))

    assert found.values.tolist() == [0, 0, 0, 0] and found.answer == pytest.approx(found.reference)


def test_the_same_question_has_the_same_estimates_and_another_seed_others():
    row, references = drawn(9)

    one, again, other = (explained(tangled, row, references, most_rows=2_000, seed=seed) for seed in (0, 0, 1))

    assert one.values.tolist() == again.values.tolist() != other.values.tolist()


@pytest.mark.parametrize(
    ("most_rows", "is_enough"), [(REFERENCES * 2 * 8 * 2, True), (REFERENCES * 2 * 8 * 2 - 1, False)]
)
def test_fewer_rows_than_two_orders_take_are_no_estimate(most_rows, is_enough):
    row, references = drawn(9)

    if is_enough:
        assert explained(tangled, row, references, most_rows=most_rows).asked == most_rows
    else:
        with pytest.raises(TooLarge, match="9 features differ from a reference row, and an estimate takes 1,024 rows"):
            explained(tangled, row, references, most_rows=most_rows)


def test_intervals_of_estimates_hold_the_exact_value_as_often_as_they_say():
    held = []
    for seed in range(60):
        row, references = drawn(8, seed=seed)
        exact = explained(tangled, row, references).values
        found = explained(tangled, row, references, most_rows=4_000, seed=seed)
        low, high = found.intervals[:3].T  # the others are in no interaction: an order and its reverse make them exact
        held += ((low <= exact[:3]) & (exact[:3] <= high)).tolist()

    assert 0.90 <= np.mean(held) <= 0.99  # 95% of 180; `benchmarks/explain.py` counts 1,000
