"""Tables as MLflow's clients send them, in JSON and CSV, become rows as `predict` takes them.

As in MLflow, NaN may stand in JSON, and is missing; unlike it, unknown columns are refused.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import islice
from typing import Any

import orjson

from releve.core.errors import BadInput, TooLarge
from releve.domain.schema.cells import as_number, format_value
from releve.domain.schema.columns import NUMBER, Column
from releve.domain.schema.schema import Schema
from releve.serving.faults import UnsupportedMediaType
from releve.serving.open_inference.tables import is_matrix
from releve.serving.requests import read_object
from releve.serving.routes import JSON

CSV = "text/csv"
SPLIT, RECORDS, INSTANCES, INPUTS = "dataframe_split", "dataframe_records", "instances", "inputs"
FORMATS = (SPLIT, RECORDS, INSTANCES, INPUTS)
EXPECTED = f"expected an object with exactly one of {', '.join(repr(name) for name in FORMATS)}"
IGNORED = "params"  # what a model may be told beside its rows: ours know none, and MLflow ignores it then
NOT_A_NUMBER = ("nan", "na", "null", "none")  # as pandas reads them, in lower case
Rows = list[dict[str, Any]]


def rows_of(body: bytes, content_type: str, schema: Schema, *, max_rows: int) -> Rows:
    """Return rows as `predict` takes them; their cells are not checked.

    Raise BadInput, UnsupportedMediaType, TooLarge for more than `max_rows`, before any row is made.
    """
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if any(parameter.replace('"', "") != "charset=utf-8" for parameter in parameters if parameter):
        raise UnsupportedMediaType("text in UTF-8, as 'charset=utf-8' or without a parameter,")
    if media_type == CSV:
        return _rows_of_csv(body, schema, max_rows)
    if media_type not in ("", JSON.decode()):
        raise UnsupportedMediaType(f"JSON as {JSON.decode()} or CSV as {CSV}")
    asked = read_object(body, expected=EXPECTED, read=_json)
    given = [name for name in asked if name != IGNORED]
    if len(given) != 1 or given[0] not in FORMATS:
        raise BadInput(f"the body has the fields {format_value(given)}, {EXPECTED}")
    value = asked[given[0]]
    match given[0]:
        case "dataframe_split":
            return _rows_of_split(value, max_rows)
        case "inputs" if isinstance(value, dict):
            return _rows_of_columns(value, max_rows)
        case name:
            return _rows_of_list(name, value, schema, max_rows)


def _json(body: bytes) -> Any:
    def missing(name: str) -> None:
        if name != "NaN":
            raise BadInput(f"the body holds {name}; expected finite numbers, NaN or null where one is missing")

    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        try:
            values = json.loads(body, parse_constant=missing)
            orjson.dumps(values)  # half a character, or an endless number, could not be answered or kept
        except (ValueError, TypeError, RecursionError):
            raise BadInput(f"the body is not JSON: {failure}") from None
        return values


def _rows_of_split(value: Any, max_rows: int) -> Rows:
    """Read {"columns": names, "data": rows of cells}; "index" says nothing that a model needs."""
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        raise BadInput(f"'{SPLIT}' is {format_value(value)}, expected an object with 'columns' and 'data'")
    columns = _list(f"{SPLIT}.columns", value["columns"])
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
        raise BadInput(f"'{SPLIT}.columns' is {format_value(columns)}, expected names of columns, each once")
    return _rows_of_cells(f"'{SPLIT}.data'", columns, _list(f"{SPLIT}.data", value["data"]), max_rows)


def _rows_of_columns(values: Mapping[str, Any], max_rows: int) -> Rows:
    """Read {name: cells}; each cell may stand in a list of its own, as in an array of one column."""
    columns = {name: _list(f"{INPUTS}.{name}", cells) for name, cells in values.items()}
    if len({len(cells) for cells in columns.values()}) > 1:
        counts = ", ".join(f"{name}: {len(cells)}" for name, cells in columns.items())
        raise BadInput(f"'{INPUTS}' has columns of several lengths ({counts[:200]}); expected a cell for each row")
    _check_count(next(iter(columns.values()), ()), max_rows)
    flat = [
        [cell[0] if isinstance(cell, list) and len(cell) == 1 else cell for cell in cells] for cells in columns.values()
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*flat, strict=True)]


def _rows_of_list(name: str, value: Any, schema: Schema, max_rows: int) -> Rows:
    """Read objects, or lists of numbers in the schema's order where every feature is one."""
    rows = _list(name, value)
    _check_count(rows, max_rows)
    if name != RECORDS and rows and all(isinstance(row, list) for row in rows):
        if not is_matrix(schema):
            raise BadInput(
                f"'{name}' holds lists, and not every feature is a number; send an object of names and values per row"
            )
        return _rows_of_cells(f"'{name}'", schema.names, rows, max_rows)
    return rows


def _rows_of_cells(name: str, columns: Sequence[str], rows: Sequence[Any], max_rows: int) -> Rows:
    _check_count(rows, max_rows)
    for position, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            expected = f"a list of {len(columns)}: {', '.join(columns[:10])}"
            found = f"a list of {len(row)}" if isinstance(row, list) else f"a {type(row).__name__}"
            raise BadInput(f"row {position} of {name} is {found}, expected {expected}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _rows_of_csv(body: bytes, schema: Schema, max_rows: int) -> Rows:
    """Read a header and rows as `DataFrame.to_csv` writes them; a first column without a name is its index."""
    try:
        read = csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(islice(filter(None, read), 1 + max_rows + 1))  # with the header, and one too many
    except (csv.Error, UnicodeDecodeError) as failure:
        raise BadInput(f"the body is no CSV in UTF-8: {failure}") from None
    if not lines:
        raise BadInput("the body is empty; expected CSV with the names of the columns in its first line")
    names = lines[0]
    if len(set(names)) < len(names):
        raise BadInput(f"the first line is {format_value(names)}, expected names of columns, each once")
    rows = _rows_of_cells("the CSV", names, lines[1:], max_rows)
    for row in rows:
        if names[0] == "":
            del row[""]
        for column in schema.columns:
            if column.name in row:
                row[column.name] = _cell(column, row[column.name])
    return rows


def _check_count(rows: Sequence[Any], max_rows: int) -> None:
    if len(rows) > max_rows:
        raise TooLarge(
            f"there are more rows than {max_rows}, which one request may carry (params.yaml: service.max_rows); "
            "send several requests"
        )


def _cell(column: Column, text: str) -> Any:
    """Return a cell of CSV as a row of JSON would hold it; what does not fit is left to the check."""
    if text == "":
        return None
    if column.type != NUMBER:
        return text
    number = as_number(text)
    return number if number is not None else None if text.strip().lower() in NOT_A_NUMBER else text


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput(f"'{name}' is {format_value(value)}, expected a list")
    return value
