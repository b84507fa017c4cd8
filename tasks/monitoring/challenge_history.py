"""What the registry says of a scenario's challenges and monitoring runs: what the trigger decides by."""

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.registry.registry import Registry
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.drift.verdict import DriftState
from releve.domain.registry.chain import CHALLENGED, INGESTED, MONITORED, Event
from releve.domain.registry.events import BatchIngested, BatchOrigin, Challenger
from releve.domain.trigger.cadence import Challenged
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.policies import History
from tasks.history import events_of
from tasks.ingestion.batches import read_batches
from tasks.ingestion.harvest import waiting_rows
from tasks.monitoring.evidence import Gathered


@dataclass(frozen=True)
class PastRuns:
    """What came before a monitoring run, since the scenario was last started over; times are ISO 8601, UTC."""

    history: History
    runs: tuple[MonitoringRun, ...]  # oldest first
    retrained_at: str  # the last challenge; the champion's release where there is none
    ingested_at: str  # when a row came last, answers aside
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be
    new_batches: int  # that these rows came in
    invalid_runs: int  # in a row, the present one included, that found broken data


def gather_past(settings: Settings, scenario: str, registry: Registry, known: Gathered) -> PastRuns:
    """Raises what the registry and the scenario's branch raise where they cannot be read."""
    waiting, batch_rows = waiting_rows(settings, scenario), answers_of_a_batch(known.params)
    history = challenges_of(registry, scenario, batch_rows=batch_rows)
    ingested = [event.at for event in events_of(registry, scenario, INGESTED)]
    return PastRuns(
        history,
        tuple(run for _, run in runs_of(registry, scenario)),
        retrained_at=history.last.at if history.last else known.champion.since,
        ingested_at=max([known.champion.since, *ingested[-1:]], key=datetime.fromisoformat),
        new_rows=count_new_rows(settings, scenario, registry, waiting=waiting),
        new_batches=new_batches(registry, scenario, waiting=waiting, batch_rows=batch_rows),
        invalid_runs=invalid_runs(registry, scenario, last_at=known.window.last_at),
    )


def runs_of(registry: Registry, scenario: str) -> list[tuple[int, MonitoringRun]]:
    """Return every monitoring run since then with its event's number, oldest first."""
    events = events_of(registry, scenario, MONITORED)
    return [(event.number, event.read(MonitoringRun)) for event in events]


def challenges_of(registry: Registry, scenario: str, *, batch_rows: int) -> History:
    """Return every challenge since then; what a promotion brought is what the last run before the next promotion knew.

    `batch_rows`: see `new_batches`.
    """
    challenges = events_of(registry, scenario, CHALLENGED)
    known = [(number, run.payoff) for number, run in runs_of(registry, scenario) if run.payoff]
    ingested = events_of(registry, scenario, INGESTED)
    starts = [0, *(event.number for event in challenges)]
    promoted = [event.number for event in challenges if event.read(Challenger).promote]
    challenged = []
    for event, start in zip(challenges, starts, strict=False):
        batches = [batch for batch in ingested if start < batch.number < event.number]
        end = next((number for number in promoted if number > event.number), None)
        payoffs = [payoff for number, payoff in known if event.number < number < (end or number + 1)]
        promote = event.read(Challenger).promote
        challenged.append(
            Challenged(
                event.at,
                promote,
                event.read(Challenger).rows,
                batches=_batches(batches, batch_rows),
                payoff=payoffs[-1] if promote and payoffs else None,
            )
        )
    return History(tuple(challenged))


def answers_of_a_batch(params: Params) -> int:
    """Return how many labelled answers count as one batch: fewer make no challenge that the gate could judge."""
    return max(params.trigger.min_new_rows, params.statistics.min_rows)


def new_batches(registry: Registry, scenario: str, *, waiting: int, batch_rows: int) -> int:
    """Count batches since the last challenge: every ingested file is one, and so are `batch_rows` labelled answers.

    Answers are harvested when a challenge is due and not before, all into one file: counted as files they would make
    no challenge due. `waiting`: labelled answers that are no batch yet.
    """
    challenges = events_of(registry, scenario, CHALLENGED)
    last = challenges[-1].number if challenges else 0
    ingested = [event for event in events_of(registry, scenario, INGESTED) if event.number > last]
    return _batches(ingested, batch_rows) + waiting // max(1, batch_rows)


def _batches(ingested: list[Event], batch_rows: int) -> int:
    return sum(
        max(1, batch.rows // max(1, batch_rows)) if batch.origin == BatchOrigin.ANSWERS else 1
        for batch in (event.read(BatchIngested) for event in ingested)
    )


def count_new_rows(settings: Settings, scenario: str, registry: Registry, *, waiting: int) -> int:
    """Count labelled rows, ingested or `waiting` to be harvested, that no challenger was judged with yet."""
    ingested = sum(batch.rows for batch in read_batches(ScenarioBranch(settings.project, scenario)))
    challenges = events_of(registry, scenario, CHALLENGED)
    judged = challenges[-1].read(Challenger).rows if challenges else 0
    return max(0, ingested - judged) + waiting


def invalid_runs(registry: Registry, scenario: str, *, last_at: str | None) -> int:
    """Count the runs in a row that found broken data, the present one over answers up to `last_at` included.

    Runs over the same answers are one, so that running again makes nothing normal.
    """
    runs = (run for _, run in reversed(runs_of(registry, scenario)))
    broken = takewhile(lambda run: run.drift.state == DriftState.BROKEN_DATA, runs)
    return len({last_at, *(run.window.last_at for run in broken)})
