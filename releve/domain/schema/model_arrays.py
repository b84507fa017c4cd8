"""Checked rows as the arrays that models take, and back as rows that a client would send.

Blocks of (rows, columns), where there are such columns: "numbers" float32 (numbers, then the parts of dates; NaN is
missing), "categories" and "texts" object ("" is missing).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.columns import typed_number
from releve.domain.schema.dates import date_parts

if TYPE_CHECKING:
    import pandas as pd

    from releve.domain.schema.schema import Schema


def of_rows(schema: "Schema", rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """From rows that `predict` received and that have no problem."""
    numbers = [[typed_number(row[name]) for name in schema.numbers] for row in rows]
    texts = {
        block: np.array([[column.typed(row[column.name]) for column in columns] for row in rows], dtype=object)
        for block, columns in schema.text_columns.items()
    }
    dates = [
        np.array([schema.by_name[name].typed(row[name]) for row in rows], dtype="datetime64[us]")
        for name in schema.dates
    ]
    return _blocks(schema, len(rows), np.array(numbers, dtype=np.float32), dates, texts)


def of_frame(schema: "Schema", frame: "pd.DataFrame") -> dict[str, NDArray[Any]]:
    """From a checked frame."""
    texts = {block: frame[names].to_numpy(object) for block, names in schema.text_blocks.items()}
    dates = [frame[name].to_numpy("datetime64[us]") for name in schema.dates]
    return _blocks(schema, len(frame), frame[schema.numbers].to_numpy(np.float32), dates, texts)


def as_rows(schema: "Schema", frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """The features of a checked frame: dates as ISO text, missing cells as None."""
    named = {name: [_sent(cell) for cell in frame[name].to_numpy(object)] for name in schema.names}
    return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def _blocks(
    schema: "Schema",
    rows: int,
    numbers: NDArray[Any],
    dates: Sequence[NDArray[Any]],
    texts: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Blocks of their shape: no rows leave no columns behind to tell it."""
    numbers = numbers.reshape(rows, len(schema.numbers))
    if dates:
        numbers = np.hstack([numbers, *map(date_parts, dates)]).astype(np.float32)
    blocks = {"numbers": numbers} if schema.model_numbers else {}
    return blocks | {block: texts[block].reshape(rows, len(names)) for block, names in schema.text_blocks.items()}


def _sent(cell: Any) -> Any:
    if hasattr(cell, "isoformat"):
        return cell.isoformat() if cell == cell else None  # a missing date is unequal to itself
    return None if cell != cell or cell == "" else cell
