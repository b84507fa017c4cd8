"""The parts of `make up`, killed while they work: `make up` again brings them back, and no answer is lost."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import NAMES, PREFECT, SERVICE, WORKER, prefect_api_url
from releve.adapters.local_stack.ports import PortTaken
from releve.adapters.models.model_runtime import check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prefect.api import PrefectApi
from releve.adapters.registry.registry import Registry
from releve.core.settings import LOOPBACK, Settings
from releve.domain.registry.release import Release
from tasks.pipeline.seed import windows
from tasks.places import ScenarioState
from tasks.release.release import release
from tasks.release.rollback import rollback
from tests.drill.conftest import MOMENTS, Struck, Took, chance
from tests.failures.processes import kill, processes_in
from tests.projects import SCENARIO, Project, rivalled_project
from tests.serving.process import free_port, wait_until

PORTS = ("RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT", "RELEVE_MILVUS_PORT")
WHILE_ASKED = 2.0  # seconds, within which a part is killed
RUN_SECONDS, UP_SECONDS = 6.0, 12.0  # the same for a flow's run, and for `make up` itself
LONGEST = 300.0  # until everything answers again, on a busy machine


@pytest.fixture(scope="module")
def project(work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return rivalled_project(work_dir).copy(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def settings(project: Project) -> Iterator[Settings]:
    """Ports of its own; whatever runs there in the end is stopped."""
    found = Settings.from_environ({name: str(free_port()) for name in PORTS}, cwd=project.root)
    yield found
    local_stack.down(found)


@pytest.fixture(scope="module")
def released(settings: Settings) -> Settings:
    """The second release, made while all parts run."""
    local_stack.up(settings)
    release(settings, SCENARIO)
    return settings


@pytest.fixture
def stack(released: Settings) -> Settings:
    """All parts run, whatever the test before left."""
    local_stack.up(released)
    return released


def a_row() -> dict[str, Any]:
    row: dict[str, Any] = next(windows()).drop(columns="digit").to_dict("records")[0]
    return row


def ask(settings: Settings, path: str, body: Any) -> httpx.Response | None:
    with suppress(httpx.TransportError):
        return httpx.post(f"http://{LOOPBACK}:{settings.service_port}{path}", json=body, timeout=30, trust_env=False)
    return None


@contextmanager
def asking(settings: Settings) -> Iterator[list[str]]:
    """Predict without a pause; the ids of the answers that arrived."""
    ids, ends, question = list[str](), threading.Event(), {"rows": [a_row()]}

    def ask_on() -> None:
        while not ends.is_set():
            answer = ask(settings, f"/scenarios/{SCENARIO}/predict", question)
            if answer is not None and answer.is_success:
                ids.append(answer.json()["request_id"])

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield ids
    finally:
        ends.set()
        thread.join()


def answers(settings: Settings) -> bool:
    """Predictions and searches, both."""
    asked = {"predict": {"rows": [a_row()]}, "search": {"row": a_row(), "limit": 3}}
    found = [ask(settings, f"/scenarios/{SCENARIO}/{path}", body) for path, body in asked.items()]
    return all(answer is not None and answer.is_success for answer in found)


def strike(settings: Settings, name: str, *, children_too: bool) -> None:
    running = stack_process.running(settings.home, name)
    assert running is not None
    process = psutil.Process(running.pid)
    struck = [process, *(process.children(recursive=True) if children_too else [])]
    for each in struck:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    wait_until(lambda: stack_process.running(settings.home, name) is None)


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("children_too", [False, True], ids=["alone", "with its children"])
@pytest.mark.parametrize("name", NAMES)
def test_a_part_that_was_killed_is_back_with_the_next_up_and_no_answer_is_lost(
    name: str, children_too: bool, moment: int, stack: Settings, struck: Struck
) -> None:
    struck(f"make up: {name}", "killed with its children" if children_too else "killed", True)
    with asking(stack) as ids:
        time.sleep(chance(name, children_too, moment).uniform(0, WHILE_ASKED))
        strike(stack, name, children_too=children_too)
        started = local_stack.up(stack)
        wait_until(lambda: answers(stack), seconds=LONGEST)

    assert started == (name,)
    assert ids
    assert lost(stack, ids) == []


def test_a_worker_of_the_service_that_was_killed_is_started_again_by_its_supervisor(
    stack: Settings, struck: Struck
) -> None:
    supervisor = stack_process.running(stack.home, SERVICE)
    assert supervisor is not None
    for _ in range(MOMENTS):
        workers = psutil.Process(supervisor.pid).children(recursive=True)
        assert workers
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
        wait_until(lambda: answers(stack), seconds=LONGEST)
    struck("make up: a worker of the service", "killed", True)

    assert local_stack.up(stack) == ()


@pytest.mark.parametrize(
    ("part", "what"), [(WORKER, "killed with its worker"), (PREFECT, "its server killed")], ids=[WORKER, PREFECT]
)
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_scheduled_run_during_which_a_part_was_killed_holds_up_no_later_run(
    moment: int, part: str, what: str, stack: Settings, struck: Struck
) -> None:
    first = start_run(stack, "ingest")
    wait_until(lambda: state_of_run(stack, first) == "RUNNING", seconds=LONGEST)
    time.sleep(chance(f"run {part}", moment).uniform(0, RUN_SECONDS))
    struck("a run of Prefect", what, state_of_run(stack, first) == "RUNNING")
    strike(stack, part, children_too=True)
    local_stack.up(stack)

    second = start_run(stack, "ingest")

    wait_until(lambda: state_of_run(stack, second) == "COMPLETED", seconds=LONGEST)


def start_run(settings: Settings, flow: str) -> str:
    deployment = prefect(settings, "GET", f"/deployments/name/{flow}/{flow}")["id"]
    path = f"/deployments/{deployment}/create_flow_run"
    return str(prefect(settings, "POST", path, {"parameters": {"scenario": SCENARIO}})["id"])


def state_of_run(settings: Settings, run: str) -> str:
    return str(prefect(settings, "GET", f"/flow_runs/{run}")["state_type"])


def prefect(settings: Settings, method: str, path: str, body: object = None) -> dict[str, Any]:
    """As our own programs ask it: a server whose database is busy, as after a kill, is asked again."""
    api = PrefectApi(prefect_api_url(settings))
    found: dict[str, Any] = api.ask(method, path, body, until=time.monotonic() + 30).json()
    return found


def test_a_rollback_and_the_way_forward_bring_model_and_index_together_and_lose_no_answer(
    stack: Settings, struck: Struck, took: Took
) -> None:
    for way in ("back", "forward"):
        wanted = registry_of(stack).previous(SCENARIO)
        assert wanted is not None
        with asking(stack) as ids:
            began = time.monotonic()
            done = rollback(stack, SCENARIO, reason="a drill")
            took(f"rollback, {way}: until the service answers with it", time.monotonic() - began)
            wait_until(lambda: searches_with(stack, wanted), seconds=LONGEST)  # noqa: B023
            took(f"rollback, {way}: until searches find its rows", time.monotonic() - began)
        check_golden(ModelStore(stack.home).load(wanted.model, digest=wanted.model_digest))
        struck("rollback", f"while the service is asked, {way}", True)

        assert (done.release.model, done.release.index, done.note) == (wanted.model, wanted.index, "")
        assert ids
        assert lost(stack, ids) == []


def searches_with(settings: Settings, wanted: Release) -> bool:
    """Whether predictions come from that model, and searches from that index."""
    predicted = ask(settings, f"/scenarios/{SCENARIO}/predict", {"rows": [a_row()]})
    found = ask(settings, f"/scenarios/{SCENARIO}/search", {"row": a_row(), "limit": 3})
    if predicted is None or found is None or not (predicted.is_success and found.is_success):
        return False
    return (predicted.json()["model_version"], found.json()["index_version"]) == (wanted.model, wanted.index_name)


def registry_of(settings: Settings) -> Registry:
    return Registry(settings.registry_url)


def lost(settings: Settings, ids: list[str]) -> list[str]:
    """Requests whose answer arrived, and that the ledger does not have."""
    ledger = ScenarioState(settings.home, SCENARIO).ledger
    written = "".join(path.read_text() for path in ledger.glob("answers-*.jsonl"))
    return [each for each in ids if each not in written]


def test_of_two_ups_at_once_one_starts_everything_and_the_other_finds_it(
    project: Project, settings: Settings, struck: Struck
) -> None:
    local_stack.down(settings)
    processes = [up_of(project, settings) for _ in range(2)]

    ends = [process.communicate(timeout=LONGEST) for process in processes]
    struck("make up", "the same command beside it", True)
    states = {each.name: each.state for each in local_stack.status(settings)}

    assert [process.returncode for process in processes] == [0, 0], ends
    assert sorted("everything runs already" in output for output, _ in ends) == [False, True]
    assert states == dict.fromkeys(NAMES, "answering")


def test_the_up_of_another_home_is_told_whose_ports_it_wants(stack: Settings, tmp_path: Path, struck: Struck) -> None:
    other = replace(stack, home=tmp_path / "other", registry_url=f"sqlite:///{tmp_path}/other/registry.db")
    struck("make up", "another home on the same ports", True)

    with pytest.raises(PortTaken, match=rf"port {stack.milvus_port} on 127.0.0.1, wanted for milvus, is taken"):
        local_stack.up(other)

    assert {each.state for each in local_stack.status(stack)} == {"answering"}
    assert [path for path in (tmp_path / "other" / "run").glob("*.json")] == []


def up_of(project: Project, settings: Settings) -> "subprocess.Popen[str]":
    environ = project.environ | {name: str(getattr(settings, name.lower().removeprefix("releve_"))) for name in PORTS}
    del environ["RELEVE_MILVUS_URI"]
    command = [sys.executable, "-m", "releve", "up"]
    return subprocess.Popen(
        command, cwd=project.root, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("children_too", [False, True], ids=["alone", "with its children"])
def test_an_up_that_was_killed_is_completed_by_the_next_and_down_leaves_nothing(
    children_too: bool, moment: int, project: Project, settings: Settings, struck: Struck
) -> None:
    local_stack.down(settings)
    process = up_of(project, settings)
    with suppress(subprocess.TimeoutExpired):
        process.wait(chance("up", children_too, moment).uniform(0, UP_SECONDS))
    struck("make up", "killed with its children" if children_too else "killed", process.poll() is None)
    kill(process, children_too=children_too)

    local_stack.up(settings)
    states = {each.name: each.state for each in local_stack.status(settings)}
    local_stack.down(settings)

    assert states == dict.fromkeys(NAMES, "answering")
    wait_until(lambda: processes_in(project) == [])
