"""What is known of a scenario's champions, and what of it tells whether the one that serves is still good.

Evidence is of a model version: its figures count whenever it served, the newest first. Those of the release before it
are kept apart, and stand in while nothing is known of the one that serves.
Labelled answers newer than the last conclusive monitoring run are pooled, and judged as a run would judge them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import Interval, rounded, weighted_mean
from releve.domain.evaluation.metrics import METRICS
from releve.domain.health.health import HealthEvidence
from releve.domain.quality.realised import Quality, QualityState, compare_with_expected
from releve.domain.quality.staleness import days_between
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import CHALLENGED, INGESTED, MONITORED, MOVES, RELEASED, WITHDRAWN, Event
from releve.domain.registry.events import BatchIngested, Challenger, release_of
from releve.domain.registry.lifecycle import since_withdrawn, taken_back
from releve.domain.registry.release import ExpectedPerformance, Release
from releve.domain.trigger.monitoring_run import MonitoringRun

REJECTED_SHARE = 0.1  # of a batch's rows, from which on somebody should see to them
INCONCLUSIVE_RUNS = 10  # in a row without a known quality, after which an older figure says nothing of today


@dataclass(frozen=True)
class HealthLimits:
    """Settings that evidence is judged by."""

    min_rows: int  # labelled rows (statistics.min_rows): with fewer nothing is judged
    pooled_rows: int  # labelled rows, at most about, that are judged together: as many as a monitoring run judges
    tolerance: float  # trigger.quality_tolerance
    max_idle_days: float  # age.max_idle_days; 0: evidence of any age counts


@dataclass(frozen=True)
class LabelledAnswers:
    """Neighbouring windows of one model version, scored together."""

    first_at: str  # ISO 8601, UTC
    last_at: str
    metric: str
    answered: int
    labelled: int
    score: Interval
    naive: float | None  # on the same rows; None where it is not known for all of them
    naive_name: str


@dataclass(frozen=True)
class RealisedQuality:
    """A realised quality, and the time of the newest answer or run that it rests on (ISO 8601, UTC)."""

    quality: Quality
    at: str
    model: str  # that it is of


@dataclass(frozen=True)
class ServingHistory:
    """What registry and ledger know of a scenario.

    `events`: since the scenario was last started over, oldest first. `release`: what serves, since `since` (ISO 8601,
    UTC).
    """

    scenario: str
    made_at: str  # ISO 8601, UTC
    limits: HealthLimits
    events: tuple[Event, ...] = ()
    windows: tuple[QualityWindow, ...] = ()
    release: Release | None = None
    since: str = ""

    @cached_property
    def runs(self) -> tuple[MonitoringRun, ...]:
        return tuple(event.read(MonitoringRun) for event in self.events if event.kind == MONITORED)

    @cached_property
    def own_runs(self) -> tuple[MonitoringRun, ...]:
        """Runs on the model version that serves, whenever it served."""
        return tuple(run for run in self.runs if self.release and run.model == self.release.model)

    @cached_property
    def own_windows(self) -> tuple[QualityWindow, ...]:
        """Windows that the model version that serves answered, whenever it served."""
        return tuple(window for window in self.windows if self.release and window.model == self.release.model)

    @cached_property
    def challenges(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind == CHALLENGED)

    @cached_property
    def moves(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind in MOVES)

    @cached_property
    def newest_batch(self) -> BatchIngested | None:
        newest = next((event for event in reversed(self.events) if event.kind == INGESTED), None)
        return newest.read(BatchIngested) if newest else None

    @cached_property
    def newest_labelled(self) -> LabelledAnswers | None:
        """The newest labelled answers of the model that serves; None where they are too few to be judged."""
        return pool(self.own_windows, replace(self.limits, pooled_rows=self.limits.min_rows))

    @cached_property
    def expectations(self) -> dict[str, ExpectedPerformance]:
        """The expected performance of each model that was released."""
        return {release.model: release.expected for event in self.moves if (release := release_of(event))}

    @cached_property
    def realised(self) -> RealisedQuality | None:
        """The newest realised quality of the model that serves."""
        return self._realised_of(self.release.model, self.release.expected) if self.release else None

    @cached_property
    def models_before(self) -> tuple[str, ...]:
        """Models that served before the one that does, the newest first, none that was taken back.

        None where a rollback brought it: what was known of a later one says nothing of it.
        """
        if not self.moves or self.moves[-1].kind != RELEASED or not self.release:
            return ()
        since, gone = since_withdrawn(self.moves), {*taken_back(self.moves), self.release.model}
        released = [release.model for event in reversed(since) if (release := release_of(event))]
        return tuple(model for model in dict.fromkeys(released) if model not in gone)

    @cached_property
    def realised_before(self) -> RealisedQuality | None:
        """The realised quality of the newest release before that it is known of, and that is not too old."""
        known = (self._realised_of(model, self.expectations[model]) for model in self.models_before)
        newest = next((each for each in known if each), None)
        return newest if newest and not self.is_outdated(newest.at) else None

    @cached_property
    def run_before(self) -> MonitoringRun | None:
        """The newest run on the release before; None where that is too old to rely on."""
        newest = next((run for run in reversed(self.runs) if run.model in self.models_before[:1]), None)
        return newest if newest and not self.is_outdated(newest.at) else None

    def _realised_of(self, model: str, expected: ExpectedPerformance) -> RealisedQuality | None:
        """Of the labelled answers since the last conclusive run on that model, or else of that run."""
        known = [run for run in self.runs if run.model == model and run.quality.state != QualityState.UNKNOWN]
        windows = [window for window in self.windows if window.model == model]
        newer = [one for one in windows if not known or is_before(known[-1].until, one.last_at)]
        pooled = pool(newer, self.limits)
        if pooled and pooled.metric == expected.metric:
            state, change = compare_with_expected(pooled.score, expected, self.limits.tolerance)
            quality = Quality(
                state,
                pooled.metric,
                pooled.labelled,
                expected.score.value,
                pooled.score,
                change,
                pooled.answered,
                naive=pooled.naive,
            )
            return RealisedQuality(quality, pooled.last_at, model)
        return RealisedQuality(known[-1].quality, known[-1].at, model) if known else None

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The gate's evaluation of the model version that serves."""
        challengers = (event.read(Challenger) for event in reversed(self.challenges))
        served = self.release.model if self.release else ""
        return next((one.evaluation for one in challengers if one.model == served), None)

    @property
    def is_realised_outdated(self) -> bool:
        """The realised quality is older than `max_idle_days`, or many runs since could not tell it."""
        if not self.realised:
            return False
        since = sum(is_before(self.realised.at, run.at) for run in self.own_runs)
        return since >= INCONCLUSIVE_RUNS or self.is_outdated(self.realised.at)

    def is_outdated(self, at: str) -> bool:
        limit = self.limits.max_idle_days
        return limit > 0 and days_between(at, datetime.fromisoformat(self.made_at)) > limit


def pool(windows: Sequence[QualityWindow], limits: HealthLimits) -> LabelledAnswers | None:
    """Pool the newest windows with a score, up to about `limits.pooled_rows` labels; None below `limits.min_rows`.

    The score is the mean of the windows' scores, weighted by their labels.
    """
    pooled: list[QualityWindow] = []
    for window in reversed(windows):
        if window.score is None or not math.isfinite(window.score.value):
            continue
        rows = sum(one.labelled for one in pooled)
        if pooled and (window.metric != pooled[0].metric or rows >= max(limits.pooled_rows, limits.min_rows)):
            break
        pooled.insert(0, window)
    weights = [window.labelled for window in pooled]
    if not pooled or sum(weights) < limits.min_rows:
        return None
    naive = [window.naive for window in pooled if window.naive is not None and math.isfinite(window.naive)]
    known = len(naive) == len(pooled)
    return LabelledAnswers(
        pooled[0].first_at,
        pooled[-1].last_at,
        pooled[-1].metric,
        sum(window.answered for window in pooled),
        sum(weights),
        weighted_mean([window.score for window in pooled if window.score], weights),
        sum(map(math.prod, zip(naive, weights, strict=True))) / sum(weights) if known else None,
        " or ".join(sorted({window.naive_name for window in pooled})) if known else "",
    )


def as_judged(windows: Iterable[QualityWindow], events: Iterable[Event]) -> tuple[QualityWindow, ...]:
    """Give a window that a monitoring run judged the interval of that run, which is drawn more finely."""
    runs = (event.read(MonitoringRun) for event in events if event.kind == MONITORED)
    scores = {}
    for run in runs:
        if score := run.quality.score:
            scores[run.model, run.quality.labelled, rounded(score.value)] = score

    def judged_score(window: QualityWindow) -> Interval | None:
        return window.score and scores.get((window.model, window.labelled, rounded(window.score.value)), window.score)

    return tuple(replace(window, score=judged_score(window)) for window in windows)


def health_evidence(history: ServingHistory) -> HealthEvidence:
    """Gather what is known of the model that serves."""
    batch, labelled, realised = history.newest_batch, history.newest_labelled, history.realised
    runs, challenges, moves = history.own_runs, history.challenges, history.moves
    newest, move = runs[-1] if runs else None, moves[-1] if moves else None
    before, late = history.realised_before, newest.telling_late if newest else None
    sign = METRICS[labelled.metric].sign if labelled else 1
    score = labelled.score if labelled else None
    since_move = [
        event
        for event in challenges
        if (move is None or is_before(move.at, event.at)) and not event.read(Challenger).is_reweighting
    ]
    since = since_withdrawn(moves)
    served = {release.model for event in since if (release := release_of(event))}
    met = [run.quality.state for run in runs] + ([realised.quality.state] if realised else [])
    return HealthEvidence(
        serves=history.release is not None,
        ingested=batch is not None or bool(challenges),
        withdrawn=move is not None and move.kind == WITHDRAWN,
        refused=bool(since_move) and not since_move[-1].read(Challenger).promote,
        can_roll_back=len(served) > 1 and since[-1].kind == RELEASED,  # not itself what a rollback brought
        came_back=move in taken_back(moves).values() and not since_move,
        naive=history.evaluation is not None and history.evaluation.naive,
        monitored=newest is not None,
        realised=realised.quality.state if realised else QualityState.UNKNOWN,
        realised_outdated=history.is_realised_outdated,
        has_met_expectation=QualityState.WITHIN_TOLERANCE in met,
        score=sign * score.value if score else None,
        score_high=max(sign * score.low, sign * score.high) if score else None,
        baseline=sign * labelled.naive if labelled and labelled.naive is not None else None,
        estimated=newest.estimate.state if newest else QualityState.UNKNOWN,
        before=before.quality.state if before else QualityState.UNKNOWN,
        before_estimated=history.run_before.estimate.state if history.run_before else QualityState.UNKNOWN,
        late_degraded=late is not None and late.quality.state == QualityState.DEGRADED,
        run_outdated=newest is not None and history.is_outdated(newest.at),
        dear=newest is not None and newest.money is not None and newest.money.is_dear,
        broken_data=newest is not None and newest.drift.state == DriftState.BROKEN_DATA,
        drift=newest is not None and newest.drift.of_sound_columns == DriftState.DRIFT,
        due=newest is not None and bool(newest.staleness.exceeded),
        retraining_due=newest is not None
        and newest.decision.refresh
        and not any(is_before(newest.at, event.at) for event in challenges),
        rejected_rows=batch is not None and batch.rejected / max(1, batch.rows + batch.rejected) >= REJECTED_SHARE,
    )


def is_before(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) < datetime.fromisoformat(other)
