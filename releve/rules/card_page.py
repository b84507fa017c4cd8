"""A model card as one HTML page: nothing is loaded from elsewhere, everything is escaped, pictures are drawn as SVG."""

from collections.abc import Callable
from html import escape
from typing import Any

from releve.rules.card import MISSING, Bar, Card, Facts, Intervals, Reliability, Section, Table, Words

WIDTH, LABELS, LINE = 760, 260, 26  # pixels: a picture, the names on its left, a line of it
SQUARE, EDGE = 260, 36  # pixels: the reliability picture, and the room for its axes
LARGEST_DOT = 9.0  # pixels, for the bin with the most rows
STYLE = """
:root { color-scheme: light dark; --ink: #1d2530; --soft: #5b6675; --line: #d9dee5; --mark: #0b6bcb; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #3a4350; --mark: #6cb2ff; --bad: #ff8a80; }
  body { background: #14181e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 62rem; margin: 2rem auto; }
body { padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
.summary { color: var(--soft); margin: .25rem 0 0; }
table { border-collapse: collapse; margin: .5rem 0 1rem; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .28rem .75rem .28rem 0; border-bottom: 1px solid var(--line); }
td, li, p { overflow-wrap: anywhere; } th { color: var(--soft); font-weight: 600; }
.facts th { width: 14rem; font-weight: 400; } .missing { color: var(--bad); font-weight: 700; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .zero { stroke: var(--soft); stroke-dasharray: 4 3; }
svg text.soft { fill: var(--soft); }
svg .mark { stroke: var(--mark); fill: var(--mark); } svg .dot { fill: var(--mark); fill-opacity: .75; }
""".strip()


def page(card: Card) -> str:
    """The whole page."""
    sections = "\n".join(_section(section) for section in card.sections)
    missing = f' <span class="missing">{card.missing} things are MISSING.</span>' if card.missing else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(card.title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>{escape(card.title)}</h1>\n"
        f'<p class="summary">{_marked(card.summary)}.{missing}</p>\n{sections}\n</body>\n</html>\n'
    )


def _section(section: Section) -> str:
    return f"<h2>{escape(section.title)}</h2>\n" + "\n".join(DRAWERS[type(block)](block) for block in section.blocks)


def _facts(block: Facts) -> str:
    rows = "\n".join(f"<tr><th>{escape(name)}</th><td>{_marked(value)}</td></tr>" for name, value in block.lines)
    return f'<table class="facts">\n{rows}\n</table>'


def _table(block: Table) -> str:
    heads = "".join(f"<th>{_marked(head)}</th>" for head in block.heads)
    rows = "\n".join(f"<tr>{''.join(f'<td>{_marked(cell)}</td>' for cell in row)}</tr>" for row in block.rows)
    return f"<table>\n<tr>{heads}</tr>\n{rows}\n</table>"


def _words(block: Words) -> str:
    if block.points:
        return "<ul>\n" + "\n".join(f"<li>{_marked(line)}</li>" for line in block.lines) + "\n</ul>"
    return "\n".join(f"<p>{_marked(line)}</p>" for line in block.lines)


def _intervals(block: Intervals) -> str:
    """One line per interval, on one scale that shows the reference too."""
    if not block.bars:
        return ""
    ends = [block.reference, *(end for bar in block.bars for end in (bar.low, bar.high))]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def place(value: float) -> float:
        return LABELS + 12 + (value - low) / span * (WIDTH - LABELS - 32)

    height, zero = LINE * (len(block.bars) + 1), place(block.reference)
    bars = "\n".join(_bar(bar, place, LINE * number + LINE // 2) for number, bar in enumerate(block.bars))
    bottom = LINE * len(block.bars)
    axis = f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{bottom}"/>'
    ticks = "".join(
        f'<text class="soft" x="{place(end):.1f}" y="{bottom + 16}" text-anchor="{anchor}">{end:+.3g}</text>'
        for end, anchor in ((min(ends), "start"), (max(ends), "end"))
    )
    return _picture(f"{axis}\n{bars}\n{ticks}", WIDTH, height, block.title)


def _bar(bar: Bar, place: Callable[[float], float], y: int) -> str:
    name = bar.name if len(bar.name) <= 38 else f"{bar.name[:37]}…"
    return (
        f'<text x="{LABELS}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
        f'<line class="mark" stroke-width="2" x1="{place(bar.low):.1f}" x2="{place(bar.high):.1f}" y1="{y}" y2="{y}"/>'
        f'<circle class="mark" cx="{place(bar.value):.1f}" cy="{y}" r="4"/>'
    )


def _reliability(block: Reliability) -> str:
    """On the diagonal, a certainty is to be believed; the area of a dot is its share of the rows."""
    most = max((rows for _, _, rows in block.points), default=1)
    side = SQUARE - 2 * EDGE
    dots = "".join(
        f'<circle class="dot" cx="{EDGE + certainty * side:.1f}" cy="{EDGE + (1 - right) * side:.1f}" '
        f'r="{max(2.0, LARGEST_DOT * (rows / most) ** 0.5):.1f}"/>'
        for certainty, right, rows in block.points
    )
    far = EDGE + side
    axes = (
        f'<rect class="axis" fill="none" x="{EDGE}" y="{EDGE}" width="{side}" height="{side}"/>'
        f'<line class="zero" x1="{EDGE}" y1="{far}" x2="{far}" y2="{EDGE}"/>'
        f'<text class="soft" x="{EDGE}" y="{far + 16}">0</text>'
        f'<text class="soft" x="{far}" y="{far + 16}" text-anchor="end">certainty 1</text>'
        f'<text class="soft" x="{EDGE}" y="{EDGE - 8}">1, share right</text>'
    )
    return _picture(f"{axes}\n{dots}", SQUARE, SQUARE, "Reliability: on the diagonal, certainty is to be believed")


def _picture(inside: str, width: int, height: int, title: str) -> str:
    name = escape(title)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<p class="summary">{name}</p>\n<svg role="img" aria-label="{name}" {size}>\n{inside}\n</svg>'


DRAWERS: dict[type, Callable[[Any], str]] = {
    Facts: _facts,
    Table: _table,
    Words: _words,
    Intervals: _intervals,
    Reliability: _reliability,
}


def _marked(text: str) -> str:
    return escape(text).replace(MISSING, f'<span class="missing">{MISSING}</span>')
