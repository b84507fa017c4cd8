"""The service as a whole: what it loads, and how it lives through releases, outages and their end."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from benchmarks import swap_load
from releve.adapters.models import model_runtime
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK
from releve.domain.registry.events import ModelReleased
from tests.factories import PROJECT, SCENARIO, make_entries, make_project, make_release, make_row, make_stored_model
from tests.serving.conftest import COLLECTION, registry_of, release_first
from tests.serving.process import free_port, milvus_serving, serving, wait_until

TOO_HEAVY = {"sklearn", "evidently", "prefect", "dvc", "pandas", "pymilvus", "tasks", "flows"}


def test_importing_the_service_loads_nothing_that_trains_or_reports():
    script = "import service, sys; print(*{name.partition('.')[0] for name in sys.modules})"

    run = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert not TOO_HEAVY & set(run.stdout.split())


def test_a_number_of_workers_that_is_none_is_told_in_one_line():
    command = [sys.executable, "-m", "bentoml", "serve", "service:Releve", "--port", str(free_port())]
    environ = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", "RELEVE_SERVICE_WORKERS": "many"}

    run = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=60)

    assert run.returncode != 0
    assert "RELEVE_SERVICE_WORKERS is 'many'; expected a whole number between 1 and 256" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.whole
def test_before_the_first_release_the_service_is_alive_but_not_ready(tmp_path: Path):
    with serving(tmp_path, make_project(tmp_path)) as address, httpx.Client(base_url=address, timeout=30) as client:
        ready, alive = client.get("/readyz"), client.get("/livez")
        refused = client.post("/predict", json={"rows": [make_row()]})

        release_first(tmp_path, make_stored_model(tmp_path, "one"))
        wait_until(lambda: client.get("/readyz").status_code == 200)
        answered = client.post("/predict", json={"rows": [make_row()]})

    assert (ready.status_code, ready.json()["error"]["code"], alive.status_code) == (503, "not_ready", 200)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_release")
    assert answered.status_code == 200


@pytest.mark.whole
def test_searches_fail_while_milvus_is_away_and_come_back_with_it(tmp_path: Path):
    project, stored, port = make_project(tmp_path), make_stored_model(tmp_path, "one"), free_port()
    release_first(tmp_path, stored)
    question = {"row": make_row(), "limit": 3}

    with serving(tmp_path, project, milvus=port) as address, httpx.Client(base_url=address, timeout=30) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        with milvus_serving(tmp_path / "milvus", port):
            build_index(port, stored.path)
            wait_until(lambda: client.post("/search", json=question).status_code == 200)
        away = client.post("/search", json=question)
        predicted = client.post("/predict", json={"rows": [make_row()]})
        status = client.get("/status").json()
        with milvus_serving(tmp_path / "milvus", port):
            wait_until(lambda: client.post("/search", json=question).status_code == 200)
            back = client.post("/search", json=question).json()

    assert (away.status_code, away.json()["error"]["code"]) == (503, "index_unavailable")
    assert (predicted.status_code, status["index_reachable"]) == (200, False)
    assert len(back["neighbours"]) == 3


@pytest.mark.whole
def test_searches_that_hang_delay_nothing_that_does_not_search(tmp_path: Path):
    project, stored, port = make_project(tmp_path), make_stored_model(tmp_path, "one"), free_port()
    release_first(tmp_path, stored)
    rows = {"rows": [make_row()] * 400}  # enough for a thread of its own

    with (
        milvus_serving(tmp_path / "milvus", port) as milvus,
        serving(tmp_path, project, milvus=port) as address,
        httpx.Client(base_url=address, timeout=30) as client,
        ThreadPoolExecutor(20) as searchers,
    ):
        build_index(port, stored.path)
        wait_until(lambda: client.post("/search", json={"row": make_row()}).status_code == 200)
        row_id = client.post("/predict", json={"rows": [make_row()]}).json()["predictions"][0]["id"]
        feedback = {"labels": [{"id": row_id, "label": 1}]}
        os.kill(milvus, signal.SIGSTOP)
        try:
            hanging = [
                searchers.submit(httpx.post, f"{address}/search", json={"row": make_row()}, timeout=30)
                for _ in range(20)
            ]
            time.sleep(1)
            statuses = {}
            for path, body in (("/predict", rows), ("/feedback", feedback), ("/status", {}), ("/readyz", None)):
                answer = client.post(path, json=body) if body is not None else client.get(path)
                statuses[path] = answer.status_code
            assert not all(each.done() for each in hanging)  # who had waited for them would come after them
        finally:
            os.kill(milvus, signal.SIGCONT)
        searched = {each.result().status_code for each in hanging}

    assert statuses == {"/predict": 200, "/feedback": 200, "/status": 200, "/readyz": 200}
    assert searched <= {200, 503, 504}


@pytest.mark.whole
def test_one_service_serves_every_scenario_that_is_released(tmp_path: Path):
    project = make_project(tmp_path)
    described = project / "scenarios" / SCENARIO / "params.yaml"
    for name in ("roses", "tulips"):
        (project / "scenarios" / name).mkdir()
        (project / "scenarios" / name / "params.yaml").write_bytes(described.read_bytes())
    stored = {name: make_stored_model(tmp_path, "one", scenario=name) for name in ("roses", "tulips")}
    registry = registry_of(tmp_path)
    for name, model in stored.items():
        payload = ModelReleased(release=make_release(model))
        registry.move(name, payload, expected=None, reason="a test", actor="tests")
    registry.close()
    question = {"rows": [make_row()]}

    with (
        serving(tmp_path, project, RELEVE_SCENARIO="", RELEVE_SERVICE_WORKERS="2") as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        wait_until(lambda: client.get("/readyz").status_code == 200)
        listed = [each["scenario"] for each in client.get("/").json()["scenarios"]]
        answers = [client.post(f"/scenarios/{name}/predict", json=question).json() for name in stored for _ in range(4)]
        several = client.post("/predict", json=question)
        unreleased = client.post(f"/scenarios/{SCENARIO}/predict", json=question)

    assert listed == ["roses", "tulips"]
    assert [each["model_version"] for each in answers] == ["roses:one"] * 4 + ["tulips:one"] * 4
    assert (several.status_code, several.json()["error"]["code"]) == (404, "unknown_scenario")
    assert (unreleased.status_code, unreleased.json()["error"]["code"]) == (503, "no_release")


@pytest.mark.whole
def test_a_pinned_model_is_served_whatever_the_registry_says(tmp_path: Path):
    project = make_project(tmp_path)
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    make_stored_model(tmp_path, "two", seed=8)

    with serving(tmp_path, project, RELEVE_MODEL="flowers:two") as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        answer = httpx.post(f"{address}/predict", json={"rows": [make_row()]}).json()

    assert (answer["scenario"], answer["model_version"], answer["index_version"]) == (SCENARIO, "flowers:two", None)


@pytest.mark.whole
def test_several_workers_write_ledgers_of_their_own_that_hold_every_answer(tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    with serving(tmp_path, make_project(tmp_path), RELEVE_SERVICE_WORKERS="2") as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        ids = set()
        for _ in range(50):  # a new connection each; the workers share one socket, and one may not be ready yet
            answer = httpx.post(f"{address}/predict", json={"rows": [make_row()]})
            if answer.status_code == 200:
                ids.add(answer.json()["request_id"])
        segments = list((tmp_path / "ledger" / SCENARIO).glob("answers-*.jsonl"))

        counted = httpx.get(f"{address}/metrics").text

    assert sum(len(segment.read_text().splitlines()) for segment in segments) == len(ids)
    assert f'releve_rows_total{{scenario="{SCENARIO}"}} {len(ids)}.0' in counted
    assert f'model_infer_request_success_total{{model="{SCENARIO}"}} {len(ids)}.0' in counted
    assert "releve_ledger_writable 1.0" in counted and "releve_registry_reachable 1.0" in counted


@pytest.mark.whole
def test_releases_under_load_lose_no_request(tmp_path: Path):
    result = swap_load.run(tmp_path, releases=6, clients=8)

    assert result.failures == []
    assert result.strangers == []
    assert len({answer.release for answer in result.answers}) == 2


def build_index(port: int, model: Path) -> None:
    index = VectorIndex(f"http://{LOOPBACK}:{port}")
    index.build(COLLECTION, make_entries(model_runtime.load(model, tag="a").embedder), scenario=SCENARIO)
    index.close()
