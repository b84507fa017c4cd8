"""Drift over time: the state of each look, and which columns moved how far."""

from collections import Counter
from collections.abc import Sequence

from releve.reporting.blocks import Block, FoldedBlock, HeatCell, HeatMapChart, HeatRow, TableBlock, TextBlock
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.figures import told_look
from releve.reporting.page.history import ColumnLook, Look, to_the_minute

DRAWN = 400  # looks: with more, each would have less than two pixels
SHOWN_COLUMNS = 24  # of a wide table, the most changed ones
LISTED, NAMED = 200, 6  # rows of the table, and columns that one of them names
HEADS = ("look (UTC)", "state", "rows new", "columns in alarm", "the most moved column")


def drift(evidence: PageEvidence) -> list[Block]:
    """The picture, what the newest look says, and a table of all."""
    if not evidence.looks:
        return [TextBlock(("Nothing is known of drift yet: nobody has looked (the flow `monitor`).",))]
    looks = evidence.looks[-DRAWN:]
    newest = looks[-1]
    said = TextBlock((f"Newest look, {told_look(newest, evidence)}: {newest.state}.", *newest.drift_reasons))
    return [_picture(looks), said, *_left_out(evidence.looks), _table(evidence.looks)]


def _picture(looks: Sequence[Look]) -> HeatMapChart:
    by_name = [{column.name: column for column in look.columns} for look in looks]
    rows = tuple(HeatRow(name, tuple(_cell(columns.get(name)) for columns in by_name)) for name in _names(looks))
    return HeatMapChart(
        "How far each column had moved from what the champion learned from, look by look",
        _described(looks),
        tuple(look.at for look in looks),
        tuple((look.state, f"{to_the_minute(look.at)} {look.state}") for look in looks),
        rows,
    )


def _cell(column: ColumnLook | None) -> HeatCell | None:
    return HeatCell(column.effect, column.alarm) if column else None


def _names(looks: Sequence[Look]) -> tuple[str, ...]:
    """The columns most often in alarm, then those that moved farthest."""
    most: dict[str, tuple[int, float]] = {}
    for column in (column for look in looks for column in look.columns):
        alarms, effect = most.get(column.name, (0, 0.0))
        most[column.name] = (alarms + column.alarm, max(effect, column.effect))
    ranked = sorted(most, key=lambda name: (-most[name][0], -most[name][1], name))
    return tuple(ranked[:SHOWN_COLUMNS])


def _described(looks: Sequence[Look]) -> str:
    counted = Counter(look.state for look in looks).most_common()
    return f"{len(looks)} looks: " + ", ".join(f"{count} {state}" for state, count in counted) + "."


def _left_out(looks: Sequence[Look]) -> list[Block]:
    seen = {column.name: column for look in looks[-DRAWN:] for column in look.columns}
    answers = " (the champion's answers are counted as one)" if any(one.of_answers for one in seen.values()) else ""
    most = "those most often in alarm, or moved farthest"
    said = []
    if len(seen) > SHOWN_COLUMNS:
        said.append(f"Drawn are {SHOWN_COLUMNS} of {len(seen)} columns{answers}: {most}.")
    if len(looks) > DRAWN:
        said.append(f"Drawn are the newest {DRAWN} of {len(looks)} looks.")
    return [TextBlock(tuple(said))] if said else []


def _table(looks: Sequence[Look]) -> FoldedBlock:
    title = f"The newest {LISTED} looks as a table" if len(looks) > LISTED else "As a table"
    return FoldedBlock(title, (TableBlock(HEADS, tuple(map(_row, reversed(looks[-LISTED:])))),))


def _row(look: Look) -> tuple[str, ...]:
    ranked = sorted(look.columns, key=lambda column: -column.effect)
    alarmed = [column.name for column in ranked if column.alarm]
    more = f" and {len(alarmed) - NAMED} more" if len(alarmed) > NAMED else ""
    farthest = f"{ranked[0].name} {ranked[0].effect:.2f}" if ranked else "none compared"
    return to_the_minute(look.at), look.state, str(look.new_rows), ", ".join(alarmed[:NAMED]) + more or "none", farthest
