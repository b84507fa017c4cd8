"""The feature schema: one rule for what a row may hold, at ingest, in the pipeline and at predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema import frame_checks, model_arrays, row_checks
from releve.domain.schema.column_specs import read_column, write_column
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, TEXT, TYPES, Column
from releve.domain.schema.dates import part_names
from releve.domain.schema.own_columns import RESERVED_PREFIX as RESERVED_PREFIX
from releve.domain.schema.row_checks import Checked as Checked
from releve.domain.schema.row_checks import Problem as Problem
from releve.domain.schema.schema_names import check_names
from releve.domain.schema.target import Target, read_target, write_target

if TYPE_CHECKING:
    import pandas as pd

TABLE_KEYS = ("columns", "target", "time", "id")  # of a scenario's params.yaml; the rest are overrides


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
        check_names(schema, source=source)
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
    def by_name(self) -> dict[str, Column]:
        """Every column, features or not."""
        return {column.name: column for column in self.columns}

    @cached_property
    def text_blocks(self) -> dict[str, list[str]]:
        """Names of the columns that models take as texts, block by block; none that is empty."""
        blocks = {"categories": self.categories, "texts": self.texts}
        return {block: names for block, names in blocks.items() if names}

    @cached_property
    def text_columns(self) -> dict[str, list[Column]]:
        """The same blocks, of columns."""
        return {block: [self.by_name[name] for name in names] for block, names in self.text_blocks.items()}

    def column(self, name: str) -> Column:
        """The column of that name; KeyError for one that is not described."""
        return self.by_name[name]

    def row_problems(self, rows: Sequence[Any]) -> list[Problem]:
        """Every problem in `rows` (mappings of column name to value), as `predict` receives them."""
        return row_checks.row_problems(self, rows)

    def check_columns(self, names: Sequence[str], *, source: str) -> None:
        """Raises BadInput when the columns of `source` are not the described ones; only features and target must be."""
        frame_checks.check_columns(self, names, source=source)

    def check_frame(self, frame: "pd.DataFrame") -> Checked:
        """Take `frame` apart: accepted rows, typed (see `columns.TYPES`), and problems for the rest.

        The caller's frame is left alone. Columns are expected to be right: see `check_columns`. A column that is no
        feature is filled with missing cells where it is absent.
        """
        return frame_checks.check_frame(self, frame)

    def model_input(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Arrays as models take them, from checked rows: blocks of (rows, columns) where there are such columns.

        "numbers" float32 (`model_numbers`; NaN is missing), "categories" and "texts" object ("" is missing).
        """
        return model_arrays.of_rows(self, rows)

    def frame_input(self, frame: "pd.DataFrame") -> dict[str, NDArray[Any]]:
        """The same arrays from a checked frame."""
        return model_arrays.of_frame(self, frame)

    def as_rows(self, frame: "pd.DataFrame") -> list[dict[str, Any]]:
        """The features of a checked frame as rows that `predict` receives: dates as ISO text, missing cells as None."""
        return model_arrays.as_rows(self, frame)


def _mapping(values: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    found = values.get(key)
    if not isinstance(found, Mapping) or not found:
        raise BadInput(f"{source}: '{key}' is missing; it describes the table (see README, 'Your own table')")
    return found
