"""Intervals side by side, and how far a certainty is to be believed."""

from html import escape

from releve.reporting.drawing.blocks import Bar, Intervals, Reliability
from releve.reporting.drawing.svg import Scale, circle, line, picture, shortened, text

WIDTH, LABELS, LINE = 760, 260, 26  # pixels: a picture, the names on its left, a line of it
SQUARE, EDGE = 260, 36  # pixels: the reliability picture, and the room for its axes
LARGEST_DOT = 9.0  # pixels, for the bin with the most rows


def intervals(block: Intervals) -> str:
    """One line per interval, on one scale that shows the reference too."""
    if not block.bars:
        return ""
    ends = [block.reference, *(end for bar in block.bars for end in (bar.low, bar.high))]
    place = Scale(min(ends), max(ends), LABELS + 12, WIDTH - 20)
    zero, bottom = place(block.reference), LINE * len(block.bars)
    bars = "\n".join(_bar(bar, place, LINE * number + LINE // 2) for number, bar in enumerate(block.bars))
    sides = [
        text(place(end), bottom + 16, f"{end:+.3g}", anchor=anchor)
        for end, anchor in ((min(ends), "start"), (max(ends), "end"))
    ]
    inside = "\n".join([line(zero, 0, zero, bottom, "zero"), bars, *sides])
    return _named(inside, WIDTH, bottom + LINE, block.title)


def _bar(bar: Bar, place: Scale, y: float) -> str:
    name = text(LABELS, y + 4, shortened(bar.name, most=38), anchor="end", soft=False)
    return name + line(place(bar.low), y, place(bar.high), y, "mark", width=2) + circle(place(bar.value), y, 4, "mark")


def reliability(block: Reliability) -> str:
    """On the diagonal, a certainty is to be believed; the area of a dot is its share of the rows."""
    most = max((rows for _, _, rows in block.points), default=1)
    side, far = SQUARE - 2 * EDGE, SQUARE - EDGE
    dots = "".join(
        circle(EDGE + certainty * side, EDGE + (1 - right) * side, max(2.0, LARGEST_DOT * (rows / most) ** 0.5), "dot")
        for certainty, right, rows in block.points
    )
    axes = (
        f'<rect class="axis" x="{EDGE}" y="{EDGE}" width="{side}" height="{side}"/>'
        + line(EDGE, far, far, EDGE, "zero")
        + text(EDGE, far + 16, "0")
        + text(far, far + 16, "certainty 1", anchor="end")
        + text(EDGE, EDGE - 8, "1, share right")
    )
    return _named(f"{axes}\n{dots}", SQUARE, SQUARE, "Reliability: on the diagonal, certainty is to be believed")


def _named(inside: str, width: float, height: float, title: str) -> str:
    return f'<p class="summary">{escape(title)}</p>\n{picture(inside, width=width, height=height, title=title)}'
