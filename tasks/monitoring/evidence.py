"""Gather what the ledger and the store know of the champion, and judge it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Current, Registry
from releve.core.errors import BadInput
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.drift.verdict import Predictions
from releve.domain.evaluation.metrics import metrics_of
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows, join_labels
from releve.domain.quality import realised, staleness
from releve.domain.quality.estimate import Estimate, estimate
from releve.domain.quality.realised import Answered, Quality
from releve.domain.quality.staleness import Staleness
from releve.domain.registry.chain import CHALLENGED
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import Schema
from releve.domain.trigger.monitoring_run import AnsweredWindow
from tasks.history import newest_of
from tasks.monitoring.champion import check_released, read_holdout, read_reference
from tasks.monitoring.quality_windows import CHAMPION
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Gathered:
    """What the ledger and the store know of the champion.

    `recent`: the newest rows that were answered, by whatever release: a champion that is refreshed with every batch has
    answered too few rows itself for a verdict on drift, which is of rows and not of a release.
    """

    params: Params
    schema: Schema
    champion: Current
    made_at: str  # when the champion was made, ISO 8601, UTC: long before it serves, where it is one that came back
    answers: AnsweredRows
    labelled: LabelledRows
    recent: AnsweredRows
    recent_labelled: frozenset[int]  # positions in `recent` whose label has come
    reference: "pd.DataFrame"  # that the champion learned from
    holdout: Answered | None

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
    judged = newest_of(registry, scenario, CHALLENGED)
    made_at = next((event.at for event in judged if event.payload["model"] == model), champion.since)
    return Gathered(
        params,
        schema,
        champion,
        made_at,
        answers,
        join_labels(answers, labels),
        recent,
        frozenset(place for place, name in enumerate(recent.ids) if name in labels),
        read_reference(settings, model),
        read_holdout(settings, model, schema, quantile=params.gate.quantile),
    )


def judge_quality(known: Gathered) -> Quality:
    """Judge the newest labelled answers against the expected performance."""
    target, rows, quantile = known.schema.target, known.most_rows, known.quantile
    quality = realised.assess(
        realised.as_scored(known.labelled, target, rows=rows, quantile=quantile),
        expected=known.expected,
        tolerance=known.params.trigger.quality_tolerance,
        min_labels=known.params.statistics.min_rows,
        bootstrap=known.bootstrap,
        answered=len(known.answers),
    )
    newest = known.labelled.take(range(len(known.labelled))[-rows:])
    confidence = known.params.statistics.confidence
    return replace(quality, coverage=realised.interval_coverage(newest, target, confidence=confidence))


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
