"""A Dask cluster computes what this machine does, and what it lacks or loses is told."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.compute import AHEAD, DIED, TRAVELS_ALONG, Outcome, capacity, open_workers, versions
from releve.core.errors import Unavailable
from tests.adapters import work
from tests.clusters import ALLOWED_FAILURES, Cluster, running_cluster
from tests.serving.process import free_port
from tests.tables import ROOT

pytestmark = pytest.mark.whole

MINE = versions()["scikit-learn"].replace(".", r"\.")


def run(function: Any, shared: Any, items: list[Any], *, address: str, **more: Any) -> list[Outcome]:
    with open_workers(function, shared, address=address, workers=2, **more) as open_:
        return list(open_.run(items))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Cluster]:
    with running_cluster() as made:
        yield made


@pytest.fixture
def fragile(scheduler: Cluster) -> Iterator[Cluster]:
    """A cluster whose workers a test adds, and may end."""
    yield scheduler
    scheduler.end_workers()


def test_a_scheduler_that_does_not_answer_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("releve.adapters.compute.CONNECT_SECONDS", 1.0)
    address = f"tcp://127.0.0.1:{free_port()}"

    with pytest.raises(Unavailable, match=rf"no Dask scheduler answers at {address}.*compute\.address"):
        run(work.add, 1, [1], address=address)


@pytest.mark.parametrize("where", ["local", "tcp"])
def test_a_cluster_computes_the_same_as_this_machine_in_workers_of_its_own(
    cluster: Cluster, where: str, tmp_path: Path
) -> None:
    address, made = "local" if where == "local" else cluster.address, 0

    def items() -> Iterator[int]:
        nonlocal made
        while made < 12:
            made += 1
            yield made

    shared = work.Counted(tmp_path, 1)
    with open_workers(work.add_counted, shared, address=address, workers=2, sees=[tmp_path]) as workers:
        found = list(workers.run(range(8)))
        for at, (item, outcome) in enumerate(workers.stream(items()), start=1):
            assert (item, outcome.value[0]) == (at, 1 + at)
            assert made <= at + AHEAD * 2
        alone = workers.call(5)

    processes = {outcome.value[1] for outcome in [*found, alone]}
    assert [outcome.value[0] for outcome in [*found, alone]] == [*range(1, 9), 6]
    assert os.getpid() not in processes
    assert where == "local" or processes <= {worker.pid for worker in cluster.workers}
    assert capacity(address=address, workers=2) == 2


def test_a_worker_computes_in_one_thread_and_raises_what_the_function_does(cluster: Cluster) -> None:
    with open_workers(work.threads, None, address=cluster.address, workers=0) as workers:
        assert set(workers.call(1).value) == {1}
    for error in (FileNotFoundError, TimeoutError):  # which Dask raises, too, where the cluster is away
        with (
            pytest.raises(error, match="of the item"),
            open_workers(work.fail_as, error, address=cluster.address, workers=0) as workers,
        ):
            workers.call("of the item")


def test_what_a_call_computes_side_by_side_itself_waits_for_no_other_worker(cluster: Cluster) -> None:
    with open_workers(work.ask_within, cluster.address, address=cluster.address, workers=0) as workers:
        worker, started_by = workers.call(1).value

    assert worker == started_by


def test_a_cluster_without_workers_is_told(fragile: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("releve.adapters.compute.CONNECT_SECONDS", 1.0)

    with pytest.raises(Unavailable, match=rf"scheduler at {fragile.address} has no worker"):
        run(work.add, 1, [1], address=fragile.address)


def test_a_worker_with_other_versions_is_told_before_anything_is_computed(fragile: Cluster, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\nreal = m.version\n"
        "m.version = lambda name: '1.0.0' if name == 'scikit-learn' else real(name)\n"
    )
    fragile.add_worker(environ={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    fragile.wait()

    with pytest.raises(Unavailable, match=r"has .*scikit-learn 1\.0\.0.*this process has .*scikit-learn " + MINE):
        run(work.add, 1, [1], address=fragile.address)


def test_a_worker_that_lacks_code_or_folders_is_told_before_anything_is_computed(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_mine.py").write_text("def own(shared, item): return item\n")
    monkeypatch.syspath_prepend(tmp_path)
    from of_mine import own  # type: ignore[import-not-found]

    missed = tmp_path / "not-shared"
    with pytest.raises(Unavailable, match=r"cannot import what it needs .*of_mine.*in the project's folder"):
        run(own, 1, [1], address=cluster.address)
    with pytest.raises(Unavailable, match=rf"does not see {missed} of this machine"):
        run(work.add, 1, [1], address=cluster.address, sees=[tmp_path, missed])


def test_an_item_that_ends_every_worker_is_told_and_the_others_are_computed(fragile: Cluster) -> None:
    for _ in range(ALLOWED_FAILURES + 2):
        fragile.add_worker()
    fragile.wait()

    with open_workers(work.add, 10, address=fragile.address, workers=0) as workers:
        found = [outcome for _, outcome in workers.stream(["die", 1, 2])]

    assert [worker.poll() is None for worker in fragile.workers].count(True) == 1
    assert found == [Outcome(problem=DIED), Outcome(11), Outcome(12)]


def test_what_died_with_the_only_worker_travels_to_the_one_its_nanny_starts(
    fragile: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("releve.adapters.compute.LIVES", 2)
    fragile.add_worker(nanny=True)
    fragile.wait()

    found = run(work.add_to_first, [10] * TRAVELS_ALONG, [0, "die", 1, 2], address=fragile.address)

    assert found == [Outcome(10), Outcome(problem=DIED), Outcome(11), Outcome(12)]


@pytest.mark.parametrize("who", ["worker", "scheduler"])  # at the end of this file: the scheduler serves all of it
def test_a_cluster_that_goes_away_during_a_run_is_told(
    fragile: Cluster, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("releve.adapters.compute.NO_WORKER_SECONDS", 1.0)
    monkeypatch.setattr("releve.adapters.compute.POLL_SECONDS", 0.2)
    fragile.add_worker()
    fragile.wait()

    with (
        pytest.raises(Unavailable, match=rf"cluster at {fragile.address} went away"),
        open_workers(work.sleep, None, address=fragile.address, workers=0) as workers,
    ):
        outcomes = workers.run([0, 600])
        next(outcomes)
        os.kill((fragile.scheduler if who == "scheduler" else fragile.workers[0]).pid, signal.SIGKILL)
        next(outcomes)
