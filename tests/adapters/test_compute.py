import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.compute import DIED, Outcome, cores, open_workers
from tests.adapters import work
from tests.processes import is_at_work
from tests.tables import ROOT

pytestmark = pytest.mark.usefixtures("many_threads")

SECONDS = 60.0


def run(function: Any, shared: Any, items: list[Any], *, address: str = "", workers: int = 2) -> list[Outcome]:
    with open_workers(function, shared, address=address, workers=workers) as open_:
        return list(open_.run(items))


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_every_item_is_computed_with_what_is_shared_whatever_the_number_of_workers(workers: int) -> None:
    found = run(work.add, 10, [1, 2, 3, 4], workers=workers)

    assert found == [Outcome(11), Outcome(12), Outcome(13), Outcome(14)]


def test_outcomes_come_in_the_order_of_the_items_and_not_of_their_end() -> None:
    found = run(work.later_first, 4, [0, 1, 2, 3, 4], workers=3)

    assert [outcome.value for outcome in found] == [0, 1, 2, 3, 4]


def test_what_is_shared_travels_to_each_worker_once(tmp_path: Path) -> None:
    with open_workers(work.add_counted, work.Counted(tmp_path, 1), address="", workers=2) as workers:
        rounds = [list(workers.run(range(8))) for _ in range(3)]

    assert [[outcome.value[0] for outcome in found] for found in rounds] == [list(range(1, 9))] * 3
    arrivals = [path.name.partition("-")[0] for path in tmp_path.iterdir()]
    assert len(arrivals) == len(set(arrivals)) <= 2
    assert {str(outcome.value[1]) for found in rounds for outcome in found} <= set(arrivals)


@pytest.mark.slow
def test_a_worker_computes_in_one_thread() -> None:
    found = run(work.threads, None, [0, 1, 0, 1])

    assert {count for outcome in found for count in outcome.value} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_item_whose_process_dies_is_told_and_the_others_are_computed(place: int) -> None:
    items: list[Any] = [0, 1, 2, 3]
    items[place] = "die"

    with open_workers(work.add, 10, address="", workers=2) as workers:
        found = list(workers.run(items))
        afterwards = list(workers.run([5]))

    assert found == [Outcome(problem=DIED) if item == "die" else Outcome(10 + item) for item in items]
    assert afterwards == [Outcome(15)]


def test_a_fault_of_the_function_is_raised() -> None:
    with pytest.raises(ZeroDivisionError, match="of the item"):
        run(work.fail, None, ["of the item"])


def test_workers_of_a_process_that_was_killed_end_too() -> None:
    code = (
        "from releve.adapters.compute import open_workers\n"
        "from tests.adapters import work\n"
        "if __name__ == '__main__':\n"
        "    with open_workers(work.sleep, None, address='', workers=1) as workers:\n"
        "        print(list(workers.run([0]))[0].value, flush=True)\n"
        "        list(workers.run([600]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())

        parent.kill()

    deadline = time.monotonic() + SECONDS
    while is_at_work(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_at_work(worker)


def test_a_process_may_use_a_core_at_least() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
