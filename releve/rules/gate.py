"""May the challenger take over? Every failed check is a reason; anything missing refuses; a tie keeps the champion."""

from collections.abc import Mapping
from dataclasses import dataclass

from releve.rules.params import Gate
from releve.rules.scores import Interval, wins_by_chance

CHAMPION, MAJORITY, PREVIOUS_LABEL = "champion", "majority label", "previous label"


@dataclass(frozen=True)
class Comparison:
    """The challenger against another on the same holdout: the other's accuracy, the paired gain, and who won where."""

    other: float
    gain: Interval
    wins: int  # rows that the challenger alone got right
    losses: int  # rows that the other alone got right


@dataclass(frozen=True)
class Challenge:
    """What the evaluation found. `comparisons` are by name: the champion where there is one, and the baselines."""

    rows: int
    comparisons: Mapping[str, Comparison]
    parity: str | None  # None: the exported model answers as the trained one; else why it does not
    has_champion: bool


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided, and why in words a person can act on."""

    promote: bool
    reasons: tuple[str, ...]


def decide(challenge: Challenge, params: Gate) -> GateDecision:
    """Judge a challenger; a first champion has to beat the naive baselines alone."""
    opponents = ([CHAMPION] if challenge.has_champion else []) + [MAJORITY, PREVIOUS_LABEL]
    refusals = []
    if challenge.rows < params.min_rows:
        refusals.append(
            f"the holdout has {challenge.rows} rows, the gate needs {params.min_rows} (params.yaml: gate.min_rows)"
        )
    refusals += [reason for name in opponents if (reason := _refusal(name, challenge.comparisons.get(name), params))]
    if refusals:
        return GateDecision(False, tuple(refusals))
    wins = tuple(_sentence(name, challenge.comparisons[name], params) for name in opponents)
    note = () if challenge.parity is None else (f"it is served by scikit-learn: {challenge.parity}",)
    return GateDecision(True, (*wins, *note))


def _refusal(name: str, comparison: Comparison | None, params: Gate) -> str | None:
    if comparison is None:
        return f"there is no comparison with the {name}; evaluate again"
    margin = params.margin if name == CHAMPION else 0.0
    by_chance = wins_by_chance(comparison.wins, comparison.losses)
    if comparison.gain.low > margin and by_chance < (1 - params.confidence) / 2:
        return None
    verdict = "worse" if comparison.gain.high < 0 else "not shown to be better"
    sentence = _sentence(name, comparison, params)
    luck = f"luck (p) to stay below {(1 - params.confidence) / 2:g}"
    return f"{verdict} than the {name}: {sentence}; it has to exceed {margin:+.3f} at its low end, and {luck}"


def _sentence(name: str, comparison: Comparison, params: Gate) -> str:
    gain, by_chance = comparison.gain, wins_by_chance(comparison.wins, comparison.losses)
    return (
        f"gain over the {name} ({comparison.other:.3f}) is {gain.value:+.3f} "
        f"[{gain.low:+.3f}, {gain.high:+.3f}] at {params.confidence:.0%} confidence, "
        f"{comparison.wins} rows won and {comparison.losses} lost (p {by_chance:.2g})"
    )
