"""The feature schema: one rule for what a row may hold, at ingest, in the pipeline and at predict."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.cells import EXACT, LARGEST_NUMBER
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, TEXT, TYPES, Column, read_column, write_column
from releve.domain.schema.derived import Features, check_features, derived_columns, read_features, write_features
from releve.domain.schema.images import MODES
from releve.domain.schema.target import Target, read_target, write_target

TABLE_KEYS = ("columns", "target", "time", "id", "features")  # of a scenario's params.yaml; the rest are overrides
RESERVED_PREFIX = "_"  # of Relève's own columns beside a table's; no name of a table begins so
BATCH, ROW = "_batch", "_row"  # where a row came from: its batch, and its position in it from 0
DATE_PARTS = ("days", "month", "day", "weekday", "hour")  # numbers that a model sees of a date: see `arrays.py`


@dataclass(frozen=True)
class Schema:
    """The columns of a scenario's table: numbers, dates, categories, texts, images, then those that are no features.

    Those that `derived` makes are among them; `sent` is the table without them, as files and requests bring it.
    """

    columns: tuple[Column, ...]
    target: Target
    time: str | None = None  # the column that orders the rows of a file
    id: str | None = None  # the column that names a row
    derived: Features | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the scenario") -> "Schema":
        """Read TABLE_KEYS as params.yaml writes them. Raise BadInput naming `source` and the key."""
        for key in ("columns", "target"):
            if not isinstance(values.get(key), Mapping) or not values[key]:
                raise BadInput(f"{source}: '{key}' is missing; it describes the table (see README, 'Your own table')")
        columns = [read_column(name, spec, source=source) for name, spec in values["columns"].items()]
        target, time = read_target(values["target"], source=source), values.get("time")
        schema = cls(_in_order(columns), target, time=time, id=values.get("id"))
        schema._check_names(source)
        features = read_features(values.get("features"), source=source)
        if features is None:
            return schema
        check_features(features, columns, target, time, source=source)
        more = derived_columns(features, columns, target, str(time))
        if clash := sorted({column.name for column in more} & {*schema.by_name, *schema.model_names, target.name}):
            raise BadInput(
                f"{source}: '{clash[0]}' is a column, and what one of the 'features' is called; choose another name"
            )
        return replace(schema, columns=_in_order([*columns, *more]), derived=features)

    def as_dict(self) -> dict[str, Any]:
        """Write the form that `from_dict` reads; JSON and YAML can hold it."""
        columns = {column.name: write_column(column) for column in self.sent.columns}
        spec = {"target": write_target(self.target), "time": self.time, "id": self.id, "columns": columns}
        spec["features"] = write_features(self.derived) if self.derived else None
        return {key: value for key, value in spec.items() if value is not None}

    @cached_property
    def derived_names(self) -> frozenset[str]:
        """Names of the columns that nobody sends."""
        return frozenset(self.made_of)

    @cached_property
    def made_of(self) -> dict[str, str]:
        """Which column each of those that nobody sends says something of."""
        if self.derived is None:
            return {}
        lags = {lag.name: lag.column for lag in self.derived.lags}
        return dict.fromkeys(self.derived.phases(str(self.time)), str(self.time)) | lags

    @cached_property
    def sent(self) -> "Schema":
        """The table as files and requests bring it; itself without derived columns."""
        if self.derived is None:
            return self
        columns = tuple(column for column in self.columns if column.name not in self.derived_names)
        return replace(self, columns=columns, derived=None)

    @cached_property
    def asked(self) -> tuple[Column, ...]:
        """The columns that a row to predict has to bring: the features that are sent, and what others follow from."""
        return tuple(column for column in self.sent.columns if column.feature or column.name in self.looked_up_by)

    @cached_property
    def looked_up_by(self) -> tuple[str, ...]:
        """The columns that calendar and lags follow from: the time, and `features.by`."""
        return tuple(filter(None, (self.time, self.derived.by))) if self.derived else ()

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns that the model sees."""
        return tuple(column for column in self.columns if column.feature)

    @cached_property
    def names(self) -> list[str]:
        """Feature names: numbers, dates, categories, texts, images."""
        return [column.name for column in self.features]

    @cached_property
    def feature_cells(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """What takes the cells of `names` out of a row; it raises KeyError where one is missing."""
        if len(self.names) == 1:
            return lambda row: (row[self.names[0]],)
        return itemgetter(*self.names)

    @cached_property
    def number_limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
        """The least and the largest value of each number feature, and whether it may be missing, each (numbers, 1).

        None where a limit has no float.
        """
        columns = [self.by_name[name] for name in self.numbers]
        limits = [limit for column in columns for limit in (column.min, column.max) if limit is not None]
        if any(isinstance(limit, int) and abs(limit) > EXACT for limit in limits):
            return None
        low = [[-LARGEST_NUMBER if column.min is None else max(column.min, -LARGEST_NUMBER)] for column in columns]
        high = [[LARGEST_NUMBER if column.max is None else min(column.max, LARGEST_NUMBER)] for column in columns]
        nullable = [[column.nullable] for column in columns]
        return (
            np.array(low, dtype=np.float64).reshape(-1, 1),
            np.array(high, dtype=np.float64).reshape(-1, 1),
            np.array(nullable, dtype=bool).reshape(-1, 1),
        )

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
    def images(self) -> list[str]:
        """Names of the image features."""
        return self._of_type(IMAGE)

    @cached_property
    def feature_parts(self) -> dict[str, tuple[str, ...]]:
        """Map each date to its parts, and each image to its pixels, row after row: the numbers that a model sees."""
        pixels = {
            name: [f"{down}_{over}{end}" for down in range(height) for over in range(width) for end in ends]
            for name in self.images
            for (width, height), (_, ends) in [(self.by_name[name].size, MODES[self.by_name[name].mode])]
        }
        parts = {name: DATE_PARTS for name in self.dates} | pixels
        return {name: tuple(f"{name}.{part}" for part in each) for name, each in parts.items()}

    @cached_property
    def model_numbers(self) -> list[str]:
        """Names of the columns of the numbers block: the numbers, then the parts of each date and image."""
        return [*self.numbers, *chain.from_iterable(self.feature_parts.values())]

    @cached_property
    def model_names(self) -> list[str]:
        """Names of a model's input columns, block after block."""
        return [*self.model_numbers, *self.categories, *self.texts]

    def _of_type(self, kind: str) -> list[str]:
        return [column.name for column in self.features if column.type == kind]

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Every column, features or not."""
        return {column.name: column for column in self.columns}

    @cached_property
    def personal(self) -> frozenset[str]:
        """Names of the columns that say something of a person."""
        return frozenset(column.name for column in self.columns if column.personal)

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
        """Return the column of that name. Raise KeyError for one that is not described."""
        return self.by_name[name]

    def check_settings(self, setting: str, names: Iterable[str], *, source: str, of_type: str | None = None) -> None:
        """Raise BadInput where `setting` of params.yaml names a column that the table does not have, or another type
        of column."""
        known = [*self.sent.by_name, self.target.name]
        for name in names:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}"
                raise BadInput(f"{source}: {setting} names '{name}', which is no column of the table; {hint}")
            found = self.by_name[name].type if name in self.by_name else "target"
            if of_type not in (None, found):
                raise BadInput(f"{source}: {setting} names the {found} '{name}'; expected a {of_type} column")

    def check_not_learned(self, setting: str, names: Iterable[str], *, source: str) -> None:
        """Raise BadInput where `setting` names no column, or one that the model learns from."""
        self.check_settings(setting, names, source=source)
        hidden = {*names}
        learned = [each.name for each in self.features if {each.name, self.made_of.get(each.name)} & hidden]
        learned += [name for name in self.looked_up_by if name in hidden]
        if learned:
            raise BadInput(
                f"{source}: {setting} names '{self.made_of.get(learned[0], learned[0])}', which the model learns from"
                f"{f' as {learned[0]}' if learned[0] in self.made_of else ''}: drift, estimates, the check of a "
                "rollback and the label loop read it there. Give it `feature: false`, and take it out of 'features', "
                f"or leave it out of {setting}"
            )

    def _check_names(self, source: str) -> None:
        """Raise BadInput for names that clash with others, with Relève's own columns, or that name no column."""
        names, target = list(self.by_name), self.target
        for name in [*names, target.name, *target.classes]:
            # Features, the target and the classes become columns of tables that have columns of ours too.
            if str(name).startswith(RESERVED_PREFIX):
                raise BadInput(
                    f"{source}: the name '{name}' begins with '{RESERVED_PREFIX}', as Relève's own columns do; "
                    "choose another name for the feature, target or class, and use it in the data too"
                )
        if target.name in names:
            raise BadInput(f"{source}: the target '{target.name}' is also among the columns; remove it there")
        if not self.features:
            raise BadInput(f"{source}: every column has feature: false; a model needs one that it may see")
        if clash := sorted(set(self.model_numbers[len(self.numbers) :]) & {*names, target.name}):
            raise BadInput(
                f"{source}: '{clash[0]}' is also what a part of a date or image is called; choose another name"
            )
        for role, column in (("time", self.time), ("id", self.id)):
            if column is not None and column not in names:
                raise BadInput(f"{source}: '{role}' is {column!r}, which is none of the columns: {', '.join(names)}")
        if self.time is not None and (kind := self.by_name[self.time].type) not in (NUMBER, DATE):
            raise BadInput(f"{source}: 'time' is the {kind} column '{self.time}'; expected a date or a number")


def _in_order(columns: Iterable[Column]) -> tuple[Column, ...]:
    order = list(TYPES)
    return tuple(sorted(columns, key=lambda column: (not column.feature, order.index(column.type))))
