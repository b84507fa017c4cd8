"""What may be asked of the index: near what, how many rows, and which of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from releve.core.errors import BadInput
from releve.domain.neighbours.embedding import Arrays
from releve.domain.neighbours.filters import Condition, Filter
from releve.domain.neighbours.vectors import BATCH, LABEL
from releve.domain.prediction_log.records import Row
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.cells import SHOWN, format_value
from releve.domain.schema.columns import typed_text
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Label
from releve.serving.requests import check_rows, describe_kind, label_problem, parsed_label, read_fields

DEFAULT_LIMIT = 10  # neighbours
RANGE = ("from", "to")
NEAR = "a 'row' (an object of feature names and values), a 'vector' (a list of numbers) or a 'text'"


@dataclass(frozen=True)
class SearchQuestion:
    """Near what (one of `row`, `vector` and `text`), how many, and among which rows."""

    row: Row | None
    vector: list[float] | None
    limit: int
    label: Label | None
    text: str | None = None
    filters: Filter = ()

    @property
    def batch(self) -> str | None:
        """The one batch that rows are looked for in, where one is named."""
        return next((each.value for each in self.filters if each.field == BATCH), None)

    @property
    def conditions(self) -> Filter:
        """What every row that is found has to meet."""
        return self.filters if self.label is None else (Condition(LABEL, str(self.label)), *self.filters)


def search_of(
    body: bytes, schema: Schema, *, dimension: int, max_neighbours: int, kept: Sequence[str] = ()
) -> SearchQuestion:
    """Return the question; `arrays_near` judges its row. `kept`: columns that the index can be filtered by.

    Raises Refused, BadInput.
    """
    values = read_fields(body, {"row", "vector", "text", "limit", "label", "filters"})
    row, vector, text = (values.get(name) for name in ("row", "vector", "text"))
    if sum(each is not None for each in (row, vector, text)) != 1:
        raise BadInput(f"send exactly one of {NEAR}")
    limit = values.get("limit", DEFAULT_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= max_neighbours:
        raise BadInput(f"'limit' is {format_value(limit)}, expected a whole number from 1 to {max_neighbours}")
    label = values.get("label")
    return SearchQuestion(
        row=row,
        vector=None if vector is None else _vector(vector, dimension),
        limit=limit,
        label=None if label is None else _label(label, schema),
        text=None if text is None else _text(text, schema),
        filters=_filters(values.get("filters"), schema, kept),
    )


def arrays_near(question: SearchQuestion, schema: Schema) -> Arrays | None:
    """What the model embeds; None for a vector. Of a text every other feature is missing. Raises Refused, BadInput."""
    if question.row is not None:
        return check_rows([question.row], schema)
    if question.text is None:
        return None
    row = dict.fromkeys(schema.names) | {_text_column(schema): question.text}
    return arrays_of_rows(schema, [row])


def images_near(question: SearchQuestion, schema: Schema) -> list[list[str]]:
    """What encoders of images are asked with: of each column the one cell, "" where it is missing."""
    return [[typed_text((question.row or {}).get(name))] for name in schema.images]


def _vector(vector: Any, dimension: int) -> list[float]:
    if not isinstance(vector, list):
        raise BadInput(f"'vector' is {describe_kind(vector)}, expected a list of {dimension} numbers")
    if len(vector) != dimension:
        raise BadInput(f"'vector' has {len(vector)} numbers, the index holds vectors of {dimension}")
    for position, value in enumerate(vector):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadInput(f"'vector' holds {format_value(value)} at position {position}, expected a finite number")
    return vector


def _text(text: Any, schema: Schema) -> str:
    if not isinstance(text, str):
        raise BadInput(f"'text' is {describe_kind(text)}, expected a text")
    column = schema.column(_text_column(schema))
    if problem := column.problem(text):
        raise BadInput(f"'text' {problem}")
    return text


def _text_column(schema: Schema) -> str:
    if len(schema.texts) != 1:
        number = len(schema.texts) or "none"
        raise BadInput(f"'text' is for a table with one text column, and this one has {number}; send a 'row'")
    return schema.texts[0]


def _label(label: Any, schema: Schema) -> Label:
    if schema.target.task == REGRESSION:
        raise BadInput(
            f"'label' is {format_value(label)}, and '{schema.target.name}' is a number: neighbours can be asked for by "
            "the class of a classification only; leave 'label' out"
        )
    if reason := label_problem(label, schema):
        raise BadInput(f"'label' {reason}")
    return parsed_label(label, schema)


def _filters(filters: Any, schema: Schema, kept: Sequence[str]) -> Filter:
    if filters is None:
        return ()
    if not isinstance(filters, dict):
        raise BadInput(f"'filters' is {describe_kind(filters)}, expected an object of fields and values")
    return tuple(_condition(field, wanted, schema, kept) for field, wanted in filters.items())


def _condition(field: str, wanted: Any, schema: Schema, kept: Sequence[str]) -> Condition:
    if field == LABEL:
        return Condition(LABEL, str(_label(wanted, schema)))
    if field == BATCH:
        return _batch(wanted)
    if field not in kept:
        known = ", ".join(f"'{name}'" for name in (LABEL, BATCH, *kept))
        raise BadInput(f"'filters' names '{field[:SHOWN]}', which is not kept with the index; it can name {known}")
    column = schema.column(field)
    if problem := column.problem(wanted):
        raise BadInput(f"'filters': '{field}' {problem}")
    return Condition(field, column.typed(wanted))


def _batch(wanted: Any) -> Condition:
    """One file's name, or all from one to another in the order of their names."""
    if isinstance(wanted, str):
        return Condition(BATCH, wanted)
    texts = wanted.values() if isinstance(wanted, dict) else ()
    if not texts or not set(wanted) <= {*RANGE} or not all(isinstance(text, str) for text in texts):
        raise BadInput(
            f"'filters': '{BATCH}' is {format_value(wanted)}, expected the name of a file, or "
            '{"from": name, "to": name} with one of them or both'
        )
    low, high = wanted.get("from"), wanted.get("to")
    if low is not None and high is not None and low > high:
        raise BadInput(
            f"'filters': '{BATCH}' is from {format_value(low)} to {format_value(high)}, which comes before it"
        )
    return Condition(BATCH, low=low, high=high)
