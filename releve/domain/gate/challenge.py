"""What was found about a challenger, as the gate takes it: evaluation.json, and what was measured beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releve.domain.evaluation.evaluation import CHAMPION as CHAMPION
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.too_good import TooGood
from releve.domain.gate.sanity import Sanity


@dataclass(frozen=True)
class Comparison:
    """The challenger against another on the same holdout: the other's score, the paired gain, and who won where."""

    other: float
    gain: Interval  # positive: the challenger is better, whatever the metric
    p: float  # chance that so large a gain is luck
    wins: int  # rows where the challenger's loss is the smaller one
    losses: int
    must_beat: bool = True
    block_rows: int = 1  # neighbouring rows that were drawn together
    wanted_block_rows: int = 1  # that hang together: where it is more, the interval and p are too sure


@dataclass(frozen=True)
class SliceFound:
    """A part of the holdout; the champion's figures are None where there is no champion."""

    name: str  # see `slice_name`
    rows: int
    challenger: float | None
    champion: float | None
    gain: Interval | None


@dataclass(frozen=True)
class Unfairness:
    """How differently the groups of a protected column are treated: 0 is equal."""

    attribute: str
    metric: str
    challenger: Interval
    champion: float | None


@dataclass(frozen=True)
class Challenge:
    """What was found. `comparisons` are by name: the champion where there is one, and the baselines."""

    task: str
    metric: str
    score: float
    rows: int
    comparisons: Mapping[str, Comparison]
    parity: str | None  # None: the exported model answers as the trained one; else why it does not
    has_champion: bool
    slices: tuple[SliceFound, ...] = ()
    fairness: tuple[Unfairness, ...] = ()
    unknown_groups: tuple[str, ...] = ()  # protected columns of which too few groups were large enough to compare
    latency_ms: float | None = None  # CPU time of one row
    sanity: Sanity | None = None  # what slight changes of rows did to the answers
    too_good: TooGood | None = None


def read_challenge(
    evaluation: Mapping[str, Any],
    parity: str | None,
    *,
    has_champion: bool,
    latency_ms: float | None,
    sanity: Sanity | None,
) -> Challenge:
    """evaluation.json, and what was measured beside it, as the gate takes them."""
    return Challenge(
        task=evaluation["task"],
        metric=evaluation["metric"],
        score=evaluation["challenger"]["score"],
        rows=evaluation["holdout_rows"],
        comparisons={name: _comparison(other) for name, other in evaluation["against"].items()},
        parity=parity,
        has_champion=has_champion,
        slices=tuple(_slice(found) for found in evaluation["slices"]),
        fairness=tuple(
            Unfairness(found["attribute"], found["metric"], _with_ends(found), found["champion"])
            for found in evaluation["fairness"]
        ),
        unknown_groups=tuple(evaluation["unknown_groups"]),
        latency_ms=latency_ms,
        sanity=sanity,
        too_good=TooGood.from_dict(evaluation["too_good"]) if evaluation.get("too_good") else None,
    )


def _comparison(other: Mapping[str, Any]) -> Comparison:
    names = ("p", "wins", "losses", "must_beat", "block_rows", "wanted_block_rows")
    return Comparison(other["score"], Interval(**other["gain"]), **{name: other[name] for name in names})


def _with_ends(found: Mapping[str, Any]) -> Interval:
    return Interval(found["challenger"], found["low"], found["high"])


def slice_name(column: str, value: str) -> str:
    """In words; the value of missing cells is "" (`releve.domain.evaluation.slices.MISSING`)."""
    return f"{column} = {value}" if value else f"{column} is missing"


def _slice(found: Mapping[str, Any]) -> SliceFound:
    gain = Interval(**found["gain"]) if found["gain"] else None
    name = slice_name(found["column"], found["value"])
    return SliceFound(name, found["rows"], found["challenger"], found["champion"], gain)
