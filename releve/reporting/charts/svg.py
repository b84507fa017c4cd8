"""Shapes, scales and labels of charts. Coordinates are pixels, y grows downwards; every text is escaped."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

STEPS = (1, 2, 2.5, 5, 10)  # of a scale, times a power of ten
PALETTE = 6  # colours of series (page.css: --c0 to --c5)


@dataclass(frozen=True)
class Scale:
    """Maps `low` .. `high` to `start` .. `end` pixels; values outside are drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def ticks(low: float, high: float, *, about: int = 5) -> tuple[float, ...]:
    """List about so many round figures within low .. high."""
    if not high > low:
        return (low,)
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in STEPS if power * one >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1))


def spread(count: int, *, most: int) -> tuple[int, ...]:
    """Choose at most `most` of the places 0 .. count - 1, evenly, the first one among them."""
    step = max(1, math.ceil(count / max(most, 1)))
    return tuple(range(0, count, step))


def time_labels(times: Sequence[str], shown: Sequence[int]) -> dict[int, str]:
    """Label the places in `shown`, as shortly as tells them apart; no text appears twice.

    Days where each has one of its own; the hour within a single day, with seconds where minutes repeat; both
    otherwise. Names that are no times stay as they are. A label that still repeats is left out.
    """
    stamps = {place: times[place].replace("T", " ") for place in shown}
    if all(len(stamp) >= 16 and stamp[10] == " " for stamp in stamps.values()) and stamps:
        days = {stamp[:10] for stamp in stamps.values()}
        within_a_day = len(days) == 1 and len(stamps) > 1
        cuts = [(11, 16), (11, 19), (5, 16), (5, 19)] if within_a_day else [(0, 10), (5, 16), (5, 19)]
        fitting = (cut for cut in cuts if len({stamp[cut[0] : cut[1]] for stamp in stamps.values()}) == len(stamps))
        start, end = next(fitting, cuts[-1])
        stamps = {place: stamp[start:end] for place, stamp in stamps.items()}
    unique: dict[str, int] = {}
    for place, label in stamps.items():
        unique.setdefault(label, place)
    return {place: label for label, place in unique.items()}


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Write an SVG element; `class_` and `text_anchor` stand for class and text-anchor, None is left out.

    Children that are no Markup are escaped, as attributes are. Coordinates have a tenth of a pixel.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    if not children:
        return Markup("<{}{}/>").format(name, written)
    return Markup("<{}{}>{}</{}>").format(name, written, Markup("").join(children), name)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", class_=kind, x1=x1, y1=y1, x2=x2, y2=y2)


def circle(x: float, y: float, radius: float, kind: str, *, note: str = "") -> Markup:
    return element("circle", *_title(note), class_=kind, cx=x, cy=y, r=radius)


def rectangle(x: float, y: float, width: float, height: float, kind: str, *, note: str = "") -> Markup:
    return element("rect", *_title(note), class_=kind, x=x, y=y, width=width, height=height)


def path(steps: str, kind: str, *, note: str = "") -> Markup:
    return element("path", *_title(note), class_=kind, d=steps)


def polyline(places: Iterable[tuple[float, float]], kind: str) -> Markup:
    return element("polyline", class_=kind, points=" ".join(f"{_short(x)},{_short(y)}" for x, y in places))


def text(x: float, y: float, words: str, *, anchor: str | None = None, kind: str | None = "soft") -> Markup:
    return element("text", words, class_=kind, x=x, y=y, text_anchor=anchor)


def steps(*parts: str | float) -> str:
    """Join the commands and coordinates of a path."""
    return " ".join(part if isinstance(part, str) else str(_short(part)) for part in parts)


def shorten(name: str, *, most: int) -> str:
    """Cut a name that has more characters than fit."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def joined(*shapes: Markup) -> Markup:
    """Join shapes."""
    return Markup("").join(shapes)


@dataclass(frozen=True)
class Drawing:
    """A chart of `width` x `height` pixels, with its name, and a description for those who cannot see it."""

    width: float
    height: float
    title: str
    description: str
    shapes: tuple[Markup, ...]

    def __html__(self) -> str:
        """Write it as an SVG element; templates call this."""
        return element(
            "svg",
            element("title", self.title),
            *([element("desc", self.description)] if self.description else []),
            *self.shapes,
            role="img",
            aria_label=f"{self.title}. {self.description}" if self.description else self.title,
            viewBox=f"0 0 {_short(self.width)} {_short(self.height)}",
            width=self.width,
            height=self.height,
        )


def _short(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def _title(note: str) -> list[Markup]:
    return [element("title", note)] if note else []
