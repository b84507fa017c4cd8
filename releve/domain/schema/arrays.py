"""Checked rows as the arrays that models take, and back as rows that a client would send.

Blocks of shape (rows, columns), where there are such columns: "numbers" float32 (numbers, then the parts of dates, then
the pixels of images; NaN is missing), "categories" and "texts" object ("" is missing).

A model sees five parts per date (`schema.DATE_PARTS`). `days` since 1970-01-01 carries the trend and, with its
fraction, the order; the others carry what repeats: month of the year, day of the month (paydays), day of the week
(Monday is 0) and hour of the day (14.5 is half past two). Models compute in float32, whose steps between 2015 and 2060
are three minutes of `days`; `hour` is exact to less than a second.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.columns import typed_number, typed_text
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000


def arrays_of_rows(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Convert rows that `predict` received and that have no problem."""
    numbers = [[typed_number(row[name]) for name in schema.numbers] for row in rows]
    texts = {
        block: np.array([[column.typed(row[column.name]) for column in columns] for row in rows], dtype=object)
        for block, columns in schema.text_columns.items()
    }
    dates = [
        np.array([schema.by_name[name].typed(row[name]) for row in rows], dtype="datetime64[us]")
        for name in schema.dates
    ]
    images = [pixel_rows(schema, name, [typed_text(row[name]) for row in rows]) for name in schema.images]
    return blocks_of(schema, len(rows), np.array(numbers, dtype=np.float32), dates, images, texts)


def arrays_of_frame(schema: Schema, frame: "pd.DataFrame") -> dict[str, NDArray[Any]]:
    """Convert a checked frame."""
    texts = {block: frame[names].to_numpy(object) for block, names in schema.text_blocks.items()}
    dates = [frame[name].to_numpy("datetime64[us]") for name in schema.dates]
    images = [pixel_rows(schema, name, frame[name].to_numpy(object)) for name in schema.images]
    return blocks_of(schema, len(frame), frame[schema.numbers].to_numpy(np.float32), dates, images, texts)


def rows_of_frame(schema: Schema, frame: "pd.DataFrame", *, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Convert a checked frame to rows that `predict` receives: dates as ISO text, missing as None.

    `names`: of the columns; the features where left out.
    """

    def sent(cell: Any) -> Any:
        if hasattr(cell, "isoformat"):
            return cell.isoformat() if cell == cell else None  # a missing date is unequal to itself
        return None if cell != cell or cell == "" else cell

    cells = {name: [sent(cell) for cell in frame[name].to_numpy(object)] for name in names or schema.names}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def date_parts(dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Compute `schema.DATE_PARTS` of each date, (n, 5); NaN for a missing one. `dates` is datetime64[us], (n,)."""
    moments = dates.astype("datetime64[us]")
    day, month = moments.astype("datetime64[D]"), moments.astype("datetime64[M]")
    micros = moments.astype(np.int64)
    parts = np.column_stack(
        [
            micros / DAY_US,
            month.astype(np.int64) % 12 + 1,
            (day - month.astype("datetime64[D]")).astype(np.int64) + 1,
            (day.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
            micros % DAY_US / HOUR_US,
        ]
    ).astype(np.float64)
    parts[np.isnat(moments)] = np.nan
    return parts


def pixel_rows(schema: Schema, name: str, cells: Sequence[str] | NDArray[Any]) -> NDArray[np.float32]:
    """Decode images, (n, pixels); NaN for a missing one. Raise ValueError for a cell with a problem."""
    found = np.full((len(cells), len(schema.feature_parts[name])), np.nan, dtype=np.float32)
    for row, cell in enumerate(cells):
        if cell:
            found[row] = schema.by_name[name].pixels(cell).ravel()
    return found


def blocks_of(
    schema: Schema,
    rows: int,
    numbers: NDArray[Any],
    dates: Sequence[NDArray[Any]],
    images: Sequence[NDArray[Any]],
    texts: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Give every block its shape, which an empty list of rows does not have by itself."""
    numbers = numbers.reshape(rows, len(schema.numbers))
    if dates or images:
        numbers = np.hstack([numbers, *map(date_parts, dates), *images]).astype(np.float32)
    blocks = {"numbers": numbers} if schema.model_numbers else {}
    return blocks | {block: texts[block].reshape(rows, len(names)) for block, names in schema.text_blocks.items()}
