"""What the registry says of a scenario's challenges and monitoring runs: what the trigger decides by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.drift.verdict import DriftState, DriftVerdict
from releve.domain.quality.estimate import Estimate
from releve.domain.quality.late import LateQuality
from releve.domain.quality.payoff import Payoff
from releve.domain.quality.realised import Quality
from releve.domain.registry.chain import CHALLENGED, INGESTED, MONITORED, ROLLED_BACK, WITHDRAWN
from releve.domain.registry.events import BatchIngested, BatchOrigin, Challenger
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.policies import Challenged, Evidence, History
from tasks.history import events_of, newest_of
from tasks.ingestion.batches import read_batches
from tasks.ingestion.harvest import waiting_rows
from tasks.monitoring.evidence import Gathered

NumberedRuns = Sequence[tuple[int, MonitoringRun]]  # by their events' numbers, oldest first


@dataclass(frozen=True)
class PastRuns:
    """What came before a monitoring run, since the scenario was last started over; times are ISO 8601, UTC."""

    history: History
    runs: tuple[MonitoringRun, ...]  # oldest first
    retrained_at: str  # the last challenge; the champion's release where there is none
    ingested_at: str  # when a row came last, answers aside
    batches: tuple[tuple[str, BatchIngested], ...]  # all, the oldest first, with the time of each
    rows: int  # labelled rows there are, ingested or ready to be
    new_rows: int  # of these, since the last challenge that fitted members
    corrected_rows: int  # labels that batches since then corrected
    unweighed_rows: int  # of these, since the last challenge at all; see `count_unweighed_rows`
    new_batches: int  # that these rows came in
    payoffs: tuple[Payoff, ...]  # of the last promotion, as each run knew it
    earlier_payoffs: tuple[Payoff, ...]  # of those before it, since a rollback or a withdrawal, as they were known last
    rows_since_broken: int  # labelled rows that came after the first of the runs in a row that found broken data

    def evidence(
        self, drift: DriftVerdict, quality: Quality, estimate: Estimate, late: LateQuality | None, *, at: str
    ) -> Evidence:
        """Return what the trigger decides by; `at`: ISO 8601, UTC."""
        return Evidence(
            at,
            drift,
            quality,
            self.new_rows,
            estimate,
            late=late,
            new_batches=self.new_batches,
            unweighed_rows=self.unweighed_rows,
            rows_since_broken=self.rows_since_broken,
            corrected_rows=self.corrected_rows,
        )


def gather_past(settings: Settings, scenario: str, registry: Registry, known: Gathered) -> PastRuns:
    """Raises what the registry and the scenario's branch raise where they cannot be read."""
    waiting, batch_rows = waiting_rows(settings, scenario), answers_of_a_batch(known.params)
    numbered = runs_of(registry, scenario)
    history, runs = challenges_of(registry, scenario), tuple(run for _, run in numbered)
    rows = count_rows(settings, scenario, waiting=waiting)
    payoffs, earlier_payoffs = payoffs_of(registry, scenario, numbered, champion=known.champion.release.model)
    batches = tuple((event.at, event.read(BatchIngested)) for event in events_of(registry, scenario, INGESTED))
    return PastRuns(
        history,
        runs,
        retrained_at=history.last.at if history.last else known.champion.since,
        ingested_at=max([known.champion.since, *(at for at, _ in batches[-1:])], key=datetime.fromisoformat),
        batches=batches,
        rows=rows,
        new_rows=max(waiting, rows - (history.last.rows if history.last else 0)),
        corrected_rows=sum(batch.corrected for batch in ingested_since_fit(registry, scenario)),
        unweighed_rows=count_unweighed_rows(
            ModelStore(settings.home), known.champion.release.model, history, rows=rows
        ),
        new_batches=new_batches(registry, scenario, waiting=waiting, batch_rows=batch_rows),
        payoffs=payoffs,
        earlier_payoffs=earlier_payoffs,
        rows_since_broken=rows_since_broken(runs, rows=rows),
    )


def runs_of(registry: Registry, scenario: str) -> NumberedRuns:
    """Return every monitoring run since then with its event's number, oldest first."""
    events = events_of(registry, scenario, MONITORED)
    return [(event.number, event.read(MonitoringRun)) for event in events]


def challenges_of(registry: Registry, scenario: str) -> History:
    """Return every challenge since then, oldest first. Who judges a challenger anew does not search anew."""
    challenges, searches = [], {""}
    for event in events_of(registry, scenario, CHALLENGED):
        one = event.read(Challenger)
        joined = one.search_outcome is not None and one.search_outcome.joined
        challenges.append(
            Challenged(event.at, one.promote, one.rows, one.search not in searches, joined, one.is_reweighting)
        )
        searches.add(one.search)
    return History(tuple(challenges))


def answers_of_a_batch(params: Params) -> int:
    """Return how many labelled answers count as one batch: fewer make no challenge that the gate could judge."""
    return max(params.trigger.min_new_rows, params.statistics.min_rows)


def new_batches(registry: Registry, scenario: str, *, waiting: int, batch_rows: int) -> int:
    """Count batches since the last challenge that fitted members.

    Every ingested file is one, and so are `batch_rows` labelled answers. Answers are harvested when a challenge is due
    and not before, all into one file: counted as files they would make no challenge due. `waiting`: labelled answers
    that are no batch yet.
    """
    batches = sum(
        max(1, batch.rows // max(1, batch_rows)) if batch.origin == BatchOrigin.ANSWERS else 1
        for batch in ingested_since_fit(registry, scenario)
    )
    return batches + waiting // max(1, batch_rows)


def ingested_since_fit(registry: Registry, scenario: str) -> list[BatchIngested]:
    """Return the batches that were ingested since the last challenge that fitted members, oldest first."""
    challenges = newest_of(registry, scenario, CHALLENGED)
    last = next((event.number for event in challenges if not event.read(Challenger).is_reweighting), 0)
    batches = takewhile(lambda event: event.number > last, newest_of(registry, scenario, INGESTED))
    return [event.read(BatchIngested) for event in batches][::-1]


def count_rows(settings: Settings, scenario: str, *, waiting: int) -> int:
    """Count labelled rows: those ingested without their later versions, and all `waiting` ones, corrections too."""
    batches = read_batches(ScenarioBranch(settings.project, scenario))
    return sum(batch.rows - batch.superseded - batch.erased for batch in batches) + waiting


def count_unweighed_rows(store: ModelStore, champion: str, history: History, *, rows: int) -> int:
    """Count labelled rows since members were weighed.

    0 where one member alone answers, or a brought model, or the champion's members are not the newest: who was refused,
    or rolled back, is not weighed anew. Raises what the model store raises where the champion's description is gone.
    """
    described = store.describe(champion)
    ensemble = described.ensemble
    if described.brought or ensemble is None or history.last is None or ensemble.learned != history.last.rows:
        return 0
    if sum(member.weight > 0 for member in ensemble.members) < 2:
        return 0
    return max(0, rows - history.challenges[-1].rows)


def payoffs_of(
    registry: Registry, scenario: str, runs: NumberedRuns, *, champion: str
) -> tuple[tuple[Payoff, ...], tuple[Payoff, ...]]:
    """Return what `runs` knew of the champion's promotion, and of each one before it, since something else moved."""
    others = events_of(registry, scenario, ROLLED_BACK, WITHDRAWN)
    since = others[-1].number if others else 0
    known = [(run.model, run.payoff) for number, run in runs if number > since and run.payoff]
    earlier = {model: payoff for model, payoff in known if model != champion}
    return tuple(payoff for model, payoff in known if model == champion), tuple(earlier.values())


def rows_since_broken(runs: Sequence[MonitoringRun], *, rows: int) -> int:
    """Count labelled rows that came after the first of the newest runs in a row that found broken data.

    `runs`: oldest first, without the present one, for which there are `rows`. 0 where the run before found none, so
    that running again over the same rows makes nothing normal.
    """
    broken = [*takewhile(lambda run: run.drift.state == DriftState.BROKEN_DATA, reversed(runs))]
    return max(0, rows - broken[-1].rows) if broken else 0
