"""May the challenger take over? Every failed check is a reason; anything missing refuses; a tie keeps the champion."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from releve.core.formatting import format_score
from releve.core.params import GateOverride, Params
from releve.domain.evaluation.baselines import describe_baseline, required
from releve.domain.evaluation.evaluation import (
    Comparison,
    Evaluation,
    GroupDifference,
    Opponent,
    Sanity,
    TooGood,
    with_notes,
)
from releve.domain.evaluation.intervals import format_interval
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


@dataclass(frozen=True)
class GateInputs:
    """What the gate decides by: the evaluation, and what was measured beside it; None of what was not measured."""

    evaluation: Evaluation
    has_champion: bool
    parity: str | None  # None: the exported model predicts as the trained one; else why it does not
    latency_ms: float | None  # CPU time of one row
    sanity: Sanity | None  # effect of slight changes of rows on the predictions


@dataclass(frozen=True)
class FailedCheck:
    """Why a challenger may not take over. `floor` None: evidence is missing or the champion not beaten: no override."""

    floor: Floor | None
    reason: str


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided, why, and what else is worth knowing."""

    promote: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    overrides: tuple[GateOverride, ...] = ()  # without which it would have been refused

    @property
    def sentences(self) -> tuple[str, ...]:
        """Reasons and notes, for people."""
        return with_notes(self.reasons, self.notes)


def decide(found: GateInputs, params: Params, *, today: date) -> GateDecision:
    """Judge a challenger; a first champion has to beat the naive baselines alone. `today` is for the overrides."""
    failed = [one for check in CHECKS for one in check(found, params)]
    refusals, overridden, in_force = _override(failed, params.gate.overrides, today=today)
    notes = tuple(_notes(found, params))
    if refusals:
        return GateDecision(False, refusals, (*overridden, *notes), in_force)
    against = found.evaluation.against
    wins = (_gain(name, against[name], params) for name in opponents(found) if not _is_short(name, found, params))
    return GateDecision(True, (*wins, *overridden), notes, in_force)


def opponents(found: GateInputs) -> list[Opponent]:
    """List whom the challenger has to beat: the champion, the required baselines, and what else must be beaten."""
    champion = [Opponent.CHAMPION] if found.has_champion else []
    hard = [name for name, _ in found.evaluation.baselines_to_beat]
    return list(dict.fromkeys([*champion, *required(found.evaluation.task), *hard]))


def _override(
    failed: Iterable[FailedCheck], overrides: tuple[GateOverride, ...], *, today: date
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[GateOverride, ...]]:
    """Return refusals, what was overridden, and the overrides in force (their last day included)."""
    refusals, overridden, used = [], [], []
    for check in failed:
        named = [one for one in overrides if one.floor == check.floor]
        if in_force := [one for one in named if one.until >= today]:
            one = in_force[0]
            used.append(one)
            overridden.append(f"{_override_name(one)} until {one.until}: {one.reason} ({check.reason})")
        else:
            expired = "".join(f"; {_override_name(one)} expired on {one.until}" for one in named)
            refusals.append(check.reason + expired)
    return tuple(refusals), tuple(overridden), tuple(dict.fromkeys(used))


def _override_name(one: GateOverride) -> str:
    return f"the override of the {one.floor} floor by {one.by}"


def _few_rows(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    rows, needed = found.evaluation.holdout_rows, params.statistics.min_rows
    if rows < needed:
        yield FailedCheck(
            None, f"the holdout has {rows} rows, the gate needs {needed} (params.yaml: statistics.min_rows)"
        )


def _few_blocks(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    """Of the champion alone: only between near equals does an interval that is too narrow decide."""
    champion = found.evaluation.champion
    if champion is not None and params.gate.rule == BETTER and champion.wanted_block_rows > champion.block_rows:
        yield FailedCheck(
            None,
            f"the losses are autocorrelated (block length {champion.wanted_block_rows}), so that "
            f"{found.evaluation.holdout_rows} rows of holdout are too few to tell a gain over the champion from "
            "chance; judge on more rows (params.yaml: split.holdout_rows)",
        )


def _not_beaten(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    for name in opponents(found):
        if name not in found.evaluation.against:
            yield FailedCheck(None, f"there is no comparison with the {name}; evaluate again")
        elif _is_short(name, found, params):
            floor = None if name == Opponent.CHAMPION else Floor.BASELINE
            yield FailedCheck(floor, _shortfall(name, found, params))


def _bad_slices(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    metric = found.evaluation.metric
    for part in found.evaluation.slices:
        if not found.has_champion or part.rows < MIN_SLICE_ROWS:
            continue
        where = f"where {part.name} ({part.rows} rows)"
        if part.gain is None or part.champion is None:
            yield FailedCheck(
                Floor.SLICE,
                f"{where} {metric} is not defined, so that nobody knows whether it is worse than the champion "
                "(params.yaml: gate.slices, gate.metric)",
            )
            continue
        allowed = in_units(metric, params.gate.max_slice_loss, part.champion)
        if not part.gain.high >= -allowed:  # nan is no evidence
            yield FailedCheck(
                Floor.SLICE,
                f"{where} it is worse than the champion, whose score is {format_score(part.champion)}: a gain of "
                f"{format_interval(part.gain)}; a loss of at most {allowed:.3g} is allowed "
                "(params.yaml: gate.max_slice_loss)",
            )


def _unfair(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    for column in found.evaluation.unknown_groups:
        yield FailedCheck(
            None,
            f"fairness by {column} is not known: fewer than two of its groups have {MIN_SLICE_ROWS} rows of "
            "holdout, or what is compared is not defined there",
        )
    for group in found.evaluation.fairness:
        if not group.challenger.low <= params.gate.max_unfairness:  # nan is no evidence
            yield FailedCheck(
                Floor.FAIRNESS,
                f"{_difference(group, params)}: even the low end of its interval is above the "
                f"{params.gate.max_unfairness:g} that is allowed (params.yaml: gate.max_unfairness)",
            )


def _difference(group: GroupDifference, params: Params) -> str:
    before = "" if group.champion is None else f" (the champion's is {format_score(group.champion)})"
    mine = group.challenger
    value, low, high = (format_score(end) for end in (mine.value, mine.low, mine.high))
    return (
        f"the {group.metric} between the groups of {group.attribute} is {value} [{low}, {high}] at "
        f"{params.statistics.confidence:.0%} confidence{before}"
    )


def _slow(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    if found.latency_ms is None:
        yield FailedCheck(None, "the latency of one answer was not measured; run the retrain flow again")
    elif not found.latency_ms <= params.gate.max_latency_ms:
        yield FailedCheck(
            Floor.LATENCY,
            f"one answer takes {found.latency_ms:.3g} ms of CPU time in 95 of 100 cases, and at most "
            f"{params.gate.max_latency_ms:g} ms are allowed (params.yaml: gate.max_latency_ms)",
        )


def _unstable(found: GateInputs, params: Params) -> Iterator[FailedCheck]:
    if found.sanity is None:
        yield FailedCheck(None, "nobody tried how it answers slightly altered rows; run the retrain flow again")
        return
    for change in found.sanity.broken:
        yield FailedCheck(Floor.SANITY, f"slightly altered rows are answered unlike the real ones: {change}")


CHECKS = (_few_rows, _few_blocks, _not_beaten, _bad_slices, _unfair, _slow, _unstable)


def _notes(found: GateInputs, params: Params) -> Iterator[str]:
    for group in found.evaluation.fairness:
        if group.challenger.low <= params.gate.max_unfairness < group.challenger.value:
            yield (
                f"{_difference(group, params)}: more than the {params.gate.max_unfairness:g} that is allowed, "
                "though so few rows do not show it; look at these groups, and judge on more rows "
                "(params.yaml: gate.max_unfairness, split.holdout_rows)"
            )
    before = found.evaluation.against.get(Opponent.ROW_BEFORE)
    if before is not None and not before.must_beat and before.gain.value < 0:
        yield (
            f"repeating the label of the row before scores {format_score(before.score)}, above the challenger's "
            f"{format_score(found.evaluation.score.value)}; if labels really arrive that fast, set "
            "gate.label_delay_rows"
        )
    if found.evaluation.too_good is not None:
        yield describe_too_good(found.evaluation.too_good)
    if found.parity is not None:
        yield f"it is served by scikit-learn: {found.parity}"


def describe_too_good(found: TooGood) -> str:
    """Write why a score may be too good to be true, and what to check."""
    named = ", ".join(f"{each.column} ({each.share:.0%})" for each in found.columns)
    columns = f"; alone, these take away most of the error: {named}" if named else ""
    return (
        f"this may be too good to be true: on {found.rows} rows the model makes {found.left:.2%} of the error of the "
        f"{describe_baseline(found.baseline)}. Check for a column that is known only after the outcome, and give it "
        f"feature: false (params.yaml: columns){columns}"
    )


def _margin(name: Opponent, found: GateInputs, params: Params) -> float:
    """The margin is for the champion alone; a baseline has only to be beaten."""
    if name != Opponent.CHAMPION:
        return 0.0
    return in_units(found.evaluation.metric, params.gate.margin, found.evaluation.against[name].score)


def _largest_p(params: Params) -> float:
    """One side of what the interval leaves out, rounded since 1 - 0.95 is not 0.05 in binary."""
    return round((1 - params.statistics.confidence) / 2, 12)


def _need_not_win(found: GateInputs, params: Params) -> bool:
    """Whatever its recipe: the champion was shown to beat the baselines, so that a score above theirs is enough."""
    return found.has_champion and params.gate.rule == NOT_WORSE


def _is_short(name: Opponent, found: GateInputs, params: Params) -> bool:
    other = found.evaluation.against[name]
    if _need_not_win(found, params):  # nan is no evidence
        return not (other.gain.high >= 0 if name == Opponent.CHAMPION else other.gain.value > 0)
    return not (other.gain.low > _margin(name, found, params) and other.p < _largest_p(params))


def _shortfall(name: Opponent, found: GateInputs, params: Params) -> str:
    other = found.evaluation.against[name]
    gain = _gain(name, other, params)
    if _need_not_win(found, params):
        worse = "worse than" if name == Opponent.CHAMPION else "no better than"
        return f"{worse} the {name}: {gain} (params.yaml: gate.rule)"
    verdict = "worse" if other.gain.high < 0 else "not shown to be better"
    return (
        f"{verdict} than the {name}: {gain}; it has to exceed "
        f"{format_score(_margin(name, found, params), sign='+')} at its low end, and p to stay below "
        f"{_largest_p(params):g}"
    )


def _gain(name: Opponent, other: Comparison, params: Params) -> str:
    return (
        f"gain over the {name} ({format_score(other.score)}) is {format_interval(other.gain)} at "
        f"{params.statistics.confidence:.0%} confidence, {other.wins} rows won and {other.losses} lost "
        f"(p {other.p:.2g})"
    )
