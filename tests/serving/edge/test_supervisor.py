"""Workers of a real service, killed as the kernel does when memory runs out."""

from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks import worker_kills
from benchmarks.worker_kills import workers_of
from tests.factories import make_project
from tests.processes import is_at_work
from tests.serving.process import serving, wait_until


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_before_anything_else_is_lost(tmp_path: Path):
    result = worker_kills.run(tmp_path, kills=3, clients=4, workers=1)

    assert result.failures == []
    assert max(result.gaps) < 6  # a start from nothing takes longer than this on a busy machine, and 10 s are circus's


@pytest.mark.slow
def test_a_worker_answers_on_while_what_replaces_it_is_replaced(tmp_path: Path):
    with serving(tmp_path, make_project(tmp_path)) as address, httpx.Client(base_url=address) as client:
        (worker,) = workers_of(psutil.Process())
        worker.parent().kill()
        answered = []
        wait_until(lambda: answered.append(client.get("/livez").status_code) or len(workers_of(psutil.Process())) == 1)

    assert set(answered) == {200}


@pytest.mark.slow
def test_a_worker_ends_with_its_supervisor(tmp_path: Path):
    with serving(tmp_path, make_project(tmp_path)) as address:
        (worker,) = workers_of(psutil.Process())
        worker.parent().parent().kill()
        wait_until(lambda: not is_at_work(worker.pid))

    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/livez")
