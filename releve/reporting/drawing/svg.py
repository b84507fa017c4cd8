"""Pictures as SVG: shapes, scales and ticks. Coordinates are pixels, y grows downwards."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STEPS = (1, 2, 2.5, 5, 10)  # of a scale, times a power of ten


@dataclass(frozen=True)
class Scale:
    """From `low` .. `high` to `start` .. `end` pixels; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def ticks(low: float, high: float, *, about: int = 5) -> tuple[float, ...]:
    """Round figures within low .. high, about so many."""
    if not high > low:
        return (low,)
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in STEPS if power * one >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1))


def spread(count: int, *, most: int) -> tuple[int, ...]:
    """At most `most` of the places 0 .. count - 1, evenly, the first one among them."""
    step = max(1, math.ceil(count / most))
    return tuple(range(0, count, step))


def moments(times: Sequence[str]) -> tuple[str, ...]:
    """Times as short as tells them apart: hours within a day, days otherwise. Other names stay as they are."""
    stamped = [time for time in times if len(time) >= 16 and time[10] in "T "]
    if len(stamped) < len(times):
        return tuple(times)
    within_a_day = len({time[:10] for time in times}) == 1 and len(times) > 1
    return tuple(time[11:16] if within_a_day else time[:10] for time in times)


def number(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")


def line(x1: float, y1: float, x2: float, y2: float, kind: str, *, width: float = 1) -> str:
    place = " ".join(
        f'{name}="{number(at)}"' for name, at in zip(("x1", "y1", "x2", "y2"), (x1, y1, x2, y2), strict=True)
    )
    thick = "" if width == 1 else f' stroke-width="{number(width)}"'
    return f'<line class="{kind}" {place}{thick}/>'


def circle(x: float, y: float, radius: float, kind: str, *, note: str = "") -> str:
    return _closed("circle", f'class="{kind}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"', note)


def rectangle(x: float, y: float, width: float, height: float, kind: str, *, note: str = "") -> str:
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return _closed("rect", f'class="{kind}" {place}', note)


def path(steps: str, kind: str, *, note: str = "") -> str:
    return _closed("path", f'class="{kind}" d="{steps}"', note)


def polyline(places: Sequence[tuple[float, float]], kind: str) -> str:
    points = " ".join(f"{number(x)},{number(y)}" for x, y in places)
    return f'<polyline class="{kind}" points="{points}"/>'


def text(x: float, y: float, words: str, *, anchor: str = "start", soft: bool = True) -> str:
    kind = ' class="soft"' if soft else ""
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{kind} x="{number(x)}" y="{number(y)}"{turned}>{escape(words)}</text>'


def shortened(name: str, *, most: int) -> str:
    """Cut where there is no room for more characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def picture(inside: str, *, width: float, height: float, title: str, description: str = "") -> str:
    """A whole picture with its name, and its description for those who cannot see it."""
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    said = f"<title>{escape(title)}</title>" + (f"<desc>{escape(description)}</desc>" if description else "")
    label = f'aria-label="{escape(f"{title}. {description}" if description else title)}"'
    return f'<svg role="img" {label} {size}>\n{said}\n{inside}\n</svg>'


def sample(inside: str) -> str:
    """A small picture for a legend; the words beside it say what it is."""
    return f'<svg width="26" height="14" viewBox="0 0 26 14" aria-hidden="true">{inside}</svg>'


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """`entries`: a sample and what it stands for."""
    return '<ul class="legend">' + "".join(f"<li>{drawn}{escape(name)}</li>" for drawn, name in entries) + "</ul>"


def _closed(name: str, attributes: str, note: str) -> str:
    return f"<{name} {attributes}><title>{escape(note)}</title></{name}>" if note else f"<{name} {attributes}/>"
