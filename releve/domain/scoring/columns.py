"""What the columns of an output are called: the words of the HTTP answer, beside what names the row.

A table has no lists: `probabilities.yes` is the answer's probabilities: {"yes": ...}, `interval.low` and
`interval.high` its interval. Lines of JSON have them as the answer does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from releve.domain.schema.schema import RESERVED_PREFIX, Schema

SOURCE, ANSWER = "_source", "_answer"  # the input's file, where there are several; the id that /feedback takes
LABEL, PROBABILITY, PROBABILITIES, VALUE, INTERVAL = "label", "probability", "probabilities", "value", "interval"
LOW, HIGH = f"{INTERVAL}.low", f"{INTERVAL}.high"
DECISION, EXPECTED_COST, RULE = "decision", "expected_cost", "rule"
WORDS = (LABEL, PROBABILITY, PROBABILITIES, VALUE, INTERVAL, DECISION, EXPECTED_COST, RULE)


def id_column(schema: Schema) -> str | None:
    """Name the column that holds the table's own id: as it is called there, unless that is a word of the answer."""
    name = schema.id
    is_taken = name in WORDS or (name or "").startswith(f"{PROBABILITIES}.") or name in (LOW, HIGH)
    return f"{RESERVED_PREFIX}{name}" if is_taken else name


def class_columns(schema: Schema) -> list[str]:
    """Name the columns of the classes' probabilities, in the target's order."""
    return [f"{PROBABILITIES}.{label}" for label in schema.target.classes]


def nested(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Make the rows of an output what the HTTP answer has for each: its lists and objects are whole again."""
    classes = [name for name in columns if name.startswith(f"{PROBABILITIES}.")]
    plain = [name for name in columns if name not in (*classes, LOW, HIGH)]
    rows = [dict(zip(plain, cells, strict=True)) for cells in zip(*(columns[name] for name in plain), strict=True)]
    if classes:
        labels = [name.removeprefix(f"{PROBABILITIES}.") for name in classes]
        for row, cells in zip(rows, zip(*(columns[name] for name in classes), strict=True), strict=True):
            row[PROBABILITIES] = dict(zip(labels, cells, strict=True))
    if LOW in columns:
        for row, low, high in zip(rows, columns[LOW], columns[HIGH], strict=True):
            row[INTERVAL] = [low, high]
    return rows
