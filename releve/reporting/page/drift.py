"""Drift over time: the verdict of each monitoring run, and which columns moved how far."""

from collections import Counter
from collections.abc import Sequence

from releve.core.formatting import counted, listed
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import Block, FoldedBlock, HeatCell, HeatMapChart, HeatRow, TableBlock, TextBlock
from releve.reporting.messages import describe_drift
from releve.reporting.page.history import PageEvidence, to_the_minute
from releve.reporting.page.quality import whose

DRAWN = 400  # monitoring runs: with more, each would have less than two pixels
SHOWN_COLUMNS = 24  # of a wide table, the most changed ones
LISTED, NAMED = 200, 6  # rows of the table, and columns that one of them names
HEADS = ("run (UTC)", "verdict", "new rows", "drifted columns", "the most moved column")


def drift(evidence: PageEvidence) -> list[Block]:
    """Draw the runs, write the newest verdict, and list all."""
    if not evidence.runs:
        return [TextBlock(("Nothing is known of drift yet: no monitoring run was made.",))]
    runs, newest = evidence.runs[-DRAWN:], evidence.runs[-1]
    lines = (f"Newest run, {whose(newest, evidence)}: {newest.drift.state}.", *describe_drift(newest.drift))
    left_out = tuple(_left_out(evidence.runs))
    title = f"The newest {LISTED} runs as a table" if len(evidence.runs) > LISTED else "As a table"
    table = TableBlock(HEADS, tuple(map(_row, reversed(evidence.runs[-LISTED:]))))
    shown = [TextBlock(left_out)] if left_out else []
    return [TextBlock(lines), _chart(runs), *shown, FoldedBlock(title, (table,))]


def _chart(runs: Sequence[MonitoringRun]) -> HeatMapChart:
    by_name = [{column.name: column for column in run.drift.columns} for run in runs]
    rows = []
    for name in _names(runs):
        changes = [columns.get(name) for columns in by_name]
        cells = (HeatCell(each.change.effect, each.drifted) if each else None for each in changes)
        rows.append(HeatRow(name, tuple(cells)))
    counts = Counter(run.drift.state for run in runs).most_common()
    return HeatMapChart(
        "How far each column had moved from what the champion learned from, run by run",
        f"{counted(len(runs), 'monitoring run')}: " + ", ".join(f"{count} {state}" for state, count in counts) + ".",
        tuple(run.at for run in runs),
        tuple((run.drift.state, f"{to_the_minute(run.at)} {run.drift.state}") for run in runs),
        tuple(rows),
    )


def _names(runs: Sequence[MonitoringRun]) -> tuple[str, ...]:
    """The columns most often in alarm, then those that moved farthest."""
    alarms: Counter[str] = Counter()
    farthest: dict[str, float] = {}
    for column in (column for run in runs for column in run.drift.columns):
        alarms[column.name] += column.drifted
        farthest[column.name] = max(farthest.get(column.name, 0.0), column.change.effect)
    ranked = sorted(farthest, key=lambda name: (-alarms[name], -farthest[name], name))
    return tuple(ranked[:SHOWN_COLUMNS])


def _left_out(runs: Sequence[MonitoringRun]) -> list[str]:
    columns = {column.name for run in runs[-DRAWN:] for column in run.drift.columns}
    predictions = columns - {column.name for run in runs[-DRAWN:] for column in run.drift.features}
    counted_as = " (the champion's predictions are counted as one)" if predictions else ""
    notes = {
        f"Drawn are {SHOWN_COLUMNS} of {len(columns)} columns{counted_as}: those most often in alarm, or moved "
        "farthest.": len(columns) > SHOWN_COLUMNS,
        f"Drawn are the newest {DRAWN} of {len(runs)} runs.": len(runs) > DRAWN,
    }
    return [note for note, holds in notes.items() if holds]


def _row(run: MonitoringRun) -> tuple[str, ...]:
    ranked = sorted(run.drift.columns, key=lambda column: -column.change.effect)
    drifted = listed((column.name for column in ranked if column.drifted), most=NAMED) or "none"
    farthest = f"{ranked[0].name} {ranked[0].change.effect:.2f}" if ranked else "none compared"
    return to_the_minute(run.at), run.drift.state, str(run.new_rows), drifted, farthest
