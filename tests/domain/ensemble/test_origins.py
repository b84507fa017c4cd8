from itertools import pairwise

import pytest

from releve.domain.ensemble.origins import origin_blocks


def batches(*sizes):
    return [f"batch {number}" for number, size in enumerate(sizes) for _ in range(size)]


@pytest.mark.parametrize(
    ("sizes", "edges"),
    [
        ([90] * 20, [1260, 1350, 1440, 1530, 1620, 1710, 1800]),  # the newest batches
        ([10] * 200, [1640, 1700, 1760, 1820, 1880, 1940, 2000]),  # six neighbours are a block
        ([90] * 3, [135, 202, 270]),  # too few batches: equal blocks of the newest half
        ([5000, 100], [2550, 2975, 3400, 3825, 4250, 4675, 5100]),
        ([119], [60, 119]),
        ([120], [60, 120]),
        ([240], [120, 180, 240]),
    ],
)
def test_the_blocks_of_a_first_model_are_batches_or_equal_parts_of_the_newest_half(sizes, edges):
    blocks = origin_blocks(batches(*sizes))

    assert [(block.start, block.end) for block in blocks] == list(pairwise(edges))


@pytest.mark.parametrize("rows", [0, 1])
def test_rows_that_leave_none_to_learn_from_have_no_block(rows):
    assert origin_blocks(batches(rows)) == ()


@pytest.mark.parametrize("sizes", [[90] * 20, [10] * 200, [700, 1, 1, 1], [61] * 13, [60] * 12, [59] * 13])
def test_members_always_learn_from_half_of_the_rows_and_no_row_is_judged_twice(sizes):
    blocks = origin_blocks(batches(*sizes))

    assert blocks[0].start >= sum(sizes) // 2
    assert blocks[-1].end == sum(sizes)
    assert all(one.end == other.start for one, other in pairwise(blocks))
