"""Items that are made as they are needed are computed side by side, and come back in their order."""

from collections.abc import Iterator

import pytest

from releve.adapters.compute import AHEAD, DIED, Outcome, open_workers
from tests.adapters import work


@pytest.mark.parametrize("here", [True, False])
def test_every_item_comes_with_its_outcome_and_few_are_made_ahead(here: bool) -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        while made < 30:
            made += 1
            yield made

    with open_workers(work.add, 10, address="", workers=2, here=here) as workers:
        for at, (item, outcome) in enumerate(workers.stream(items()), start=1):
            assert (item, outcome) == (at, Outcome(10 + at))
            assert made <= at + AHEAD * 2

    assert made == 30


@pytest.mark.slow
def test_an_item_whose_process_dies_is_told_and_the_others_are_computed() -> None:
    items = [0, 1, "die", 3, 4, "die", *range(6, 12)]

    with open_workers(work.add, 10, address="", workers=2) as workers:
        found = list(workers.stream(iter(items)))

    assert [item for item, _ in found] == items
    assert [outcome for _, outcome in found] == [
        Outcome(problem=DIED) if item == "die" else Outcome(10 + item) for item in items
    ]
