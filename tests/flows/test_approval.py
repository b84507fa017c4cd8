"""A release that waits for people in Prefect: a real server, and each run in a process of its own, as a worker's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flows.release import ReleaseOutcome
from flows.retrain import final_state
from flows.shared.asking import close_runs, waiting_runs
from releve.adapters.scenario_lock import scenario_lock
from releve.domain.approval.answers import ApprovalChoice
from releve.domain.approval.people import Person, token_hash, token_of
from releve.domain.registry.chain import ALERTED, APPROVALS, APPROVED, RELEASED
from tasks.approval import give_code
from tests import projects
from tests.approvals import Story, make_request
from tests.events import make_challenger
from tests.projects import SCENARIO, Project

pytestmark = [
    pytest.mark.whole,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),  # Prefect's clients leave some open
]

ANNA = token_of(bytes(range(32)))
SECONDS = 240.0


@dataclass(frozen=True)
class Waiting:
    """An accepted challenger that was put before people, and the run that waits for them."""

    project: Project
    asked: Any  # the state of the run that asked
    run: UUID

    def execute(self) -> "subprocess.Popen[bytes]":
        """Carry the run out, as a worker does."""
        from prefect.settings import PREFECT_API_URL

        environ = {**self.project.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or ""}
        command = [sys.executable, "-m", "prefect", "flow-run", "execute", str(self.run)]
        return subprocess.Popen(command, cwd=self.project.root, env=environ, stderr=subprocess.DEVNULL)

    def execute_to_its_end(self) -> Any:
        """The state that it ended in, or waits in."""
        self.execute().wait(SECONDS)
        return self.read().state

    def read(self) -> Any:
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            return client.read_flow_run(self.run)

    def resume(self, **said: str) -> str:
        """What the form's Submit does; the status that the server answers."""
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            return str(client.resume_flow_run(self.run, run_input=said).status.value)

    def form(self, attempt: int) -> str:
        """What is written above the form."""
        from prefect.client.orchestration import get_client

        state = self.read().state
        assert state.state_details.pause_key.endswith(f"-{attempt}")
        with get_client(sync_client=True) as client:
            key = state.state_details.run_input_keyset["description"]
            answer = client.request("GET", "/flow_runs/{id}/input/{key}", path_params={"id": self.run, "key": key})
        return str(answer.json())

    def told(self) -> list[str]:
        return [event.kind for event in self.project.registry.events(SCENARIO, kinds=[*APPROVALS, RELEASED])]


@pytest.fixture
def waiting(work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    from prefect.client.orchestration import get_client
    from prefect.deployments.runner import EntrypointType

    from flows.approval import approval
    from flows.release import release

    project = projects.challenged_project(work_dir).copy(tmp_path)
    project.edit(project.root / "params.yaml", "approval: none ", "approval: required ")
    project.edit(project.root / "params.yaml", "approvers: {} ", f'approvers: {{anna: "{token_hash(ANNA)}"}} ')
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    deployment = approval.to_deployment("approval", entrypoint_type=EntrypointType.MODULE_PATH).apply()
    asked = release(SCENARIO, return_state=True)
    with get_client(sync_client=True) as client:
        (run,) = [each for each in client.read_flow_runs() if each.deployment_id == deployment]
        yield Waiting(project, asked, run.id)
        client.delete_flow_run(run.id)  # another test's request has the same number
        client.delete_deployment(deployment)


def test_a_release_waits_for_people_without_a_process_and_a_kill_between_their_word_and_the_release_loses_nothing(
    waiting: Waiting,
) -> None:
    from flows.release import release

    project = waiting.project
    assert (waiting.asked.name, waiting.asked.is_failed()) == ("Needs attention", True)
    assert "waits for 1 person to approve its release" in waiting.asked.message

    assert waiting.execute_to_its_end().name == "Suspended"
    with scenario_lock(project.settings.home, SCENARIO, holder="a test"):  # nobody holds it
        assert [run.id for run in waiting_runs(SCENARIO)] == [waiting.run]
    model = waiting.project.registry.events(SCENARIO, kinds=["approval_requested"])[0].payload["subject"]
    assert all(model[name] in waiting.form(1).replace(" ", "") for name in model)
    assert project.registry.current(SCENARIO) is None

    assert waiting.resume(decision="approve", code="AAAA-BBBB-CCCC-DDDD", comment="") == "ACCEPT"
    assert waiting.execute_to_its_end().name == "Suspended"
    assert "The last answer did not count: this code was not given to anybody for this request" in waiting.form(2)
    assert waiting.told() == ["approval_requested"]
    assert waiting.resume(decision="maybe", code="", comment="") == "REJECT"

    code, _ = give_code(replace(project.settings, approver_token=ANNA), SCENARIO)
    assert waiting.resume(decision="approve", code=code, comment="fine") == "ACCEPT"
    process = waiting.execute()
    deadline = time.monotonic() + SECONDS
    while APPROVED not in waiting.told() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert waiting.told() == ["approval_requested", "approval_code_issued", "approved"]
    given = project.registry.events(SCENARIO, kinds=[APPROVED])[0]
    assert (given.actor, given.reason, given.payload["way"]) == ("anna", "fine", "code")

    done = release(SCENARIO, return_state=True)

    assert done.is_completed()
    assert waiting.told() == ["approval_requested", "approval_code_issued", "approved", "released"]
    assert project.registry.current(SCENARIO).release.model == model["model"]


def test_a_run_that_crashed_before_it_could_wait_is_made_up_for_by_the_next_that_asks_once(waiting: Waiting) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed

    from flows.release import release

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(waiting.run, Crashed(message="its process was killed"), force=True)
        for _ in range(2):
            assert release(SCENARIO, return_state=True).name == "Needs attention"
        runs = [each for each in client.read_flow_runs() if each.deployment_id == waiting.read().deployment_id]
        try:
            assert sorted(each.state.name for each in runs) == ["Crashed", "Scheduled"]
        finally:
            for each in runs:
                if each.id != waiting.run:
                    client.delete_flow_run(each.id)
    assert waiting.told() == ["approval_requested"]


def test_a_refusal_by_command_closes_the_form_and_alerts_others_at_once(waiting: Waiting) -> None:
    from prefect.settings import PREFECT_API_URL

    assert waiting.execute_to_its_end().name == "Suspended"
    environ = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "RELEVE_APPROVER_TOKEN": ANNA}

    done = subprocess.run(
        [sys.executable, "-m", "releve", "refuse", SCENARIO, "--reason", "too few rows"],
        cwd=waiting.project.root,
        env=waiting.project.environ | environ,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    state = waiting.read().state
    assert (state.name, state.message.endswith("was refused by anna: too few rows")) == ("Completed", True)
    told = [event.reason for event in waiting.project.registry.events(SCENARIO, kinds=[ALERTED])]
    assert "a person refused model" in told[-1]


def test_the_run_of_a_request_that_was_answered_by_command_is_closed_without_a_process() -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Suspended

    from flows.approval import approval

    story = Story(make_request("closed:v2"))
    story.say(ApprovalChoice.REFUSE, Person("ben"), "too few rows")
    settled = replace(story.approval, scenario="closed")
    with get_client(sync_client=True) as client:
        runs = [
            client.create_flow_run(
                approval, parameters={"scenario": name}, tags=[f"scenario:{name}"], state=Suspended()
            ).id
            for name in ("closed", "open")
        ]

        close_runs(settled)

        states = [client.read_flow_run(run).state for run in runs]
    assert [state.name for state in states] == ["Completed", "Suspended"]
    assert states[0].message == "closed:v2 was refused by ben: too few rows"
    assert waiting_runs("closed") == []


def test_the_run_of_a_request_that_a_newer_one_replaced_is_closed_and_the_newest_waits_on() -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Suspended

    from flows.approval import approval

    newest = replace(Story(make_request("again:v3")).approval, scenario="again", number=7)
    with get_client(sync_client=True) as client:
        runs = [
            client.create_flow_run(
                approval,
                parameters={"scenario": "again", "request": number},
                tags=["scenario:again"],
                state=Suspended(),
            ).id
            for number in (3, 7)
        ]

        close_runs(newest)

        states = [client.read_flow_run(run).state for run in runs]
    assert [state.name for state in states] == ["Completed", "Suspended"]
    assert states[0].message.startswith("this request is over; the newest one: again:v3 waits for 1 person")


def test_a_run_says_whether_people_are_waited_for_or_one_of_them_has_refused_the_challenger() -> None:
    challenger, waiting = make_challenger(f"{SCENARIO}:v2"), Story(make_request(f"{SCENARIO}:v2")).approval

    waits = final_state(SCENARIO, challenger, ReleaseOutcome(waiting=waiting), result=challenger)
    refused = final_state(SCENARIO, challenger, ReleaseOutcome(refusal="ben refused it"), result=challenger)

    assert waits.message.endswith(f"It waits: releve approve {SCENARIO}")
    assert (refused.name, refused.message) == ("Refused", "ben refused it")
