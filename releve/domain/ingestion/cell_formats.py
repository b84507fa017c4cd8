"""Formats of cells in a table's files, as `ingest` in params.yaml says, and the plain cells that they mean.

Ingestion reads every file by them, and `make scenario` predicts by the same functions what ingestion will read. Nothing
is guessed here: what no setting reads stays as it is, for the schema to reject with its reason.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from releve.core.errors import BadInput
from releve.core.formatting import counted
from releve.domain.ingestion.numerals import Numerals
from releve.domain.schema.cells import DECIMAL, as_date, as_number, in_format, names_of, trimmed
from releve.domain.schema.columns import DATE, NUMBER, REAL
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import all_numbers, numbers_of, with_columns

if TYPE_CHECKING:
    import pandas as pd

    from releve.core.params import Ingest

MINUS = "-\u2212\u2013\uff0d"  # as a keyboard, a typesetter, a word processor and a Japanese one write it
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ".", ",")  # what a number begins with
NO_CENTS = (".-", ",-", ".\u2013", ",\u2013", ".\u2014", ",\u2014")  # 1'200.- is 1'200 francs
EXAMPLE = re.compile(r"[0-9](?:[^\w()]*[0-9])*")
IN_A_NAME = re.compile(r"[^\W\d_]/?[0-9]")  # digits of the unit itself, as in m2 and l/100km
THREE_DIGITS = re.compile(r"[0-9]{3}$")
NOT_SO = "(not as ingest.dates says)"
MarkerCounts = Counter[tuple[str, str]]  # cells by column and marker


@dataclass(frozen=True)
class Unit:
    """The unit beside the numbers of a column ("" for none), and how a minus is written there."""

    sign: str
    in_parentheses: bool = False  # (12.50) is -12.50
    trailing: bool = False  # 12.50- is -12.50
    numerals: Numerals | None = None  # how this column writes numbers, where not as the file does

    @classmethod
    def read(cls, text: str) -> "Unit":
        """Read a unit of params: "$", "($)" where ($12.50) is negative, "$-" where $12.50- is; also "()" and "-".

        With digits it is an example of a number, which says how the column writes them all: "1.234,5 €".
        Raise BadInput for an example that does not.
        """
        text = trimmed(text)
        in_parentheses = text.startswith("(") and text.endswith(")")
        trailing = not in_parentheses and text.endswith("-")
        bare = text[1:-1] if in_parentheses else text.removesuffix("-")
        example = EXAMPLE.search(bare)
        marks = [letter for letter in example[0] if not letter.isdigit()] if example else []
        if example is None or (not marks and IN_A_NAME.search(bare)):
            return cls(trimmed(bare), in_parentheses, trailing)
        if not marks or marks[-1] not in (".", ",") or (len(marks) == 1 and THREE_DIGITS.search(example[0])):
            raise BadInput(f"ingest.units has the example {text!r}; expected one with a fraction, such as 1.234,5 €")
        numerals = Numerals(marks[0] if len(marks) > 1 else "", marks[-1])
        return cls(trimmed(bare.replace(example[0], "")), in_parentheses, trailing, numerals)

    def __str__(self) -> str:
        example = "" if self.numerals is None else f"1{self.numerals.thousands}234{self.numerals.decimal}5"
        text = " ".join(filter(None, (example, self.sign)))
        return f"({text})" if self.in_parentheses else f"{text}{'-' * self.trailing}"

    def without(self, text: str) -> str | None:
        """Return the number beside the unit, with its sign before it; None where the cell is written otherwise."""
        core = self._bare(text)
        is_negative = self.in_parentheses and core.startswith("(") and core.endswith(")")  # $ (12.50) is ($12.50)
        core = self._bare(core[1:-1]) if is_negative else core
        sign = "-" if is_negative else ""
        if core[:1] and core[0] in f"+{MINUS}":
            sign, core = f"{sign}{'+' if core[0] == '+' else '-'}", self._bare(core[1:])
        core = next((core.removesuffix(end) for end in NO_CENTS if self.sign and core.endswith(end)), core)
        if self.trailing and core[-1:] and core[-1] in MINUS:
            sign, core = f"{sign}-", self._bare(core[:-1])
        return f"{sign}{core}" if len(sign) < 2 and core[:1] in DIGITS else None

    def _bare(self, text: str) -> str:
        text = trimmed(text)
        if self.sign and text.startswith(self.sign):
            return trimmed(text[len(self.sign) :])
        return trimmed(text.removesuffix(self.sign))


NO_UNIT = Unit("")


@dataclass(frozen=True)
class CellFormats:
    """Settings of cells: markers of missing values, how numbers are written, formats and units by column."""

    missing: tuple[str, ...] = ()
    numerals: Numerals = field(default_factory=Numerals)
    dates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)

    @classmethod
    def of(cls, params: "Ingest") -> "CellFormats":
        """Read params. Raise BadInput where they contradict themselves."""
        units = {trimmed(name): Unit.read(text) for name, text in params.units.items()}
        dates = {trimmed(name): formats for name, formats in params.dates.items()}
        return cls(params.missing, Numerals(params.csv_thousands, params.csv_decimal), dates, units)

    def is_marker(self, text: str) -> bool:
        """Whether a trimmed cell marks a missing value."""
        return text.casefold() in self._markers

    def is_marked(self, cell: Any) -> bool:
        """Whether a cell of a column of numbers or dates marks a missing value, also as a number: -999 and -999.0."""
        if isinstance(cell, str):
            return self.is_marker(cell) or as_number(cell) in self.missing_numbers
        return isinstance(cell, REAL) and not isinstance(cell, bool) and cell in self.missing_numbers

    @cached_property
    def _markers(self) -> frozenset[str]:
        return frozenset(trimmed(marker).casefold() for marker in self.missing)

    @cached_property
    def missing_numbers(self) -> tuple[float, ...]:
        """Markers such as -999, which typed files hold as numbers."""
        numbers = (as_number(marker) for marker in self.missing)
        return tuple(number for number in numbers if number is not None)

    def number(self, name: str, text: str) -> str:
        """Write the number in a trimmed cell plainly; what has not the configured form stays, or becomes no number."""
        if name not in self.units and self.numerals.is_plain and DECIMAL.fullmatch(text):
            return text  # of most cells nothing else has to be found out
        bare = self.units.get(name, NO_UNIT).without(text)
        return text if bare is None else self.numerals_of(name).plain(bare)

    def numerals_of(self, name: str) -> Numerals:
        """Return how a column writes numbers."""
        return self.units.get(name, NO_UNIT).numerals or self.numerals

    def date(self, name: str, text: str) -> datetime | str:
        """Parse a trimmed cell by the formats of its column, or return it as it is; ISO 8601 is read anyway."""
        formats = self.dates.get(name)
        if formats is None:
            return text
        try:
            return as_date(text)
        except ValueError:
            moment = in_format(text, formats)
            return f"{text} {NOT_SO}" if moment is None else moment


@dataclass(frozen=True, eq=False)
class PlainCells:
    """A frame as `check_frame` takes it, and the markers that were read as missing."""

    frame: "pd.DataFrame"
    marked: MarkerCounts


def read_cells(frame: "pd.DataFrame", schema: Schema, formats: CellFormats, *, is_text: bool) -> PlainCells:
    """Convert cells as files hold them to plain ones; `frame` is not changed. `is_text`: all are text, as in CSV."""
    marked: MarkerCounts = Counter()
    plain = {}
    for column in (column for column in schema.columns if column.name in frame):
        cells = frame[column.name]
        if column.type == NUMBER:
            cells = _numbers(cells, formats, is_text, marked)
        elif column.type == DATE:
            cells = _dates(cells, formats, marked) if cells.dtype.kind in "Oiuf" else cells
        elif cells.dtype.kind == "O":
            texts = (trimmed(cell) or None if isinstance(cell, str) else cell for cell in cells.tolist())
            cells = _series(texts, cells)
        plain[column.name] = cells
    if (target := schema.target).name in frame:
        cells = frame[target.name]

        def is_marker(text: str) -> bool:  # a class keeps its label, also where a marker spells it
            return formats.is_marker(text) and (target.task == REGRESSION or target.parse(text) is None)

        if target.task == REGRESSION:
            cells = _without_numbers(cells, formats.missing_numbers, marked)
        if cells.dtype.kind == "O":
            read = partial(formats.number, target.name) if target.is_number else _same
            cells = _series(_texts(cells, read, is_marker, marked), cells)
        plain[target.name] = cells
    return PlainCells(with_columns(frame, plain), marked)


def describe_markers(marked: MarkerCounts) -> list[str]:
    """Write a sentence for each column and marker, the commonest first."""
    return [
        f"{name} holds {marker!r} in {counted(count, 'cell')}: taken as missing (params.yaml: ingest.missing)"
        for (name, marker), count in marked.most_common()
    ]


def _numbers(cells: "pd.Series[Any]", formats: CellFormats, is_text: bool, marked: MarkerCounts) -> "pd.Series[Any]":
    name = str(cells.name)
    if cells.dtype.kind != "O":
        return _without_numbers(cells, formats.missing_numbers, marked)
    is_plain = formats.numerals.is_plain and name not in formats.units
    numbers = numbers_of(cells) if is_text and is_plain else None
    if numbers is None:
        is_read = is_text or name in formats.units  # a text among typed cells is none of their numbers otherwise
        plain = _texts(cells, partial(formats.number, name) if is_read else _same, formats.is_marker, marked)
        numbers = all_numbers(["" if cell is None else cell for cell in plain]) if is_text else None
        if numbers is None:
            parsed = (as_number(cell) if is_read and isinstance(cell, str) else None for cell in plain)
            mixed = (cell if number is None else number for cell, number in zip(plain, parsed, strict=True))
            return _without_numbers(_series(mixed, cells), formats.missing_numbers, marked)
    return _without_numbers(type(cells)(numbers, index=cells.index, name=name), formats.missing_numbers, marked)


def _dates(cells: "pd.Series[Any]", formats: CellFormats, marked: MarkerCounts) -> "pd.Series[Any]":
    name = str(cells.name)
    if name in formats.dates:  # 20240301 is a whole number where a file has types
        cells = _series(((*names_of(cell), cell)[0] for cell in cells.tolist()), cells)
    elif cells.dtype.kind != "O":
        return cells
    return _series(_texts(cells, partial(formats.date, name), formats.is_marker, marked), cells)


def _texts(
    cells: "pd.Series[Any]", read: Callable[[str], Any], is_marker: Callable[[str], bool], marked: MarkerCounts
) -> list[Any]:
    """Read each different text once, as None where it is empty or a marker; other cells stay as they are."""
    known: dict[str, Any] = {}
    markers: dict[str, str] = {}
    values = cells.tolist()
    for cell in values:
        if type(cell) is str and cell not in known:
            text = trimmed(cell)
            if is_marker(text):
                markers[cell] = text
            known[cell] = None if cell in markers or not text else read(text)
    if markers:
        marked.update((str(cells.name), markers[cell]) for cell in values if type(cell) is str and cell in markers)
    return [known[cell] if type(cell) is str else cell for cell in values]


def _without_numbers(cells: "pd.Series[Any]", numbers: tuple[float, ...], marked: MarkerCounts) -> "pd.Series[Any]":
    """Make cells missing that hold one of `numbers`, such as -999; what is no number, such as a list, stays."""
    if numbers and cells.dtype.kind == "O":
        plain = _series((cell if isinstance(cell, REAL) else None for cell in cells.tolist()), cells)
    else:
        plain = cells
    for number in numbers:
        is_marker = (plain == number).fillna(False).to_numpy(bool)
        if is_marker.any():
            marked[str(cells.name), f"{number:g}"] += int(is_marker.sum())
            cells = cells.mask(is_marker)
    return cells


def _series(cells: Iterable[Any], like: "pd.Series[Any]") -> "pd.Series[Any]":
    return type(like)(list(cells), index=like.index, name=like.name, dtype=object)


def _same(cell: Any) -> Any:
    return cell
