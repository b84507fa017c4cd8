"""Columns x monitoring runs: how far each column had moved, and where that was an alarm."""

from bisect import bisect_right
from itertools import groupby

from markupsafe import Markup

from releve.reporting.blocks import HeatMapChart, HeatRow
from releve.reporting.charts import svg
from releve.reporting.charts.svg import Drawing

LABELS, RIGHT = 0.19, 10  # the names of the columns, as a share of the width; the edge in pixels
LINE, GAP, BELOW = 18, 8, 22  # pixels: a line, between the states and the columns, the labels of moments
LABEL = 84  # pixels that the label of a moment takes
CHARACTER = 7  # pixels
OVERLAP = -1.0  # pixels, so that narrow neighbours leave no seam
WIDEST = 48.0  # pixels of a cell: a few runs must not look like bars
NARROW = 7.0  # pixels below which a cell has no space for a sign
EDGES = (0.05, 0.1, 0.2, 0.4)  # effects (0-1) at which a cell takes the next darker shade
STATES = {  # of a monitoring run: its shade, and its sign, so that nobody has to tell colours apart
    "no drift": ("e1", ""),
    "drift suspected": ("a1", "?"),
    "drift": ("a3", "!"),
    "broken data": ("f5", "x"),
    "insufficient data": ("e0", "·"),
}


def draw_heat_map(chart: HeatMapChart, width: float) -> Drawing:
    """Draw a line for the states of the runs, then one per column."""
    left = max(110.0, LABELS * width)
    count = max(len(chart.times), 1)
    cell = min((width - left - RIGHT) / count, WIDEST)
    seam = 1.0 if cell >= NARROW else 0.0
    height = LINE + GAP + LINE * len(chart.rows) + BELOW
    shapes = [svg.text(left - 8, LINE - 5, "verdict", anchor="end")]
    for place, (state, note) in enumerate(chart.states):
        kind, sign = STATES.get(state, ("e0", "·"))
        shapes.append(svg.rectangle(left + place * cell, 2, cell - (seam or OVERLAP), LINE - 4, kind, note=note))
        if sign and cell >= NARROW:
            shapes.append(svg.text(left + (place + 0.5) * cell, LINE - 5, sign, anchor="middle", kind=f"on-{kind}"))
    for number, row in enumerate(chart.rows):
        shapes.append(_row(row, LINE + GAP + LINE * number, left, cell, seam))
    shown = svg.spread(len(chart.times), most=max(1, int(cell * count // LABEL)))
    for place, label in svg.time_labels(chart.times, shown).items():
        shapes.append(svg.text(min(left + place * cell, width - LABEL), height - 6, label))
    return Drawing(width, height, chart.title, chart.description, tuple(shapes))


def heat_map_legend(chart: HeatMapChart) -> list[tuple[Markup, str]]:
    """List a sample and a name for all that is drawn."""
    entries = []
    for state, (kind, sign) in STATES.items():
        if any(state == one for one, _ in chart.states):
            signed = [svg.text(13, 11, sign, anchor="middle", kind=f"on-{kind}")] if sign else []
            entries.append((svg.joined(svg.rectangle(6, 1, 14, 12, kind), *signed), state))
    shades = {
        "e0": f"effect below {EDGES[0]:g}",
        "e4": f"{EDGES[-1]:g} and more",
        "a3": "alarm: the darker, the farther the column moved",
    }
    return entries + [(svg.rectangle(0, 1, 26, 12, kind), name) for kind, name in shades.items() if chart.rows]


def shade(effect: float) -> int:
    """Return 0 for hardly moved to 4 for another table."""
    return bisect_right(EDGES, effect)


def _row(row: HeatRow, y: float, left: float, cell: float, seam: float) -> Markup:
    """Neighbours of one shade are one rectangle, and all rectangles of one shade are one path."""
    kinds = [None if each is None else f"{'a' if each.alarm else 'e'}{shade(each.effect)}" for each in row.cells]
    paths: dict[str, list[str]] = {}
    for kind, places in groupby(range(len(kinds)), key=kinds.__getitem__):
        if kind:  # nothing is drawn where nothing was compared
            start, *rest = places
            x, wide = left + start * cell, (1 + len(rest)) * cell - seam
            paths.setdefault(kind, []).append(svg.steps("M", x, y, "h", wide, "v", LINE - 2.0, "H", x, "z"))
    name = svg.shorten(row.name, most=int((left - 8) // CHARACTER))
    return svg.element(
        "g",
        svg.element("title", row.name),
        svg.text(left - 8, y + 12, name, anchor="end", kind=None),
        *(svg.path(svg.steps(*steps), kind) for kind, steps in paths.items()),
    )
