"""May the challenger take over? Every failed check is a reason; anything missing refuses; a tie keeps the champion."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from releve.core.params import GateOverride, Params
from releve.domain.evaluation.baselines import required
from releve.domain.evaluation.evaluation import (
    AlterationEffect,
    Evaluation,
    GroupDifference,
    Opponent,
    Sanity,
    SliceComparison,
)
from releve.domain.evaluation.metrics import in_units
from releve.domain.evaluation.slices import MIN_SLICE_ROWS

BETTER, NOT_WORSE = "better", "not_worse"  # params.yaml: gate.rule


class Floor(StrEnum):
    """A floor that every challenger has to keep, and that a named person may override (params.yaml: gate.overrides)."""

    BASELINE = "baseline"
    SLICE = "slice"
    FAIRNESS = "fairness"
    LATENCY = "latency"
    SANITY = "sanity"


class Check(StrEnum):
    """What a challenger may fail. Evidence that is missing can not be overridden."""

    FEW_ROWS = "few rows of holdout"
    AUTOCORRELATED = "autocorrelated losses"
    NOT_COMPARED = "not compared"
    NOT_BEATEN = "not beaten"
    SLICE_UNDEFINED = "metric not defined on a slice"
    SLICE_WORSE = "worse on a slice"
    GROUPS_UNKNOWN = "groups not comparable"
    UNFAIR = "unfair"
    LATENCY_UNKNOWN = "latency not measured"
    SLOW = "slow"
    SANITY_UNKNOWN = "slight changes not tried"
    NOT_SANE = "upset by slight changes"


OF_THE_SERVED_MODEL = frozenset({Check.LATENCY_UNKNOWN, Check.SLOW, Check.SANITY_UNKNOWN, Check.NOT_SANE})


class Remark(StrEnum):
    """What is worth knowing of a challenger, and refuses nobody."""

    MAY_BE_UNFAIR = "may be unfair"
    ROW_BEFORE_IS_BETTER = "the row before is better"
    TOO_GOOD = "too good to be true"
    NOT_EXPORTED = "not exported"


FLOORS = {
    Check.SLICE_UNDEFINED: Floor.SLICE,
    Check.SLICE_WORSE: Floor.SLICE,
    Check.UNFAIR: Floor.FAIRNESS,
    Check.SLOW: Floor.LATENCY,
    Check.NOT_SANE: Floor.SANITY,
}


@dataclass(frozen=True)
class GateInputs:
    """What the gate decides by: the evaluation, and what was measured beside it; None where it was not measured."""

    evaluation: Evaluation
    has_champion: bool
    latency_ms: float | None  # CPU time of one row
    sanity: Sanity | None  # effect of slight changes of rows on the predictions
    export_problem: str = ""  # why scikit-learn serves it; "" where the export predicts as trained
    not_applicable: frozenset[Check] = frozenset()  # checks that are not made


@dataclass(frozen=True)
class FailedCheck:
    """A check that the challenger failed, of what, and the overrides of its floor."""

    check: Check
    of: Opponent | SliceComparison | GroupDifference | AlterationEffect | str | None = None  # str: a protected column
    override: GateOverride | None = None  # in force, so that the check does not refuse
    expired: tuple[GateOverride, ...] = ()

    @property
    def floor(self) -> Floor | None:
        """Return the floor that the check belongs to; None where it cannot be overridden.

        That is where evidence is missing, or the champion is not beaten.
        """
        if self.check == Check.NOT_BEATEN and self.of != Opponent.CHAMPION:
            return Floor.BASELINE
        return FLOORS.get(self.check)


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided, by what, and what else is worth knowing: `reporting.gate_messages` puts it into words."""

    promote: bool
    failed: tuple[FailedCheck, ...]
    beaten: tuple[Opponent, ...]
    remarks: tuple[tuple[Remark, GroupDifference | None], ...]

    @property
    def refusals(self) -> tuple[FailedCheck, ...]:
        return tuple(one for one in self.failed if not one.override)

    @property
    def overrides(self) -> tuple[GateOverride, ...]:
        """Overrides without which the challenger would have been refused."""
        return tuple(dict.fromkeys(one.override for one in self.failed if one.override))


def decide(inputs: GateInputs, params: Params, *, today: date) -> GateDecision:
    """Decide on a challenger; a first champion has to beat the naive baselines alone. `today` is for the overrides."""
    failed = []
    for one in _failed_checks(inputs, params):
        if one.check in inputs.not_applicable:
            continue
        named = [each for each in params.gate.overrides if each.floor == one.floor]
        in_force = [each for each in named if each.until >= today]  # its last day included
        failed.append(replace(one, override=in_force[0]) if in_force else replace(one, expired=tuple(named)))
    beaten = [name for name in opponents(inputs) if name in inputs.evaluation.against]
    return GateDecision(
        promote=all(one.override for one in failed),
        failed=tuple(failed),
        beaten=tuple(name for name in beaten if not _is_short(name, inputs, params)),
        remarks=tuple(_remarks(inputs, params)),
    )


def opponents(inputs: GateInputs) -> list[Opponent]:
    """List whom the challenger has to beat: the champion, the required baselines, and what else must be beaten."""
    champion = [Opponent.CHAMPION] if inputs.has_champion else []
    hard = [name for name, _ in inputs.evaluation.baselines_to_beat]
    return list(dict.fromkeys([*champion, *required(inputs.evaluation.task), *hard]))


def margin(name: Opponent, inputs: GateInputs, params: Params) -> float:
    """Return what the gain has to exceed: a baseline has only to be beaten."""
    if name != Opponent.CHAMPION:
        return 0.0
    return in_units(inputs.evaluation.metric, params.gate.margin, inputs.evaluation.against[name].score)


def largest_p(params: Params) -> float:
    """Return one side of what the interval leaves out, rounded since 1 - 0.95 is not 0.05 in binary."""
    return round((1 - params.statistics.confidence) / 2, 12)


def need_not_win(inputs: GateInputs, params: Params) -> bool:
    """Whatever its recipe: the champion was shown to beat the baselines, so that a score above theirs is enough."""
    return inputs.has_champion and params.gate.rule == NOT_WORSE


def allowed_slice_loss(part: SliceComparison, inputs: GateInputs, params: Params) -> float:
    """Return gate.max_slice_loss in the metric's unit, for a slice that the champion has a score on."""
    return in_units(inputs.evaluation.metric, params.gate.max_slice_loss, part.champion or 0.0)


def _is_short(name: Opponent, inputs: GateInputs, params: Params) -> bool:
    other = inputs.evaluation.against[name]
    if need_not_win(inputs, params):  # nan is no evidence
        return not (other.gain.high >= 0 if name == Opponent.CHAMPION else other.gain.value > 0)
    return not (other.gain.low > margin(name, inputs, params) and other.p < largest_p(params))


def _failed_checks(inputs: GateInputs, params: Params) -> Iterator[FailedCheck]:
    """Every comparison is written so that nan, which is no evidence, fails it."""
    evaluation, gate, champion = inputs.evaluation, params.gate, inputs.evaluation.champion
    if evaluation.holdout_rows < params.statistics.min_rows:
        yield FailedCheck(Check.FEW_ROWS)
    # Of the champion alone: only between near equals does an interval that is too narrow decide.
    if champion and gate.rule == BETTER and champion.wanted_block_rows > champion.block_rows:
        yield FailedCheck(Check.AUTOCORRELATED)
    for name in opponents(inputs):
        if name not in evaluation.against:
            yield FailedCheck(Check.NOT_COMPARED, name)
        elif _is_short(name, inputs, params):
            yield FailedCheck(Check.NOT_BEATEN, name)
    for part in evaluation.slices if inputs.has_champion else ():
        if part.rows < MIN_SLICE_ROWS:
            continue
        if part.gain is None or part.champion is None:
            yield FailedCheck(Check.SLICE_UNDEFINED, part)
        elif not part.gain.high >= -allowed_slice_loss(part, inputs, params):
            yield FailedCheck(Check.SLICE_WORSE, part)
    yield from (FailedCheck(Check.GROUPS_UNKNOWN, column) for column in evaluation.unknown_groups)
    for group in evaluation.fairness:
        if not group.challenger.low <= gate.max_unfairness:
            yield FailedCheck(Check.UNFAIR, group)
    if inputs.latency_ms is None:
        yield FailedCheck(Check.LATENCY_UNKNOWN)
    elif not inputs.latency_ms <= gate.max_latency_ms:
        yield FailedCheck(Check.SLOW)
    if inputs.sanity is None:
        yield FailedCheck(Check.SANITY_UNKNOWN)
    else:
        yield from (FailedCheck(Check.NOT_SANE, effect) for effect in inputs.sanity.broken)


def _remarks(inputs: GateInputs, params: Params) -> Iterator[tuple[Remark, GroupDifference | None]]:
    for group in inputs.evaluation.fairness:
        if group.challenger.low <= params.gate.max_unfairness < group.challenger.value:
            yield Remark.MAY_BE_UNFAIR, group
    before = inputs.evaluation.against.get(Opponent.ROW_BEFORE)
    if before is not None and not before.must_beat and before.gain.value < 0:
        yield Remark.ROW_BEFORE_IS_BETTER, None
    if inputs.evaluation.too_good is not None:
        yield Remark.TOO_GOOD, None
    if inputs.export_problem:
        yield Remark.NOT_EXPORTED, None
