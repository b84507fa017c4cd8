"""Champion and challenger on live traffic: the interval as it grew, and what is missing to a decision."""

from releve.core.formatting import format_score, to_the_minute
from releve.domain.arms.arms import RunningArms, running_arms
from releve.domain.arms.comparison import LiveComparison
from releve.domain.arms.decision import ArmsCompared
from releve.domain.evaluation.intervals import format_interval
from releve.domain.registry.chain import ARM_CHANGES, ARMS_COMPARED, ARMS_ENDED, ARMS_STARTED, MOVES
from releve.reporting.blocks import (
    Block,
    ChartPoint,
    ChartSeries,
    CommandBlock,
    FoldedBlock,
    SeriesStyle,
    TableBlock,
    TextBlock,
    TimelineChart,
)
from releve.reporting.live_comparison import describe_costs, describe_decision, describe_missing, describe_needless
from releve.reporting.messages.arms import describe_arms
from releve.reporting.page.evidence import PageEvidence

ARM_HEADS = ("arm", "model", "rows answered", "requests failed", "rows labelled", "score")
LOOK_HEADS = ("rows", "until (UTC)", "gain", "blocks", "rows in a block")


def arms(evidence: PageEvidence) -> list[Block]:
    """Show the arms that run, or the comparison that ended last; nothing where there never were any."""
    if not any(event.kind == ARMS_STARTED for event in evidence.events):
        return []
    changes = [event for event in evidence.events if event.kind in (*ARM_CHANGES, *MOVES)]
    running = running_arms(reversed(changes))
    looks = [event for event in evidence.events if event.kind == ARMS_COMPARED]
    newest = looks[-1] if looks and (running is None or looks[-1].at >= running.since) else None
    lines = [_state(running, evidence)]
    if newest is None:
        return [
            TextBlock((*lines, "They were not compared yet:")),
            CommandBlock(f".venv/bin/releve compare {evidence.scenario}"),
        ]
    compared = newest.read(ArmsCompared)
    missing = describe_missing(compared) if running else ()
    return [
        TextBlock((*lines, f"Compared last at {to_the_minute(newest.at)}: {describe_decision(compared)}.")),
        *([TextBlock(("Missing to a decision:",)), TextBlock(missing, points=True)] if missing else []),
        *([_growth(compared.comparison)] if compared.comparison.growth else []),
        comparison_figures(compared.comparison),
        *(TextBlock((f"{each[:1].upper()}{each[1:]}.",)) for each in describe_costs(compared.comparison)),
        *([TextBlock((describe_needless(needless),))] if (needless := compared.comparison.needless) else []),
        *(
            [FoldedBlock("The interval as a table", (_looks(compared.comparison),))]
            if compared.comparison.growth
            else []
        ),
    ]


def _state(running: RunningArms | None, evidence: PageEvidence) -> str:
    if running:
        return f"{describe_arms(running.started)}, since {to_the_minute(running.since)}."
    ended = [event for event in evidence.events if event.kind == ARMS_ENDED]
    why = f" The last ones ended at {to_the_minute(ended[-1].at)}: {ended[-1].reason}." if ended else ""
    return f"No challenger takes part in live traffic now.{why}"


def _growth(comparison: LiveComparison) -> TimelineChart:
    """Draw the interval after so many rows, beside no gain."""
    looks = comparison.growth
    points = tuple(
        ChartPoint(
            place,
            look.gain,
            (look.interval.low, look.interval.high) if look.interval else None,
            f"{look.rows:,} rows, until {to_the_minute(look.at)}: "
            f"{format_interval(look.interval) if look.interval else 'no difference yet'}",
        )
        for place, look in enumerate(looks)
    )
    nothing = tuple(ChartPoint(place, 0.0) for place in range(len(looks)))
    return TimelineChart(
        f"Gain of the challenger in {comparison.metric}, as rows came",
        f"After {looks[-1].rows:,} rows: {points[-1].note}.",
        tuple(f"{look.rows:,} rows" for look in looks),
        (
            ChartSeries("gain of the challenger, with its interval", SeriesStyle.SCORES, points, 0),
            ChartSeries("no gain", SeriesStyle.LINE, nothing, 1),
        ),
    )


def comparison_figures(comparison: LiveComparison) -> TableBlock:
    """List both arms; a score is of labels that nobody asked for because the arms differ."""
    rows = tuple(
        (
            name,
            arm.model,
            f"{arm.answered:,}",
            f"{arm.failed:,}",
            f"{arm.labelled:,}",
            "not known yet" if arm.score is None else f"{comparison.metric} {format_score(arm.score)}",
        )
        for name, arm in (("champion", comparison.champion), ("challenger", comparison.challenger))
    )
    return TableBlock(ARM_HEADS, rows)


def _looks(comparison: LiveComparison) -> TableBlock:
    rows = tuple(
        (
            f"{look.rows:,}",
            to_the_minute(look.at),
            format_interval(look.interval) if look.interval else "no difference yet",
            str(look.blocks),
            str(look.block_rows),
        )
        for look in reversed(comparison.growth)
    )
    return TableBlock(LOOK_HEADS, rows)
