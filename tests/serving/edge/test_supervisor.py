"""Workers of a real service, killed as the kernel does when memory runs out; and others that are stuck."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks import worker_kills
from benchmarks.worker_kills import workers_of
from tests.factories import make_project
from tests.processes import is_at_work
from tests.serving.process import START_SECONDS, serving, wait_until

SUPERVISOR = """
import os, signal
from bentoml._internal.context import server_context
from releve.serving.edge import supervisor

supervisor.CLOSING_SECONDS = 0.5
if not os.fork():
    server_context.worker_index = 1
    supervisor.stay_supervised()
    print(os.getpid(), flush=True)
signal.pause()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")


@contextmanager
def supervised() -> Iterator[psutil.Process]:
    """A worker as the service starts it, which answers nothing; killed in the end, with what it comes from."""
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        worker = psutil.Process(int(started.stdout.readline()))
        family = [worker, *worker.parents()[:2]]
        try:
            yield worker
        finally:
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


@pytest.mark.whole
def test_a_worker_that_is_killed_is_replaced_before_anything_else_is_lost(tmp_path: Path):
    result = worker_kills.run(tmp_path, kills=3, clients=4, workers=1)

    assert result.failures == []
    assert len(result.forkers) == 1  # each was replaced by a fork, none by a start from nothing


@pytest.mark.whole
def test_a_worker_answers_on_while_what_replaces_it_is_replaced(tmp_path: Path):
    with serving(tmp_path, make_project(tmp_path)) as address:
        (worker,) = workers_of(psutil.Process())
        forker = worker.parent()
        supervisor = forker.parent()
        supervisor.suspend()  # nothing else can answer meanwhile
        forker.kill()
        answered = httpx.get(f"{address}/livez", timeout=START_SECONDS)
        supervisor.resume()
        wait_until(lambda: len(workers_of(psutil.Process())) == 1)
        (successor,) = workers_of(psutil.Process())

    assert answered.status_code == 200
    assert successor.pid != worker.pid


@pytest.mark.whole
def test_a_worker_ends_with_its_supervisor(tmp_path: Path):
    with serving(tmp_path, make_project(tmp_path)) as address:
        (worker,) = workers_of(psutil.Process())
        forker = worker.parent()
        forker.parent().kill()
        wait_until(lambda: not is_at_work(worker.pid) and not is_at_work(forker.pid))

    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/livez")


@pytest.mark.whole
def test_where_a_thread_runs_before_the_service_starts_it_serves_without_a_fork_and_says_why(tmp_path: Path):
    tracer = "threading.Thread(target=threading.Event().wait, name='tracer', daemon=True)"
    (tmp_path / "sitecustomize.py").write_text(f"import threading\n{tracer}.start()\n")

    with serving(tmp_path, make_project(tmp_path), PYTHONPATH=str(tmp_path)):
        assert workers_of(psutil.Process()) == []

    (log,) = tmp_path.glob("service-*.log")
    assert "serves without a fork, which would lack the threads that run already (tracer)" in log.read_text()


@pytest.mark.parametrize("alone", [False, True], ids=["told to end", "alone"])
def test_a_worker_that_is_stuck_ends_all_the_same(alone: bool):
    with supervised() as worker:
        forker = worker.parent()
        worker.suspend()
        if alone:
            forker.parent().kill()
        else:
            forker.terminate()
        wait_until(lambda: not is_at_work(forker.pid))

        assert not is_at_work(worker.pid)
