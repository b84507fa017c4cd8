"""What a change of code or settings does to a model: two commits, judged on the rows that both answered.

Neither learned a row before it answered it, so that the difference is paired, as the gate's is.
"""

from dataclasses import dataclass

import numpy as np

from releve.domain.evaluation import paired
from releve.domain.evaluation.evaluation import Comparison, Evaluation, Opponent
from releve.domain.evaluation.metrics import metrics_of, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.target import Target


@dataclass(frozen=True, eq=False)
class JudgedRevision:
    """What a commit makes of a scenario: its evaluation, and the answers that it rests on."""

    evaluation: Evaluation
    answers: ScoredPredictions
    start: int  # of the first row that is answered; the others follow
    target: Target
    bootstrap: BootstrapConfig


@dataclass(frozen=True)
class RevisionComparison:
    """The later commit beside the earlier one, by each metric, on `rows` rows; {} where these are not the same rows."""

    rows: int
    by_metric: dict[str, Comparison]
    is_same: bool  # to the last answer


@dataclass(frozen=True)
class RevisionChange:
    """A scenario at both commits; None where one has no such scenario, or cannot build it: then `problem` says why."""

    scenario: str
    before: Evaluation | None = None
    after: Evaluation | None = None
    comparison: RevisionComparison | None = None
    problem: str = ""
    is_broken: bool = False  # by the change: before it, it could be built

    @property
    def is_same(self) -> bool:
        return self.comparison is not None and self.comparison.is_same


def compare_revisions(before: JudgedRevision, after: JudgedRevision) -> RevisionComparison:
    """Compare by every metric of the task, the one that the later commit's gate judges by first."""
    start, end = max(before.start, after.start), min(each.start + len(each.answers) for each in (before, after))
    if before.target != after.target or end <= start:
        return RevisionComparison(0, {}, is_same=False)
    earlier = before.answers.take(slice(start - before.start, end - before.start))
    later = after.answers.take(slice(start - after.start, end - after.start))
    if not np.array_equal(earlier.y_true, later.y_true):
        return RevisionComparison(0, {}, is_same=False)
    earlier = later.with_outputs(earlier.outputs)  # scored in the same blocks
    metric = after.evaluation.metric
    names = [metric, *(name for name in metrics_of(after.evaluation.task) if name != metric)]
    return RevisionComparison(
        rows=end - start,
        by_metric={
            name: paired.compare(name, later, earlier, after.bootstrap)
            for name in names
            if None not in (score_or_none(name, later), score_or_none(name, earlier))
        },
        is_same=before.evaluation == after.evaluation and np.array_equal(before.answers.outputs, after.answers.outputs),
    )


def best_naive(evaluation: Evaluation) -> tuple[Opponent, Comparison] | None:
    """Return the naive baseline with the best score of those that have to be beaten; None where there is none."""
    baselines = [*evaluation.baselines_to_beat]
    return max(baselines, key=lambda each: evaluation.sign * each[1].score, default=None)
