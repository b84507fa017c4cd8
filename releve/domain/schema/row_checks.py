"""Rows as `predict` receives them, judged cell by cell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from releve.domain.schema.columns import Column

if TYPE_CHECKING:
    import pandas as pd

    from releve.domain.schema.schema import Schema


@dataclass(frozen=True)
class Problem:
    """One cell that may not be as it is. `row` counts from 0 in the order received."""

    row: int
    column: str
    value: Any
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.column} {self.reason}"


@dataclass(frozen=True)
class Checked:
    """A frame taken apart: `accepted` rows, typed, and one problem or more for every other row."""

    accepted: "pd.DataFrame"
    problems: tuple[Problem, ...]

    @property
    def rejected_rows(self) -> list[int]:
        """Positions of the rejected rows, ascending; accepted + rejected rows = rows received."""
        return sorted({problem.row for problem in self.problems})


def row_problems(schema: "Schema", rows: Sequence[Any]) -> list[Problem]:
    """Every problem in `rows`, which should be mappings of column name to value."""
    return [problem for number, row in enumerate(rows) for problem in _of_row(schema, number, row)]


def _of_row(schema: "Schema", number: int, row: Any) -> Iterator[Problem]:
    if not isinstance(row, Mapping):
        yield Problem(number, "row", row, "expected an object of feature names and values")
        return
    for column in schema.columns:
        if (reason := _cell_problem(column, row)) is not None:
            yield Problem(number, column.name, row.get(column.name), reason)
    if not schema.by_name.keys() >= row.keys():
        for name in (str(name) for name in row if name not in schema.by_name):
            yield Problem(number, name, row.get(name), f"is not a feature{_close(name, schema.names)}")


def _cell_problem(column: Column, row: Mapping[str, Any]) -> str | None:
    if column.name in row:
        return column.problem(row[column.name])
    return "is missing" if column.feature else None


def _close(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else " of this scenario"
