"""What a model card says of how good a model version is, and who let it in."""

from releve.core.formatting import format_score, utc_minute
from releve.domain.evaluation.conformal import ConformalIntervals
from releve.domain.evaluation.intervals import difference, format_interval, format_score_interval, share
from releve.domain.schema.target import REGRESSION
from releve.reporting.blocks import (
    MISSING,
    Block,
    FactList,
    FoldedBlock,
    IntervalBar,
    IntervalChart,
    ReliabilityChart,
    TableBlock,
    TextBlock,
    Tone,
    VerdictBlock,
)
from releve.reporting.comparison import comparison_chart, comparison_table
from releve.reporting.messages.gate import describe_judged_rows, describe_too_good
from releve.reporting.messages.money import evaluated_blocks
from releve.reporting.messages.monitoring import describe_drift
from releve.reporting.model_card.record import NOTHING, ModelRecord, fact_list

SHOWN_COLUMNS = 40  # drifted ones that a table names


def quality(record: ModelRecord) -> list[Block]:
    """Write the score, its interval, and whom it was compared with; a score that is too good to be true first."""
    evaluation = record.evaluation
    if not evaluation:
        return [NOTHING]
    basis = f"at {evaluation.confidence:.0%} confidence, on {describe_judged_rows(evaluation)}"
    own = f"{format_score_interval(evaluation.score)} {basis}"
    others = (
        (name, _score(value)) for name, value in evaluation.challenger.metrics.items() if name != evaluation.metric
    )
    blocks: list[Block] = []
    if evaluation.too_good:
        blocks.append(VerdictBlock("check this score", Tone.WATCH, describe_too_good(evaluation.too_good)))
    if not evaluation.champion:
        blocks.append(TextBlock(("There was no champion to compare with: this is the first one.",)))
    if evaluation.naive:
        blocks.append(TextBlock(("This is the naive answer itself: it serves until a model is better.",)))
    return [
        *blocks,
        FactList(((f"{evaluation.metric}, the gate's", own), *others)),
        comparison_table(evaluation),
        comparison_chart(evaluation),
    ]


def importance(record: ModelRecord) -> list[Block]:
    """Write which features the score rests on."""
    evaluation = record.evaluation
    if not evaluation or not evaluation.importances or not evaluation.importances.features:
        return [NOTHING]
    loss = f"loss of {evaluation.metric} [{evaluation.confidence:.0%} interval]"
    about = (
        f"What {evaluation.metric} loses when the cells of one feature are shuffled among "
        f"{evaluation.importances.rows} rows that the model has not learned from; right of the line, the "
        "score gets worse without the feature. Features that say nearly the same share their importance: each of "
        "them alone may look unimportant."
    )
    features = evaluation.importances.features
    table = TableBlock(("feature", loss), tuple((each.feature, format_interval(each.loss)) for each in features))
    return [
        TextBlock((about,)),
        IntervalChart(f"Loss of {evaluation.metric}", tuple(IntervalBar(each.feature, each.loss) for each in features)),
        FoldedBlock("The same as a table", (table,)),
    ]


def calibration(record: ModelRecord) -> list[Block]:
    """Write whether its probabilities can be trusted, or its intervals."""
    if record.schema and record.schema.target.task == REGRESSION:
        return _intervals(record.description.intervals if record.description else None)
    table = record.evaluation.challenger.calibration if record.evaluation else None
    if not table:
        return [NOTHING]
    rows = tuple(
        (f"{one.low:.1f} to {one.high:.1f}", str(one.rows), _score(one.probability), _score(one.accuracy))
        for one in table.bins
    )
    return [
        FactList((("expected calibration error", _score(table.error)),)),
        TableBlock(("certainty", "rows", "mean certainty", "share right"), rows),
        ReliabilityChart(tuple((one.probability, one.accuracy, one.rows) for one in table.bins)),
    ]


def decisions(record: ModelRecord) -> list[Block]:
    """Write by what it decides, and what that costs."""
    if not record.evaluation:
        return [NOTHING]
    money = record.evaluation.money
    if not money:
        return [TextBlock(("It decides nothing: no costs are known (params.yaml: decision.costs).",))]
    policy = record.description.decision if record.description else None
    return evaluated_blocks(money, record.schema.target if record.schema else None, policy)


def _intervals(intervals: ConformalIntervals | None) -> list[Block]:
    """Write how wide intervals are, and what share of the labels they have held."""
    if not intervals:
        few = "Its answers carry no interval: too few rows were answered before they were learned from."
        return [TextBlock((few,))]
    method = (
        "An answer carries an interval: itself, plus and minus a half width for answers of its size, within the limits "
        f"of the target. It is conformal: made of the errors of {intervals.rows:,} answers that were given before "
        "their rows were learned from. With each label its level moves (Gibbs and Candès 2021), so that the share of "
        "labels inside comes back to what is promised where errors have grown or shrunk."
    )
    ends = [f"{edge:.6g}" for edge in intervals.edges]
    bins = [f"above {ends[-1]}"] if ends else ["any"]
    bins = [f"up to {end}" if not place else f"{ends[place - 1]} to {end}" for place, end in enumerate(ends)] + bins
    widths = tuple((one, f"{half:.6g}") for one, half in zip(bins, intervals.half_widths, strict=True))
    shares = [share(each.covered, each.rows, confidence=intervals.confidence) for each in intervals.windows]
    facts = {"promised": f"{intervals.confidence:.3g}", "level now": f"{1 - intervals.alpha:.3g}"}
    blocks: list[Block] = [
        TextBlock((method,)),
        fact_list(facts),
        TableBlock(("answer", "half width"), widths),
    ]
    if not shares:
        return [*blocks, TextBlock(("No window has come since that they could have been tried on.",))]
    rows = tuple(
        (str(number), f"{each.rows:,}", format_score_interval(held))
        for number, (each, held) in enumerate(zip(intervals.windows, shares, strict=True), start=1)
    )
    return [*blocks, TableBlock(("window, oldest first", "rows", "share inside the intervals made before it"), rows)]


def slices(record: ModelRecord) -> list[Block]:
    """Write the score in the parts of the table that params.yaml names."""
    if not record.evaluation:
        return [NOTHING]
    parts = record.evaluation.slices
    if not parts:
        return [TextBlock(("No slices are named in params.yaml (gate.slices).",))]
    rows = []
    for part in parts:
        gain = format_interval(part.gain) if part.gain else ""
        rows.append((part.name, str(part.rows), _score(part.challenger), _score(part.champion), gain))
    bars = tuple(IntervalBar(part.name, part.gain) for part in parts if part.gain)
    chart = [IntervalChart("Gain over the champion, slice by slice", bars)] if bars else []
    return [TableBlock(("slice", "rows", "this model", "champion", "gain"), tuple(rows)), *chart]


def fairness(record: ModelRecord) -> list[Block]:
    """Write how the groups of protected columns are treated: each group's score, and the largest differences."""
    evaluation = record.evaluation
    if not evaluation:
        return [NOTHING]
    if not evaluation.fairness and not evaluation.unknown_groups:
        return [TextBlock(("No protected columns are named in params.yaml (gate.protected).",))]
    differences = []
    for one in evaluation.fairness:
        left_out = ", ".join(f"{name or 'missing cells'} ({size} rows)" for name, size in one.left_out.items())
        scores = (format_score_interval(one.challenger), _score(one.champion))
        differences.append((one.attribute, one.metric.replace("_", " "), *scores, left_out))
    heads = ("protected column", "difference in", "this model", "champion", "left out, too few")
    blocks: list[Block] = [TableBlock(heads, tuple(differences))]
    groups = []
    for group in evaluation.groups:
        scored = [each for each in evaluation.groups if each.column == group.column and each.score]
        best = max(scored, key=lambda each: evaluation.sign * each.score.value if each.score else 0.0, default=None)
        score, gap = ("", "")
        if group.score and best and best.score:
            score = format_score_interval(group.score)
            gap = "the best" if group is best else format_interval(difference(group.score, best.score))
        groups.append((group.column, group.value or "missing cells", str(group.rows), score or "too few rows", gap))
    if groups:
        heads = ("protected column", "group", "rows", evaluation.metric, "difference from the best group")
        blocks.append(TableBlock(heads, tuple(groups)))
    if evaluation.unknown_groups:
        few = f"too few groups were large enough to compare: {', '.join(evaluation.unknown_groups)}"
        blocks.append(TextBlock((f"{MISSING}: {few}.",)))
    return blocks


def drift(record: ModelRecord) -> list[Block]:
    """Write how the table had changed when the model was made."""
    run = record.monitoring
    if not run:
        return [TextBlock((f"{MISSING}: no champion was monitored before this model was judged.",))]
    facts = {
        "monitored at": utc_minute(run.at),
        "champion then": run.model,
        "verdict": run.drift.state,
        "rows": run.drift.rows,
    }
    rows = tuple(
        (one.name, one.method, format_score(one.change.effect), f"{one.change.p_value:.2g}")
        for one in run.drift.drifted[:SHOWN_COLUMNS]
    )
    table = [TableBlock(("drifted column", "test", "effect", "p"), rows)] if rows else []
    return [fact_list(facts), TextBlock(describe_drift(run.drift), points=True), *table]


def gate(record: ModelRecord) -> list[Block]:
    """Write the decision, its reasons, and who let it pass a floor that it broke."""
    event, challenger = record.judgement, record.challenger
    if not event or not challenger:
        return [NOTHING]
    facts = {
        "decision": "promote" if challenger.promote else "keep the champion",
        "judged against": challenger.champion or "no champion",
        "at": utc_minute(event.at),
        "started by": event.actor,
        "because": event.reason,
    }
    blocks: list[Block] = [fact_list(facts), TextBlock(challenger.sentences, points=True)]
    if not challenger.overrides:
        return [*blocks, TextBlock(("No floor was overridden.",))]
    rows = tuple(
        (one.floor, one.by, one.reason, str(one.until), "in force" if one.until >= record.today else "EXPIRED")
        for one in challenger.overrides
    )
    return [*blocks, TableBlock(("overridden floor", "by", "reason", "until", "today"), rows)]


def _score(value: float | None) -> str:
    return "" if value is None else format_score(value)
