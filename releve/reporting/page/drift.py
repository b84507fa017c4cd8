"""Drift over time: the verdict of each monitoring run, and which columns moved how far."""

from collections import Counter
from collections.abc import Sequence

from releve.core.formatting import counted, listed, to_the_minute
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import Block, FoldedBlock, HeatCell, HeatMapChart, HeatRow, TableBlock, TextBlock
from releve.reporting.messages.monitoring import describe_drift
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.quality import whose

DRAWN = 400  # monitoring runs: with more, each would have less than two pixels
SHOWN_COLUMNS = 24  # of a wide table, the most changed ones
LISTED, NAMED = 200, 6  # rows of the table, and columns that one of them names
OWN_ANSWERS = "own answers"  # the name of the champion's predictions, which are compared like a column
HEADS = ("run (UTC)", "verdict", "new rows", "drifted columns", "the most moved column")


def drift(evidence: PageEvidence) -> list[Block]:
    """Draw the runs, write the newest verdict, and list all."""
    if not evidence.runs:
        return [TextBlock(("Nothing is known of drift yet: no monitoring run was made.",))]
    runs, newest = evidence.runs[-DRAWN:], evidence.runs[-1]
    lines = (f"Newest run, {whose(newest, evidence)}: {newest.drift.state}.", *describe_drift(newest.drift))
    columns = {column.name: column.of_predictions for run in runs for column in run.drift.columns}
    counted_as = " (the champion's predictions are counted as one)" if any(columns.values()) else ""
    left_out = []
    if any(columns.values()):
        left_out.append(f"'{OWN_ANSWERS}' are the model's predictions, which are compared like a column of the table.")
    if len(columns) > SHOWN_COLUMNS:
        first = f"Drawn are {SHOWN_COLUMNS} of {len(columns)} columns{counted_as}"
        left_out.append(f"{first}: those most often in alarm, or moved farthest.")
    if len(evidence.runs) > DRAWN:
        left_out.append(f"Drawn are the newest {DRAWN} of {len(evidence.runs)} runs.")
    table = []
    for run in reversed(evidence.runs[-LISTED:]):
        ranked = sorted(run.drift.columns, key=lambda column: -column.change.effect)
        names = [column.name for column in ranked if column.drifted and not column.of_predictions]
        own = OWN_ANSWERS if any(column.drifted and column.of_predictions for column in ranked) else ""
        drifted = " and ".join(filter(None, (listed(names, most=NAMED), own))) or "none"
        farthest = "none compared"
        if ranked:
            name = OWN_ANSWERS if ranked[0].of_predictions else ranked[0].name
            farthest = f"{name} {ranked[0].change.effect:.2f}"
        table.append((to_the_minute(run.at), run.drift.state, str(run.new_rows), drifted, farthest))
    title = f"The newest {LISTED} runs as a table" if len(evidence.runs) > LISTED else "As a table"
    return [
        TextBlock(lines),
        heat_map(runs),
        *([TextBlock(tuple(left_out))] if left_out else []),
        FoldedBlock(title, (TableBlock(HEADS, tuple(table)),)),
    ]


def heat_map(runs: Sequence[MonitoringRun]) -> HeatMapChart:
    """Draw the columns most often in alarm, then those that moved farthest."""
    alarms: Counter[str] = Counter()
    farthest: dict[str, float] = {}
    for column in (column for run in runs for column in run.drift.columns):
        alarms[column.name] += column.drifted
        farthest[column.name] = max(farthest.get(column.name, 0.0), column.change.effect)
    ranked = sorted(farthest, key=lambda name: (-alarms[name], -farthest[name], name))

    by_name = [{column.name: column for column in run.drift.columns} for run in runs]
    rows = []
    for name in ranked[:SHOWN_COLUMNS]:
        changes = [columns.get(name) for columns in by_name]
        cells = [HeatCell(each.change.effect, each.drifted) if each else None for each in changes]
        of_predictions = any(each.of_predictions for each in changes if each)
        rows.append(HeatRow(OWN_ANSWERS if of_predictions else name, tuple(cells)))
    counts = Counter(run.drift.state for run in runs).most_common()
    return HeatMapChart(
        "How far each column had moved from what the champion learned from, run by run",
        f"{counted(len(runs), 'monitoring run')}: " + ", ".join(f"{count} {state}" for state, count in counts) + ".",
        tuple(run.at for run in runs),
        tuple((run.drift.state, f"{to_the_minute(run.at)} {run.drift.state}") for run in runs),
        tuple(rows),
    )
