"""The stack itself. The slow tests start every part for real, on a project small enough to read here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from releve.adapters.local_stack import parts as stack_parts
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import MILVUS, NAMES, PREFECT, SERVER_LOOPS, SERVICE, WORKER, WORKER_LOOPS
from releve.adapters.local_stack.ports import PortTaken
from releve.adapters.local_stack.stack import StartFailed
from releve.adapters.prefect.api import PrefectRuns
from releve.core.errors import BadInput, Conflict
from releve.core.settings import LOOPBACK, Settings
from tests.adapters.local_stack.small import (
    FLOWS,
    add_scenario,
    ask,
    clean_environ,
    commit,
    free_settings,
    pid_of,
    wait_until,
    write_project,
)
from tests.serving.process import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    found = free_settings(tmp_path)
    yield found
    local_stack.down(found)


def states(settings: Settings) -> dict[str, str]:
    return {each.name: each.state for each in local_stack.status(settings)}


def test_every_part_is_in_the_table(settings: Settings) -> None:
    assert set(stack_parts.parts(settings, {})) == set(NAMES)


def test_every_part_that_listens_does_so_on_the_loopback_only_and_names_its_setting(settings: Settings) -> None:
    for part in stack_parts.parts(settings, {}).values():
        if part.port is not None:
            command = " ".join(part.command)
            assert f"--host 127.0.0.1 --port {part.port}" in command
            assert part.port_setting in part.environ
            assert part.environ[part.port_setting] == str(part.port)


def test_parts_see_the_callers_settings_and_this_pythons_programs_first(settings: Settings) -> None:
    for part in stack_parts.parts(settings, {"PATH": "/bin", "MILVUS_TOKEN": "t"}).values():
        assert part.environ["RELEVE_HOME"] == str(settings.home)
        assert part.environ["RELEVE_PROJECT"] == str(settings.project)
        assert part.environ["MILVUS_TOKEN"] == "t"
        assert part.environ["PATH"] == f"{Path(sys.executable).parent}:/bin"


@pytest.mark.parametrize(("part", "loops"), [(WORKER, WORKER_LOOPS), (PREFECT, SERVER_LOOPS)])
def test_prefect_looks_rarely_unless_the_caller_says_how_often(
    settings: Settings, part: str, loops: dict[str, str]
) -> None:
    first, second, *others = loops

    environ = stack_parts.parts(settings, {first: "1.5", second: ""})[part].environ

    assert environ[first] == "1.5"
    assert {name: environ[name] for name in (second, *others)} == {name: loops[name] for name in (second, *others)}


@pytest.mark.parametrize("name", [*WORKER_LOOPS, *SERVER_LOOPS])
def test_prefect_knows_every_setting_by_which_it_looks_rarely(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import Settings as PrefectSettings

    def hashed() -> str:
        return PrefectSettings().hash_key()

    monkeypatch.delenv(name, raising=False)
    before = hashed()
    monkeypatch.setenv(name, (WORKER_LOOPS | SERVER_LOOPS)[name].replace("0", "7"))  # which is nobody's default

    assert hashed() != before


def test_a_place_that_a_killed_run_held_is_given_back_as_soon_as_the_documentation_says(settings: Settings) -> None:
    from prefect.settings import Settings as PrefectSettings

    from flows.shared.scenario_run import LEASE_SECONDS

    assert "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS" not in stack_parts.parts(settings, {})[PREFECT].environ
    assert LEASE_SECONDS + PrefectSettings().server.services.repossessor.loop_seconds < 90


@pytest.mark.parametrize(("given", "expected"), [("", ""), ("bike", "bike"), ("bike, churn", "bike,churn")])
def test_the_service_serves_all_scenarios_or_those_it_is_told(settings: Settings, given: str, expected: str) -> None:
    service = stack_parts.parts(settings, {"RELEVE_SCENARIO": given})[SERVICE]

    assert service.environ["RELEVE_SCENARIO"] == service.scenario == expected


def test_a_scenario_name_that_is_not_one_is_refused(settings: Settings) -> None:
    with pytest.raises(BadInput, match="scenario name"):
        stack_parts.parts(settings, {"RELEVE_SCENARIO": "../x"})


@pytest.mark.parametrize("uri", ["http://milvus.example:19530", "vectors.db"])
def test_a_milvus_of_your_own_is_neither_started_nor_called_stopped(tmp_path: Path, uri: str) -> None:
    settings = Settings.from_environ({"RELEVE_MILVUS_URI": uri}, cwd=tmp_path)

    statuses = local_stack.status(settings)

    assert MILVUS not in stack_parts.parts(settings, {})
    assert (statuses[0].name, statuses[0].state, statuses[0].address) == (MILVUS, "elsewhere", uri)


def test_an_unknown_part_is_refused_with_the_names_there_are(settings: Settings) -> None:
    with pytest.raises(BadInput, match="called redis: there are milvus, prefect, forks, worker, service, shadow"):
        local_stack.up(settings, only=("redis",))


def test_a_worker_without_a_server_is_refused(settings: Settings) -> None:
    with pytest.raises(BadInput, match="needs the Prefect server"):
        local_stack.up(settings, only=(WORKER,))


def test_nothing_runs_before_up(settings: Settings) -> None:
    assert set(states(settings).values()) == {"stopped"}
    assert local_stack.down(settings) == ()


def test_up_starts_what_it_is_asked_for_and_down_stops_it(settings: Settings) -> None:
    started = local_stack.up(settings, only=(MILVUS,))
    while_up = states(settings)

    stopped = local_stack.down(settings, only=started)

    assert started == stopped == (MILVUS,)
    assert while_up == dict.fromkeys(NAMES, "stopped") | {MILVUS: "answering"}
    assert states(settings)[MILVUS] == "stopped"


def test_a_second_up_starts_nothing_and_a_killed_part_is_started_again(settings: Settings) -> None:
    local_stack.up(settings, only=(MILVUS,))
    first = pid_of(settings, MILVUS)

    again = local_stack.up(settings, only=(MILVUS,))
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: stack_process.running(settings.home, MILVUS) is None)
    after_kill = local_stack.up(settings, only=(MILVUS,))

    assert again == ()
    assert after_kill == (MILVUS,)
    assert pid_of(settings, MILVUS) != first


def test_two_ups_at_once_start_one(settings: Settings) -> None:
    started: list[tuple[str, ...]] = []
    callers = [
        threading.Thread(target=lambda: started.append(local_stack.up(settings, only=(MILVUS,)))) for _ in range(3)
    ]

    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert sorted(started) == [(), (), (MILVUS,)]


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings) -> None:
    with (
        socket.create_server((LOOPBACK, settings.service_port)),
        pytest.raises(PortTaken, match=r"wanted for service.*RELEVE_SERVICE_PORT"),
    ):
        local_stack.up(settings, only=(MILVUS, SERVICE))

    assert set(states(settings).values()) == {"stopped"}


def test_a_part_that_ends_while_starting_is_reported_with_its_last_words_and_nothing_stays(settings: Settings) -> None:
    (settings.home / "milvus").parent.mkdir(parents=True)
    (settings.home / "milvus").write_text("a file where the data folder should be")

    with pytest.raises(StartFailed, match=r"milvus ended while starting. The end of .*milvus.log:\n") as caught:
        local_stack.up(settings, only=(MILVUS,))

    assert "Error" in str(caught.value)
    assert caught.value.exit_code == 2
    assert states(settings)[MILVUS] == "stopped"


def test_a_part_that_does_not_answer_in_time_is_stopped(settings: Settings) -> None:
    with pytest.raises(StartFailed, match=r"prefect did not answer in 0.1 s"):
        local_stack.up(settings, only=(PREFECT,), time_limit=0.1)

    assert states(settings)[PREFECT] == "stopped"


def test_what_was_up_before_a_failed_up_stays_up(settings: Settings) -> None:
    local_stack.up(settings, only=(MILVUS,))

    with pytest.raises(StartFailed):
        local_stack.up(settings, only=(MILVUS, PREFECT), time_limit=0.1)

    assert states(settings)[MILVUS] == "answering"


def test_a_part_on_another_port_is_named_with_its_setting_and_found_where_it_runs(settings: Settings) -> None:
    local_stack.up(settings, only=(MILVUS,))
    port = free_port()
    elsewhere = replace(settings, milvus_port=port, milvus_uri=f"http://{LOOPBACK}:{port}")

    with pytest.raises(Conflict, match=f"not on {port}: set RELEVE_MILVUS_PORT={settings.milvus_port}"):
        local_stack.up(elsewhere, only=(MILVUS,))

    assert local_stack.status(elsewhere) == local_stack.status(settings)
    assert states(elsewhere)[MILVUS] == "answering"


@pytest.fixture
def a_service_for_bike(tmp_path: Path) -> Iterator[Settings]:
    write_project(tmp_path)
    found = free_settings(tmp_path)
    local_stack.up(found, only=(SERVICE,), environ={**clean_environ(), "RELEVE_SCENARIO": "bike"})
    yield found
    local_stack.down(found, only=(SERVICE,))


def test_a_service_that_was_narrowed_to_another_scenario_is_not_taken_for_the_one_asked_for(
    a_service_for_bike: Settings,
) -> None:
    def up(**scenario: str) -> tuple[str, ...]:
        return local_stack.up(a_service_for_bike, only=(SERVICE,), environ=clean_environ() | scenario)

    with pytest.raises(Conflict, match=r"the service runs for bike alone, not for churn.*`make down` first, or ask"):
        up(RELEVE_SCENARIO="churn")

    assert up(RELEVE_SCENARIO="bike") == up() == up(RELEVE_SCENARIO="") == ()
    assert "scenario bike, pid" in local_stack.describe(local_stack.status(a_service_for_bike))


def test_description_has_one_line_for_each_part(settings: Settings) -> None:
    lines = local_stack.describe(local_stack.status(settings)).splitlines()

    assert [line.split()[0] for line in lines] == list(NAMES)
    assert f"http://127.0.0.1:{settings.prefect_port}" in lines[1]


@pytest.mark.whole
def test_the_whole_stack_answers(stack: Settings) -> None:
    assert set(states(stack).values()) == {"answering"}


@pytest.mark.whole
def test_it_listens_on_the_loopback_only(stack: Settings) -> None:
    family = [psutil.Process(pid_of(stack, name)) for name in NAMES]
    family += [child for process in family for child in process.children(recursive=True)]

    listening = [each for process in family for each in process.net_connections("tcp") if each.status == "LISTEN"]

    assert {each.laddr.ip.removeprefix("::ffff:") for each in listening} == {LOOPBACK}
    assert {stack.milvus_port, stack.prefect_port, stack.service_port} <= {each.laddr.port for each in listening}


@pytest.mark.whole
def test_every_deployment_of_prefect_yaml_is_there(stack: Settings) -> None:
    deployments = ask(stack.prefect_port, "POST", "/api/deployments/filter", {})

    assert isinstance(deployments, list)
    assert {each["name"] for each in deployments} == set(FLOWS)
    for each in deployments:
        assert each["enforce_parameter_schema"]
        assert each["parameters"] == {}
        assert each["parameter_openapi_schema"]["properties"]["scenario"]["enum"] == ["digits"]
        if each["name"] == "approval":  # a run that waits for people must keep no other one waiting
            assert each["global_concurrency_limit"] is None
        else:
            assert each["global_concurrency_limit"]["limit"] >= 1
        assert each["description"]
    assert slugs(deployments) == {"fleet": ["fleet"]}


def slugs(deployments: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The rows of each schedule that has some."""
    return {each["name"]: [one["slug"] for one in each["schedules"]] for each in deployments if each["schedules"]}


@pytest.mark.whole
def test_the_schedules_make_runs_of_their_own(stack: Settings) -> None:
    scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}, "tags": {"all_": ["auto-scheduled"]}}}

    def flows() -> set[str]:
        runs = ask(stack.prefect_port, "POST", "/api/flow_runs/filter", scheduled)
        assert isinstance(runs, list)
        return {run["deployment_id"] for run in runs}

    wait_until(lambda: len(flows()) == 1)  # the fleet, which starts the others


@pytest.mark.whole
def test_the_worker_runs_a_flow_in_the_project_folder(stack: Settings) -> None:
    ask_for_run = (sys.executable, "-m", "prefect", "deployment", "run", "monitor/monitor", "-p", "scenario=digits")
    result = stack.project / "ran-monitor"

    subprocess.run(ask_for_run, env=clean_environ() | stack_parts.prefect_env(stack), check=True, capture_output=True)
    wait_until(result.exists)

    assert result.read_text() == f"imported digits {stack.project} {stack.home}"


def runs_of_the_service(settings: Settings) -> PrefectRuns:
    """What the service that `make up` starts would start runs with."""
    environ = stack_parts.parts(settings, {"PREFECT_API_URL": "http://127.0.0.1:9/api"})[SERVICE].environ
    runs = PrefectRuns.of(Settings.from_environ(environ, cwd=settings.project))
    assert runs is not None
    return runs


@pytest.mark.whole
def test_the_worker_carries_out_what_the_service_starts(stack: Settings) -> None:
    runs = runs_of_the_service(stack)

    runs.start("digits", "retrain", {}, key="a test")
    wait_until(lambda: runs.newest("digits", most=1)[0].state == "Completed")

    assert (stack.project / "ran-retrain").read_text() == f"imported digits {stack.project} {stack.home}"


@pytest.mark.whole
def test_the_service_is_served(stack: Settings) -> None:
    assert ask(stack.service_port, "POST", "/scenario", {}) == ""  # narrowed to none: it serves every one


def deployments_of(settings: Settings) -> list[dict[str, Any]]:
    found = ask(settings.prefect_port, "POST", "/api/deployments/filter", {})
    assert isinstance(found, list)
    return sorted(found, key=lambda each: str(each["name"]))


@pytest.mark.whole
def test_a_new_scenario_is_a_choice_and_a_row_of_the_deployments_there_are_until_it_goes(stack: Settings) -> None:
    folder = add_scenario(stack.project, "churn")
    with (folder / "params.yaml").open("a") as params:
        params.write("schedule: {cron: '30 2 * * *', timezone: Europe/Paris}\n")
    commit(stack.project)
    old = ask(
        stack.prefect_port,
        "POST",
        "/api/deployments/",
        {
            "name": "ingest-churn",
            "flow_id": deployments_of(stack)[0]["flow_id"],
            "entrypoint": "flows/ingest.py:ingest",
            "tags": ["releve"],
        },
    )

    local_stack.deploy(stack, environ=clean_environ())
    with_churn = deployments_of(stack)
    started, _ = runs_of_the_service(stack).start("churn", "monitor", {}, key="a test")
    shutil.rmtree(folder)
    local_stack.deploy(stack, environ=clean_environ())
    without = deployments_of(stack)

    assert isinstance(old, dict) and old["name"] == "ingest-churn"
    assert [each["name"] for each in with_churn] == [each["name"] for each in without] == sorted(FLOWS)
    for found, names in ((with_churn, ["churn", "digits"]), (without, ["digits"])):
        assert all(each["parameter_openapi_schema"]["properties"]["scenario"]["enum"] == names for each in found)
    assert slugs(with_churn) == {"fleet": ["fleet"], "lifecycle": ["scenario-churn"]}
    [row] = [row for each in with_churn if each["name"] == "lifecycle" for row in each["schedules"]]
    assert (row["schedule"]["cron"], row["schedule"]["timezone"]) == ("30 2 * * *", "Europe/Paris")
    assert row["parameters"] == {"scenario": "churn"}
    assert slugs(without) == {"fleet": ["fleet"]}
    assert started.name == "monitor churn"


@pytest.mark.whole
@pytest.mark.parametrize("scenario", ["gone", "../digits", 7])
def test_a_scenario_that_the_form_does_not_offer_is_refused_before_a_run_starts(
    stack: Settings, scenario: object
) -> None:
    [found] = [each for each in deployments_of(stack) if each["name"] == "ingest"]

    answer = ask(
        stack.prefect_port,
        "POST",
        f"/api/deployments/{found['id']}/create_flow_run",
        {"parameters": {"scenario": scenario}},
    )

    assert isinstance(answer, dict) and "Validation failed" in str(answer["detail"])


@pytest.mark.whole
def test_a_deployment_whose_flow_is_missing_is_reported_in_prefects_words(stack: Settings) -> None:
    flow, aside = stack.project / "flows" / "retrain.py", stack.project / "retrain.aside"
    flow.rename(aside)

    with pytest.raises(StartFailed, match=r"(?s)'prefect deploy --all .*' failed.*retrain.py"):
        local_stack.deploy(stack, environ=clean_environ())

    aside.rename(flow)


def test_while_a_demo_is_at_work_nobody_else_starts_or_stops_its_parts(tmp_path):
    settings = Settings.from_environ({"RELEVE_HOME": str(tmp_path)}, cwd=tmp_path)

    with local_stack.used_by_demo(settings), pytest.raises(Conflict, match=r"a demo is at work in .* \(pid \d+\)"):
        local_stack.check_no_demo(settings)

    local_stack.check_no_demo(settings)


def test_who_is_asked_to_end_while_it_uses_the_parts_ends_as_by_ctrl_c_so_that_it_stops_them(tmp_path):
    settings = Settings.from_environ({"RELEVE_HOME": str(tmp_path)}, cwd=tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), local_stack.used_by_demo(settings):
        signal.raise_signal(signal.SIGTERM)

    assert signal.getsignal(signal.SIGTERM) is before
    local_stack.check_no_demo(settings)
