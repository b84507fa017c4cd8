"""Figures over windows: dots with intervals, lines or bars, the expected figure, and what happened between them."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median_low

from markupsafe import Markup

from releve.reporting.blocks import ChartPoint, ChartSeries, MarkKind, SeriesStyle, TimelineChart
from releve.reporting.charts import svg
from releve.reporting.charts.svg import PALETTE, Drawing, Scale

LEFT, RIGHT, TOP, BOTTOM = 52, 14, 10, 26  # pixels around the plot
HEIGHT = 230  # pixels of the plot
CROWDED = 10  # pixels between two windows, below which their intervals are drawn as one area
STROKE = 8  # pixels to each side, of a figure that has no neighbours
LABEL = 84  # pixels that the label of a moment takes
LANES = {MarkKind.RELEASE: 7, MarkKind.ROLLBACK: 19, MarkKind.REFUSAL: 31}  # signs of one day must not overlap
STRETCH = 0.06  # of the scale, above and below what is drawn


def draw_timeline(chart: TimelineChart, width: float) -> Drawing:
    """Draw windows from left to right, each with its figures."""
    x = Scale(-0.5, max(len(chart.times), 1) - 0.5, LEFT, width - RIGHT)
    top = TOP + (max(LANES.values()) if chart.marks else 0)
    y = Scale(*_reach(chart), top + HEIGHT, top)
    shapes = []
    for tick in svg.ticks(y.low, y.high, about=8):
        shapes += [svg.line(x.start, y(tick), x.end, y(tick), "axis")]
        shapes += [svg.text(LEFT - 8, y(tick) + 4, f"{tick:.4g}", anchor="end")]
    shown = svg.spread(len(chart.times), most=int((x.end - x.start) // LABEL))
    for place, label in svg.time_labels(chart.times, shown).items():
        at = min(max(x(place), LABEL / 2), x.end + RIGHT - LABEL / 2)  # centred, but never cut off
        shapes += [svg.line(x(place), y.start, x(place), y.start + 4, "zero")]
        shapes += [svg.text(at, y.start + 18, label, anchor="middle")]
    for band in chart.bands:
        start, end, expected = x(band.start), x(band.end), band.expected
        above, below = y(expected.high), y(expected.low)
        shapes += [svg.rectangle(start, above, end - start, below - above, "band", note=band.note)]
        shapes += [svg.line(start, y(expected.value), end, y(expected.value), "expected")]
    for mark in chart.marks:
        at, lane = x(mark.x), LANES[mark.kind]
        shapes += [svg.line(at, lane, at, y.start, f"{CLASSES[mark.kind]} event")]
        shapes += [SIGNS[mark.kind](at, lane, mark.note)]
        if len(chart.times) == 1:  # nothing else tells what happened when
            is_late = at > (x.start + x.end) / 2
            beside, anchor = (at - 9, "end") if is_late else (at + 9, "start")
            shapes += [svg.text(beside, lane + 4, mark.kind.value, anchor=anchor)]
    for series in chart.series:
        shapes += DRAWN[series.style](series, x, y)
    return Drawing(width, y.start + BOTTOM, chart.title, chart.description, tuple(shapes))


def timeline_legend(chart: TimelineChart) -> list[tuple[Markup, str]]:
    """List a sample and a name for all that is drawn. A lone series of bars needs none."""
    marks = [kind for kind in SIGNS if any(mark.kind == kind for mark in chart.marks)]
    entries = []
    for series in chart.series:
        if series.points:
            point = ChartPoint(1, 7, None if series.style == SeriesStyle.LINE else (1, 13))
            alone = ChartSeries("", series.style, (point,), series.colour)
            sample = DRAWN[series.style](alone, Scale(0, 2, 0, 26), Scale(0, 14, 14, 0))
            entries.append((svg.joined(*sample), series.name))
    if len(entries) == 1 and not marks and not chart.bands:
        return []
    if chart.bands:
        band = svg.joined(svg.rectangle(0, 2, 26, 10, "band"), svg.line(0, 7, 26, 7, "expected"))
        entries.append((band, "expected at release, with its interval"))
    return [*entries, *((SIGNS[kind](13, 7, ""), kind.value) for kind in marks)]


def _reach(chart: TimelineChart) -> tuple[float, float]:
    """Find the ends of the scale. It shows most intervals whole; the widest ones, of few rows, must not squeeze the
    rest."""
    points = [point for series in chart.series for point in series.points]
    values = [*(point.value for point in points), *(band.expected.value for band in chart.bands)]
    if not values:
        return 0.0, 1.0
    measured = [(point.value, *point.ends) for point in points if point.ends]
    expected = [(band.expected.value, band.expected.low, band.expected.high) for band in chart.bands]
    ends = [end for _, *both in (*measured, *expected) for end in both]
    usual = [
        median_low(max(value - low, high - value) for value, low, high in each) for each in (measured, expected) if each
    ]
    margin = max([max(values) - min(values), *usual]) or abs(values[0]) * 0.1 or 1.0
    low = max(min([*values, *ends]), min(values) - margin)
    high = min(max([*values, *ends]), max(values) + margin)
    if chart.from_zero:
        return 0.0, high * (1 + STRETCH) or 1.0
    spare = STRETCH * ((high - low) or margin)
    return low - spare, high + spare


def _scores(series: ChartSeries, x: Scale, y: Scale) -> Iterator[Markup]:
    yield from _intervals(series, x, y)
    for run in _unbroken(series.points):
        if len(run) > 1:
            yield svg.polyline([(x(point.x), y(point.value)) for point in run], f"c{_colour(series)} series")
    for point in series.points:
        yield svg.circle(x(point.x), y(point.value), _radius(x), f"f{_colour(series)}", note=point.note)


def _estimates(series: ChartSeries, x: Scale, y: Scale) -> Iterator[Markup]:
    yield from _intervals(series, x, y)
    size = _radius(x) + 1.2
    for point in series.points:
        diamond = svg.steps("M", x(point.x), y(point.value) - size, "l", size, size, -size, size, -size, -size, "z")
        yield svg.path(diamond, f"c{_colour(series)} open", note=point.note)


def _line(series: ChartSeries, x: Scale, y: Scale) -> Iterator[Markup]:
    """A line through windows that follow each other, and a stroke for one that stands alone."""
    for run in _unbroken(series.points):
        places = [(x(point.x), y(point.value)) for point in run]
        if len(places) == 1:
            ((across, down),) = places
            places = [(across - STROKE, down), (across + STROKE, down)]
        yield svg.polyline(places, f"c{_colour(series)} series dash{_colour(series)}")


def _bars(series: ChartSeries, x: Scale, y: Scale) -> Iterator[Markup]:
    width = max(1.5, min(18.0, 0.6 * (x(1) - x(0))))
    for point in series.points:
        left, height = x(point.x) - width / 2, max(1.0, y.start - y(point.value))
        yield svg.rectangle(left, y.start - height, width, height, f"f{_colour(series)}", note=point.note)


def _intervals(series: ChartSeries, x: Scale, y: Scale) -> Iterator[Markup]:
    """Upright lines, or areas where windows are so close that lines would cover the plot."""
    known = [point for point in series.points if point.ends]
    is_crowded = x(1) - x(0) < CROWDED
    for run in _unbroken(known) if is_crowded else [[point] for point in known]:
        ends = [(x(point.x), *map(y, point.ends)) for point in run if point.ends]
        if len(ends) == 1:
            ((across, low, high),) = ends
            yield svg.line(across, low, across, high, f"c{_colour(series)}")
            continue
        around = [(across, high) for across, _, high in ends] + [(across, low) for across, low, _ in reversed(ends)]
        yield svg.path(svg.steps("M", *(end for place in around for end in place), "z"), f"f{_colour(series)} interval")


def _unbroken(points: Sequence[ChartPoint]) -> list[list[ChartPoint]]:
    """Split into runs of neighbours: a window without a figure parts them."""
    runs: list[list[ChartPoint]] = []
    for point in points:
        if runs and point.x - runs[-1][-1].x <= 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _radius(x: Scale) -> float:
    return max(1.6, min(4.0, 0.3 * (x(1) - x(0))))


def _colour(series: ChartSeries) -> int:
    return series.colour % PALETTE


CLASSES = {MarkKind.RELEASE: "release", MarkKind.ROLLBACK: "rollback", MarkKind.REFUSAL: "refusal"}
SIGNS: dict[MarkKind, Callable[[float, float, str], Markup]] = {
    MarkKind.RELEASE: lambda x, y, note: svg.path(svg.steps("M", x, y - 5, "l 5 9 h -10 z"), "release", note=note),
    MarkKind.ROLLBACK: lambda x, y, note: svg.path(svg.steps("M", x, y + 5, "l 5 -9 h -10 z"), "rollback", note=note),
    MarkKind.REFUSAL: lambda x, y, note: svg.path(
        svg.steps("M", x - 4, y - 4, "l 8 8 m 0 -8 l -8 8"), "refusal", note=note
    ),
}
DRAWN: dict[SeriesStyle, Callable[[ChartSeries, Scale, Scale], Iterator[Markup]]] = {
    SeriesStyle.SCORES: _scores,
    SeriesStyle.ESTIMATES: _estimates,
    SeriesStyle.LINE: _line,
    SeriesStyle.BARS: _bars,
}
