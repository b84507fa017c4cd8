"""What may be asked: the bytes of a request become checked values, or an error that names each problem."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from releve.core.errors import BadInput, TooLarge
from releve.domain.prediction_log.records import ROW_ID
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.cells import EDGES, SHOWN, format_value
from releve.domain.schema.columns import IMAGE
from releve.domain.schema.images import pixel_count
from releve.domain.schema.plain_rows import arrays_of_plain_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label
from releve.domain.schema.validation import Problem, row_problems
from releve.serving.faults import MAX_PROBLEMS, Refused

REASON_SHOWN = 400
CHECKED_TOGETHER = 5  # rows; the check stops once the list of problems is full: suggesting names takes long
MAX_PIXELS_TOGETHER = 100_000_000  # of a request's images: a second or so of decoding
SHORT_BODY_BYTES = 4096  # up to here bytes are counted faster without an array of them
QUOTE, COLON, SPACE = b'": '  # what JSON takes for a space is none above it
NESTED = "the body is nested too deeply; expected plain values in rows, labels and vectors"
LABELS_EXAMPLE = '{"labels": [{"id": row id, "label": class or number}, ...]}'


class Flow(StrEnum):
    """What operators start by the service."""

    RETRAIN = "retrain"
    MONITOR = "monitor"


@dataclass(frozen=True)
class WantedRun:
    """A run to start; `search`: retrain tries other recipes, too."""

    flow: Flow
    search: bool = False


def rows_of(body: bytes, *, max_rows: int) -> list[Any]:
    """Return what is sent as rows to predict; `check_rows` judges them. Raises BadInput, TooLarge."""
    return _items(read_fields(body, {"rows"}), "rows", '{"rows": [{feature: value, ...}, ...]}', max_items=max_rows)


def check_rows(rows: Sequence[Any], schema: Schema) -> Mapping[str, NDArray[Any]]:
    """Return the rows as the arrays that models take. Raise Refused when one is not what the schema allows.

    Raise TooLarge where images would take long to decode: a file of a few kilobytes may hold millions of pixels.
    """
    _check_pixels(rows, schema)
    arrays = arrays_of_plain_rows(schema, rows)
    if arrays is None:
        _refuse_wrong_rows(rows, schema)
        arrays = arrays_of_rows(schema, rows)
    return arrays


def _check_pixels(rows: Sequence[Any], schema: Schema) -> None:
    images = [column for column in schema.columns if column.type == IMAGE]
    most = max([MAX_PIXELS_TOGETHER, *(column.max_pixels for column in images)])
    cells = (row.get(column.name) for column in images for row in rows if isinstance(row, dict))
    found = sum(pixel_count(cell) for cell in cells if isinstance(cell, str))
    if found > most:
        raise TooLarge(f"the images have {found:,} pixels, one request may carry {most:,}; send several requests")


def _refuse_wrong_rows(rows: Sequence[Any], schema: Schema) -> None:
    problems: list[Problem] = []
    for start in range(0, len(rows), CHECKED_TOGETHER):
        piece = rows[start : start + CHECKED_TOGETHER]
        # naming every field of a row with far more fields than features would take long: one problem each
        oversized = [
            Problem(start + at, None, f"has {len(row)} fields, expected the {len(schema.asked)} features")
            for at, row in enumerate(piece)
            if isinstance(row, dict) and len(row) > 2 * len(schema.columns)
        ]
        for wrong in () if oversized else row_problems(schema, piece, first=start):
            format_value(wrong.value)  # nested too deeply is an error of the request, whatever else is wrong with it
            problems.append(Problem(wrong.row, str(wrong.column)[:SHOWN], _cut(wrong.reason)))
        problems += oversized
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        checked = min(start + CHECKED_TOGETHER, len(rows))
        raise Refused(_summary(problems, checked=checked, of=len(rows)), problems)


def labels_of(body: bytes, schema: Schema, *, max_rows: int) -> list[tuple[Any, Label]]:
    """Return pairs of an id and a class or number: the id of a prediction, or a value of the table's `id` column.

    A pair may be sent twice: writing a label again changes nothing. Raises Refused with a problem per item that is
    wrong or that gives an id another label, BadInput, TooLarge.
    """
    items = _items(read_fields(body, {"labels"}), "labels", LABELS_EXAMPLE, max_items=max_rows)
    problems = []
    for at, item in enumerate(items):
        if not isinstance(item, dict) or set(item) != {"id", "label"}:
            problems.append(Problem(at, None, f"is {format_value(item)}, expected an object with 'id' and 'label'"))
            continue
        if wrong := _id_problem(item["id"], schema):
            problems.append(Problem(at, "id", wrong))
        if wrong := label_problem(item["label"], schema):
            problems.append(Problem(at, "label", wrong))
    if problems:
        raise Refused(_summary(problems), problems)
    pairs = [(item["id"], parsed_label(item["label"], schema)) for item in items]
    check_contradictions(pairs, schema)
    return pairs


def run_of(body: bytes) -> WantedRun:
    """Return the run to start. Raises BadInput."""
    values = read_fields(body, {"flow", "search"})
    flow, search = values.get("flow"), values.get("search", False)
    if flow not in [each.value for each in Flow]:
        given = format_value(flow) if "flow" in values else "missing"
        raise BadInput(f"'flow' is {given}, expected {' or '.join(Flow)}")
    if not isinstance(search, bool):
        raise BadInput(f"'search' is {format_value(search)}, expected true or false")
    if "search" in values and flow != Flow.RETRAIN:
        raise BadInput(f"'search' is for {Flow.RETRAIN} alone; leave it out")
    return WantedRun(Flow(flow), search)


def check_contradictions(pairs: Sequence[tuple[Any, Label]], schema: Schema) -> None:
    """Raise Refused where an id is given two labels."""
    problems = []
    first: dict[Any, tuple[int, Label]] = {}
    for at, (given_id, label) in enumerate(pairs):
        before, given = first.setdefault(given_id, (at, label))
        if label != given:
            named = schema.column(schema.id).shown(given_id) if schema.id else format_value(given_id)
            contradicted = f"item {before} gives {named} {format_value(given)}"
            reason = f"is {format_value(label)}, but {contradicted}; send one label an id"
            problems.append(Problem(at, "label", reason))
    if problems:
        raise Refused(_summary(problems), problems)


def read_object(
    body: bytes, *, expected: str = "expected an object", read: Callable[[bytes], Any] = orjson.loads
) -> dict[str, Any]:
    """Return the JSON object of `body`. Raise BadInput for anything else, Refused where a key stands twice.

    `read`: raises BadInput, or what orjson raises.
    """
    try:
        values = read(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(
            f"the body is not JSON: {error}. NaN and Infinity are not JSON; a missing value is null"
        ) from None
    if not isinstance(values, dict):
        raise BadInput(f"the body is {describe_kind(values)}, {expected}")
    _check_keys(body, values)
    return values


def read_fields(body: bytes, fields: AbstractSet[str]) -> dict[str, Any]:
    """Return the JSON object of `body`, which has no other fields. Raises what `read_object` raises."""
    values = read_object(body, expected=f"expected an object with {_names(fields)}")
    if unknown := [name for name in values if name not in fields]:
        raise BadInput(f"the body has the unknown field {format_value(unknown[0])}; expected {_names(fields)}")
    return values


def _check_keys(body: bytes, values: Mapping[str, Any]) -> None:
    """Raise Refused naming each object of `body`, read as `values`, in which a key stands twice."""
    if not _has_each_key_once(body, values):
        _check_exactly(body)


def _has_each_key_once(body: bytes, values: Mapping[str, Any]) -> bool:
    """Whether a count is enough to know that orjson, which keeps the last of two equal keys, dropped none.

    A colon right behind a quote ends a key, or stands in a text: where there are as many as keys were kept, and no
    colon has a space before it, no key stood twice. 1% of a request of 100 rows, where an exact parse takes 40%.
    """
    kept = len(values)
    for value in values.values():
        items = value if type(value) is list else [value]
        kept += sum(len(item) for item in items if type(item) is dict)
    if len(body) <= SHORT_BODY_BYTES and body.count(b":") == kept:
        return True
    letters = np.frombuffer(body, dtype=np.uint8)
    before = letters[np.flatnonzero(letters == COLON) - 1]
    return bool(np.count_nonzero(before == QUOTE) == kept and (before > SPACE).all())


class _Twice(dict[str, Any]):
    """An object in which `key` stands twice."""

    key: str


def _check_exactly(body: bytes) -> None:
    """Nobody can say which of two values of one key is meant."""

    def notice(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
        values = dict(pairs)
        if len(values) == len(pairs):
            return values
        twice = _Twice(values)
        twice.key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return twice

    try:
        values = json.loads(body, object_pairs_hook=notice)
    except RecursionError:
        raise BadInput(NESTED) from None
    fields = [field if isinstance(field, list) else [field] for field in values.values()]
    numbered: list[tuple[int | None, Any]] = [(row, item) for items in fields for row, item in enumerate(items)]
    problems = []
    for row, item in [(None, values), *numbered]:
        waiting = [item]
        while waiting:
            value = waiting.pop()
            if isinstance(value, _Twice):
                problems.append(Problem(row, value.key[:SHOWN], "stands twice in one object; send each key once"))
            if item is not values:
                waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if problems:
        raise Refused(_summary(problems), problems)


def _items(values: Mapping[str, Any], name: str, example: str, *, max_items: int) -> list[Any]:
    if name not in values:
        raise BadInput(f"'{name}' is missing; send {example}")
    items = values[name]
    if not isinstance(items, list):
        raise BadInput(f"'{name}' is {describe_kind(items)}, expected a list; send {example}")
    if not items:
        raise BadInput(f"'{name}' is empty; send at least one")
    if len(items) > max_items:
        raise TooLarge(
            f"'{name}' has {len(items)} items, one request may carry {max_items} (params.yaml: service.max_rows); "
            "send several requests"
        )
    return items


def _cut(reason: str) -> str:
    return reason if len(reason) <= REASON_SHOWN else f"{reason[:REASON_SHOWN]}..."


def _summary(problems: Sequence[Problem], *, checked: int | None = None, of: int | None = None) -> str:
    """Count the problems, and write the first."""
    where = f" in the first {checked} of {of} rows" if checked != of else ""
    listed = f"; the first {MAX_PROBLEMS} are listed" if len(problems) > MAX_PROBLEMS else ""
    return f"{len(problems)} problem{'s' if len(problems) > 1 else ''}{where}{listed}: {problems[0]}"


def label_problem(label: Any, schema: Schema) -> str | None:
    """Return why it is no label of the table, as a sentence part; None where it is one."""
    if not isinstance(label, int | float | str) or schema.target.problem(label):
        return _cut(f"is {format_value(label)}, expected {schema.target.expected}")
    return None


def _id_problem(given: Any, schema: Schema) -> str | None:
    if schema.id is None:
        return None if isinstance(given, str) else f"is {format_value(given)}, expected the id of a predicted row"
    if isinstance(given, bool) or not isinstance(given, str | int | float) or not str(given).strip(EDGES):
        return f"is {schema.column(schema.id).shown(given)}, expected the id of a predicted row, or its '{schema.id}'"
    if isinstance(given, str) and ROW_ID.fullmatch(given):
        return None
    wrong = schema.column(schema.id).problem(given)
    return _cut(f"{wrong}, or the id of a predicted row") if wrong else None


def parsed_label(label: Any, schema: Schema) -> Label:
    """Return a label that has no problem as the target names it."""
    parsed = schema.target.parse(label)
    assert parsed is not None, "checked before"
    return parsed


def describe_kind(value: Any) -> str:
    """Name the kind of a JSON value."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _names(fields: AbstractSet[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(fields))
