"""Intervals side by side, how reliable a certainty is, and small grey pictures."""

from releve.reporting.blocks import ImageRow, IntervalChart, ReliabilityChart
from releve.reporting.charts import svg
from releve.reporting.charts.svg import Drawing, Scale

LABELS, CHARACTER, LINE = 0.32, 7, 26  # the names' share of the width; pixels of a character and of a line
SQUARE, EDGE = 300.0, 36.0  # pixels: the reliability chart, and its axes
LARGEST_DOT = 9.0  # pixels, for the bin with the most rows
IMAGE, PIXEL = 120.0, 96.0  # pixels: the place of a small picture, and the picture


def draw_intervals(chart: IntervalChart, width: float) -> Drawing:
    """Draw a line per interval, on one scale that shows the reference too."""
    left = LABELS * width
    low = min([chart.reference, *(bar.interval.low for bar in chart.bars)])
    high = max([chart.reference, *(bar.interval.high for bar in chart.bars)])
    x = Scale(low, high, left + 12, width - 20)
    bottom = LINE * len(chart.bars)
    shapes = [svg.line(x(chart.reference), 0, x(chart.reference), bottom, "zero")]
    for number, bar in enumerate(chart.bars):
        y = LINE * number + LINE // 2
        name = svg.shorten(bar.name, most=int(left // CHARACTER))
        shapes += [
            svg.text(left, y + 4, name, anchor="end", kind=None),
            svg.line(x(bar.interval.low), y, x(bar.interval.high), y, "mark thick"),
            svg.circle(x(bar.interval.value), y, 4, "mark", note=bar.name),
        ]
    shapes += [svg.text(x(low), bottom + 16, f"{low:+.3g}")]
    shapes += [svg.text(x(high), bottom + 16, f"{high:+.3g}", anchor="end")]
    return Drawing(width, bottom + LINE, chart.title, "", tuple(shapes))


def draw_reliability(chart: ReliabilityChart, width: float) -> Drawing:
    """Draw a dot per bin: on the diagonal a certainty is reliable; the area of a dot is its share of the rows."""
    most = max((rows for _, _, rows in chart.points), default=1)
    square = min(SQUARE, width)
    side, far = square - 2 * EDGE, square - EDGE
    shapes = [
        svg.rectangle(EDGE, EDGE, side, side, "axis"),
        svg.line(EDGE, far, far, EDGE, "zero"),
        svg.text(EDGE, far + 16, "0"),
        svg.text(far, far + 16, "certainty 1", anchor="end"),
        svg.text(EDGE, EDGE - 8, "1, share right"),
    ]
    for certainty, right, rows in chart.points:
        radius = max(2.0, LARGEST_DOT * (rows / most) ** 0.5)
        shapes.append(svg.circle(EDGE + certainty * side, EDGE + (1 - right) * side, radius, "dot"))
    return Drawing(square, square, chart.title, "", tuple(shapes))


def draw_images(row: ImageRow, width: float) -> Drawing:
    """Draw small grey pictures with their titles, as many beside each other as fit."""
    across = max(1, int(width // IMAGE))
    shapes = []
    for number, image in enumerate(row.images):
        x, y = IMAGE * (number % across), (IMAGE + 6) * (number // across)
        size = PIXEL / max(len(image.rows), 1)
        shapes += [svg.text(x, y + 13, image.title, kind=None), svg.rectangle(x, y + 20, PIXEL, PIXEL, "paper")]
        for down, cells in enumerate(image.rows):
            for over, ink in enumerate(cells):
                if ink > 0:
                    at = {"x": x + over * size, "y": y + 20 + down * size, "width": size, "height": size}
                    shapes.append(svg.element("rect", **at, fill_opacity=f"{ink:.2f}", class_="ink"))
    rows = -(-len(row.images) // across)
    wide = IMAGE * min(across, max(len(row.images), 1))
    return Drawing(wide, (IMAGE + 6) * rows, row.title, "", tuple(shapes))
