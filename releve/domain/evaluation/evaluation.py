"""The evaluation of a challenger: evaluation.json, which the gate, the cards, the pages and the leaderboard read.

It holds figures alone. What they mean in words is written where people read them.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from releve.core.documents import DocumentPart
from releve.domain.evaluation.intervals import Interval

COST = "cost"  # params.yaml: gate.metric, where money is what challengers are judged by
MOST_SHIFT = 4.0  # of the answers by a slight change: mean change, in mean differences between two real rows


class Opponent(StrEnum):
    """What a challenger is compared with: the champion, or a naive baseline."""

    CHAMPION = "champion"
    MAJORITY_LABEL = "majority label"
    USUAL_VALUE = "usual value"
    POSITIVE_LABEL = "positive label"
    PREVIOUS_LABEL = "previous label"  # the newest that has arrived
    SEASONAL = "seasonal answer"
    ROW_BEFORE = "label of the row before"  # as if every label arrived at once
    SAME_DECISION = "best constant decision"  # in money: by the labels that were known


class Comparison(DocumentPart):
    """The challenger against an opponent on the same rows. Gains are positive where the challenger is better."""

    score: float  # the opponent's
    own_score: float | None = None  # the opponent's, by the task's own metric; None where the gate judges by it
    gain: Interval
    rows_won: int  # rows where the challenger's loss is the smaller one
    rows_lost: int
    block_rows: int = 1  # block length of the bootstrap
    wanted_block_rows: int = (
        1  # block length that the autocorrelation asks for; where it is more, the interval is narrow
    )
    must_beat: bool = True


class CalibrationBin(DocumentPart):
    """Rows whose most probable class has a probability in [low, high)."""

    low: float
    high: float
    rows: int
    probability: float  # mean over the rows
    accuracy: float


class Calibration(DocumentPart):
    """The reliability table and the expected calibration error."""

    error: float
    bins: tuple[CalibrationBin, ...]


class OwnScores(DocumentPart):
    """The challenger's own figures on the rows that it is judged on."""

    score: Interval  # by the gate's metric
    metrics: dict[str, float]  # by every metric of the task that is defined on these rows
    calibration: Calibration | None  # None of a regression


class SoundScore(DocumentPart):
    """The challenger's score on the windows whose labels are not in doubt, and how many rows these hold."""

    score: Interval  # by the gate's metric
    rows: int


class SliceComparison(DocumentPart):
    """A part of the holdout. A score is None where the metric is not defined there, or there is no champion."""

    column: str
    value: str  # "" of missing cells
    rows: int
    challenger: float | None
    champion: float | None
    gain: Interval | None

    @property
    def name(self) -> str:
        return f"{self.column} = {self.value}" if self.value else f"{self.column} is missing"


class GroupDifference(DocumentPart):
    """How differently the groups of a protected column are treated: 0 is equal."""

    attribute: str
    metric: str
    challenger: Interval
    champion: float | None
    left_out: dict[str, int]  # groups that are too small to compare, with their rows


class GroupScore(DocumentPart):
    """The challenger's score on one group of a protected column; None where it is not defined there."""

    column: str
    value: str  # "" of missing cells
    rows: int
    score: Interval | None


class FeatureImportance(DocumentPart):
    """What the challenger's score loses when a feature is shuffled, in the metric's unit; positive: it gets worse."""

    feature: str
    loss: Interval


class FeatureImportances(DocumentPart):
    """The strongest features, largest loss first; none where the metric is not defined on such rows."""

    format: Literal[1] = 1
    rows: int  # of the holdout that were used
    features: tuple[FeatureImportance, ...]


class ColumnShare(DocumentPart):
    """A column, and the share 0-1 of the baseline's error that it removes alone."""

    column: str
    share: float


class TooGood(DocumentPart):
    """A score that is too good to be true: how little error is left, beside which baseline, and what explains it."""

    rows: int
    baseline: Opponent
    left: float  # share 0-1 of the baseline's error
    columns: tuple[ColumnShare, ...] = ()


class AlterationEffect(DocumentPart):
    """What an alteration did to the predictions."""

    column: str
    what: str
    lost: float  # of the order of the rows; 1: as much as by another row's cell
    most_lost: float
    shift: float  # mean change, in mean differences between two real rows
    cells: tuple[str, ...]  # of the row whose prediction changed most, before and after; () where it is sane
    label: bool | int | float | str | None  # predicted for that row; None of a regression
    answers: tuple[float, float]  # the probability of that label, or the value, before and after

    @property
    def is_sane(self) -> bool:
        return self.lost <= self.most_lost and self.shift <= MOST_SHIFT

    @property
    def share_of_limit(self) -> float:
        """Return the order lost or the shift as a share of its limit: at most 1 where it is sane."""
        return max(self.lost / self.most_lost, self.shift / MOST_SHIFT)


class Sanity(DocumentPart):
    """All alterations that were tried: how many, the worst ones, and those that changed too much."""

    rows: int
    tried: int
    worst: tuple[AlterationEffect, ...] = ()
    broken: tuple[AlterationEffect, ...] = ()


class Money(DocumentPart):
    """What the challenger's decisions cost, per row of the windows that it is judged on, in the unit of decision.unit.

    Each window is decided by thresholds that were chosen on the windows before it.
    """

    unit: str
    rows: int
    cost: Interval  # per row
    expected: float  # per row, by the answers themselves
    constant: Comparison  # with the decision that had cost least so far, for every row
    champion: Comparison | None  # with what did serve, decided by the same costs and rules
    decided: dict[str, int]  # rows by decision
    fired: dict[str, int]  # rows by the reason of the rule that decided
    rules: Interval | None  # what rules add to the cost of a row; None without rules


class DecisionChange(DocumentPart):
    """Costs or rules are not those of the champion."""

    served: Comparison | None  # with its costs, by the same answers and rules; None where it has none
    alone: bool  # it answers as the champion does


class Evaluation(DocumentPart):
    """What was measured on the newest windows of rows, each answered before any of it was learned from.

    `against` has the champion first, where there is one: what served then, whichever release it was.
    """

    format: Literal[1] = 1
    task: str
    metric: str
    own_metric: str = ""  # that people know the task by, shown beside; "" where the gate judges by it
    sign: int  # -1 or 1: a higher score is better
    rows: int  # all labelled rows
    holdout_rows: int  # in all windows
    windows: int = 1
    naive: bool = False  # it judges the naive answer itself, which is released where no model beats it
    confidence: float  # of all intervals
    challenger: OwnScores
    sound: SoundScore | None = None  # what is expected of it; None where no label is in doubt, or all of them are
    against: dict[Opponent, Comparison]
    slices: tuple[SliceComparison, ...] = ()
    fairness: tuple[GroupDifference, ...] = ()
    unknown_groups: tuple[str, ...] = ()  # protected columns of which fewer than two groups can be compared
    too_good: TooGood | None = None
    groups: tuple[GroupScore, ...] = ()  # of the protected columns
    importances: FeatureImportances | None = None
    money: Money | None = None  # None where no costs are known
    champion_may_know: bool = False  # it was brought, and nobody has said which of these rows it had learned

    @property
    def score(self) -> Interval:
        return self.challenger.score

    @property
    def own_score(self) -> float | None:
        """Return the challenger's score by the task's own metric; None where the gate judges by that one."""
        return self.challenger.metrics.get(self.own_metric)

    @property
    def champion(self) -> Comparison | None:
        return self.against.get(Opponent.CHAMPION)

    @property
    def in_money(self) -> "Evaluation":
        """Return it as the gate judges it where gate.metric is cost. Raises ValueError where no costs are known."""
        if self.money is None:
            raise ValueError("nothing was decided")
        opponents = {Opponent.CHAMPION: self.money.champion, Opponent.SAME_DECISION: self.money.constant}
        return self.model_copy(
            update={
                "metric": COST,
                "own_metric": self.metric,
                "sign": -1,
                "challenger": self.challenger.model_copy(update={"score": self.money.cost}),
                "sound": None,
                "against": {name: one for name, one in opponents.items() if one},
            }
        )

    @property
    def baselines_to_beat(self) -> Iterator[tuple[Opponent, Comparison]]:
        return ((name, one) for name, one in self.against.items() if one.must_beat and name != Opponent.CHAMPION)
