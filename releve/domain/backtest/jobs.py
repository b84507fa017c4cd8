"""What a backtest computes, as jobs: each by itself, in any order, on any worker, once for all policies that need it.

A job is equal to another that would find the same; what it is given beside (`Given`) follows from its fields.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.drift.verdict import DriftState, DriftVerdict, compare
from releve.domain.evaluation import holdout_evaluation
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.metrics import METRICS
from releve.domain.evaluation.paired import RESAMPLES, BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold, numbered
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality import payoff, realised
from releve.domain.quality.payoff import Payoff
from releve.domain.quality.realised import Quality
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import Schema
from releve.domain.training.learning import REFERENCE_ROWS, answer, learn
from releve.domain.training.recipes import Candidate

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
ModelRows = tuple[int, int]  # a model, by the rows [first, end) that it learned from


@dataclass(frozen=True, eq=False)
class JobContext:
    """What all jobs share. `params` are the scenario's: of these, no policy changes what a job reads."""

    rows: "pd.DataFrame"  # in time order
    schema: Schema
    candidate: Candidate
    params: Params
    metric: str
    resamples: int = RESAMPLES  # draws of each judgement

    def scored(
        self, answers: Floats, start: int, end: int, blocks: NDArray[np.int64] | None = None
    ) -> ScoredPredictions:
        """Answers to rows [start, end) beside their labels."""
        labels = self.rows[self.schema.target.name].iloc[start:end].tolist()
        return ScoredPredictions.of(
            answers, labels, self.schema.target, quantile=self.params.gate.quantile, blocks=blocks
        )

    @property
    def bootstrap(self) -> BootstrapConfig:
        return BootstrapConfig.of(self.params.statistics, resamples=self.resamples)


@dataclass(frozen=True)
class FitModel:
    """Learn from rows [first, end), answer rows [end, upto): (rows, classes) or (rows, 1)."""

    first: int
    end: int
    upto: int

    def run(self, context: JobContext) -> Floats:
        """Raises BadInput where rows hold too few labels to learn from."""
        rows, seed = context.rows, context.params.statistics.seed
        model = learn(rows.iloc[self.first : self.end], context.schema, context.candidate, seed=seed)
        if self.end == self.upto:
            return np.empty((0, max(1, len(context.schema.target.classes))))
        predicted = answer(model, rows.iloc[self.end : self.upto], context.schema).to_numpy(dtype=np.float64)
        if not np.isfinite(predicted).all():
            raise BadInput(f"the model of rows {self.first} to {self.end} answers what is no number")
        return predicted


@dataclass(frozen=True)
class CompareDrift:
    """The drift verdict on rows [start, end) beside the newest rows that a model learned from."""

    model: ModelRows
    start: int
    end: int
    before: DriftState  # of the monitoring run before

    def run(self, context: JobContext) -> DriftVerdict:
        first, end = self.model
        reference, current = context.rows.iloc[first:end].tail(REFERENCE_ROWS), context.rows.iloc[self.start : self.end]
        rise, monitor = context.params.batch.max_missing_rise, context.params.monitor
        comparison = compare(reference, current, context.schema, monitor, max_missing_rise=rise, before=self.before)
        return comparison.verdict


@dataclass(frozen=True)
class AssessQuality:
    """Realised quality of a model on its labelled answers [start, end)."""

    model: ModelRows
    start: int
    end: int
    expected: ExpectedPerformance
    answers: Floats = field(compare=False, repr=False)

    def run(self, context: JobContext) -> Quality:
        return realised.assess(
            context.scored(self.answers, self.start, self.end) if self.end > self.start else None,
            expected=self.expected,
            tolerance=context.params.trigger.quality_tolerance,
            min_labels=context.params.statistics.min_rows,
            bootstrap=context.bootstrap,
        )


@dataclass(frozen=True)
class MeasurePayoff:
    """What a model gains over another on the labelled rows [start, end)."""

    model: ModelRows
    previous: ModelRows
    start: int
    end: int
    answers: Floats = field(compare=False, repr=False)
    others: Floats = field(compare=False, repr=False)

    def run(self, context: JobContext) -> Payoff | None:
        mine, other = (context.scored(answers, self.start, self.end) for answers in (self.answers, self.others))
        if not METRICS[context.metric].is_defined(mine):
            return None
        return payoff.measure(context.metric, mine, other, bootstrap=context.bootstrap)


@dataclass(frozen=True)
class EvaluateChallenger:
    """A challenger and a champion on the blocks of a holdout; None where there is no champion yet."""

    models: tuple[ModelRows, ...]  # of the challenger, one for each block
    champion: ModelRows | None
    folds: tuple[Fold, ...]
    answers: Floats = field(compare=False, repr=False)
    others: Floats | None = field(compare=False, repr=False)

    def run(self, context: JobContext) -> Evaluation:
        start, end = self.folds[0].start, self.folds[-1].end
        blocks, gate = numbered(self.folds), context.params.gate
        mine = context.scored(self.answers, start, end, blocks)
        champion = None if self.others is None else context.scored(self.others, start, end, blocks)
        # Only rows whose label has arrived: baselines use all that they are given.
        rows = context.rows.iloc[:end]
        return holdout_evaluation.evaluate(
            EvaluationInputs(rows, self.folds, mine, champion, context.schema, gate, context.bootstrap)
        )


Job = FitModel | CompareDrift | AssessQuality | MeasurePayoff | EvaluateChallenger


@dataclass(frozen=True)
class JobResult:
    """What a job returned, and the CPU seconds it took; `problem` where it could not be done."""

    value: Any
    seconds: float
    problem: str = ""


RunJobs = Callable[[list[Job]], list[JobResult]]  # in the order asked
