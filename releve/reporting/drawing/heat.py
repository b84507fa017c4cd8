"""Columns x looks: how far each column had moved, and where that was an alarm."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from html import escape

from releve.reporting.drawing.blocks import Cell, HeatMap, HeatRow
from releve.reporting.drawing.markup import scrolled
from releve.reporting.drawing.svg import (
    legend,
    moments,
    number,
    path,
    picture,
    rectangle,
    sample,
    shortened,
    spread,
    text,
)

WIDEST, LABELS, RIGHT = 940, 170, 10  # pixels: the picture, the names of the columns, the edge
LINE, GAP, BELOW = 18, 8, 22  # pixels: a line, what parts the states from the columns, the names of moments
WIDEST_CELL = 30.0  # pixels
LABEL = 78  # pixels that the name of a moment takes
NARROW = 7.0  # pixels below which a cell has no room for a sign
EDGES = (0.05, 0.1, 0.2, 0.4)  # effects (0-1) at which a cell takes the next darker shade
STATES = {  # of a look: its shade, and its sign, so that no colour has to be told apart
    "no drift": ("e1", ""),
    "drift suspected": ("a1", "?"),
    "drift": ("a3", "!"),
    "broken data": ("f5", "x"),
    "insufficient data": ("e0", "·"),
}
OTHER = ("e0", "·")


def heat_map(block: HeatMap) -> str:
    """A line for the states of the looks, then one per column."""
    cell = min(WIDEST_CELL, (WIDEST - LABELS - RIGHT) / max(len(block.times), 1))
    width = max(LABELS + cell * len(block.times) + RIGHT, LABELS + LABEL)
    height = LINE + GAP + LINE * len(block.rows) + BELOW
    parts = [
        text(LABELS - 8, LINE - 5, "state of the look", anchor="end"),
        *_states(block.states, cell),
        *(_row(row, LINE + GAP + LINE * place, cell) for place, row in enumerate(block.rows)),
        *_moments(block.times, cell, height - 6),
    ]
    drawn = picture("\n".join(parts), width=width, height=height, title=block.title, description=block.description)
    return f'<p class="summary">{escape(block.title)}</p>\n{_legend(block)}\n{scrolled(drawn, block.title)}'


def shade(effect: float) -> int:
    """0 for hardly moved to 4 for another table."""
    return bisect_right(EDGES, effect)


def _states(states: Sequence[tuple[str, str]], cell: float) -> Iterator[str]:
    for place, (state, note) in enumerate(states):
        kind, sign = STATES.get(state, OTHER)
        x = LABELS + place * cell
        yield rectangle(x, 2, cell - _seam(cell), LINE - 4, kind, note=note)
        if sign and cell >= NARROW:
            yield text(x + cell / 2, LINE - 5, sign, anchor="middle", soft=False)


def _row(row: HeatRow, y: float, cell: float) -> str:
    """Neighbours of one shade are one rectangle, and all rectangles of one shade are one path."""
    paths: dict[str, list[str]] = {}
    for start, end, kind in _runs([_kind(one) for one in row.cells]):
        step = f"M{number(LABELS + start * cell)} {number(y)}h{number((end - start) * cell - _seam(cell))}v{LINE - 2}"
        paths.setdefault(kind, []).append(f"{step}H{number(LABELS + start * cell)}z")
    drawn = "".join(path("".join(steps), kind) for kind, steps in paths.items())
    name = text(LABELS - 8, y + 12, shortened(row.name, most=24), anchor="end", soft=False)
    return f"<g><title>{escape(row.name)}</title>{name}{drawn}</g>"


def _kind(cell: Cell | None) -> str:
    return "" if cell is None else f"{'a' if cell.alarm else 'e'}{shade(cell.effect)}"


def _runs(kinds: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of neighbours that are alike; nothing where nothing was compared."""
    start = 0
    for place in range(1, len(kinds) + 1):
        if place == len(kinds) or kinds[place] != kinds[start]:
            if kinds[start]:
                yield start, place, kinds[start]
            start = place


def _seam(cell: float) -> float:
    return 1.0 if cell >= NARROW else 0.0


def _moments(times: Sequence[str], cell: float, y: float) -> Iterator[str]:
    names = moments(times)
    most = max(1, int(cell * len(times) // LABEL))
    for place in spread(len(times), most=most):
        yield text(LABELS + place * cell, y, names[place])


def _legend(block: HeatMap) -> str:
    seen = [state for state in STATES if any(state == one for one, _ in block.states)]
    entries = [(sample(rectangle(6, 1, 14, 12, STATES[state][0]) + _sign(state)), state) for state in seen]
    if block.rows:
        shades = [
            ("e0", f"effect below {EDGES[0]:g}"),
            ("e4", f"{EDGES[-1]:g} and more"),
            ("a3", "alarm, stronger: larger"),
        ]
        entries += [(sample(rectangle(0, 1, 26, 12, kind)), name) for kind, name in shades]
    return legend(entries)


def _sign(state: str) -> str:
    sign = STATES[state][1]
    return text(13, 11, sign, anchor="middle", soft=False) if sign else ""
