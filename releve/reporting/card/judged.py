"""What a model card says of how good a model version is, and who let it in."""

from datetime import date

from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Evaluation, with_notes
from releve.domain.evaluation.intervals import Interval, difference
from releve.domain.gate.gate import describe_too_good
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
    """Write the score, its interval, and whom it was compared with; a score that is too good to be true first."""
    found = evidence.evaluation
    if not found:
        return [nothing()]
    confidence = f"{found.confidence:.0%}"
    own = f"{_interval(found.score)} at {confidence} confidence, on {found.holdout_rows} rows"
    others = ((name, figure(value)) for name, value in found.challenger.metrics.items() if name != found.metric)
    notes = [f"Attention: {describe_too_good(found.too_good)}."] if found.too_good else []
    notes += [] if found.champion else ["There was no champion to compare with: this is the first one."]
    rows = tuple(
        (
            describe_baseline(name),
            figure(one.score),
            _interval(one.gain, sign="+"),
            figure(one.p),
            "yes" if one.must_beat else "no",
        )
        for name, one in found.against.items()
    )
    return [
        *([TextBlock(tuple(notes))] if notes else []),
        FactList(((f"{found.metric}, the gate's", own), *others)),
        TableBlock(("compared with", found.metric, f"gain [{confidence} interval]", "p", "must be beaten"), rows),
        IntervalChart(
            "Gain: right of the line, this model is better",
            tuple(_bar(f"over the {name}", one.gain) for name, one in found.against.items()),
        ),
    ]


def importance(evidence: Evidence) -> list[Block]:
    """Write which features the score rests on."""
    found = evidence.evaluation
    if not found or not found.importances or not found.importances.features:
        return [nothing()]
    loss = f"loss of {found.metric} [{found.confidence:.0%} interval]"
    about = (
        f"What {found.metric} loses when the cells of one feature are shuffled among {found.importances.rows} holdout "
        "rows that the model has not learned from; right of the line, the score gets worse without the feature. "
        "Features that say nearly the same share their importance: each of them alone may look unimportant."
    )
    features = found.importances.features
    return [
        TextBlock((about,)),
        IntervalChart("Strongest features", tuple(_bar(each.feature, each.loss) for each in features)),
        TableBlock(("feature", loss), tuple((each.feature, _interval(each.loss, sign="+")) for each in features)),
    ]


def calibration(evidence: Evidence) -> list[Block]:
    """Write whether its probabilities can be trusted."""
    if evidence.description.get("task") == REGRESSION:
        return [TextBlock(("A regression has no probabilities, so there is nothing to calibrate.",))]
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
    """Write the score in the parts of the table that params.yaml names."""
    if not evidence.evaluation:
        return [nothing()]
    parts = evidence.evaluation.slices
    if not parts:
        return [TextBlock(("No slices are named in params.yaml (gate.slices).",))]
    rows = tuple(
        (
            part.name,
            str(part.rows),
            figure(part.challenger),
            figure(part.champion),
            _interval(part.gain, sign="+") if part.gain else "",
        )
        for part in parts
    )
    bars = tuple(_bar(part.name, part.gain) for part in parts if part.gain)
    chart = [IntervalChart("Gain over the champion, slice by slice", bars)] if bars else []
    return [TableBlock(("slice", "rows", "this model", "champion", "gain"), rows), *chart]


def fairness(evidence: Evidence) -> list[Block]:
    """Write how the groups of protected columns are treated: each group's score, and the largest differences."""
    found = evidence.evaluation
    if not found:
        return [nothing()]
    if not found.fairness and not found.unknown_groups:
        return [TextBlock(("No protected columns are named in params.yaml (gate.protected).",))]
    rows = tuple(
        (
            one.attribute,
            one.metric.replace("_", " "),
            _interval(one.challenger),
            figure(one.champion),
            ", ".join(f"{name or 'missing cells'} ({size} rows)" for name, size in one.left_out.items()),
        )
        for one in found.fairness
    )
    few = f"{MISSING}: too few groups were large enough to compare: {', '.join(found.unknown_groups)}."
    return [
        TableBlock(("protected column", "difference in", "this model", "champion", "left out, too few"), rows),
        *_groups(found),
        *([TextBlock((few,))] if found.unknown_groups else []),
    ]


def _groups(found: Evaluation) -> list[Block]:
    """A line per group, and its difference from the group of its column with the best score."""
    rows: list[tuple[str, ...]] = []
    for group in found.groups:
        scored = [each for each in found.groups if each.column == group.column and each.score]
        best = max(scored, key=lambda each: found.sign * each.score.value if each.score else 0.0, default=None)
        score, gap = ("", "")
        if group.score and best and best.score:
            score = _interval(group.score)
            gap = "the best" if group is best else _interval(difference(group.score, best.score), sign="+")
        rows.append((group.column, group.value or "missing cells", str(group.rows), score or "too few rows", gap))
    heads = ("protected column", "group", "rows", found.metric, "difference from the best group")
    return [TableBlock(heads, tuple(rows))] if rows else []


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
    sentences = with_notes(tuple(challenge.get("reasons", ())), tuple(challenge.get("notes", ())))
    return [FactList(facts(told)), TextBlock(sentences, points=True), _overrides(evidence)]


def _overrides(evidence: Evidence) -> Block:
    overrides = evidence.challenge.get("overrides", ())
    if not overrides:
        return TextBlock(("No floor was overridden.",))
    rows = tuple((*(one[key] for key in OVERRIDE), _standing(one["until"], evidence.today)) for one in overrides)
    return TableBlock(("overridden floor", "by", "reason", "until", "today"), rows)


def _standing(until: str, today: date) -> str:
    return "in force" if date.fromisoformat(until) >= today else "EXPIRED"


def _interval(found: Interval, *, sign: str = "") -> str:
    return interval(found.value, found.low, found.high, sign=sign)


def _bar(name: str, found: Interval) -> IntervalBar:
    return IntervalBar(name, found.value, found.low, found.high)
