"""May the challenger take over? Every failed check is a reason; anything missing refuses; a tie keeps the champion."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from releve.core.formatting import format_score
from releve.core.params import GateOverride, Params
from releve.domain.evaluation.baselines import ROW_BEFORE, required
from releve.domain.evaluation.intervals import format_interval
from releve.domain.evaluation.metrics import in_units
from releve.domain.evaluation.slices import MIN_SLICE_ROWS
from releve.domain.gate.challenge import CHAMPION, Challenge, Comparison, Unfairness
from releve.domain.gate.overrides import NOTE, FailedCheck, override

BASELINE, SLICE, FAIRNESS, LATENCY, SANITY = "baseline", "slice", "fairness", "latency", "sanity"
FLOORS = (BASELINE, SLICE, FAIRNESS, LATENCY, SANITY)  # what a named person may override
BETTER, NOT_WORSE = "better", "not_worse"  # params.yaml: gate.rule
MISSING = ""  # no floor: missing evidence and a champion that is not beaten cannot be overridden


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided, and why in words a person can act on."""

    promote: bool
    reasons: tuple[str, ...]
    overrides: tuple[GateOverride, ...] = ()  # without which it would have been refused


def decide(challenge: Challenge, params: Params, *, today: date) -> GateDecision:
    """Judge a challenger; a first champion has to beat the naive baselines alone. `today` is for the overrides."""
    failed = [one for check in CHECKS for one in check(challenge, params)]
    left = override(failed, params.gate.overrides, today=today)
    notes = tuple(f"{NOTE}{note}" for note in _notes(challenge, params))
    if left.refusals:
        overridden = (f"{NOTE}{note}" for note in left.notes)
        return GateDecision(False, (*left.refusals, *overridden, *notes), left.in_force)
    wins = (
        _sentence(name, challenge.comparisons[name], params)
        for name in opponents(challenge)
        if not _is_short(name, challenge, params)
    )
    return GateDecision(True, (*wins, *left.notes, *notes), left.in_force)


def opponents(challenge: Challenge) -> list[str]:
    """Whom the challenger has to beat: the champion, what no judgement goes without, and what else must be beaten."""
    hard = [name for name, other in challenge.comparisons.items() if other.must_beat and name != CHAMPION]
    champion = [CHAMPION] if challenge.has_champion else []
    return list(dict.fromkeys([*champion, *required(challenge.task), *hard]))


def _few_rows(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    if challenge.rows < params.statistics.min_rows:
        yield FailedCheck(
            MISSING,
            f"the holdout has {challenge.rows} rows, the gate needs {params.statistics.min_rows} "
            "(params.yaml: statistics.min_rows)",
        )


def _few_blocks(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    """Of the champion alone: only between near equals does a doubt that is too small decide."""
    found = challenge.comparisons.get(CHAMPION)
    if found is not None and params.gate.rule == BETTER and found.wanted_block_rows > found.block_rows:
        yield FailedCheck(
            MISSING,
            f"about {found.wanted_block_rows} neighbouring rows hang together, so that {challenge.rows} rows of "
            "holdout are worth too few independent ones to tell a gain over the champion from luck; judge on more rows "
            "(params.yaml: split.holdout_rows)",
        )


def _not_beaten(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    for name in opponents(challenge):
        if name not in challenge.comparisons:
            yield FailedCheck(MISSING, f"there is no comparison with the {name}; evaluate again")
        elif _is_short(name, challenge, params):
            floor = MISSING if name == CHAMPION else BASELINE
            yield FailedCheck(floor, _shortfall(name, challenge, params))


def _bad_slices(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    for found in challenge.slices:
        if not challenge.has_champion or found.rows < MIN_SLICE_ROWS:
            continue
        if found.gain is None or found.champion is None:
            yield FailedCheck(
                SLICE,
                f"where {found.name} ({found.rows} rows) {challenge.metric} is not defined, so that nobody knows "
                "whether it is worse than the champion (params.yaml: gate.slices, gate.metric)",
            )
            continue
        allowed = in_units(challenge.metric, params.gate.max_slice_loss, found.champion)
        if not found.gain.high >= -allowed:  # nan is no evidence
            yield FailedCheck(
                SLICE,
                f"where {found.name} ({found.rows} rows) it is worse than the champion, whose score is "
                f"{format_score(found.champion)}: a gain of {format_interval(found.gain)}; a loss of at most "
                f"{allowed:.3g} is allowed (params.yaml: gate.max_slice_loss)",
            )


def _unfair(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    for column in challenge.unknown_groups:
        yield FailedCheck(
            MISSING,
            f"fairness by {column} is not known: fewer than two of its groups have {MIN_SLICE_ROWS} rows of "
            f"holdout, or what is compared is not defined there",
        )
    for found in challenge.fairness:
        if not found.challenger.low <= params.gate.max_unfairness:  # nan is no evidence
            yield FailedCheck(
                FAIRNESS,
                f"{_difference(found, params)}: even the low end of its interval is above the "
                f"{params.gate.max_unfairness:g} that is allowed (params.yaml: gate.max_unfairness)",
            )


def _difference(found: Unfairness, params: Params) -> str:
    before = "" if found.champion is None else f" (the champion's is {format_score(found.champion)})"
    value, low, high = (
        format_score(end) for end in (found.challenger.value, found.challenger.low, found.challenger.high)
    )
    return (
        f"the {found.metric} between the groups of {found.attribute} is {value} [{low}, {high}] at "
        f"{params.statistics.confidence:.0%} confidence{before}"
    )


def _slow(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    if challenge.latency_ms is None:
        yield FailedCheck(MISSING, "the latency of one answer was not measured; run the retrain flow again")
    elif not challenge.latency_ms <= params.gate.max_latency_ms:
        yield FailedCheck(
            LATENCY,
            f"one answer takes {challenge.latency_ms:.3g} ms of CPU time in 95 of 100 cases, and at most "
            f"{params.gate.max_latency_ms:g} ms are allowed (params.yaml: gate.max_latency_ms)",
        )


def _unstable(challenge: Challenge, params: Params) -> Iterator[FailedCheck]:
    if challenge.sanity is None:
        yield FailedCheck(MISSING, "nobody tried how it answers slightly altered rows; run the retrain flow again")
        return
    for found in challenge.sanity.broken:
        yield FailedCheck(SANITY, f"slightly altered rows are answered unlike the real ones: {found}")


CHECKS = (_few_rows, _few_blocks, _not_beaten, _bad_slices, _unfair, _slow, _unstable)


def _notes(challenge: Challenge, params: Params) -> Iterator[str]:
    for found in challenge.fairness:
        if found.challenger.low <= params.gate.max_unfairness < found.challenger.value:
            yield (
                f"{_difference(found, params)}: more than the {params.gate.max_unfairness:g} that is allowed, "
                "though so few rows do not show it; look at these groups, and judge on more rows "
                "(params.yaml: gate.max_unfairness, split.holdout_rows)"
            )
    before = challenge.comparisons.get(ROW_BEFORE)
    if before is not None and not before.must_beat and before.gain.value < 0:
        yield (
            f"repeating the label of the row before scores {format_score(before.other)}, above the challenger's "
            f"{format_score(challenge.score)}; if labels really arrive that fast, set gate.label_delay_rows"
        )
    if challenge.too_good is not None:
        yield str(challenge.too_good)
    if challenge.parity is not None:
        yield f"it is served by scikit-learn: {challenge.parity}"


def _margin(name: str, challenge: Challenge, params: Params) -> float:
    """The margin is for the champion alone; a baseline has only to be beaten."""
    if name != CHAMPION:
        return 0.0
    return in_units(challenge.metric, params.gate.margin, challenge.comparisons[name].other)


def _most_luck(params: Params) -> float:
    """One side of what the interval leaves out, without the dust of binary fractions."""
    return round((1 - params.statistics.confidence) / 2, 12)


def _is_short(name: str, challenge: Challenge, params: Params) -> bool:
    found = challenge.comparisons[name]
    if _need_not_win(challenge, params):  # nan is no evidence
        return not (found.gain.high >= 0 if name == CHAMPION else found.gain.value > 0)
    margin = _margin(name, challenge, params)
    return not (found.gain.low > margin and found.p < _most_luck(params))


def _need_not_win(challenge: Challenge, params: Params) -> bool:
    """Whatever recipe it is of: the champion was shown to beat the baselines, so that to score above them will do."""
    return challenge.has_champion and params.gate.rule == NOT_WORSE


def _shortfall(name: str, challenge: Challenge, params: Params) -> str:
    found = challenge.comparisons[name]
    verdict = "worse" if found.gain.high < 0 else "not shown to be better"
    luck = f"luck (p) to stay below {_most_luck(params):g}"
    if _need_not_win(challenge, params):
        worse = "worse than" if name == CHAMPION else "no better than"
        return f"{worse} the {name}: {_sentence(name, found, params)} (params.yaml: gate.rule)"
    margin = _margin(name, challenge, params)
    return (
        f"{verdict} than the {name}: {_sentence(name, found, params)}; it has to exceed "
        f"{format_score(margin, sign='+')} at its low end, and {luck}"
    )


def _sentence(name: str, found: Comparison, params: Params) -> str:
    return (
        f"gain over the {name} ({format_score(found.other)}) is {format_interval(found.gain)} at "
        f"{params.statistics.confidence:.0%} confidence, {found.wins} rows won and {found.losses} lost "
        f"(p {found.p:.2g})"
    )
