"""Cells that a column allows, for descriptions and first questions."""

from datetime import datetime, timedelta
from typing import Any

from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, Column

EXAMPLE_DATE, EXAMPLE_TEXTS = datetime(2024, 1, 1), ("a text", "b text")
EXAMPLE_IMAGES = (  # PNG, one black and one white pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg==",
)


def example_cells(column: Column) -> tuple[Any, Any]:
    """Return two cells that the column allows, as JSON holds them: its ends, where it has them."""
    if column.type == CATEGORY:
        names = column.categories or EXAMPLE_TEXTS
        return names[0], names[-1]
    if column.type == NUMBER:
        low, high = (limit if isinstance(limit, int | float) else None for limit in (column.min, column.max))
        low = low if low is not None else min(0.0, high) if high is not None else 0.0
        return low, high if high is not None else low + 1.0
    if column.type == DATE:
        first, last = (limit if isinstance(limit, datetime) else None for limit in (column.min, column.max))
        first = first or (min(EXAMPLE_DATE, last) if last else EXAMPLE_DATE)
        return first.isoformat(), (last or first + timedelta(days=1)).isoformat()
    if column.type == IMAGE:
        return EXAMPLE_IMAGES
    return tuple(text[: column.max_length] for text in EXAMPLE_TEXTS)  # type: ignore[return-value]
