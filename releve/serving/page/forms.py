"""A form made from a schema, and the row that a person sent by it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson

from releve.core.errors import BadInput, TooLarge
from releve.domain.schema.cells import as_date
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, LONGEST_TEXT, NUMBER, TEXT, Column
from releve.domain.schema.images import text_length
from releve.domain.schema.schema import Schema

LARGEST_WHOLE = 2**63  # beyond it JSON readers take a float
PIXEL = re.compile(r"(.*?)_?([0-9]{1,3})_([0-9]{1,3})")  # pixel_3_5: the cell of row 3 and column 5
LEAST_SIDE, MOST_SIDE = 4, 64  # cells of a grid that can be drawn on
FEATURE = "feature."  # before a field's name: a column may be called like a field of the page's own
ROW = "row"  # the field of a pasted row
NUMERAL = re.compile(r"[-+]?[0-9]{1,300}")


@dataclass(frozen=True)
class Field:
    """One input of the form; `kind` is the HTML element that suits it, `value` what is filled in."""

    name: str
    kind: str  # number, date, choice, text (several lines), line
    value: str
    choices: tuple[str, ...] = ()
    low: str = ""
    high: str = ""
    longest: int = LONGEST_TEXT  # characters
    optional: bool = False


@dataclass(frozen=True)
class PixelGrid:
    """A square of number features that can be drawn on: `side` x `side` names, row after row."""

    names: tuple[str, ...]
    side: int
    low: float  # of paper
    high: float  # of ink

    def inks(self, numbers: list[float]) -> tuple[tuple[float, ...], ...]:
        """Return one number per name as rows of ink, 0 to 1."""
        shares = [min(max((number - self.low) / (self.high - self.low), 0.0), 1.0) for number in numbers]
        return tuple(tuple(shares[start : start + self.side]) for start in range(0, len(shares), self.side))


def fields_of(schema: Schema, row: Mapping[str, Any]) -> list[Field]:
    """Return an input per feature, filled in with `row`, which need not be valid."""
    return [_field(column, row.get(column.name)) for column in schema.asked]


def grid_of(schema: Schema) -> PixelGrid | None:
    """Find the features that form a square grid by their names and share their limits; None where there is none."""
    grids: dict[str, dict[tuple[int, int], Column]] = {}
    for column in schema.features:
        if column.type == NUMBER and (found := PIXEL.fullmatch(column.name)):
            grids.setdefault(found[1], {})[int(found[2]), int(found[3])] = column
    for cells in grids.values():
        side, (first_row, first_column) = round(len(cells) ** 0.5), min(cells)
        places = [(first_row + down, first_column + over) for down in range(side) for over in range(side)]
        limits = {(cell.min, cell.max) for cell in cells.values()}
        if LEAST_SIDE <= side <= MOST_SIDE and set(places) == set(cells) and len(limits) == 1:
            low, high = limits.pop()
            if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
                return PixelGrid(tuple(cells[place].name for place in places), side, float(low), float(high))
    return None


def values_of(body: bytes) -> dict[str, str]:
    """Read what a form sent. Raises BadInput."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100_000)
    except ValueError:
        raise BadInput("the form cannot be read; send it as application/x-www-form-urlencoded in UTF-8") from None
    return dict(pairs)


def row_of(values: Mapping[str, str], schema: Schema) -> Any:
    """Return the row that a form holds, field by field or pasted as JSON; `check_rows` judges it. Raises BadInput."""
    if ROW in values:
        return _pasted(values[ROW])
    sent = {name.removeprefix(FEATURE): text for name, text in values.items() if name.startswith(FEATURE)}
    row: dict[str, Any] = dict(sent)  # what the schema does not know stays, and is refused
    for column in schema.asked:
        if column.name in sent:
            row[column.name] = _cell(column, sent[column.name])
    return row


def _pasted(text: str) -> Any:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the row is not JSON: {error}; paste an object of feature names and values") from None
    if isinstance(row, dict) and set(row) == {"rows"} and isinstance(row["rows"], list):
        if len(row["rows"]) != 1:
            raise TooLarge(f"{len(row['rows'])} rows were pasted; this page answers one, /predict many")
        row = row["rows"][0]
    return row


def _cell(column: Column, text: str) -> Any:
    """A cell as JSON would hold it; a text that is no number stays one, and is refused by name."""
    if not text.strip() and column.type != TEXT:
        return None
    if column.type != NUMBER:
        return text
    try:
        number = float(text)
        return int(text) if NUMERAL.fullmatch(text.strip()) and abs(number) < LARGEST_WHOLE else number
    except ValueError:
        return text


def _moment(text: str) -> str:
    """The form that a browser's input of a date takes: UTC, without a zone; "" for what is no date."""
    try:
        return as_date(text).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _field(column: Column, value: Any) -> Field:
    written = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    optional = column.nullable
    if column.type == NUMBER:
        low, high = ("" if limit is None else f"{limit:.17g}" for limit in (column.min, column.max))
        return Field(column.name, "number", written.removesuffix(".0"), low=low, high=high, optional=optional)
    if column.type == DATE:
        low, high = (limit.isoformat() if isinstance(limit, datetime) else "" for limit in (column.min, column.max))
        return Field(column.name, "date", _moment(written), low=low, high=high, optional=optional)
    if column.type == CATEGORY and column.categories is not None:
        chosen = column.named_by(value) or written
        return Field(column.name, "choice", chosen, choices=column.categories, optional=optional)
    longest = text_length(column.max_bytes) if column.type == IMAGE else column.max_length or LONGEST_TEXT
    return Field(column.name, "text" if column.type == TEXT else "line", written, longest=longest, optional=optional)
