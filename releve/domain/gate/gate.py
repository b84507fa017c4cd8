"""May the challenger take over? One formula per outcome: docs/decisions/0033-gate-and-rollback.md.

A refresh takes over unless harm is shown: unless the whole interval of its gain over the champion, pooled over the
newest windows, is below what `gate.margin` tolerates, or a floor is broken; where `gate.inconclusive` asks for more,
unless no gain is shown. What a search found joins the pool only
where the pooled interval shows a gain, and the gain pays for one more member. Every failed check is a reason, and
evidence that is missing refuses.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from releve.core.params import GateOverride, Params
from releve.domain.evaluation.baselines import constant_name, required
from releve.domain.evaluation.evaluation import (
    COST,
    AlterationEffect,
    Comparison,
    DecisionChange,
    Evaluation,
    GroupDifference,
    Opponent,
    Sanity,
    SliceComparison,
)
from releve.domain.evaluation.metrics import in_units
from releve.domain.evaluation.slices import MIN_SLICE_ROWS

# Of a search, in the unit of gate.margin: a member costs a fit at every refresh, and a part of every answer's time.
LEAST_GAIN = 0.01


class Floor(StrEnum):
    """A floor that every challenger has to keep, and that a named person may override (params.yaml: gate.overrides)."""

    BASELINE = "baseline"
    SLICE = "slice"
    FAIRNESS = "fairness"
    LATENCY = "latency"
    SANITY = "sanity"


class GateCheck(StrEnum):
    """What a challenger may fail. Evidence that is missing can not be overridden."""

    FEW_ROWS = "few rows to judge a first model on"
    NOT_COMPARED = "not compared"
    WORSE = "shown to be worse"
    INCONCLUSIVE = "not shown to be better"  # where gate.inconclusive is not promote
    SLICE_UNDEFINED = "metric not defined on a slice"
    SLICE_WORSE = "worse on a slice"
    GROUPS_UNKNOWN = "groups not comparable"
    UNFAIR = "unfair"
    LATENCY_UNKNOWN = "latency not measured"
    SLOW = "slow"
    SANITY_UNKNOWN = "slight changes not tried"
    NOT_SANE = "upset by slight changes"
    WEIGHTS_ALIKE = "weights alike"
    DEARER = "decisions shown to cost more"


LEAST_MOVE = 0.05  # total variation between new weights and those that serve, from which on they are worth a release
OF_DECISIONS = frozenset({GateCheck.DEARER})
OF_THE_SERVED_MODEL = frozenset(
    {GateCheck.LATENCY_UNKNOWN, GateCheck.SLOW, GateCheck.SANITY_UNKNOWN, GateCheck.NOT_SANE}
)


class Remark(StrEnum):
    """What is worth knowing of a challenger, and refuses nobody."""

    NAIVE = "the naive answer itself"
    CHAMPION_MAY_KNOW = "the champion may have learned the rows"
    BELOW_NAIVE = "below the naive baseline"
    MAY_BE_UNFAIR = "may be unfair"
    ROW_BEFORE_IS_BETTER = "the row before is better"
    TOO_GOOD = "too good to be true"
    LABELS_IN_DOUBT = "labels in doubt"
    NOT_EXPORTED = "not exported"


FLOORS = {
    GateCheck.SLICE_UNDEFINED: Floor.SLICE,
    GateCheck.SLICE_WORSE: Floor.SLICE,
    GateCheck.UNFAIR: Floor.FAIRNESS,
    GateCheck.SLOW: Floor.LATENCY,
    GateCheck.NOT_SANE: Floor.SANITY,
}


@dataclass(frozen=True)
class GateInputs:
    """What the gate decides by: the evaluation, and what was measured beside it; None where it was not measured."""

    evaluation: Evaluation
    has_champion: bool
    latency_ms: float | None  # CPU time of one row
    sanity: Sanity | None  # effect of slight changes of rows on the predictions
    export_problem: str = ""  # why scikit-learn serves it; "" where the export predicts as trained
    not_applicable: frozenset[GateCheck] = frozenset()  # checks that are not made
    moved: float | None = None  # of members that were only weighed anew: total variation from the weights that serve
    must_gain: bool = False  # of a brought model, which no refresh will follow up
    decision: DecisionChange | None = None  # from what serves; None where costs and rules are the same


@dataclass(frozen=True)
class FailedCheck:
    """A check that the challenger failed, of what, and the overrides of its floor."""

    check: GateCheck
    of: Opponent | SliceComparison | GroupDifference | AlterationEffect | str | None = None  # str: a protected column
    override: GateOverride | None = None  # in force, so that the check does not refuse
    expired: tuple[GateOverride, ...] = ()

    @property
    def floor(self) -> Floor | None:
        """Return the floor that the check belongs to; None where it cannot be overridden.

        That is where evidence is missing, or it is worse than the champion.
        """
        if self.check == GateCheck.WORSE and self.of != Opponent.CHAMPION:
            return Floor.BASELINE
        return FLOORS.get(self.check)


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided, by what, and what else is worth knowing: `reporting.gate_messages` puts it into words."""

    promote: bool
    failed: tuple[FailedCheck, ...]
    held_against: tuple[Opponent, ...]  # it was not shown to be worse than these
    remarks: tuple[tuple[Remark, GroupDifference | Opponent | None], ...]

    @property
    def refusals(self) -> tuple[FailedCheck, ...]:
        return tuple(one for one in self.failed if not one.override)

    @property
    def is_inconclusive(self) -> bool:
        """Whether it is refused for no other reason than that no gain was shown: live labels may show one."""
        return not self.promote and all(one.check == GateCheck.INCONCLUSIVE for one in self.refusals)

    @property
    def overrides(self) -> tuple[GateOverride, ...]:
        """Overrides without which the challenger would have been refused."""
        return tuple(dict.fromkeys(one.override for one in self.failed if one.override))


def decide(inputs: GateInputs, params: Params, *, today: date) -> GateDecision:
    """Decide on a challenger. `today` is for the overrides."""
    failed = []
    for one in _failed_checks(inputs, params):
        if one.check in inputs.not_applicable:
            continue
        named = [each for each in params.gate.overrides if each.floor == one.floor]
        in_force = [each for each in named if each.until >= today]  # its last day included
        failed.append(replace(one, override=in_force[0]) if in_force else replace(one, expired=tuple(named)))
    short = {one.of for one in failed if one.check in (GateCheck.NOT_COMPARED, GateCheck.WORSE)}
    return GateDecision(
        promote=all(one.override for one in failed),
        failed=tuple(failed),
        held_against=tuple(name for name in opponents(inputs) if name not in short),
        remarks=tuple(_remarks(inputs, params)),
    )


def search_gains(metric: str, comparison: Comparison) -> bool:
    """Return whether what a search found is shown to be better than the pool without it, by as much as it costs.

    `comparison`: the answers of both pools to the newest windows, which the search has not chosen by. Blocks that are
    shorter than the autocorrelation asks for make an interval too narrow, and then nothing is shown.
    """
    gain, least = comparison.gain, in_units(metric, LEAST_GAIN, comparison.score)
    return gain.low > 0 and gain.value >= least and comparison.wanted_block_rows <= comparison.block_rows


def opponents(inputs: GateInputs) -> list[Opponent]:
    """List whom the challenger has to be compared with: the champion, and the naive baselines."""
    champion = [Opponent.CHAMPION] if inputs.has_champion else []
    hard = [name for name, _ in inputs.evaluation.baselines_to_beat]
    least = (Opponent.SAME_DECISION,) if inputs.evaluation.metric == COST else required(inputs.evaluation.task)
    return list(dict.fromkeys([*champion, *least, *hard]))


def as_judged(evaluation: Evaluation, params: Params) -> Evaluation:
    """Return what the gate decides by: the evaluation, or that in money where gate.metric is cost and it decides."""
    return evaluation.in_money if params.gate.metric == COST and evaluation.money else evaluation


def tolerated_harm(name: Opponent, inputs: GateInputs, params: Params) -> float:
    """Return gate.margin in the metric's unit: a loss that is shown to be larger refuses."""
    return in_units(inputs.evaluation.metric, params.gate.margin, inputs.evaluation.against[name].score)


def allowed_slice_loss(part: SliceComparison, inputs: GateInputs, params: Params) -> float:
    """Return gate.max_slice_loss in the metric's unit, for a slice that the champion has a score on."""
    return in_units(inputs.evaluation.metric, params.gate.max_slice_loss, part.champion or 0.0)


def _is_floor(name: Opponent, inputs: GateInputs) -> bool:
    """Whether being worse than `name` refuses: the champion does, and a baseline that the champion itself reaches.

    Below such a baseline the better of the two models serves; with no champion a model is better than none.
    """
    evaluation = inputs.evaluation
    if name == Opponent.CHAMPION or evaluation.champion is None:
        return name == Opponent.CHAMPION
    return evaluation.sign * (evaluation.champion.score - evaluation.against[name].score) >= 0


def _is_shown_gain_asked(inputs: GateInputs, params: Params) -> bool:
    return inputs.must_gain or params.gate.inconclusive != "promote"


def _failed_checks(inputs: GateInputs, params: Params) -> Iterator[FailedCheck]:
    """Every comparison is written so that nan, which is no evidence, fails it."""
    evaluation, gate = inputs.evaluation, params.gate
    if inputs.moved is not None and inputs.moved < LEAST_MOVE:
        yield FailedCheck(GateCheck.WEIGHTS_ALIKE)
    if not inputs.has_champion and evaluation.holdout_rows < params.statistics.min_rows:
        yield FailedCheck(GateCheck.FEW_ROWS)
    for name in opponents(inputs):
        other = evaluation.against.get(name)
        if other is None or math.isnan(other.gain.value):
            yield FailedCheck(GateCheck.NOT_COMPARED, name)
        elif _is_floor(name, inputs) and not other.gain.high >= -tolerated_harm(name, inputs, params):
            yield FailedCheck(GateCheck.WORSE, name)
        elif name == Opponent.CHAMPION and _is_shown_gain_asked(inputs, params) and not other.gain.low > 0:
            yield FailedCheck(GateCheck.INCONCLUSIVE, name)
    for part in evaluation.slices if inputs.has_champion else ():
        if part.rows < MIN_SLICE_ROWS:
            continue
        if part.gain is None or part.champion is None:
            yield FailedCheck(GateCheck.SLICE_UNDEFINED, part)
        elif not part.gain.high >= -allowed_slice_loss(part, inputs, params):
            yield FailedCheck(GateCheck.SLICE_WORSE, part)
    yield from _dearer(inputs, params)
    yield from (FailedCheck(GateCheck.GROUPS_UNKNOWN, column) for column in evaluation.unknown_groups)
    for group in evaluation.fairness:
        if not group.challenger.low <= gate.max_unfairness:
            yield FailedCheck(GateCheck.UNFAIR, group)
    if inputs.latency_ms is None:
        yield FailedCheck(GateCheck.LATENCY_UNKNOWN)
    elif not inputs.latency_ms <= gate.max_latency_ms:
        yield FailedCheck(GateCheck.SLOW)
    if inputs.sanity is None:
        yield FailedCheck(GateCheck.SANITY_UNKNOWN)
    else:
        yield from (FailedCheck(GateCheck.NOT_SANE, effect) for effect in inputs.sanity.broken)


def _dearer(inputs: GateInputs, params: Params) -> Iterator[FailedCheck]:
    """Changed costs are held against those that serve, and against the best constant decision."""
    money, change = inputs.evaluation.money, inputs.decision
    if money is None or change is None:
        return
    for name, other in ((Opponent.CHAMPION, change.served), (Opponent.SAME_DECISION, money.constant)):
        if other is not None and not other.gain.high >= -in_units(COST, params.gate.margin, other.score):
            yield FailedCheck(GateCheck.DEARER, name)


def _remarks(inputs: GateInputs, params: Params) -> Iterator[tuple[Remark, GroupDifference | Opponent | None]]:
    itself = constant_name(inputs.evaluation.task) if inputs.evaluation.naive else None
    if itself:
        yield Remark.NAIVE, None
    if inputs.has_champion and inputs.evaluation.champion_may_know:
        yield Remark.CHAMPION_MAY_KNOW, None
    naive = [(one.gain.value, name) for name, one in inputs.evaluation.baselines_to_beat if name != itself]
    better = [(gain, name) for gain, name in naive if gain < 0]
    if better:
        yield Remark.BELOW_NAIVE, min(better)[1]
    for group in inputs.evaluation.fairness:
        if group.challenger.low <= params.gate.max_unfairness < group.challenger.value:
            yield Remark.MAY_BE_UNFAIR, group
    before = inputs.evaluation.against.get(Opponent.ROW_BEFORE)
    if before is not None and not before.must_beat and before.gain.value < 0:
        yield Remark.ROW_BEFORE_IS_BETTER, None
    if inputs.evaluation.too_good is not None:
        yield Remark.TOO_GOOD, None
    if inputs.evaluation.sound is not None:
        yield Remark.LABELS_IN_DOUBT, None
    if inputs.export_problem:
        yield Remark.NOT_EXPORTED, None
