"""Rows and whole tables judged by the schema: what is accepted is typed, and every other row has its problems.

The rule is the one for single cells (`columns.TYPES`). Whole columns do not ask it for each cell: machine numbers and
dates are compared as arrays, texts that repeat are judged once, and only cells that may be wrong are asked one by one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.cells import FIRST, LARGEST_NUMBER, LAST
from releve.domain.schema.columns import DATE, NUMBER, TYPES, Column
from releve.domain.schema.personal import HIDDEN
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

PLAIN = re.compile(r"[0-9+\-.eE]*")  # what decimal numbers are written with


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a table or a request.

    `row` counts from 0 in the order received; None where the problem is not about a row, or not about a column.
    `value` is the cell, or HIDDEN.
    """

    row: int | None
    column: str | None
    reason: str
    value: Any = None

    def __str__(self) -> str:
        row = "" if self.row is None else f"row {self.row}:"
        return " ".join(part for part in (row, self.column, self.reason) if part)


@dataclass(frozen=True)
class Checked:
    """The rows of a frame: `accepted` ones, typed, and one problem or more for every other row."""

    accepted: "pd.DataFrame"
    problems: tuple[Problem, ...]

    @property
    def rejected_rows(self) -> list[int]:
        """Positions of the rejected rows, ascending; accepted + rejected rows = rows received."""
        return sorted({problem.row for problem in self.problems if problem.row is not None})


def row_problems(schema: Schema, rows: Sequence[Any], *, first: int = 0) -> list[Problem]:
    """Return every problem in `rows`, which should be mappings of column name to value, as `predict` receives them.

    `first` is the number of the first row. Of each row unknown names come first: a list that is cut must show them.
    """
    problems: list[Problem] = []
    for number, row in enumerate(rows, first):
        if not isinstance(row, Mapping):
            problems.append(Problem(number, "row", "expected an object of feature names and values", row))
            continue
        if not schema.by_name.keys() >= row.keys():
            for name in (str(name) for name in row if name not in schema.by_name):
                close = get_close_matches(name, schema.names, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else " of this scenario"
                problems.append(Problem(number, name, f"is not a feature{hint}", row.get(name)))
        for column in schema.columns:
            unknown = "; send null if it is not known" if column.nullable or not column.feature else ""
            if column.name in row:
                reason = column.problem(row[column.name])
            elif column.name == schema.time and schema.derived:
                reason = "is missing; what is known of the time of the row follows from it"
            elif schema.derived and column.name == schema.derived.by:
                reason = f"is missing, and lags are looked up by it{unknown}"
            elif column.name in schema.derived_names and not {*schema.looked_up_by} <= row.keys():
                reason = None  # nobody sends it, and what it follows from is missing
            else:
                reason = f"is missing{unknown}" if column.feature else None
            if reason is not None:
                value = HIDDEN if column.personal else row.get(column.name)
                problems.append(Problem(number, column.name, reason, value))
    return problems


def check_columns(schema: Schema, names: Sequence[str], *, source: str, labelled: bool = True) -> None:
    """Raise BadInput when the columns of `source` are not the described ones; only features are required, what
    others are looked up by, and where rows are `labelled` the target."""
    needed = [*(column.name for column in schema.asked), *([schema.target.name] if labelled else [])]
    missing = [name for name in needed if name not in set(names)]
    extra = {
        place: name for place, name in enumerate(names, start=1) if name not in {*schema.by_name, schema.target.name}
    }
    twice = {str(name) for name in names if list(names).count(name) > 1}
    unknown = [str(name) for name in extra.values()]
    if schema.personal:  # without a header, the first row stands where names should
        unknown = [f"column {place}" for place in extra]
        twice -= set(map(str, extra.values()))
    parts = [
        f"{what} {', '.join(map(repr, columns))}"
        for what, columns in (("is missing", missing), ("has the unknown", unknown), ("has twice", sorted(twice)))
        if columns
    ]
    if missing and schema.target.name in names and {*names} <= {schema.id, schema.time, schema.target.name}:
        raise BadInput(
            f"{source} holds labels alone. Send those of rows that were answered to /feedback, which finds them by "
            f"{f'their {schema.id}' if schema.id else 'the ids of their answers'} (docs/serve.md); bring other rows "
            f"whole, with {', '.join(map(repr, missing))}"
        )
    if parts:
        raise BadInput(
            f"{source} {' and '.join(parts)}; expected the columns of scenarios/<name>/params.yaml. "
            "Correct the file, or change 'columns' there if the table itself has changed"
        )


def check_frame(schema: Schema, frame: "pd.DataFrame", *, labelled: bool = True) -> Checked:
    """Split `frame` into accepted rows, typed (`Type.dtype`), and the problems of all others; `frame` is not changed.

    Its columns are expected to be right: see `check_columns`. A column that is no feature may be absent, and is filled
    with missing cells then. `labelled`: whether it has labels to judge and to keep.
    """
    import pandas as pd

    def cells_of(column: Column, rows: "pd.DataFrame") -> "pd.Series[Any]":
        return rows[column.name] if column.name in rows else pd.Series([None] * len(rows), dtype=object)

    problems: list[Problem] = []
    for column in schema.columns:
        cells = cells_of(column, frame)
        suspects = np.flatnonzero(~_clearly_fine(column, cells))
        values = cells.iloc[suspects].to_numpy(object)
        reasons = _apply(column.problem, values, once=TYPES[column.type].repeats)
        problems += [
            Problem(int(row), column.name, reason, HIDDEN if column.personal else value)
            for row, value, reason in zip(suspects, values, reasons, strict=True)
            if reason is not None
        ]
    target = schema.target
    if labelled:
        labels = frame[target.name].to_numpy(object)
        problems += [
            Problem(row, target.name, reason, labels[row])
            for row, reason in enumerate(_apply(target.problem, labels, once=True))
            if reason is not None
        ]
    problems.sort(key=lambda problem: problem.row or 0)
    rejected = {problem.row for problem in problems}
    kept = frame.loc[np.array([row not in rejected for row in range(len(frame))], dtype=bool)] if rejected else frame
    typed = {column.name: _typed(column, cells_of(column, kept)) for column in schema.columns}
    if labelled:
        typed[target.name] = pd.Series([target.parse(label) for label in kept[target.name].to_numpy(object)])
    return Checked(pd.DataFrame(typed), tuple(problems))


def with_columns(frame: "pd.DataFrame", columns: Mapping[str, Any]) -> "pd.DataFrame":
    """Replace or add columns, as `assign` does, which cannot take a column called "self"; `frame` is not changed."""
    changed = frame.copy(deep=False)
    for name, cells in columns.items():
        changed[name] = cells
    return changed


def all_numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """Parse cells that are all decimal numbers or empty, six times faster than one by one; None where one is not."""
    try:
        if not PLAIN.fullmatch("".join(cells)):  # float() also takes 1_000, nan and digits of other alphabets
            return None
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except (TypeError, ValueError):  # a cell that is no text, or no number
        return None


def numbers_of(cells: "pd.Series[Any]") -> NDArray[np.float64] | None:
    """Do the same for a column. One that Arrow holds is parsed by it, ten times faster, to the same numbers."""
    if isinstance(cells.dtype, np.dtype):
        return all_numbers(cells.tolist())
    for has_empty in (False, True):
        plain = cells.mask(cells == "") if has_empty else cells
        try:
            numbers = np.asarray(plain.astype("Float64").to_numpy(np.float64, na_value=np.nan), dtype=np.float64)
        except ValueError:  # an empty cell, which is missing, or no number
            continue
        if np.isfinite(numbers).all() or (np.isfinite(numbers) | (cells == "").to_numpy()).all():
            return numbers  # Arrow takes nan and inf, too, for numbers
    return all_numbers(cells.tolist())


def _apply(rule: Callable[[Any], Any], values: NDArray[Any], *, once: bool) -> list[Any]:
    """Apply `rule` to each cell; with `once` to each different text only once."""
    if not once:
        return [rule(value) for value in values]
    known: dict[str, Any] = {}
    return [  # only texts: 1 and True are one key of a dictionary, and two different cells
        rule(value)
        if type(value) is not str
        else known[value]
        if value in known
        else known.setdefault(value, rule(value))
        for value in values
    ]


def _typed(column: Column, cells: "pd.Series[Any]") -> "pd.Series[Any]":
    import pandas as pd

    kind = TYPES[column.type]
    if column.type == NUMBER and cells.dtype.kind in "iuf":
        return pd.Series(cells.to_numpy(np.float64, na_value=np.nan))
    if column.type == DATE and cells.dtype.kind == "M":
        return pd.Series(_utc(cells).to_numpy("datetime64[us]"))
    return pd.Series(_apply(column.typed, cells.to_numpy(object), once=kind.repeats), dtype=kind.dtype)


def _clearly_fine(column: Column, cells: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Mark the cells of a machine type that need not be asked about one by one."""
    if column.type == NUMBER and cells.dtype.kind in "iuf":
        values = cells.to_numpy(np.float64, na_value=np.nan)
        fine = np.abs(values) <= LARGEST_NUMBER
    elif column.type == DATE and cells.dtype.kind == "M":
        values = _utc(cells).to_numpy()
        fine = (values >= FIRST) & (values <= LAST)
    else:
        return np.zeros(len(cells), dtype=bool)
    low, high = (np.datetime64(limit) if isinstance(limit, datetime) else limit for limit in (column.min, column.max))
    fine &= True if low is None else values >= low
    fine &= True if high is None else values <= high
    return np.asarray(fine, dtype=bool)


def _utc(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    zone = getattr(cells.dtype, "tz", None)
    return cells if zone is None else cells.dt.tz_convert("UTC").dt.tz_localize(None)
