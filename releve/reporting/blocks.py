"""The report model: what every page, card and message for people is made of.

`html` writes a page as one file, `markdown` as text. Blocks hold text and figures, never markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from releve.domain.evaluation.intervals import Interval

MISSING = "MISSING"  # stands where there is no evidence, and is highlighted


class Tone(StrEnum):
    """How a block is coloured. Every tone has a sign as well, since colour alone tells nothing to some readers."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    NEUTRAL = "neutral"
    ABSENT = "absent"


class SeriesStyle(StrEnum):
    SCORES = "scores"  # dots with intervals, and a line through neighbours
    ESTIMATES = "estimates"  # hollow diamonds with intervals
    LINE = "line"
    BARS = "bars"


class MarkKind(StrEnum):
    """What happened at one moment of a chart."""

    RELEASE = "release"
    ROLLBACK = "rollback or withdrawal"
    REFUSAL = "challenger refused"


@dataclass(frozen=True)
class VerdictBlock:
    """The answer that a page opens with: one word, the sentence why, and what to do next.

    `command`: to copy; "" where nothing has to be done.
    """

    word: str
    tone: Tone
    reason: str
    action: str = ""
    command: str = ""


@dataclass(frozen=True)
class FactList:
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TableBlock:
    """Heads, and a row of cells per line; rows whose number is in `highlighted` stand out.

    What follows the first line of a cell is folded."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    highlighted: frozenset[int] = frozenset()


@dataclass(frozen=True)
class TextBlock:
    """Paragraphs, or the points of a list."""

    lines: tuple[str, ...]
    points: bool = False


@dataclass(frozen=True)
class CommandBlock:
    command: str


@dataclass(frozen=True)
class LinkList:
    links: tuple[tuple[str, str], ...]  # text, address


@dataclass(frozen=True)
class Tile:
    """A figure to see early: its name, its value, and a few words on it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class TileRow:
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class IntervalBar:
    name: str
    interval: Interval


@dataclass(frozen=True)
class IntervalChart:
    """Intervals on one scale; `reference` is where nothing is gained. A table has the same figures."""

    title: str
    bars: tuple[IntervalBar, ...]
    reference: float = 0.0


@dataclass(frozen=True)
class ReliabilityChart:
    """(mean certainty 0-1, share right 0-1, rows) of each bin."""

    points: tuple[tuple[float, float, int], ...]
    title: str = "Reliability: on the diagonal, a certainty is reliable"


@dataclass(frozen=True)
class ChartPoint:
    """A figure at `x`: windows are numbered from 0, and a moment between two of them lies between their numbers."""

    x: float
    value: float
    ends: tuple[float, float] | None = None  # of its interval
    note: str = ""  # shown when it is pointed at


@dataclass(frozen=True)
class ChartSeries:
    """Figures that belong together. `colour` counts through the palette of the page."""

    name: str
    style: SeriesStyle
    points: tuple[ChartPoint, ...]
    colour: int = 0


@dataclass(frozen=True)
class ChartBand:
    """The expected figure from one place to another, with its interval."""

    start: float
    end: float
    expected: Interval
    note: str = ""


@dataclass(frozen=True)
class ChartMark:
    x: float
    kind: MarkKind
    note: str


@dataclass(frozen=True)
class TimelineChart:
    """Figures over windows in time order. `times` (ISO 8601, or any name) has one entry per window."""

    title: str
    description: str  # what a person who cannot see the picture should know
    times: tuple[str, ...]
    series: tuple[ChartSeries, ...]
    bands: tuple[ChartBand, ...] = ()
    marks: tuple[ChartMark, ...] = ()
    from_zero: bool = False


@dataclass(frozen=True)
class HeatCell:
    """How far one column had moved (0-1) at one monitoring run, and whether that was an alarm."""

    effect: float
    alarm: bool


@dataclass(frozen=True)
class HeatRow:
    """A column over all monitoring runs; None where it was not compared."""

    name: str
    cells: tuple[HeatCell | None, ...]


@dataclass(frozen=True)
class HeatMapChart:
    """Columns x monitoring runs in time order, under the state of each run (state, note when it is pointed at)."""

    title: str
    description: str
    times: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True)
class PixelImage:
    """A small grey picture: rows of cells from 0 (paper) to 1 (ink)."""

    title: str
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ImageRow:
    title: str
    images: tuple[PixelImage, ...]


@dataclass(frozen=True)
class JournalEntry:
    """A decision or a release: when, what, and why in sentences."""

    at: str
    title: str
    reasons: tuple[str, ...]
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True)
class Journal:
    """Entries, newest first; those beyond `open` are folded."""

    entries: tuple[JournalEntry, ...]
    open: int = 20


@dataclass(frozen=True)
class FoldedBlock:
    """Blocks that are shown on demand; a printed page shows them all."""

    title: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True)
class ToDo:
    """One thing for a person to do; `command`: to copy, "" where there is none."""

    word: str
    since: str
    sentence: str
    advice: str
    command: str = ""
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True)
class ToDoItem:
    """What has to be done about something, which may have a page of its own (`address`)."""

    name: str
    todos: tuple[ToDo, ...]
    address: str = ""


@dataclass(frozen=True)
class ToDoList:
    """Items, the first to see to on top; those beyond `open` are folded."""

    items: tuple[ToDoItem, ...]
    open: int = 12


@dataclass(frozen=True)
class BoardHead:
    """The head of a column; `descending`: the largest first at the first click."""

    name: str
    descending: bool = False


@dataclass(frozen=True)
class BoardCell:
    """A cell, with a small note below; `key`: what it is sorted by, None comes last."""

    text: str
    note: str = ""
    key: float | str | None = None
    address: str = ""
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True)
class BoardRow:
    """A line, and the filters that let it through."""

    cells: tuple[BoardCell, ...]
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BoardBlock:
    """A table of many lines, which a reader sorts and filters; `filters`: those offered, beside a search for words."""

    title: str
    heads: tuple[BoardHead, ...]
    rows: tuple[BoardRow, ...]
    filters: tuple[str, ...] = ()

    def count(self, mark: str) -> int:
        """Count the lines that a filter lets through."""
        return sum(mark in row.marks for row in self.rows)


Chart = IntervalChart | ReliabilityChart | TimelineChart | HeatMapChart | ImageRow
Block = (
    VerdictBlock
    | FactList
    | TableBlock
    | TextBlock
    | CommandBlock
    | LinkList
    | TileRow
    | Chart
    | Journal
    | ToDoList
    | BoardBlock
    | FoldedBlock
)


@dataclass(frozen=True)
class ReportSection:
    """A part of a page; without a title it has no heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class ReportPage:
    """What `html.render_html` and `markdown.render_markdown` write."""

    title: str
    summary: str
    sections: tuple[ReportSection, ...]
    front_matter: Mapping[str, Any] = field(default_factory=dict)  # for programs, above the Markdown

    @property
    def has_board(self) -> bool:
        return any(isinstance(block, BoardBlock) for section in self.sections for block in section.blocks)

    @property
    def missing(self) -> int:
        """How many facts and paragraphs are MISSING."""
        blocks = [block for section in self.sections for block in section.blocks]
        facts = [value == MISSING for block in blocks if isinstance(block, FactList) for _, value in block.lines]
        lines = [line.startswith(MISSING) for block in blocks if isinstance(block, TextBlock) for line in block.lines]
        return sum(facts) + sum(lines)
