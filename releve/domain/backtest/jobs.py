"""What a backtest computes, as jobs: each by itself, in any order, on any worker.

Fits and drift verdicts are done once for all policies that need them: a job is equal to another that would find the
same. What is judged of a policy's own answers belongs to it alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.decision.money import MoneyInputs, evaluate_money
from releve.domain.decision.policy import DecisionTable
from releve.domain.drift.verdict import DriftState, DriftVerdict, compare
from releve.domain.ensemble.fitting import LearningData, answers_of_members, fit_members
from releve.domain.ensemble.pool import DEFAULT, Member
from releve.domain.ensemble.weights import loss_of
from releve.domain.evaluation import holdout_evaluation, paired
from releve.domain.evaluation.evaluation import COST, Comparison, Evaluation
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
from releve.domain.training.learning import REFERENCE_ROWS
from releve.domain.training.recipes import Candidate, Value

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Options = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, eq=False)
class JobContext:
    """What all jobs share. `params` are the scenario's: of these, no policy changes what a job reads."""

    rows: "pd.DataFrame"  # in time order
    schema: Schema
    params: Params
    metric: str
    resamples: int = RESAMPLES  # draws of each judgement

    @property
    def outputs(self) -> int:
        """Count the columns of an answer."""
        return max(1, len(self.schema.target.classes))

    @property
    def loss(self) -> str:
        """Name what the weights of members minimise."""
        return loss_of(self.metric, self.schema.target.task)

    @property
    def bootstrap(self) -> BootstrapConfig:
        return BootstrapConfig.of(self.params.statistics, resamples=self.resamples)

    def scored(
        self, answers: Floats, start: int, end: int, blocks: NDArray[np.int64] | None = None
    ) -> ScoredPredictions:
        """Put answers to rows [start, end) beside their labels."""
        labels = self.rows[self.schema.target.name].iloc[start:end].tolist()
        return ScoredPredictions.of(
            answers, labels, self.schema.target, quantile=self.params.gate.quantile, blocks=blocks
        )

    def scored_windows(self, answers: Floats, folds: Sequence[Fold]) -> ScoredPredictions:
        """Put answers to the rows of windows, which may have gaps between them, beside their labels."""
        labels = self.rows[self.schema.target.name]
        asked = [label for fold in folds for label in labels.iloc[fold.start : fold.end].tolist()]
        return ScoredPredictions.of(
            answers, asked, self.schema.target, quantile=self.params.gate.quantile, blocks=numbered(folds)
        )


@dataclass(frozen=True)
class FitMember:
    """Learn from rows [first, end), answer rows [end, upto): (rows, classes) or (rows, 1), as float32."""

    recipe: str
    scale: str
    options: Options
    first: int
    end: int
    upto: int
    without: tuple[str, ...] = ()  # broken columns, which it does not learn from
    left_out: tuple[Fold, ...] = ()  # of these rows, those that it does not learn

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        *,
        first: int,
        end: int,
        upto: int,
        without: tuple[str, ...] = (),
        left_out: tuple[Fold, ...] = (),
    ) -> "FitMember":
        """Fit a candidate."""
        options = tuple(sorted(candidate.options.items()))
        inside = tuple(each for each in left_out if each.end > first and each.start < end)
        return cls(candidate.recipe, candidate.scale, options, first, end, upto, without, inside)

    def run(self, context: JobContext) -> NDArray[np.float32]:
        """Raises BadInput where it cannot learn from these rows, or an answer is no finite number."""
        member = Member.of(Candidate(self.recipe, self.scale, dict(self.options)), origin=DEFAULT)
        rows = context.rows.iloc[self.first : max(self.upto, self.end)]
        left_out = tuple(Fold(each.start - self.first, each.end - self.first) for each in self.left_out)
        data = LearningData(rows, context.schema, context.params.statistics.seed, self.without, left_out)
        (fitted,) = fit_members(data, [member], end=self.end - self.first)
        if fitted.problem:
            raise BadInput(fitted.problem)
        if self.end == self.upto:
            return np.empty((0, context.outputs), dtype=np.float32)
        block = Fold(self.end - self.first, self.upto - self.first)
        answers = answers_of_members(data, {member.name: fitted.pipeline}, block)
        if not answers:
            raise BadInput(
                f"not all answers of the {self.recipe} of rows {self.first} to {self.end} are finite numbers"
            )
        return answers[member.name].astype(np.float32)


@dataclass(frozen=True)
class CompareDrift:
    """The drift verdict on rows [start, end) beside the newest of the first `learned` rows, which a model learned."""

    learned: int
    start: int
    end: int
    before: DriftState  # of the monitoring run before

    def run(self, context: JobContext) -> DriftVerdict:
        reference, current = context.rows.iloc[: self.learned].tail(REFERENCE_ROWS), context.rows[self.start : self.end]
        rise, monitor = context.params.batch.max_missing_rise, context.params.monitor
        comparison = compare(reference, current, context.schema, monitor, max_missing_rise=rise, before=self.before)
        return comparison.verdict


@dataclass(frozen=True)
class AssessQuality:
    """Realised quality of what a policy answered to the labelled rows [start, end)."""

    policy: str
    window: int
    start: int
    end: int
    expected: ExpectedPerformance = field(compare=False)
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
    """What a release gains over the one before it on the labelled rows [start, end)."""

    policy: str
    window: int
    start: int
    end: int
    answers: Floats = field(compare=False, repr=False)
    others: Floats = field(compare=False, repr=False)

    def run(self, context: JobContext) -> Payoff | None:
        """Return None where the metric is not defined on these rows."""
        mine, other = (context.scored(answers, self.start, self.end) for answers in (self.answers, self.others))
        if not METRICS[context.metric].is_defined(mine):
            return None
        return payoff.measure(context.metric, mine, other, bootstrap=context.bootstrap)


@dataclass(frozen=True)
class EvaluateRefresh:
    """What refreshes would have answered to the newest windows beside what did serve; None where nothing did yet."""

    policy: str
    window: int
    folds: tuple[Fold, ...]
    answers: Floats = field(compare=False, repr=False)
    served: Floats | None = field(compare=False, repr=False)
    doubted: tuple[Fold, ...] = field(compare=False, repr=False)  # of `folds`, with labels in doubt

    def run(self, context: JobContext) -> Evaluation:
        mine = context.scored_windows(self.answers, self.folds)
        champion = None if self.served is None else context.scored_windows(self.served, self.folds)
        # Only rows whose label has arrived: baselines use all that they are given.
        rows, params = context.rows.iloc[: self.folds[-1].end], context.params
        inputs = EvaluationInputs(
            rows, self.folds, mine, champion, context.schema, params.gate, context.bootstrap, self.doubted
        )
        evaluation = holdout_evaluation.evaluate(inputs)
        if params.gate.metric != COST:
            return evaluation
        table = DecisionTable.of(params.decision, context.schema, source="the scenario's params.yaml")
        assert table is not None, "params ask for it"
        return evaluation.model_copy(update={"money": evaluate_money(MoneyInputs.of(table, inputs))})


@dataclass(frozen=True)
class ComparePools:
    """What a pool with members that a search found gains over the pool without, on the same windows."""

    policy: str
    window: int
    folds: tuple[Fold, ...]
    extended: Floats = field(compare=False, repr=False)
    before: Floats = field(compare=False, repr=False)

    def run(self, context: JobContext) -> Comparison:
        mine, other = (context.scored_windows(answers, self.folds) for answers in (self.extended, self.before))
        return paired.compare(context.metric, mine, other, context.bootstrap)


Job = FitMember | CompareDrift | AssessQuality | MeasurePayoff | EvaluateRefresh | ComparePools


@dataclass(frozen=True)
class JobResult:
    """What a job returned, and the CPU seconds it took; `problem` where it could not be done."""

    value: Any
    seconds: float
    problem: str = ""


RunJobs = Callable[[list[Job]], list[JobResult]]  # in the order asked
