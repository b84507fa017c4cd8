"""Figures over windows: dots with intervals, lines or bars, what was promised, and what happened between them."""

from collections.abc import Callable, Sequence
from html import escape

from releve.reporting.drawing.blocks import (
    BACK,
    BARS,
    ESTIMATES,
    LINE,
    REFUSAL,
    RELEASE,
    SCORES,
    Band,
    Mark,
    Point,
    Series,
    Timeline,
)
from releve.reporting.drawing.markup import scrolled
from releve.reporting.drawing.style import COLOURS
from releve.reporting.drawing.svg import (
    Scale,
    circle,
    legend,
    line,
    moments,
    number,
    path,
    picture,
    polyline,
    rectangle,
    sample,
    spread,
    text,
    ticks,
)

WIDEST, NARROWEST, ROOMY = 940, 420, 34  # pixels: a picture with many windows, with few, and room for each of few
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 10, 26  # pixels around the plot
PLOT = 210  # pixels of height
CROWDED = 10  # pixels between two windows, below which their intervals are drawn as one area
STROKE = 8  # pixels to each side, of a figure that has no neighbours
LABEL = 78  # pixels that the name of a moment takes
LANES = {RELEASE: 7, BACK: 19, REFUSAL: 31}  # pixels from the top: signs of one day may not cover each other
STRETCH = 0.06  # of the scale, above and below what is drawn

Scales = tuple[Scale, Scale]


def timeline(block: Timeline) -> str:
    """A picture that keeps its size and scrolls where the page is narrow, and its legend."""
    count = len(block.times)
    width = min(WIDEST, max(NARROWEST, LEFT + RIGHT + ROOMY * count))
    x = Scale(-0.5, max(count, 1) - 0.5, LEFT, width - RIGHT)
    low, high = _reach(block)
    top = TOP + (max(LANES.values()) if block.marks else 0)
    y = Scale(low, high, top + PLOT, top)
    parts = [
        *_frame(block, x, y),
        *(_band(band, (x, y)) for band in block.bands),
        *(_mark(mark, (x, y)) for mark in block.marks),
        *(DRAWN[series.style](series, (x, y)) for series in block.series),
    ]
    drawn = picture(
        "\n".join(parts), width=width, height=y.start + BOTTOM, title=block.title, description=block.description
    )
    return f'<p class="summary">{escape(block.title)}</p>\n{_legend(block)}\n{scrolled(drawn, block.title)}'


def _reach(block: Timeline) -> tuple[float, float]:
    """Ends of the scale. Intervals of a few rows reach far and say little: they may not squeeze the rest."""
    values = [*(point.value for point in _points(block)), *(band.value for band in block.bands)]
    if not values:
        return 0.0, 1.0
    room = (max(values) - min(values)) or abs(values[0]) * 0.1 or 1.0
    ends = [end for point in _points(block) for end in point.ends]
    ends += [end for band in block.bands for end in (band.low, band.high)]
    low = max(min([*values, *ends]), min(values) - room)
    high = min(max([*values, *ends]), max(values) + room)
    if block.from_zero:
        return 0.0, high * (1 + STRETCH) or 1.0
    spare = STRETCH * ((high - low) or room)
    return low - spare, high + spare


def _points(block: Timeline) -> list[Point]:
    return [point for series in block.series for point in series.points]


def _frame(block: Timeline, x: Scale, y: Scale) -> list[str]:
    """Lines across at round figures, and the names of some windows below."""
    names = moments(block.times)
    shown = spread(len(names), most=max(1, int((x.end - x.start) // LABEL)))
    return [
        *(
            line(x.start, y(tick), x.end, y(tick), "axis") + text(LEFT - 8, y(tick) + 4, f"{tick:.4g}", anchor="end")
            for tick in ticks(y.low, y.high, about=6)
        ),
        *(line(x(place), y.start, x(place), y.start + 4, "zero") for place in shown),
        *(_moment(x(place), names[place], (x, y)) for place in shown),
    ]


def _moment(at: float, name: str, scales: Scales) -> str:
    """Centred below its place, but never cut off on the right."""
    x, y = scales
    return text(min(at, x.end + RIGHT - LABEL / 2), y.start + 18, name, anchor="middle")


def _band(band: Band, scales: Scales) -> str:
    x, y = scales
    start, width = x(band.start), x(band.end) - x(band.start)
    area = rectangle(start, y(band.high), width, y(band.low) - y(band.high), "band", note=band.note)
    return area + line(start, y(band.value), start + width, y(band.value), "promise")


def _scores(series: Series, scales: Scales) -> str:
    """A dot each, its interval, and a line through the dots of windows that follow each other."""
    x, y = scales
    dot = _dot_radius(x)
    through = "".join(
        polyline([(x(point.x), y(point.value)) for point in run], f"{_colour(series)} series")
        for run in _unbroken(series.points)
        if len(run) > 1
    )
    dots = "".join(circle(x(point.x), y(point.value), dot, _fill(series), note=point.note) for point in series.points)
    return _intervals(series, scales) + through + dots


def _estimates(series: Series, scales: Scales) -> str:
    """A hollow diamond each, and its interval."""
    x, y = scales
    return _intervals(series, scales) + "".join(
        path(_diamond(x(point.x), y(point.value), _dot_radius(x) + 1.2), f"{_colour(series)} open", note=point.note)
        for point in series.points
    )


def _line(series: Series, scales: Scales) -> str:
    """A line through windows that follow each other, and a stroke for one that stands alone."""
    x, y = scales
    runs = [[(x(point.x), y(point.value)) for point in run] for run in _unbroken(series.points)]
    return "".join(polyline(run if len(run) > 1 else _stroke(*run[0]), f"{_colour(series)} series") for run in runs)


def _stroke(x: float, y: float) -> list[tuple[float, float]]:
    return [(x - STROKE, y), (x + STROKE, y)]


def _unbroken(points: Sequence[Point]) -> list[list[Point]]:
    """Runs of neighbours: a window without a figure parts them."""
    runs: list[list[Point]] = []
    for point in points:
        if runs and point.x - runs[-1][-1].x <= 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _bars(series: Series, scales: Scales) -> str:
    """An upright bar each, from zero."""
    x, y = scales
    width = max(1.5, min(18.0, 0.6 * (x(1) - x(0))))
    return "".join(
        rectangle(x(p.x) - width / 2, y(p.value), width, max(1.0, y.start - y(p.value)), _fill(series), note=p.note)
        for p in series.points
    )


def _dot_radius(x: Scale) -> float:
    return max(1.6, min(4.0, 0.3 * (x(1) - x(0))))


def _intervals(series: Series, scales: Scales) -> str:
    """Upright lines, or areas where windows are so close that lines would cover the picture."""
    x, _ = scales
    known = [point for point in series.points if point.ends]
    if x(1) - x(0) >= CROWDED:
        return "".join(_upright(point, scales, _colour(series)) for point in known)
    runs = _unbroken(known)
    return "".join(
        _area(run, scales, _fill(series)) if len(run) > 1 else _upright(run[0], scales, _colour(series)) for run in runs
    )


def _upright(point: Point, scales: Scales, kind: str) -> str:
    x, y = scales
    low, high = point.ends
    return line(x(point.x), y(low), x(point.x), y(high), kind)


def _area(points: Sequence[Point], scales: Scales, kind: str) -> str:
    x, y = scales
    above = [(x(point.x), y(point.ends[1])) for point in points]
    below = [(x(point.x), y(point.ends[0])) for point in reversed(points)]
    around = " ".join(f"{number(across)} {number(down)}" for across, down in (*above, *below))
    return path(f"M{around}z", f"{kind} doubt")


def _diamond(x: float, y: float, size: float) -> str:
    return f"M{number(x)} {number(y - size)}l{number(size)} {number(size)} {number(-size)} {number(size)} " + (
        f"{number(-size)} {number(-size)}z"
    )


def _mark(mark: Mark, scales: Scales) -> str:
    """A line through the plot, and a sign above it that can be pointed at."""
    x, y = scales
    at, lane = x(mark.x), LANES[mark.kind]
    return line(at, lane, at, y.start, f"{mark.kind} event") + SIGNS[mark.kind](at, lane, mark.note)


SIGNS: dict[str, Callable[[float, float, str], str]] = {
    RELEASE: lambda x, y, note: path(f"M{number(x)} {number(y - 5)}l5 9h-10z", "release", note=note),
    BACK: lambda x, y, note: path(f"M{number(x)} {number(y + 5)}l5 -9h-10z", "rollback", note=note),
    REFUSAL: lambda x, y, note: path(f"M{number(x - 4)} {number(y - 4)}l8 8m0 -8l-8 8", "refusal", note=note),
}
DRAWN: dict[str, Callable[[Series, Scales], str]] = {
    SCORES: _scores,
    ESTIMATES: _estimates,
    LINE: _line,
    BARS: _bars,
}
MARK_NAMES = {RELEASE: "release", BACK: "rollback or withdrawal", REFUSAL: "challenger refused"}


def _colour(series: Series) -> str:
    return f"c{series.colour % COLOURS}"


def _fill(series: Series) -> str:
    return f"f{series.colour % COLOURS}"


def _legend(block: Timeline) -> str:
    """What is drawn, and nothing else. A lone series of bars needs none."""
    marks = [kind for kind in SIGNS if any(mark.kind == kind for mark in block.marks)]
    entries = [(_series_sample(series), series.name) for series in block.series if series.points]
    if len(entries) == 1 and not marks and not block.bands:
        return ""
    entries += [(sample(rectangle(0, 2, 26, 10, "band") + line(0, 7, 26, 7, "promise")), "promise")] * bool(block.bands)
    entries += [(sample(SIGNS[kind](13, 7, "")), MARK_NAMES[kind]) for kind in marks]
    return legend(entries)


def _series_sample(series: Series) -> str:
    scales = (Scale(0, 26, 0, 26), Scale(0, 14, 14, 0))
    places = (Point(13, 7),) if series.style == LINE else (Point(13, 7, 1, 13),)
    return sample(DRAWN[series.style](Series("", series.style, places, series.colour), scales))
