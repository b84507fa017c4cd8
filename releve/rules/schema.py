"""The feature schema: one rule for what a row may hold, at ingest, in the pipeline and at predict.

Cells are judged one by one (`Column.problem`); whole columns of numbers take a vectorised short cut that
gives the same answer.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

Label = int | str
NUMBER, CATEGORY = "number", "category"
RESERVED_PREFIX = "_"  # of Relève's own columns beside a table's: a row's batch, position, id
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # float() would also take 1_000 or nan
MISSING_CATEGORY = ""  # how a missing category travels: models and vectors know no None
LARGEST_NUMBER = float(np.finfo(np.float32).max)  # what the exported model, which computes in float32, can be asked


@dataclass(frozen=True)
class Column:
    """One feature: its type and what its cells may hold."""

    name: str
    type: str
    min: float | None = None
    max: float | None = None
    categories: tuple[str, ...] | None = None
    nullable: bool = False

    def problem(self, value: Any) -> str | None:
        """Why `value` may not stand in this column, as a sentence part; None when it may."""
        if is_missing(value) or (self.type == CATEGORY and isinstance(value, str) and value == MISSING_CATEGORY):
            return None if self.nullable else "is missing or NaN"
        return self._number_problem(value) if self.type == NUMBER else self._category_problem(value)

    def _number_problem(self, value: Any) -> str | None:
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
            return f"is {value!r}, expected a number"
        # An int is compared as it is: a huge one has no float.
        if not abs(value if isinstance(value, int) else float(value)) <= LARGEST_NUMBER:
            return f"is {str(value)[:20]}, expected a finite number up to {LARGEST_NUMBER:.2g}"
        if self.min is not None and value < self.min:
            return f"is {value}, expected at least {self.min:g}"
        if self.max is not None and value > self.max:
            return f"is {value}, expected at most {self.max:g}"
        return None

    def _category_problem(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return f"is {value!r}, expected text"
        if self.categories is not None and value not in self.categories:
            return f"is {value!r}, expected one of {', '.join(self.categories)}"
        return None


@dataclass(frozen=True)
class Target:
    """What is predicted: the column's name and its classes, in the order of the probabilities."""

    name: str
    classes: tuple[Label, ...]

    def problem(self, value: Any) -> str | None:
        """Why `value` is not a label; None when it is."""
        if is_missing(value):
            return "is missing: every ingested row needs its label"
        if self.parse(value) not in self.classes:
            return f"is {value!r}, expected one of {', '.join(map(str, self.classes))}"
        return None

    def parse(self, value: Any) -> Label | None:
        """The class that `value` names (3, 3.0 and "3" name the class 3), or None."""
        if isinstance(value, float | np.floating) and float(value).is_integer():
            value = int(value)
        return {str(label): label for label in self.classes}.get(str(value))


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
    """The columns of a scenario's table. Numbers come first: that is the order the models know."""

    columns: tuple[Column, ...]
    target: Target

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the scenario") -> "Schema":
        """Read `columns` and `target` as params.yaml writes them. Raises BadInput naming `source` and the key."""
        columns = [_column(name, spec, source) for name, spec in _mapping(values, "columns", source).items()]
        target = _mapping(values, "target", source)
        if not isinstance(target.get("name"), str):
            raise BadInput(f"{source}: 'target' needs a 'name' and at least two 'classes'")
        classes = _classes(target.get("classes"), source)
        _check_names([*(column.name for column in columns), target["name"], *classes], source)
        if target["name"] in {column.name for column in columns}:
            raise BadInput(f"{source}: the target '{target['name']}' is also among the columns; remove it there")
        in_order = sorted(columns, key=lambda column: column.type != NUMBER)
        return cls(columns=tuple(in_order), target=Target(target["name"], classes))

    def as_dict(self) -> dict[str, Any]:
        """The form that `from_dict` reads."""
        return {
            "target": {"name": self.target.name, "classes": list(self.target.classes)},
            "columns": {column.name: _spec(column) for column in self.columns},
        }

    @property
    def names(self) -> list[str]:
        """Feature names, numbers first."""
        return [column.name for column in self.columns]

    @property
    def numbers(self) -> list[str]:
        """Names of the number columns."""
        return [column.name for column in self.columns if column.type == NUMBER]

    @property
    def categories(self) -> list[str]:
        """Names of the category columns."""
        return [column.name for column in self.columns if column.type == CATEGORY]

    def row_problems(self, rows: Sequence[Any]) -> list[Problem]:
        """Every problem in `rows` (mappings of feature name to value), as `predict` receives them."""
        known = set(self.names)
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
            if len(row) > len(known) or not known.issuperset(row):
                unknown = [str(name) for name in row if name not in known]
                problems += [
                    Problem(number, name, row[name], f"is not a feature{_close(name, known)}") for name in unknown
                ]
        return problems

    def model_input(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Arrays as the exported model takes them: numbers float32 (rows, k) and categories (rows, m)."""
        numbers = [[_number(row[name]) for name in self.numbers] for row in rows]
        categories = [[_category(row[name]) for name in self.categories] for row in rows]
        return self._arrays(np.array(numbers, dtype=np.float32), np.array(categories, dtype=object), len(rows))

    def frame_input(self, frame: "pd.DataFrame") -> dict[str, NDArray[Any]]:
        """The same arrays from a checked frame."""
        return self._arrays(
            frame[self.numbers].to_numpy(np.float32), frame[self.categories].to_numpy(object), len(frame)
        )

    def _arrays(self, numbers: NDArray[Any], categories: NDArray[Any], rows: int) -> dict[str, NDArray[Any]]:
        blocks = {"numbers": (numbers, self.numbers), "categories": (categories, self.categories)}
        return {name: block.reshape(rows, len(names)) for name, (block, names) in blocks.items() if names}

    def check_columns(self, names: Sequence[str], *, source: str) -> None:
        """Raises BadInput when the columns of `source` are not exactly the features and the target."""
        expected = {*self.names, self.target.name}
        missing = [name for name in [*self.names, self.target.name] if name not in set(names)]
        extra = [str(name) for name in names if name not in expected]
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
        """Take `frame` apart: accepted rows, and problems for the rest. Numbers are float64 then, categories text.

        The caller's frame is left alone. Columns are expected to be right: see `check_columns`.
        """
        problems = [problem for column in self.columns for problem in _column_problems(column, frame[column.name])]
        labels = frame[self.target.name]
        problems += [
            Problem(row, self.target.name, value, reason)
            for row, value in enumerate(labels)
            if (reason := self.target.problem(value)) is not None
        ]
        problems.sort(key=lambda problem: problem.row)
        bad = np.zeros(len(frame), dtype=bool)
        bad[[problem.row for problem in problems]] = True
        return Checked(self._typed(frame.loc[~bad]), tuple(problems))

    def _typed(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        typed: dict[str, Any] = {name: pd.to_numeric(frame[name]).astype("float64") for name in self.numbers}
        typed |= {name: frame[name].map(_category).astype(object) for name in self.categories}
        typed[self.target.name] = frame[self.target.name].map(self.target.parse)
        return pd.DataFrame(typed).reset_index(drop=True)

    def from_text(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """A frame of text cells (CSV) with numbers where a number column's cell reads as one; the rest stays text.

        An empty cell is missing. Nothing is dropped: a cell that is no number is left for `check_frame` to name.
        """
        return frame.assign(
            **{
                column.name: frame[column.name].map(_parse_number if column.type == NUMBER else _parse_text)
                for column in self.columns
                if column.name in frame
            }
        )


def is_missing(value: Any) -> bool:
    """None and NaN (also pandas' NA and NaT) are missing; an empty text is not."""
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _cell_problem(column: Column, row: Mapping[str, Any]) -> str | None:
    return column.problem(row[column.name]) if column.name in row else "is missing"


def _column_problems(column: Column, cells: "pd.Series[Any]") -> list[Problem]:
    suspects = np.flatnonzero(~_clearly_fine(column, cells))
    values = cells.to_numpy(object)
    return [
        Problem(int(row), column.name, values[row], reason)
        for row in suspects
        if (reason := column.problem(values[row])) is not None
    ]


def _clearly_fine(column: Column, cells: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Cells of a column of machine numbers that need no closer look."""
    if column.type != NUMBER or cells.dtype.kind not in "iuf":
        return np.zeros(len(cells), dtype=bool)
    values = cells.to_numpy(np.float64, na_value=np.nan)
    fine = np.abs(values) <= LARGEST_NUMBER
    if column.min is not None:
        fine &= values >= column.min
    if column.max is not None:
        fine &= values <= column.max
    return np.asarray(fine, dtype=bool)


def _number(value: Any) -> float:
    return math.nan if is_missing(value) else float(value)


def _category(value: Any) -> str:
    return MISSING_CATEGORY if is_missing(value) else str(value)


def _parse_number(text: Any) -> Any:
    if is_missing(text) or not str(text).strip():
        return None
    return float(text) if DECIMAL.fullmatch(str(text).strip()) else text


def _parse_text(text: Any) -> Any:
    return None if is_missing(text) or text == "" else text


def _close(name: str, known: set[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else " of this scenario"


def _mapping(values: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    found = values.get(key)
    if not isinstance(found, Mapping) or not found:
        raise BadInput(f"{source}: '{key}' is missing; it describes the table (see README, 'Your own table')")
    return found


def _classes(classes: Any, source: str) -> tuple[Label, ...]:
    if not isinstance(classes, list | tuple) or len(classes) < 2:
        raise BadInput(f"{source}: 'target' needs a 'name' and at least two 'classes'")
    kinds = {type(label) for label in classes}
    if kinds not in ({int}, {str}) or len(set(classes)) < len(classes):
        raise BadInput(
            f"{source}: target.classes is {list(classes)!r}; expected only whole numbers or only texts, all different "
            "(YAML reads yes, no, on and off as true and false: put them in quotes)"
        )
    return tuple(classes)


def _check_names(names: Sequence[Label], source: str) -> None:
    """Features, the target and the classes become columns of tables that have columns of ours too."""
    reserved = [name for name in names if str(name).startswith(RESERVED_PREFIX)]
    if reserved:
        raise BadInput(
            f"{source}: the name '{reserved[0]}' begins with '{RESERVED_PREFIX}', as Relève's own columns do; "
            "choose another name for the feature, target or class, and use it in the data too"
        )


def _column(name: Any, spec: Any, source: str) -> Column:
    allowed = {"type", "min", "max", "categories", "nullable"}
    if not isinstance(name, str) or not isinstance(spec, Mapping) or spec.get("type") not in (NUMBER, CATEGORY):
        raise BadInput(f"{source}: columns.{name} is {spec!r}; expected {{type: number}} or {{type: category}}")
    if unknown := set(spec) - allowed:
        raise BadInput(f"{source}: columns.{name} has the unknown {sorted(unknown)}; known are {sorted(allowed)}")
    if problem := _spec_problem(**spec):
        raise BadInput(f"{source}: columns.{name} {problem}")
    categories = spec.get("categories")
    return Column(**{**spec, "name": name, "categories": None if categories is None else tuple(map(str, categories))})


def _spec_problem(
    *, type: str, min: Any = None, max: Any = None, categories: Any = None, nullable: Any = False
) -> str | None:
    for name, limit in (("min", min), ("max", max)):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
            return f"has {name}: {limit!r}; expected a number"
    if min is not None and max is not None and min > max:
        return f"has min {min:g} above max {max:g}; no number fits"
    if not isinstance(nullable, bool):
        return f"has nullable: {nullable!r}; expected true or false"
    is_list = categories is None or (isinstance(categories, list | tuple) and bool(categories))
    if not is_list or any(isinstance(each, bool) or each in (None, MISSING_CATEGORY) for each in categories or ()):
        return f"has categories: {categories!r}; expected a list of texts (put yes, no, on and off in quotes)"
    return None


def _spec(column: Column) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "type": column.type,
        "min": column.min,
        "max": column.max,
        "nullable": column.nullable or None,
    }
    spec["categories"] = None if column.categories is None else list(column.categories)
    return {key: value for key, value in spec.items() if value is not None}
