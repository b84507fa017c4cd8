"""Gather what the ledger and the store know of the champion, and judge it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Current, Registry
from releve.core.errors import BadInput
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.decision.realised import RealisedCost, realised_cost
from releve.domain.drift.verdict import Predictions
from releve.domain.evaluation.baselines import usual_answer
from releve.domain.evaluation.metrics import METRICS, compute_score, metrics_of
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.features.clock import UNKNOWN, Ticks, ticks_of
from releve.domain.features.completion import times_of, times_of_rows
from releve.domain.features.lateness import LateValues, comes_afterwards, find_late
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows, join_labels, parse_since
from releve.domain.quality import realised, staleness
from releve.domain.quality.estimate import Estimate, estimate
from releve.domain.quality.late import LateQuality, assess_late
from releve.domain.quality.realised import Quality, ScoredAnswers
from releve.domain.quality.staleness import Staleness
from releve.domain.registry.chain import CHALLENGED, MONITORED, MOVES
from releve.domain.registry.events import BatchIngested, BatchOrigin, release_of
from releve.domain.registry.lifecycle import since_withdrawn, taken_back
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.trigger.monitoring_run import AnsweredWindow, MonitoringRun
from tasks.history import events_of, newest_of
from tasks.monitoring.champion import check_released, read_holdout, read_reference
from tasks.monitoring.quality_windows import CHAMPION
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd


MOST_LATE = 5000  # newest labels that came late to answers of releases that count


@dataclass(frozen=True, eq=False)
class Gathered:
    """What the ledger and the store know of the champion.

    `recent`: the newest rows that were answered, by whatever release: a champion that is refreshed with every batch has
    answered too few rows itself for a verdict on drift, which is of rows and not of a release.
    """

    params: Params
    schema: Schema
    champion: Current
    first_released: str  # when the scenario first had a champion, ISO 8601, UTC
    made_at: str  # when the champion was made, ISO 8601, UTC: long before it serves, where it is one that came back
    answers: AnsweredRows
    labelled: LabelledRows
    late: LabelledRows  # answers of before the champion's release, whose labels came after it
    expectations: Mapping[str, ExpectedPerformance]  # by model that ever served, without those taken back or withdrawn
    recent: AnsweredRows
    recent_labelled: frozenset[int]  # positions in `recent` whose label has come
    reference: "pd.DataFrame"  # that the champion learned from
    holdout: ScoredAnswers | None

    @property
    def most_rows(self) -> int:
        return self.params.monitor.window_rows

    @property
    def quantile(self) -> float:
        return self.params.gate.quantile

    @property
    def window(self) -> AnsweredWindow:
        at = self.recent.at
        return AnsweredWindow(len(at), at[0] if at else None, at[-1] if at else None, len(self.recent_labelled))

    @property
    def learned(self) -> int:
        """Count the rows of `recent` that the champion learned from: labelled before it was made."""
        return sum(self.recent.at[row] < self.made_at for row in self.recent_labelled)

    @property
    def reference_before(self) -> "pd.DataFrame":
        """Return the reference without its newest rows, which are the ones that are compared with it."""
        return self.reference.iloc[: len(self.reference) - self.learned]

    @property
    def expected(self) -> ExpectedPerformance:
        return self.champion.release.expected

    @property
    def bootstrap(self) -> BootstrapConfig:
        return BootstrapConfig.of(self.params.statistics)


def gather(settings: Settings, scenario: str, registry: Registry) -> Gathered:
    """Raises NotFound before the first release, BadInput when the target has changed since it."""
    truth = read_committed(settings, scenario)
    params, schema = truth.params, truth.schema
    champion = check_released(registry.current(scenario), scenario)
    metric, task = champion.release.expected.metric, schema.target.task
    if metric not in metrics_of(task):
        raise BadInput(
            f"the champion {champion.release.model} was promoted by {metric}, which is no metric of a {task} target: "
            "the target has changed since. Change it back, or start the scenario from scratch (`make archive`)"
        )
    model, ledger = champion.release.model, LedgerReader(ScenarioState(settings.home, scenario).ledger)
    answers, labels = ledger.answers(since=champion.since, model=model), ledger.labels()
    recent = ledger.newest(params.monitor.window_rows, arm=CHAMPION)
    challenges = newest_of(registry, scenario, CHALLENGED)
    made_at = next((event.at for event in challenges if event.payload["model"] == model), champion.since)
    judged, own = labels_judged_until(registry, scenario, champion), set(answers.ids)
    late = {name: label for name, label in labels.items() if label[1] > judged and name not in own}
    moves = events_of(registry, scenario, *MOVES)
    released = [release for event in since_withdrawn(moves) if (release := release_of(event))]
    left = taken_back(moves)  # what serves came in their place, so their answers say nothing of it
    expectations = {release.model: release.expected for release in released if release.model not in left}
    newest = sorted(late, key=lambda name: late[name][1], reverse=True)
    late_answers = ledger.first_answers_to(newest, arm=CHAMPION, models=expectations, most=MOST_LATE)
    return Gathered(
        params,
        schema,
        champion,
        moves[0].at,
        made_at,
        answers,
        join_labels(answers, labels),
        join_labels(late_answers, late),
        expectations,
        recent,
        frozenset(place for place, name in enumerate(recent.ids) if name in labels),
        read_reference(settings, model),
        read_holdout(settings, model, schema, quantile=params.gate.quantile),
    )


def labels_judged_until(registry: Registry, scenario: str, champion: Current) -> str:
    """Return when the newest monitoring run of before the champion's release was; "" where none was.

    A label that came since then was judged with no release: it came too late for the one that gave the answer.
    """
    runs = (parse_since(event.read(MonitoringRun).at) for event in newest_of(registry, scenario, MONITORED))
    return next((at for at in runs if at < parse_since(champion.since)), "")


def judge_quality(known: Gathered) -> Quality:
    """Judge the newest labelled answers against the expected performance."""
    target, rows, quantile = known.schema.target, known.most_rows, known.quantile
    scored = realised.as_scored(known.labelled, target, rows=rows, quantile=quantile)
    quality = realised.assess(
        scored,
        expected=known.expected,
        tolerance=known.params.trigger.quality_tolerance,
        min_labels=known.params.statistics.min_rows,
        bootstrap=known.bootstrap,
        answered=len(known.answers),
    )
    newest = known.labelled.take(range(len(known.labelled))[-rows:])
    confidence = known.params.statistics.confidence
    coverage = realised.interval_coverage(newest, target, confidence=confidence)
    return replace(quality, coverage=coverage, naive=naive_score(known, scored))


def judge_late_labels(known: Gathered) -> LateQuality | None:
    """Judge the newest answers of releases of before whose labels came late; None where there are too few."""
    found = assess_late(
        known.late,
        known.expectations,
        known.schema.target,
        metric=known.expected.metric,
        rows=known.most_rows,
        quantile=known.quantile,
        tolerance=known.params.trigger.quality_tolerance,
        min_labels=known.params.statistics.min_rows,
        bootstrap=known.bootstrap,
    )
    if found is None:
        return None
    late, judged = found
    scored = realised.as_scored(judged, known.schema.target, rows=known.most_rows, quantile=known.quantile)
    return replace(late, quality=replace(late.quality, naive=naive_score(known, scored)))


def judge_money(known: Gathered, settings: Settings) -> RealisedCost | None:
    """Add up what the champion's decisions have cost; None where it decides nothing."""
    description, target = ModelStore(settings.home).describe(known.champion.release.model), known.schema.target
    policy, judged = description.decision, description.evaluation
    if policy is None:
        return None
    learned = [label for label in map(target.parse, known.reference.get(target.name, ())) if label is not None]
    return realised_cost(
        known.answers,
        known.labelled,
        policy.table,
        target,
        learned=learned,
        rows=known.most_rows,
        min_rows=known.params.statistics.min_rows,
        bootstrap=known.bootstrap,
        promised=judged.money.cost if judged and judged.money else None,
    )


def judge_delays(known: Gathered, batches: Sequence[tuple[str, BatchIngested]]) -> tuple[LateValues, ...]:
    """Return the lagged columns whose values come later than declared, by labels of answers and by batches of files.

    `batches`: all, the oldest first, with the time when each came in (ISO 8601, UTC).
    """
    columns = comes_afterwards(known.schema)
    if not columns:
        return ()
    newest = known.labelled.take(range(len(known.labelled))[-known.most_rows :])
    rows = times_of_rows(known.schema, newest.answers.features.to_dict("records")).ticks
    by_labels = [(rows, np.array([moment_of(at) for at in newest.labelled_at], dtype="datetime64[us]"))]
    by_files = _arrivals(known, batches)
    arrivals = {name: [*by_files, *(by_labels if name == known.schema.target.name else ())] for name in columns}
    most, fewest = known.params.batch.max_missing_rise, known.params.statistics.min_rows
    return find_late(known.schema, arrivals, most=most, fewest=fewest)


def _arrivals(
    known: Gathered, batches: Sequence[tuple[str, BatchIngested]]
) -> list[tuple[Ticks, NDArray[np.datetime64]]]:
    """Return the ticks of rows that files brought, and when each came: of those that are newer than all before them.

    What came in before the first release is history, and a corrected row came in time.
    """
    released = moment_of(known.first_released)
    came = {batch.batch: at for at, batch in batches if batch.origin is not BatchOrigin.ANSWERS}
    reference, arrivals = known.reference, []
    if not {BATCH, known.schema.time} <= {*reference}:
        return []
    ticks, names = ticks_of(known.schema, times_of(known.schema, reference)), reference[BATCH].to_numpy(object)
    before = UNKNOWN
    for name in dict.fromkeys(names):
        own = ticks[names == name]
        new = own[own > before]
        if name in came and len(new) and (at := moment_of(came[name])) > released:
            arrivals.append((new, np.full(len(new), at, dtype="datetime64[us]")))
        before = max(before, int(own.max()))
    return arrivals


def moment_of(at: str) -> np.datetime64:
    """Read an ISO 8601 time with a zone."""
    return np.datetime64(datetime.fromisoformat(at).astimezone(UTC).replace(tzinfo=None), "us")


def naive_score(known: Gathered, scored: ScoredPredictions | None) -> float | None:
    """Score the usual answer, as the champion's reference has it, on the same rows; None where either is unknown."""
    target, metric = known.schema.target, known.expected.metric
    labels = [label for label in map(target.parse, known.reference.get(target.name, ())) if label is not None]
    if scored is None or not labels or not METRICS[metric].is_defined(scored):
        return None
    places = [target.classes.index(label) for label in labels] if target.classes else labels
    usual = usual_answer(np.array(places), classes=len(target.classes), metric=metric, quantile=known.quantile)
    return compute_score(metric, scored.with_outputs(np.repeat(usual[None], len(scored), axis=0)))


def predictions(known: Gathered) -> Predictions | None:
    """What was answered out of sample to rows before the newest ones, and to these.

    None where no such row travels with the model.
    """
    if known.holdout is None:
        return None
    held_out, classes = known.holdout.scored.outputs, known.schema.target.classes
    held_out = held_out[: max(0, len(held_out) - known.learned)]
    if not len(held_out):
        return None
    reference = [classes[place] for place in held_out.argmax(axis=1)] if classes else held_out.tolist()
    parse = known.schema.target.parse
    return Predictions(reference, [parse(each) for each in known.recent.predicted])


def estimate_quality(known: Gathered) -> Estimate:
    """The newest answers, whatever their labels, against the expected performance."""
    target, rows, quantile = known.schema.target, known.most_rows, known.quantile
    return estimate(
        known.holdout,
        realised.as_answered(known.answers, target, rows=rows, quantile=quantile),
        realised.as_labelled(known.labelled, target, rows=rows, quantile=quantile),
        schema=known.schema,
        expected=known.expected,
        tolerance=known.params.trigger.quality_tolerance,
        min_rows=known.params.statistics.min_rows,
        bootstrap=known.bootstrap,
    )


def judge_staleness(known: Gathered, *, now: datetime, retrained_at: str, ingested_at: str) -> Staleness:
    """Judge by time alone. `ingested_at`: when a row came last, answers aside."""
    answers, labelled = known.answers, known.labelled
    there = set(labelled.answers.ids)
    waiting = [at for name, at in zip(answers.ids, answers.at, strict=True) if name not in there]
    labels = staleness.label_delays(waiting, list(zip(labelled.answers.at, labelled.labelled_at, strict=True)), now=now)
    return staleness.assess(
        now=now,
        retrained_at=retrained_at,
        newest_row_at=max([ingested_at, *answers.at[-1:]], key=datetime.fromisoformat),
        labels=labels,
        limits=known.params.age,
    )
