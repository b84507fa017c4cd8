from itertools import pairwise

import pytest

from releve.domain.evaluation.rolling_origin import Fold, cut_blocks, numbered


def test_blocks_follow_each_other_up_to_the_newest_row():
    assert cut_blocks(700, 1000, count=3) == (Fold(700, 800), Fold(800, 900), Fold(900, 1000))


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("rows", range(6, 400, 7))
def test_blocks_cover_the_rows_once_and_differ_by_a_row_at_most(rows, count):
    folds = cut_blocks(50, 50 + rows, count=count)
    sizes = [fold.end - fold.start for fold in folds]

    assert all(before.end == after.start for before, after in pairwise(folds))
    assert (len(folds), folds[0].start, folds[-1].end) == (count, 50, 50 + rows)
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


def test_every_row_that_is_judged_on_has_the_number_of_its_block():
    assert numbered([Fold(5, 7), Fold(7, 8)]).tolist() == [0, 0, 1]
