"""The loop as people see it in Prefect: states, artifacts, events and the history, with nothing pretended."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flows import lifecycle as lifecycle_flow
from flows import rollback as rollback_flow
from flows.shared.states import NeedsAttention
from releve.adapters.files import write_bytes
from releve.adapters.http.service import SwapTimeout
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import BadInput, Conflict, NotFound, Unavailable
from releve.domain.registry.chain import ALERTED, CHALLENGED, FILES_REFUSED, INGESTED, MONITORED, RELEASED, ROLLED_BACK
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.trigger.policies import CauseKind
from releve.reporting.comparison import describe_score
from tasks.pipeline.seed import windows
from tasks.release import rollback as rollback_step
from tests import projects
from tests.events import make_any_release, make_arms_started
from tests.projects import SCENARIO, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),  # Prefect's clients leave some open
]

ANSWERED_WINDOWS = (4, 5, 6)
EVENT_SECONDS = 30
FLOWS = ("ingest", "monitor", "retrain", "release", "approval", "rollback", "arms", "compare", "lifecycle", "backtest")


@dataclass(frozen=True)
class Loop:
    """What the flows of one loop ended with, in their order."""

    project: Project
    began: datetime
    ingested: Any
    retrained: Any
    released: Any
    challenged: Any
    waited: Any


@pytest.fixture(scope="module")
def loop(prefect_server: None, work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """Three files arrive, a champion is made, it answers drifted rows, and the loop monitors it twice."""
    project = projects.fresh_project(work_dir).copy(tmp_path_factory.mktemp("loop"))
    project.edit(project.files.folder / "params.yaml", "trials: 8 ", "trials: 2 ")
    project.receive(1, 2, 3)
    began = datetime.now(UTC)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.environ.items():
            patch.setenv(name, value)
        ingested, retrained = run("ingest"), run("retrain", release_accepted=False)
        released = run("release")
        answer_windows(project, ANSWERED_WINDOWS)
        yield Loop(project, began, ingested, retrained, released, run("lifecycle"), run("lifecycle"))


def run(name: str, scenario: str = SCENARIO, **more: Any) -> Any:
    """The final state of a run of that flow."""
    return getattr(import_module(f"flows.{name}"), name)(scenario, return_state=True, **more)


def answer_windows(project: Project, numbers: tuple[int, ...], *, wrong: bool = False) -> None:
    """Answer and label windows of digits as the service does for its callers; `wrong`: every answer is."""
    release = project.registry.current(SCENARIO).release
    model = ModelStore(project.settings.home).load(release.model, digest=release.model_digest)
    writer = LedgerWriter(project.state.ledger, SCENARIO, clock=lambda: datetime.now(UTC))
    for table in [table for number, table in enumerate(windows(), start=1) if number in numbers]:
        rows = table.drop(columns="digit").to_dict("records")
        labels = model.answer(arrays_of_rows(model.schema, rows)).labels
        if wrong:
            labels = [(label + 1) % 10 for label in table["digit"].tolist()]
        request = writer.answer(model=model.tag, index=release.index, rows=rows, labels=labels, probabilities=None)
        writer.label((f"{request}.{position}", label) for position, label in enumerate(table["digit"].tolist()))
    writer.close()


def artifact(kind: str) -> str:
    """The newest artifact of that kind for the scenario."""
    from prefect.artifacts import Artifact

    found = Artifact.get(f"{kind}-{SCENARIO}")
    assert found is not None, f"there is no artifact {kind}-{SCENARIO}"
    return str(found.data)


def events_called(name: str, *, at_least: int, since: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> list[Any]:
    """Events of that name and of our scenario, as soon as so many have reached the server; others share it."""
    from prefect.client.orchestration import get_client
    from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter

    ours = EventResourceFilter(id=[f"releve.scenario.{SCENARIO}"])
    occurred = EventOccurredFilter(since=since)
    wanted = EventFilter(event=EventNameFilter(name=[name]), resource=ours, occurred=occurred)
    deadline = time.monotonic() + EVENT_SECONDS
    with get_client(sync_client=True) as client:
        while len(found := client.read_events(wanted, limit=50).events) < at_least and time.monotonic() < deadline:
            time.sleep(0.2)
    return found


def test_the_files_become_batches(loop: Loop) -> None:
    found = loop.ingested.result()

    assert loop.ingested.is_completed()
    assert [batch.source for batch in found.batches] == [f"window-0{number}.parquet" for number in (1, 2, 3)]


def test_the_first_challenger_waits_where_it_is_not_to_be_released_and_becomes_the_champion(loop: Loop) -> None:
    first = loop.retrained.result()

    moves = loop.project.registry.events(SCENARIO, kinds=[RELEASED])

    assert (loop.retrained.name, loop.retrained.is_completed()) == ("Completed", True)
    assert loop.retrained.message.endswith(f"It waits: make release SCENARIO={SCENARIO}")
    assert (loop.released.name, loop.released.is_completed()) == ("Completed", True)
    assert loop.released.message.startswith(f"{first.model} is the release of {SCENARIO}; no service")
    assert first.promote
    assert first.champion == ""
    assert moves[0].payload["release"]["model"] == first.model


def test_a_run_whose_challenger_is_refused_ends_in_a_state_that_says_so(loop: Loop) -> None:
    from prefect import flow

    from flows.release import ReleaseOutcome
    from flows.retrain import final_state

    refused = loop.retrained.result().model_copy(update={"promote": False, "reasons": ("too few rows",)})

    @flow
    def judged() -> Any:
        return final_state(SCENARIO, refused, ReleaseOutcome(), result=refused)

    state = judged(return_state=True)

    assert (state.name, state.is_completed(), state.result()) == ("Refused", True, refused)
    assert state.message.startswith(f"{refused.model} refused, so nothing serves yet: too few rows")
    assert judged() == refused


def test_drift_and_labels_that_disappoint_lead_to_a_challenge_and_a_release(loop: Loop) -> None:
    done = loop.challenged.result()

    assert (loop.challenged.name, loop.challenged.is_completed()) == ("Completed", True)
    assert done.seen.drift.state == "drift"
    assert done.seen.decision.refresh
    assert done.challenger.champion == loop.retrained.result().model
    assert done.challenger.promote
    assert done.released.release == loop.project.registry.current(SCENARIO).release
    assert done.released.answers_at == ""  # no service was running


def test_the_challenger_learned_from_the_answers_that_were_labelled(loop: Loop) -> None:
    challenger = loop.challenged.result().challenger

    newest = loop.project.batches[-1]

    assert newest.source == "answers-0001.parquet"
    assert challenger.rows == sum(batch.rows for batch in loop.project.batches)


def test_without_new_answers_the_loop_waits_and_says_why(loop: Loop) -> None:
    done = loop.waited.result()

    assert (loop.waited.name, loop.waited.is_completed()) == ("Kept champion", True)
    assert loop.waited.message.startswith(f"{done.seen.model} serves on: ")
    assert not done.seen.decision.refresh
    assert done.seen.decision.kinds == (CauseKind.FEW_ROWS,)
    assert done.challenger is None
    assert done.released is None


def test_the_history_has_the_loop_in_order_and_holds(loop: Loop) -> None:
    events = loop.project.registry.events(SCENARIO)

    first = [INGESTED] * 3 + [CHALLENGED, ALERTED, RELEASED, ALERTED]
    challenge = [MONITORED, ALERTED, INGESTED, CHALLENGED, RELEASED, ALERTED]
    assert [event.kind for event in events] == [*first, *challenge, MONITORED, ALERTED]
    assert loop.project.registry.verify(SCENARIO) == len(events)


def test_the_monitor_shows_its_verdict_in_words(loop: Loop) -> None:
    shown = artifact("monitor")

    assert shown.startswith("# digits: drift, wait")
    assert "0 new labelled rows; 150 are needed" in shown
    assert loop.challenged.result().released.release.model in shown


def test_the_columns_are_shown_with_the_most_changed_first(loop: Loop) -> None:
    rows = json.loads(artifact("columns"))

    effects = [row["effect"] for row in rows]
    assert effects == sorted(effects, reverse=True)
    assert rows[0]["drifted"] == "yes"
    assert {row["column"] for row in rows if row["drifted"]} >= {
        column.name for column in loop.challenged.result().seen.drift.drifted[:50]
    }


def test_the_gate_shows_its_figures(loop: Loop) -> None:
    shown = artifact("gate")

    challenger = loop.challenged.result().challenger
    assert shown.startswith("# digits: accepted")
    assert f"| challenger {challenger.model} | {describe_score(challenger.evaluation)} |" in shown
    assert all(name in shown for name in ("champion", "majority label", "previous label"))


def test_the_release_shows_what_serves(loop: Loop) -> None:
    shown = artifact("release")

    release = loop.challenged.result().released.release
    assert shown.startswith(f"# digits: {release.model} is released")
    assert f"| index | {release.index} |" in shown
    assert "no service that runs here serves it" in shown


def test_the_page_is_named_and_shows_the_whole_loop(loop: Loop) -> None:
    shown = artifact("page")

    page = loop.project.state.page.read_text()
    assert str(loop.project.state.page) in shown
    assert loop.challenged.result().released.release.model in page
    assert "2 monitoring runs: 2 drift." in page
    assert "realised log_loss" in page


def test_a_page_that_cannot_be_written_is_reported_and_fails_nothing(
    fresh: Project, work_in: Callable[[Project], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from prefect import flow

    work_in(fresh)
    write_bytes(fresh.state.backtest / "backtest.json", b"[")

    done = flow(import_module("flows.shared.publish").update_page)(fresh.settings, SCENARIO, return_state=True)

    assert done.is_completed()
    assert f"the page of {SCENARIO} was not written: " in capsys.readouterr().out


def test_the_ingestion_shows_a_line_per_file(loop: Loop) -> None:
    shown = artifact("ingest")

    newest = loop.project.batches[-1]
    assert f"| answers-0001.parquet | batch {newest.batch} | {newest.rows} | 0 |" in shown


def test_every_monitoring_run_and_every_alert_is_an_event_that_automations_can_act_on(loop: Loop) -> None:
    runs = events_called("releve.monitor.completed", at_least=2)
    drifted = events_called("releve.alert.drift.drift", at_least=1)
    promoted = events_called("releve.alert.retraining.promoted", at_least=1)

    assert len(runs) >= 2
    assert drifted[0].payload["text"].startswith(f"{SCENARIO}: the table drifted; ")
    assert loop.retrained.result().model in {each.payload["about"] for each in promoted}
    assert {each.payload["kind"] for each in (*drifted, *promoted)} == {"raised"}


def test_drift_is_emitted_once_with_what_is_due_and_not_again_by_a_run_over_the_same_answers(loop: Loop) -> None:
    events_called("releve.monitor.completed", at_least=2)
    told = events_called("releve.drift.detected", at_least=1)

    seen = loop.challenged.result().seen
    assert [event.resource.id for event in told] == [f"releve.scenario.{SCENARIO}"]
    assert told[0].payload["columns"] == [column.name for column in seen.drift.drifted]
    assert told[0].payload["due"] == "refresh and search"
    assert loop.waited.result().seen.drift.state == "drift"


def test_every_release_is_emitted(loop: Loop) -> None:
    told = events_called("releve.release.moved", at_least=2, since=loop.began)

    moved = {event.payload["model"] for event in told}
    assert moved == {loop.retrained.result().model, loop.challenged.result().challenger.model}


def test_a_release_that_is_shown_to_be_worse_than_the_one_before_it_goes_by_itself(
    loop: Loop, work_in: Callable[[Project], None], tmp_path: Path
) -> None:
    project = loop.project.copy(tmp_path)
    work_in(project)
    answer_windows(project, (7, 8), wrong=True)

    done, next_run = run("lifecycle"), run("monitor")

    assert done.name == "Needs attention"  # two models in a row, by these labels
    round_ = done.result(raise_on_failure=False).result
    assert round_.seen.rollback.roll_back
    assert round_.rolled_back.release.model == loop.retrained.result().model
    assert round_.challenger.champion == round_.rolled_back.release.model
    assert round_.released.release == project.registry.current(SCENARIO).release
    needed, did = done.message.splitlines()
    assert f"{SCENARIO}: {round_.seen.model.partition(':')[2]} is worse than expected" in needed
    assert did.startswith(f"{round_.challenger.model} is the release of {SCENARIO}")
    seen = next_run.result(raise_on_failure=False).result
    assert not seen.rollback.roll_back
    assert not seen.decision.refresh  # the labels that showed the harm were learned
    moved = project.registry.events(SCENARIO, kinds=[ROLLED_BACK])
    assert [event.actor for event in moved] == ["monitor"]
    assert project.registry.events(SCENARIO, after=moved[0].number)[0].kind == ALERTED  # whatever follows may fail


def test_a_rollback_and_another_one_end_where_they_began(loop: Loop, work_in: Callable[[Project], None]) -> None:
    work_in(loop.project)
    before = loop.project.registry.current(SCENARIO).release

    back, forth = run("rollback"), run("rollback")

    assert back.result().release.model == loop.retrained.result().model
    assert forth.result().release == before
    assert back.message.startswith(
        f"{loop.retrained.result().model} is the release of {SCENARIO} again, in the place of {before.model}"
    )
    done = [event.kind for event in loop.project.registry.events(SCENARIO)]
    assert done[-4:] == [ROLLED_BACK, ALERTED] * 2  # at once, and not with the next monitoring run


def test_a_rollback_that_the_running_service_follows_late_is_not_undone_by_the_next_try(
    loop: Loop, work_in: Callable[[Project], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = loop.project.copy(tmp_path)
    work_in(project)
    waited: list[str] = []

    def follow_late(port: int, model: str, **_: Any) -> str:
        waited.append(model)
        if len(waited) == 1:
            raise SwapTimeout("the service is busy")
        return ""

    monkeypatch.setattr(rollback_step, "wait_until_serving", follow_late)
    monkeypatch.setattr(rollback_flow, "run_rollback", rollback_flow.run_rollback.with_options(retry_delay_seconds=0))
    before = project.registry.current(SCENARIO).release.model

    done = run("rollback")

    assert done.is_completed()
    assert waited == [done.result().release.model] * 2
    assert project.registry.current(SCENARIO).release.model == done.result().release.model != before


def test_the_loop_ingests_the_waiting_files_before_it_monitors_whatever_is_wrong_with_a_challenger(
    loop: Loop, work_in: Callable[[Project], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: Any) -> None:
        raise Conflict("the challenger's index is gone")

    monkeypatch.setattr(lifecycle_flow, "compare_arms", look)
    work_in(loop.project)
    (name,) = loop.project.receive(7)

    done = run("lifecycle")

    seen = done.result().seen
    assert not seen.decision.refresh
    assert seen.new_rows == 89  # of that file
    assert loop.project.batches[-1].source == name


def test_arms_whose_labels_show_harm_are_stopped_with_their_figures(
    fresh: Project, work_in: Callable[[Project], None]
) -> None:
    work_in(fresh)
    fresh.edit(fresh.root / "params.yaml", "label_delay_hours: 24.0", "label_delay_hours: 0.0 ")
    champion, challenger = f"{SCENARIO}:v1", f"{SCENARIO}:v2"
    released = ModelReleased(release=make_any_release(champion))
    fresh.registry.move(SCENARIO, released, expected=None, reason="", actor="a test")
    started = make_arms_started(champion, challenger)
    fresh.registry.start_arms(SCENARIO, started, expected=None, reason="", actor="a test")
    with closing(LedgerWriter(fresh.state.ledger, SCENARIO, clock=lambda: datetime.now(UTC))) as writer:
        others = Random(1).choices([1, 7], weights=[2, 1], k=300)
        request = writer.answer(model=champion, index=None, rows=[{}] * 300, labels=[1] * 300, probabilities=None)
        writer.shadow(
            of=request, model=challenger, index=None, labels=others, probabilities=None, latency_ms=1.0, error=""
        )
        writer.label((f"{request}.{place}", 1) for place in range(300))

    state, again = run("compare"), run("compare")

    assert f"{challenger} is shown to be worse than {champion}: gain -" in state.message
    assert "| challenger | digits:v2 | 300 |" in artifact("arms")
    assert events_called("releve.arms.stop", at_least=1)
    assert again.message.startswith(f"no challenger of {SCENARIO} takes part in live traffic: .venv/bin/releve arms")


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_of_an_unknown_scenario_fails_with_the_message(
    name: str, fresh: Project, work_in: Callable[[Project], None]
) -> None:
    work_in(fresh)

    state = run(name, "birds")

    assert state.is_failed()
    assert "there is no scenario 'birds'" in state.message
    assert isinstance(state.result(raise_on_failure=False), NotFound)


def test_a_scenario_name_that_is_not_allowed_starts_nothing(fresh: Project, work_in: Callable[[Project], None]) -> None:
    work_in(fresh)

    state = run("ingest", "../digits")

    assert state.is_failed()
    assert "scenario: String should match pattern" in state.message
    assert not fresh.settings.home.exists()


def test_a_refused_file_needs_attention_after_the_others_are_ingested(
    fresh: Project, work_in: Callable[[Project], None]
) -> None:
    work_in(fresh)
    fresh.receive(1)
    (fresh.state.incoming / "broken.csv").write_text("pixel_0_0,digit\n0,1\n")

    state = run("ingest")

    assert (state.name, state.is_failed()) == ("Needs attention", True)
    with pytest.raises(NeedsAttention) as needs:
        state.result()
    assert [batch.source for batch in needs.value.result.batches] == ["window-01.parquet"]
    assert "1 incoming file was refused and set aside" in state.message
    alarm = events_called("releve.alert.files.refused", at_least=1)[0]
    assert (alarm.resource.id, alarm.payload["scenario"]) == (f"releve.scenario.{SCENARIO}", SCENARIO)
    assert "broken.csv" in alarm.payload["text"]
    [event] = fresh.registry.events(SCENARIO, kinds=[FILES_REFUSED])
    assert [file["name"] for file in event.payload["files"]] == ["broken.csv"]
    assert [batch.source for batch in fresh.batches] == ["window-01.parquet"]
    assert '"reason": "broken.csv' in (fresh.state.refused / "broken.csv.reason.json").read_text()
    assert "| broken.csv | refused |" in artifact("ingest")


class Attempts:
    """A step that fails a number of times and then works; counts how often it was tried."""

    def __init__(self, failures: int, error: type[Exception]) -> None:
        self.failures, self.error, self.tried = failures, error, 0

    def flow(self) -> Any:
        """The step as flows have it, without the time between the attempts."""
        from prefect import flow

        from flows.shared.context import step

        def attempt() -> str:
            self.tried += 1
            if self.tried <= self.failures:
                raise self.error("away")
            return "done"

        patient = step(attempt).with_options(retry_delay_seconds=0)
        return flow(name="attempts")(lambda: patient())


def test_a_step_is_tried_again_when_an_outside_system_was_away() -> None:
    attempts = Attempts(2, Unavailable)

    state = attempts.flow()(return_state=True)

    assert state.result() == "done"
    assert attempts.tried == 3


@pytest.mark.parametrize(("error", "tries"), [(Unavailable, 3), (BadInput, 1), (ValueError, 1)])
def test_a_step_that_goes_on_failing_is_tried_again_where_that_may_help(error: type[Exception], tries: int) -> None:
    attempts = Attempts(99, error)

    state = attempts.flow()(return_state=True)

    assert state.is_failed()
    assert attempts.tried == tries
