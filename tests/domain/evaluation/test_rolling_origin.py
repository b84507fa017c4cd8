from itertools import pairwise

import pytest

from releve.core.errors import BadInput
from releve.domain.evaluation.rolling_origin import Fold, numbered, rolling_folds


def folds_of(rows, **changes):
    rule = {"seen": 0, "holdout_rows": 300, "holdout_share": 0.5, "folds": 3, "min_fold_rows": 60}
    return rolling_folds(rows, **{**rule, **changes})


def held_out(folds):
    return folds[-1].end - folds[0].start


def test_blocks_follow_each_other_up_to_the_newest_row():
    assert folds_of(1000) == (Fold(700, 800), Fold(800, 900), Fold(900, 1000))


@pytest.mark.parametrize(
    ("rows", "changes", "size"),
    [
        (599, {}, 299),  # half of the rows ...
        (600, {}, 300),
        (601, {}, 300),  # ... up to holdout_rows
        (1000, {"seen": 699}, 300),
        (1000, {"seen": 700}, 300),
        (1000, {"seen": 701}, 299),  # no row that the champion learned from
        (1000, {"seen": 999}, 1),
        (2, {}, 1),
        (3, {}, 1),
    ],
)
def test_the_holdout_is_the_smallest_of_its_three_limits(rows, changes, size):
    assert held_out(folds_of(rows, **changes)) == size


@pytest.mark.parametrize(
    ("size", "count"), [(1, 1), (59, 1), (119, 1), (120, 2), (121, 2), (179, 2), (180, 3), (300, 3)]
)
def test_there_are_fewer_blocks_rather_than_smaller_ones(size, count):
    folds = folds_of(1000, holdout_rows=size)

    assert len(folds) == count
    assert held_out(folds) == size


@pytest.mark.parametrize("rows", range(2, 400, 7))
def test_blocks_cover_the_holdout_once_and_differ_by_a_row_at_most(rows):
    folds = folds_of(rows, min_fold_rows=1)
    sizes = [fold.end - fold.start for fold in folds]

    assert all(before.end == after.start for before, after in pairwise(folds))
    assert folds[-1].end == rows
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("seen", [100, 101])
def test_without_a_newer_row_there_is_nothing_to_judge_on(seen):
    with pytest.raises(BadInput, match=f"100 labelled rows and the champion learned from {seen}.*ingest newer"):
        folds_of(100, seen=seen)


@pytest.mark.parametrize("rows", [0, 1])
def test_one_row_alone_cannot_be_learned_from_and_judged_on(rows):
    with pytest.raises(BadInput, match="ingest newer labelled rows"):
        folds_of(rows)


def test_every_row_that_is_judged_on_has_the_number_of_its_block():
    assert numbered([Fold(5, 7), Fold(7, 8)]).tolist() == [0, 0, 1]
