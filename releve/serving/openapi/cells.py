"""What a cell and a label may be, as JSON Schema: made from the column or the target that requests are checked by.

Whatever such a schema allows is accepted, with five exceptions that JSON Schema has no words for: a day that no
calendar has, limits of dates (`x-minimum`, `x-maximum`), limits of numbers that are sent as text, whole numbers beyond
2**53 that are sent with an exponent, and what an image's file holds. What is accepted beyond it are spellings: spaces
around a text, another case where `ignore_case` is set, a text longer than allowed by spaces alone.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from releve.domain.features.completion import sent_rows
from releve.domain.prediction_log.records import Row
from releve.domain.schema.cells import DECIMAL, EDGES, ISO, LARGEST_NUMBER, names_of
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, LONGEST_TEXT, NUMBER, Column
from releve.domain.schema.examples import example_cells
from releve.domain.schema.images import BEGINNINGS, text_length
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Label, Target
from releve.domain.schema.validation import row_problems

JsonSchema = dict[str, Any]
NOT_BLANK = f"[^{EDGES}]"
BASE64_IMAGE = f"({'|'.join(BEGINNINGS)})[A-Za-z0-9+/]*={{0,2}}"
ROW = "every feature; the other columns of the table may be left out, and no model sees them"
ROW_WITH_DERIVED = (
    f"{ROW}. The calendar and the lags follow from the time of the row and from what is known before it: the service "
    "adds them, unless they are sent"
)
WHOLE: JsonSchema = {"type": "integer"}


def row_schema(schema: Schema) -> JsonSchema:
    """Describe a row to predict: every feature, and, where they are known, the columns that are no features."""
    return {
        "type": "object",
        "description": ROW_WITH_DERIVED if schema.derived else ROW,
        "required": [column.name for column in schema.asked],
        "properties": {column.name: cell_schema(column) for column in schema.columns},
        "additionalProperties": False,
    }


def cell_schema(column: Column) -> JsonSchema:
    """Describe what `column.problem` lets pass."""
    allowed = _allowed(column) | {"description": _description(column), "examples": [example_cells(column)[0]]}
    if column.nullable or not column.feature:
        return _or_missing(column, allowed)
    return allowed


def label_schema(target: Target) -> JsonSchema:
    """Describe the labels that /feedback takes."""
    if target.task != REGRESSION:
        return {"enum": _spellings(target.classes), "description": f"one of the classes of '{target.name}'"}
    text = {"type": "string", "pattern": f"^{DECIMAL.pattern}$"}
    return {"anyOf": [_number(target.min, target.max), text], "description": f"the true '{target.name}'"}


def example_row(schema: Schema) -> dict[str, Any]:
    """Return a row to predict that the schema allows."""
    return {column.name: example_cells(column)[0] for column in schema.asked}


def answering_row(schema: Schema, golden: Sequence[Row]) -> dict[str, Any]:
    """Return a row that a model was asked before its release, where it knows one, else one that the schema allows.

    No personal cell is in it, and no feature that nobody sends.
    """
    example = example_row(schema)
    known = {
        name: example.get(name) if name in schema.personal else cell
        for row in sent_rows(schema, golden[:1])
        for name, cell in row.items()
    }
    return known if known and not row_problems(schema.sent, [known]) else example


def _allowed(column: Column) -> JsonSchema:
    if column.type == NUMBER:
        low, high = (limit if isinstance(limit, int | float) else None for limit in (column.min, column.max))
        return _number(low, high)
    if column.type == DATE:
        limits = {"x-minimum": column.min, "x-maximum": column.max}
        shown = {key: limit.isoformat() for key, limit in limits.items() if isinstance(limit, datetime)}
        return {"type": "string", "pattern": f"^{ISO.pattern}$", **shown}
    if column.type == CATEGORY and column.categories:
        return {"enum": _spellings(column.categories)}
    if column.type == CATEGORY and not column.feature:
        return {"type": ["string", "number", "boolean"]}
    if column.type == CATEGORY:
        return {"anyOf": [{"type": "string", "pattern": NOT_BLANK}, WHOLE]}
    if column.type == IMAGE:
        may_be_blank = f"|[{EDGES}]*" if column.nullable or not column.feature else ""
        pattern = f"^({BASE64_IMAGE}{may_be_blank})$"
        return {
            "type": "string",
            "contentEncoding": "base64",
            "maxLength": text_length(column.max_bytes),
            "pattern": pattern,
        }
    longest = LONGEST_TEXT if column.max_length is None else column.max_length
    return {"type": "string", "maxLength": longest, "pattern": NOT_BLANK}


def _or_missing(column: Column, allowed: JsonSchema) -> JsonSchema:
    """Allow null too, and the empty text where the column holds texts."""
    empty = [] if column.type in (NUMBER, DATE) else [""]
    if "enum" in allowed:
        return allowed | {"enum": [*allowed["enum"], None, *empty]}
    if "anyOf" in allowed:
        return allowed | {"anyOf": [{"type": ["string", "null"]}, WHOLE]}
    types = [allowed["type"]] if isinstance(allowed["type"], str) else allowed["type"]
    if empty and "contentEncoding" not in allowed:
        allowed = {key: value for key, value in allowed.items() if key != "pattern"}
    return allowed | {"type": [*types, "null"]}


def _number(low: float | None, high: float | None) -> JsonSchema:
    limits = {
        "minimum": -LARGEST_NUMBER if low is None else low,
        "maximum": LARGEST_NUMBER if high is None else high,
    }
    return {"type": "number", **limits}


def _spellings(names: Iterable[Label]) -> list[Any]:
    """List the JSON values that name one: 3 and "3" where 3 is one, true where a file's True is."""
    spelled: list[Any] = []
    known = {str(name) for name in names}
    for name in sorted(known, key=[str(each) for each in names].index):
        whole = int(name) if name.removeprefix("-").isdecimal() and str(int(name)) == name else None
        spelled += [name] if whole is None else [whole, name]
    return [*spelled, *(value for value in (True, False) if known & set(names_of(value)))]


def _description(column: Column) -> str:
    missing = "; null where it is missing" if column.nullable or not column.feature else ""
    role = "" if column.feature else "; no feature: kept with the answer, never shown to the model"
    kinds = {
        NUMBER: "a number",
        DATE: "a date or a moment, ISO 8601; without a zone it is UTC",
        IMAGE: f"a PNG or JPEG file as base64, of at most {column.max_pixels:,} pixels",
        CATEGORY: "a category, in any case" if column.ignore_case else "a category",
    }
    return f"{kinds.get(column.type, 'a text')}{missing}{role}"
