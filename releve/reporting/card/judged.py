"""What a model card says of how good a model version is, and who let it in."""

from datetime import date

from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Comparison, SliceComparison
from releve.domain.evaluation.intervals import Interval
from releve.domain.schema.target import REGRESSION
from releve.reporting.blocks import (
    MISSING,
    Block,
    FactList,
    IntervalBar,
    IntervalChart,
    ReliabilityChart,
    TableBlock,
    TextBlock,
)
from releve.reporting.card.card import Evidence, facts, figure, interval, nothing

OVERRIDE = ("floor", "by", "reason", "until")
SHOWN_COLUMNS = 40  # drifted ones that a table names


def quality(evidence: Evidence) -> list[Block]:
    """The score, its interval, and whom it was compared with."""
    evaluation = evidence.evaluation
    if not evaluation:
        return [nothing()]
    confidence, metric, score = f"{evaluation.confidence:.0%}", evaluation.metric, evaluation.score
    own = interval(score.value, score.low, score.high)
    lines = ((f"{metric}, the gate's", f"{own} at {confidence} confidence, on {evaluation.holdout_rows} rows"),)
    figures = evaluation.challenger.metrics.items()
    first = (
        [TextBlock(("There was no champion to compare with: this is a first one.",))]
        if evaluation.champion is None
        else []
    )
    heads = ("compared with", metric, f"gain [{confidence} interval]", "p", "must be beaten")
    bars = tuple(_bar(f"over the {name}", other.gain) for name, other in evaluation.against.items())
    return [
        FactList((*lines, *((name, figure(value)) for name, value in figures if name != metric))),
        *first,
        TableBlock(heads, tuple(_compared(name, other) for name, other in evaluation.against.items())),
        IntervalChart("Gain: right of the line, this model is better", bars),
    ]


def _compared(name: str, other: Comparison) -> tuple[str, ...]:
    beaten = "yes" if other.must_beat else "no"
    return describe_baseline(name), figure(other.score), _gain(other.gain), figure(other.p), beaten


def calibration(evidence: Evidence) -> list[Block]:
    """Whether its probabilities are to be believed."""
    if evidence.description.get("task") == REGRESSION:
        return [TextBlock(("Numbers carry no certainty, so there is nothing to calibrate.",))]
    found = evidence.evaluation.challenger.calibration if evidence.evaluation else None
    if not found:
        return [nothing()]
    rows = tuple(
        (f"{one.low:.1f} to {one.high:.1f}", str(one.rows), figure(one.probability), figure(one.accuracy))
        for one in found.bins
    )
    return [
        FactList((("expected calibration error", figure(found.error)),)),
        TableBlock(("certainty", "rows", "mean certainty", "share right"), rows),
        ReliabilityChart(tuple((one.probability, one.accuracy, one.rows) for one in found.bins)),
    ]


def slices(evidence: Evidence) -> list[Block]:
    """The same in the parts of the table that params.yaml names."""
    if not evidence.evaluation:
        return [nothing()]
    parts = evidence.evaluation.slices
    if not parts:
        return [TextBlock(("No slices are named in params.yaml (gate.slices).",))]
    bars = tuple(_bar(part.name, part.gain) for part in parts if part.gain)
    picture = [IntervalChart("Gain over the champion, slice by slice", bars)] if bars else []
    return [TableBlock(("slice", "rows", "this model", "champion", "gain"), tuple(map(_slice, parts))), *picture]


def _slice(part: SliceComparison) -> tuple[str, ...]:
    gain = _gain(part.gain) if part.gain else ""
    return part.name, str(part.rows), figure(part.challenger), figure(part.champion), gain


def fairness(evidence: Evidence) -> list[Block]:
    """How differently the groups of protected columns are treated."""
    if not evidence.evaluation:
        return [nothing()]
    found, unknown = evidence.evaluation.fairness, evidence.evaluation.unknown_groups
    if not found and not unknown:
        return [TextBlock(("No protected columns are named in params.yaml (gate.protected).",))]
    rows = tuple(
        (
            one.attribute,
            one.metric.replace("_", " "),
            interval(one.challenger.value, one.challenger.low, one.challenger.high),
            figure(one.champion),
            ", ".join(f"{name or 'missing cells'} ({size} rows)" for name, size in one.left_out.items()),
        )
        for one in found
    )
    few = f"{MISSING}: too few groups were large enough to compare: {', '.join(unknown)}."
    return [
        TableBlock(("protected column", "difference in", "this model", "champion", "left out, too few"), rows),
        *([TextBlock((few,))] if unknown else []),
    ]


def drift(evidence: Evidence) -> list[Block]:
    """How the table had changed when the model was made."""
    if not evidence.drift:
        return [TextBlock((f"{MISSING}: nobody looked at a champion's answers before this model was judged.",))]
    verdict = evidence.drift["drift"]
    told = {
        "looked at": evidence.drift.get("at"),
        "champion then": evidence.drift.get("model"),
        "verdict": verdict.get("state"),
        "rows": verdict.get("rows"),
    }
    drifted = [column for column in verdict.get("columns", []) if column.get("drifted")][:SHOWN_COLUMNS]
    rows = tuple(
        (one["name"], one["method"], figure(one["change"]["effect"]), figure(one["change"]["p_value"]))
        for one in drifted
    )
    table = [TableBlock(("drifted column", "test", "effect", "p"), rows)] if rows else []
    return [FactList(facts(told)), TextBlock(tuple(verdict.get("reasons", ())), points=True), *table]


def gate(evidence: Evidence) -> list[Block]:
    """The decision, its reasons, and who let it pass a floor that it broke."""
    challenge = evidence.challenge
    if "promote" not in challenge:
        return [nothing()]
    told = {
        "decision": "promote" if challenge["promote"] else "keep the champion",
        "judged against": challenge.get("champion") or "no champion",
        "at": evidence.judged.get("at"),
        "started by": evidence.judged.get("actor"),
        "because": evidence.judged.get("reason"),
    }
    return [FactList(facts(told)), TextBlock(tuple(challenge.get("reasons", ())), points=True), _overrides(evidence)]


def _overrides(evidence: Evidence) -> Block:
    overrides = evidence.challenge.get("overrides", ())
    if not overrides:
        return TextBlock(("No floor was overridden.",))
    rows = tuple((*(one[key] for key in OVERRIDE), _standing(one["until"], evidence.today)) for one in overrides)
    return TableBlock(("overridden floor", "by", "reason", "until", "today"), rows)


def _standing(until: str, today: date) -> str:
    return "in force" if date.fromisoformat(until) >= today else "EXPIRED"


def _gain(gain: Interval) -> str:
    return interval(gain.value, gain.low, gain.high, sign="+")


def _bar(name: str, gain: Interval) -> IntervalBar:
    return IntervalBar(name, gain.value, gain.low, gain.high)
