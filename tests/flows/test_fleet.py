"""A tick of the fleet against a real Prefect server: what it starts, once, and what it tells."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from flows.shared.scenario_run import hold
from releve.adapters.prefect.api import PrefectApi, PrefectRuns
from releve.adapters.prefect.deployments import follow_scenarios
from releve.adapters.prefect.open_runs import LEASE_ENDS, end_lost, open_runs
from releve.adapters.registry.registry import Registry
from releve.domain.registry.chain import ALERTED, SILENT
from releve.domain.registry.events import ModelReleased
from releve.domain.scheduling.deployments import TAG
from tests.adapters.local_stack.small import commit
from tests.events import make_any_release
from tests.projects import Project

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("prefect_server")]
DEPLOYED = ("ingest", "monitor", "lifecycle")


@pytest.fixture
def project(fresh: Project, work_in: Callable[[Project], None], monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two scenarios in a fresh project, whose flows are deployed."""
    from prefect.settings import PREFECT_API_URL

    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    work_in(fresh)
    shutil.copytree(fresh.root / "scenarios" / "digits", fresh.root / "scenarios" / "churn")
    commit(fresh.root)
    deploy()
    return fresh


def deploy() -> None:
    """As `prefect deploy` does; no form offers any scenario then."""
    from importlib import import_module

    from prefect.deployments.runner import EntrypointType

    for name in DEPLOYED:
        made = getattr(import_module(f"flows.{name}"), name).to_deployment(
            name, tags=[TAG], enforce_parameter_schema=True, entrypoint_type=EntrypointType.FILE_PATH
        )
        made.entrypoint = f"flows/{name}.py:{name}"
        made.apply()


def tick() -> Any:
    from flows.fleet import fleet

    return fleet(return_state=True)


def started(flow: str) -> list[Any]:
    """Runs of a deployment, the newest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    with get_client(sync_client=True) as client:
        of_flow = DeploymentFilter(name=DeploymentFilterName(any_=[flow]))
        return list(client.read_flow_runs(deployment_filter=of_flow))


def finish(run: Any, state: str) -> None:
    """As a worker would."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import State, StateType

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, State(type=StateType(state)), force=True)


@pytest.fixture(autouse=True)
def no_runs_of_others(prefect_server: None) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs():
            client.delete_flow_run(run.id)


def test_a_file_starts_one_run_of_its_scenario_and_none_while_that_waits_or_where_it_has_ended(
    project: Project,
) -> None:
    project.receive(1)

    first = tick()
    while_it_waits = tick()
    (run,) = started("ingest")
    finish(run, "FAILED")  # and the file still waits
    after_it = tick()

    assert first.message == "2 scenarios looked at, 1 run started (1 for files): digits"
    assert {*run.tags} >= {"fleet", "scenario:digits", "reason:files"}
    assert run.parameters == {"scenario": "digits"}
    for again in (while_it_waits, after_it):
        assert again.message == "2 scenarios looked at, nothing due"
    assert len(started("ingest")) == 1


def test_every_form_offers_the_scenarios_there_are_and_rows_follow_their_schedules(project: Project) -> None:
    from prefect.client.orchestration import get_client

    tick()
    with (project.root / "scenarios" / "churn" / "params.yaml").open("a") as params:
        params.write("schedule: {cron: '30 2 * * *', timezone: Europe/Paris}\n")
    commit(project.root)
    tick()

    with get_client(sync_client=True) as client:
        found = {name: client.read_deployment_by_name(f"{name}/{name}") for name in DEPLOYED}
    for each in found.values():
        assert each.parameter_openapi_schema["properties"]["scenario"]["enum"] == ["churn", "digits"]
    assert [row.slug for row in found["lifecycle"].schedules] == ["scenario-churn"]
    assert found["ingest"].schedules == []
    shutil.rmtree(project.root / "scenarios" / "churn")
    tick()
    with get_client(sync_client=True) as client:
        left = client.read_deployment_by_name("lifecycle/lifecycle")
    assert left.schedules == []
    assert left.parameter_openapi_schema["properties"]["scenario"]["enum"] == ["digits"]


def test_a_silence_that_a_run_does_not_end_is_an_alarm_and_one_that_waits_for_its_first_run_is_none(
    project: Project,
) -> None:
    past = datetime.now(UTC) - timedelta(hours=26)
    released = ModelReleased(release=make_any_release("digits:v1"))
    Registry(project.settings.registry_url, clock=lambda: past).move(
        "digits", released, expected=None, reason="", actor="a test"
    )

    first = tick()
    told_at_once = project.registry.events("digits", kinds=[SILENT])
    (run,) = started("lifecycle")
    finish(run, "FAILED")
    second, third = tick(), tick()

    assert first.message == "2 scenarios looked at, 1 run started (1 for silence): digits"
    assert told_at_once == []
    for each in (second, third):
        assert each.message == "2 scenarios looked at, nothing due; without a monitoring run for too long: digits"
    assert len(project.registry.events("digits", kinds=[SILENT])) == 1
    [alerted] = project.registry.events("digits", kinds=[ALERTED])
    assert alerted.payload["subjects"]["monitoring"]["state"] == "silent"


def test_a_scenario_whose_params_are_wrong_needs_attention_and_holds_up_no_other(project: Project) -> None:
    with (project.root / "scenarios" / "churn" / "params.yaml").open("a") as params:
        params.write("schedule: {cron: often}\n")
    commit(project.root)
    project.receive(1)

    state = tick()

    assert state.name == "Needs attention"
    assert state.message.startswith("nothing runs for churn: the committed params.yaml is wrong, or the history")
    assert [run.parameters for run in started("ingest")] == [{"scenario": "digits"}]
    start_page = project.settings.home / "pages" / "index.html"
    assert "schedule.cron" in start_page.read_text()


def test_a_server_with_many_runs_is_asked_for_all_that_are_at_work(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("releve.adapters.prefect.open_runs.PAGE", page := 3)  # to start 200 takes its time
    api = prefect_api()
    follow_scenarios(api, {"churn": None, "digits": None})
    runs = PrefectRuns(api, ui="")
    for number in range(page + 1):
        runs.start("churn" if number else "digits", "monitor", {}, key=str(number))

    assert {run.scenario for run in open_runs(api)} == {"churn", "digits"}


def prefect_api() -> PrefectApi:
    from prefect.settings import PREFECT_API_URL

    return PrefectApi(PREFECT_API_URL.value())


def at_work(scenario: str, state: str, *, tags: tuple[str, ...] = ("alone",)) -> Any:
    """A run of ingest that Prefect takes for at work."""
    api = prefect_api()
    follow_scenarios(api, {"churn": None, "digits": None})
    made, _ = PrefectRuns(api, ui="").start(scenario, "ingest", {}, key=uuid4().hex, tags=tags)
    (run,) = [each for each in started("ingest") if str(each.id) == made.id]
    finish(run, state)
    return run


def state_of(run: Any) -> str:
    return next(each.state_name for each in started("ingest") if each.id == run.id)


@pytest.mark.parametrize("state", ["RUNNING", "PENDING"])
def test_a_run_that_was_killed_with_its_worker_is_ended_and_holds_up_no_later_one(project: Project, state: str) -> None:
    project.receive(1)
    run = at_work("digits", state)  # killed before it held anything, or its lease has ended
    now = datetime.now(UTC)
    at_once = end_lost(prefect_api(), open_runs(prefect_api()), now=now + LEASE_ENDS - timedelta(seconds=30))
    assert at_once == []
    assert tick().message == "2 scenarios looked at, nothing due"

    lost = end_lost(prefect_api(), open_runs(prefect_api()), now=now + LEASE_ENDS + timedelta(seconds=30))

    assert [each.id for each in lost] == [str(run.id)]
    assert state_of(run) == "Crashed"
    assert tick().message == "2 scenarios looked at, 1 run started (1 for files): digits"


def test_a_run_that_works_or_waits_for_another_is_not_taken_for_lost(project: Project) -> None:
    later = datetime.now(UTC) + LEASE_ENDS * 2
    with hold(project.settings, "digits", holder="ingest"):
        at_work("digits", "RUNNING")
        assert end_lost(prefect_api(), open_runs(prefect_api()), now=later) == []


def test_a_run_that_keeps_nobody_away_holds_up_none(project: Project) -> None:
    project.receive(1)
    backtest = at_work("digits", "RUNNING", tags=())

    assert tick().message == "2 scenarios looked at, 1 run started (1 for files): digits"
    assert state_of(backtest) == "Running"
