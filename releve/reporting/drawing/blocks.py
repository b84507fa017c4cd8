"""What model cards and pages are made of. `drawing` writes each block as HTML."""

from dataclasses import dataclass

MISSING = "MISSING"  # stands where there is no evidence


@dataclass(frozen=True)
class Facts:
    """Names and what is said of them."""

    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Heads, and a row of cells per line."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Words:
    """Paragraphs, or the points of a list."""

    lines: tuple[str, ...]
    points: bool = False


@dataclass(frozen=True)
class Bar:
    """A figure with its interval."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Intervals side by side; `reference` is where nothing is gained. A table says the same in figures."""

    title: str
    bars: tuple[Bar, ...]
    reference: float = 0.0


@dataclass(frozen=True)
class Reliability:
    """How often answers of a certainty (0-1) were right (0-1), and how many rows that rests on."""

    points: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Figure:
    """One thing to see first: what it is, its value, and a few words on it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """Side by side at the head of a page."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Point:
    """A figure at `x`: windows are numbered from 0, and a moment between two of them lies between their numbers."""

    x: float
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""  # said when it is pointed at

    @property
    def ends(self) -> tuple[float, ...]:
        """Of its interval; () where it has none."""
        return () if self.low is None or self.high is None else (self.low, self.high)


SCORES, ESTIMATES, LINE, BARS = "scores", "estimates", "line", "bars"  # how a series is drawn


@dataclass(frozen=True)
class Series:
    """Figures that belong together. `colour` counts through the page's palette."""

    name: str
    style: str
    points: tuple[Point, ...]
    colour: int = 0


@dataclass(frozen=True)
class Band:
    """What was promised from one place to another, with its interval."""

    start: float
    end: float
    value: float
    low: float
    high: float
    note: str = ""


RELEASE, BACK, REFUSAL = "release", "rollback", "refusal"  # kinds of marks


@dataclass(frozen=True)
class Mark:
    """Something that happened at `x`."""

    x: float
    kind: str
    note: str


@dataclass(frozen=True)
class Timeline:
    """Figures over windows in time order. `times` (ISO 8601, or any name) has one entry per window."""

    title: str
    description: str  # what a person who cannot see the picture should know
    times: tuple[str, ...]
    series: tuple[Series, ...]
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    from_zero: bool = False


@dataclass(frozen=True)
class Cell:
    """How far one column had moved (0-1) at one look, and whether that was an alarm."""

    effect: float
    alarm: bool


@dataclass(frozen=True)
class HeatRow:
    """A column over all looks; None where it was not compared."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class HeatMap:
    """Columns x looks in time order, under the state of each look (state, what is said when it is pointed at)."""

    title: str
    description: str
    times: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True)
class Entry:
    """A decision or a move: when, what, and why in sentences. `tone` is one of good, bad, calm."""

    at: str
    title: str
    reasons: tuple[str, ...]
    tone: str = "calm"


@dataclass(frozen=True)
class Journal:
    """Entries, newest first; those beyond `open` are folded away."""

    entries: tuple[Entry, ...]
    open: int = 20


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown when somebody asks for them; a printed page shows them all."""

    title: str
    blocks: "tuple[Block, ...]"


Block = Facts | Table | Words | Intervals | Reliability | Figures | Timeline | HeatMap | Journal | Folded


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """What `drawing.document` writes as HTML."""

    title: str
    summary: str
    sections: tuple[Section, ...]
