"""MLflow's scoring protocol: /ping, /version and /invocations, below a scenario, and at the root where there is one.

Answers are labels, or numbers of a regression; `x-releve-answer` names the answer, whose row n /feedback calls
`{answer}.{n}`. As in MLflow, NaN may stand in JSON, and is missing; unlike it, unknown columns are refused.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import orjson

from releve.core.errors import BadInput, ReleveError, TooLarge
from releve.domain.schema.cells import as_number, format_value
from releve.domain.schema.columns import NUMBER, Column
from releve.domain.schema.schema import Schema
from releve.serving import requests
from releve.serving.faults import UnsupportedMediaType
from releve.serving.native import DIGITS
from releve.serving.open_inference.tables import is_matrix
from releve.serving.routes import JSON, Reply, Request, Role, Route, json_reply
from releve.serving.scenario import Scenario
from releve.serving.scenarios import Scenarios

PROTOCOL = b"3.17.2"  # of MLflow, whose protocol this is: a client takes a version below 2 as another protocol
CSV = "text/csv"
SPLIT, RECORDS, INSTANCES, INPUTS = "dataframe_split", "dataframe_records", "instances", "inputs"
FORMATS = (SPLIT, RECORDS, INSTANCES, INPUTS)
EXPECTED = f"expected an object with exactly one of {', '.join(repr(name) for name in FORMATS)}"
IGNORED = "params"  # what a model may be told beside its rows: ours know none, and MLflow ignores it then
NOT_A_NUMBER = ("nan", "na", "null", "none")  # as pandas reads them, in lower case
ERROR_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    408: "DEADLINE_EXCEEDED",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    507: "RESOURCE_EXHAUSTED",
}  # by status; BAD_REQUEST for any other
Rows = list[dict[str, Any]]


def routes(scenarios: Scenarios) -> list[Route]:
    """List what MLflow's clients ask."""

    def named(request: Request) -> Scenario:
        return scenarios.get(request.parameters["scenario"])

    made = []
    for prefix, of in (("", lambda _: scenarios.only()), ("/scenarios/{scenario}", named)):
        ping = _ping(of)
        role = Role.READ if prefix else Role.ANYONE  # nobody unknown makes another scenario load
        made += [
            Route("GET", f"{prefix}/ping", ping, error, role=role),
            Route("GET", f"{prefix}/health", ping, error, role=role),
            Route("GET", f"{prefix}/version", lambda _: Reply(200, PROTOCOL), error, role=Role.ANYONE),
            Route("POST", f"{prefix}/invocations", _invocations(of), error),
        ]
    return made


def error(fault: ReleveError, _: str) -> Reply:
    """Say a fault as MLflow does: {"error_code", "message"}."""
    code = ERROR_CODES.get(fault.status, "BAD_REQUEST")
    return Reply(fault.status, orjson.dumps({"error_code": code, "message": str(fault)}))


def _ping(scenario_of: Callable[[Request], Scenario]) -> Callable[[Request], Reply]:
    def ping(request: Request) -> Reply:
        """Say that the model is there; it is loaded for that."""
        scenario_of(request).served_now()
        return Reply(200, b"\n", JSON)

    return ping


def _invocations(scenario_of: Callable[[Request], Scenario]) -> Callable[[Request], Reply]:
    def invocations(request: Request) -> Reply:
        """Predict rows; they are in the ledger as those of every other path."""
        scenario = scenario_of(request)
        served = scenario.served_now()
        schema, most = served.schema, served.limits.max_rows
        rows = rows_of(request.body, request.header(b"content-type"), schema)
        if not rows:
            raise BadInput("there are no rows; send at least one")
        if len(rows) > most:
            raise TooLarge(
                f"there are {len(rows)} rows, one request may carry {most} (params.yaml: service.max_rows); "
                "send several requests"
            )
        requests.check_rows(rows, schema)
        answered = scenario.predict(served, rows)
        labels = answered.labels
        if answered.probabilities is None:
            labels = [float(f"{value:.{DIGITS}g}") for value in labels]
        sent = {"x-releve-answer": answered.id, "x-releve-model": answered.model, "x-releve-arm": answered.arm}
        headers = tuple((name.encode(), value.encode()) for name, value in sent.items())
        return json_reply({"predictions": labels}, headers=headers, request_id=request.request_id or answered.id)

    return invocations


def rows_of(body: bytes, content_type: str, schema: Schema) -> Rows:
    """Return rows as `predict` takes them; their cells are not checked. Raise BadInput, UnsupportedMediaType."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if any(parameter.replace('"', "") != "charset=utf-8" for parameter in parameters if parameter):
        raise UnsupportedMediaType("text in UTF-8, as 'charset=utf-8' or without a parameter,")
    if media_type == CSV:
        return _rows_of_csv(body, schema)
    if media_type not in ("", JSON.decode()):
        raise UnsupportedMediaType(f"JSON as {JSON.decode()} or CSV as {CSV}")
    asked = _object(body)
    given = [name for name in asked if name != IGNORED]
    if len(given) != 1 or given[0] not in FORMATS:
        raise BadInput(f"the body has the fields {format_value(given)}, {EXPECTED}")
    value = asked[given[0]]
    match given[0]:
        case "dataframe_split":
            return _rows_of_split(value)
        case "inputs" if isinstance(value, dict):
            return _rows_of_columns(value)
        case name:
            return _rows_of_list(name, value, schema)


def _object(body: bytes) -> dict[str, Any]:
    def missing(name: str) -> None:
        if name != "NaN":
            raise BadInput(f"the body holds {name}; expected finite numbers, NaN or null where one is missing")

    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        try:
            values = json.loads(body, parse_constant=missing)
            orjson.dumps(values)  # half a character, or an endless number, could not be answered or kept
        except (ValueError, TypeError, RecursionError):
            raise BadInput(f"the body is not JSON: {failure}") from None
    if not isinstance(values, dict):
        raise BadInput(f"the body is {format_value(values)}, {EXPECTED}")
    return values


def _rows_of_split(value: Any) -> Rows:
    """Read {"columns": names, "data": rows of cells}; "index" says nothing that a model needs."""
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        raise BadInput(f"'{SPLIT}' is {format_value(value)}, expected an object with 'columns' and 'data'")
    columns = _list(f"{SPLIT}.columns", value["columns"])
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
        raise BadInput(f"'{SPLIT}.columns' is {format_value(columns)}, expected names of columns, each once")
    return _rows_of_cells(f"'{SPLIT}.data'", columns, _list(f"{SPLIT}.data", value["data"]))


def _rows_of_columns(values: Mapping[str, Any]) -> Rows:
    """Read {name: cells}; each cell may stand in a list of its own, as in an array of one column."""
    columns = {name: _list(f"{INPUTS}.{name}", cells) for name, cells in values.items()}
    if len({len(cells) for cells in columns.values()}) > 1:
        counts = ", ".join(f"{name}: {len(cells)}" for name, cells in columns.items())
        raise BadInput(f"'{INPUTS}' has columns of several lengths ({counts[:200]}); expected a cell for each row")
    flat = [
        [cell[0] if isinstance(cell, list) and len(cell) == 1 else cell for cell in cells] for cells in columns.values()
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*flat, strict=True)]


def _rows_of_list(name: str, value: Any, schema: Schema) -> Rows:
    """Read objects, or lists of numbers in the schema's order where every feature is one."""
    rows = _list(name, value)
    if name != RECORDS and rows and all(isinstance(row, list) for row in rows):
        if not is_matrix(schema):
            raise BadInput(
                f"'{name}' holds lists, and not every feature is a number; send an object of names and values per row"
            )
        return _rows_of_cells(f"'{name}'", schema.names, rows)
    return rows


def _rows_of_cells(name: str, columns: Sequence[str], rows: Sequence[Any]) -> Rows:
    for position, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            expected = f"a list of {len(columns)}: {', '.join(columns[:10])}"
            raise BadInput(f"row {position} of {name} is {format_value(row)}, expected {expected}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _rows_of_csv(body: bytes, schema: Schema) -> Rows:
    """Read a header and rows as `DataFrame.to_csv` writes them; a first column without a name is its index."""
    try:
        lines = [line for line in csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (csv.Error, UnicodeDecodeError) as failure:
        raise BadInput(f"the body is no CSV in UTF-8: {failure}") from None
    if not lines:
        raise BadInput("the body is empty; expected CSV with the names of the columns in its first line")
    names = lines[0]
    if len(set(names)) < len(names):
        raise BadInput(f"the first line is {format_value(names)}, expected names of columns, each once")
    rows = _rows_of_cells("the CSV", names, lines[1:])
    for row in rows:
        if names[0] == "":
            del row[""]
        for column in schema.columns:
            if column.name in row:
                row[column.name] = _cell(column, row[column.name])
    return rows


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
