"""The feature schema: one rule for what a row may hold, at ingest, in the pipeline and at predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.errors import BadInput
from releve.rules.column_specs import read_column, write_column
from releve.rules.columns import CATEGORY, DATE, NUMBER, TEXT, TYPES, Column, typed_number
from releve.rules.dates import date_parts, part_names
from releve.rules.frames import cells_of, column_problems, from_text, problems_of, typed_column, with_columns
from releve.rules.target import Target, read_target, write_target

if TYPE_CHECKING:
    import pandas as pd

RESERVED_PREFIX = "_"  # of Relève's own columns beside a table's: a row's batch, position, id
TABLE_KEYS = ("columns", "target", "time", "id")  # of a scenario's params.yaml; the rest are overrides


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


@dataclass(frozen=True)
class Schema:
    """The columns of a scenario's table: numbers, dates, categories, texts, then those that are no features."""

    columns: tuple[Column, ...]
    target: Target
    time: str | None = None  # the column that orders the rows of a file
    id: str | None = None  # the column that names a row

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the scenario") -> "Schema":
        """Read TABLE_KEYS as params.yaml writes them. Raises BadInput naming `source` and the key."""
        described = _mapping(values, "columns", source)
        columns = [read_column(name, spec, source=source) for name, spec in described.items()]
        order = list(TYPES)
        columns.sort(key=lambda column: (not column.feature, order.index(column.type)))
        target = read_target(_mapping(values, "target", source), source=source)
        schema = cls(tuple(columns), target, time=values.get("time"), id=values.get("id"))
        _check_names(schema, source)
        return schema

    def as_dict(self) -> dict[str, Any]:
        """The form that `from_dict` reads; JSON and YAML can hold it."""
        spec: dict[str, Any] = {
            "target": write_target(self.target),
            "time": self.time,
            "id": self.id,
            "columns": {column.name: write_column(column) for column in self.columns},
        }
        return {key: value for key, value in spec.items() if value is not None}

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns that the model sees."""
        return tuple(column for column in self.columns if column.feature)

    @cached_property
    def names(self) -> list[str]:
        """Feature names: numbers, dates, categories, texts."""
        return [column.name for column in self.features]

    @cached_property
    def numbers(self) -> list[str]:
        """Names of the number features."""
        return self._of_type(NUMBER)

    @cached_property
    def dates(self) -> list[str]:
        """Names of the date features."""
        return self._of_type(DATE)

    @cached_property
    def categories(self) -> list[str]:
        """Names of the category features."""
        return self._of_type(CATEGORY)

    @cached_property
    def texts(self) -> list[str]:
        """Names of the text features."""
        return self._of_type(TEXT)

    @cached_property
    def model_numbers(self) -> list[str]:
        """What the columns of the numbers block are called: the numbers, then the parts of each date."""
        return [*self.numbers, *(part for name in self.dates for part in part_names(name))]

    @cached_property
    def model_names(self) -> list[str]:
        """What a model's input columns are called, block after block."""
        return [*self.model_numbers, *self.categories, *self.texts]

    def _of_type(self, kind: str) -> list[str]:
        return [column.name for column in self.features if column.type == kind]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that name; KeyError for one that is not described."""
        return self._by_name[name]

    def row_problems(self, rows: Sequence[Any]) -> list[Problem]:
        """Every problem in `rows` (mappings of column name to value), as `predict` receives them."""
        problems = []
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                problems.append(Problem(number, "row", row, "expected an object of feature names and values"))
                continue
            problems += [
                Problem(number, column.name, row.get(column.name), reason)
                for column in self.columns
                if (reason := _cell_problem(column, row)) is not None
            ]
            if not self._by_name.keys() >= row.keys():
                unknown = [str(name) for name in row if name not in self._by_name]
                problems += [
                    Problem(number, name, row.get(name), f"is not a feature{_close(name, self.names)}")
                    for name in unknown
                ]
        return problems

    def model_input(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Arrays as models take them, from checked rows: blocks of (rows, columns) where there are such columns.

        "numbers" float32 (`model_numbers`; NaN is missing), "categories" and "texts" object ("" is missing).
        """
        numbers = [[typed_number(row[name]) for name in self.numbers] for row in rows]
        texts = {
            block: np.array([[column.typed(row[column.name]) for column in columns] for row in rows], dtype=object)
            for block, columns in self._text_columns.items()
        }
        dates = [
            np.array([self._by_name[name].typed(row[name]) for row in rows], dtype="datetime64[us]")
            for name in self.dates
        ]
        return self._blocks(len(rows), np.array(numbers, dtype=np.float32), dates, texts)

    def frame_input(self, frame: "pd.DataFrame") -> dict[str, NDArray[Any]]:
        """The same arrays from a checked frame."""
        texts = {block: frame[names].to_numpy(object) for block, names in self._text_blocks.items()}
        dates = [frame[name].to_numpy("datetime64[us]") for name in self.dates]
        return self._blocks(len(frame), frame[self.numbers].to_numpy(np.float32), dates, texts)

    @cached_property
    def _text_blocks(self) -> dict[str, list[str]]:
        blocks = {"categories": self.categories, "texts": self.texts}
        return {block: names for block, names in blocks.items() if names}

    @cached_property
    def _text_columns(self) -> dict[str, list[Column]]:
        return {block: [self._by_name[name] for name in names] for block, names in self._text_blocks.items()}

    def _blocks(
        self, rows: int, numbers: NDArray[Any], dates: Sequence[NDArray[Any]], texts: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Blocks of their shape: no rows leave no columns behind to tell it."""
        numbers = numbers.reshape(rows, len(self.numbers))
        if dates:
            numbers = np.hstack([numbers, *map(date_parts, dates)]).astype(np.float32)
        blocks = {"numbers": numbers} if self.model_numbers else {}
        return blocks | {block: texts[block].reshape(rows, len(names)) for block, names in self._text_blocks.items()}

    def as_rows(self, frame: "pd.DataFrame") -> list[dict[str, Any]]:
        """The features of a checked frame as rows that `predict` receives: dates as ISO text, missing cells as None."""
        named = {name: [_sent(cell) for cell in frame[name].to_numpy(object)] for name in self.names}
        return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]

    def check_columns(self, names: Sequence[str], *, source: str) -> None:
        """Raises BadInput when the columns of `source` are not the described ones; only features and target must be."""
        needed = [*self.names, self.target.name]
        missing = [name for name in needed if name not in set(names)]
        extra = [str(name) for name in names if name not in self._by_name and name != self.target.name]
        twice = sorted({str(name) for name in names if list(names).count(name) > 1})
        parts = [
            f"{what} {', '.join(map(repr, found))}"
            for what, found in (("is missing", missing), ("has the unknown", extra), ("has twice", twice))
            if found
        ]
        if parts:
            raise BadInput(
                f"{source} {' and '.join(parts)}; expected the columns of scenarios/<name>/params.yaml. "
                "Correct the file, or change 'columns' there if the table itself has changed"
            )

    def check_frame(self, frame: "pd.DataFrame") -> Checked:
        """Take `frame` apart: accepted rows, typed (see `releve.rules.columns.TYPES`), and problems for the rest.

        The caller's frame is left alone. Columns are expected to be right: see `check_columns`. A column that is no
        feature is filled with missing cells where it is absent.
        """
        problems = [
            Problem(row, column.name, value, reason)
            for column in self.columns
            for row, value, reason in column_problems(column, cells_of(frame, column))
        ]
        labels = frame[self.target.name].to_numpy(object)
        found = problems_of(self.target.problem, labels, repeats=True)
        problems += [Problem(row, self.target.name, labels[row], reason) for row, reason in found]
        problems.sort(key=lambda problem: problem.row)
        bad = np.zeros(len(frame), dtype=bool)
        bad[[problem.row for problem in problems]] = True
        return Checked(self._typed(frame.loc[~bad]), tuple(problems))

    def _typed(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        typed = {column.name: typed_column(column, cells_of(frame, column)) for column in self.columns}
        labels = pd.Series([self.target.parse(label) for label in frame[self.target.name].to_numpy(object)])
        return pd.DataFrame({**typed, self.target.name: labels})

    def from_text(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """A frame of text cells (CSV) with numbers where a number column's cell reads as one; the rest stays text.

        An empty cell is missing. Nothing is dropped: a cell that does not read is left for `check_frame` to name.
        """
        return with_columns(
            frame, {name: from_text(self._by_name[name], frame[name]) for name in frame if name in self._by_name}
        )


def _cell_problem(column: Column, row: Mapping[str, Any]) -> str | None:
    if column.name in row:
        return column.problem(row[column.name])
    return "is missing" if column.feature else None


def _sent(cell: Any) -> Any:
    if hasattr(cell, "isoformat"):
        return cell.isoformat() if cell == cell else None  # a missing date is unequal to itself
    return None if cell != cell or cell == "" else cell


def _close(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else " of this scenario"


def _mapping(values: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    found = values.get(key)
    if not isinstance(found, Mapping) or not found:
        raise BadInput(f"{source}: '{key}' is missing; it describes the table (see README, 'Your own table')")
    return found


def _check_names(schema: Schema, source: str) -> None:
    """Raises BadInput for names that clash with others, with ours, or that name nothing."""
    names, target = [column.name for column in schema.columns], schema.target
    for name in [*names, target.name, *target.classes]:
        # Features, the target and the classes become columns of tables that have columns of ours too.
        if str(name).startswith(RESERVED_PREFIX):
            raise BadInput(
                f"{source}: the name '{name}' begins with '{RESERVED_PREFIX}', as Relève's own columns do; "
                "choose another name for the feature, target or class, and use it in the data too"
            )
    if target.name in names:
        raise BadInput(f"{source}: the target '{target.name}' is also among the columns; remove it there")
    if not schema.features:
        raise BadInput(f"{source}: every column has feature: false; a model needs one that it may see")
    if clash := sorted(set(schema.model_numbers[len(schema.numbers) :]) & {*names, target.name}):
        raise BadInput(f"{source}: '{clash[0]}' is also what a part of a date is called; choose another name")
    _check_roles(schema, names, source)


def _check_roles(schema: Schema, names: Sequence[str], source: str) -> None:
    for role, name in (("time", schema.time), ("id", schema.id)):
        if name is not None and name not in names:
            raise BadInput(f"{source}: '{role}' is {name!r}, which is none of the columns: {', '.join(names)}")
    if schema.time is not None and schema.column(schema.time).type not in (NUMBER, DATE):
        kind = schema.column(schema.time).type
        raise BadInput(f"{source}: 'time' is the {kind} column '{schema.time}'; expected a date or a number")
