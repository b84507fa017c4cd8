"""Tables for benchmarks.drift: a reference and two windows after it, of one population, with or without a shift.

Shuffled: rows of a real table, in random order. A table with fewer columns is widened by copies, each shuffled by
itself, so that they are independent, and every other one blurred. Resampled: both windows are drawn, with
replacement, from the reference itself. Made: every row is fresh.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releve.domain.schema.schema import Schema

Columns = Mapping[str, NDArray[Any]]  # float64: numbers; object: categories
Random = np.random.Generator

REFERENCE = 5_000  # rows, at most, unless windows are larger than a half of it
WINDOWS = 2
SHIFTED = 2  # columns
BLUR = 0.1  # deviations
MIN_DISTINCT = 10  # values of a column that is shifted: on fewer, a shift makes a value that never was


def _category(share: tuple[float, ...]) -> Callable[[Random, int], NDArray[Any]]:
    names = np.array([f"c{number}" for number in range(len(share))], dtype=object)
    return lambda random, rows: names[random.choice(len(share), rows, p=np.array(share) / sum(share))]


KINDS: dict[str, Callable[[Random, int], NDArray[Any]]] = {
    "normal": lambda random, rows: random.normal(size=rows),
    "skewed": lambda random, rows: random.lognormal(size=rows),
    "counts": lambda random, rows: random.poisson(3, rows).astype(float),
    "mostly zero": lambda random, rows: random.exponential(size=rows) * (random.random(rows) < 0.1),
    "few categories": _category((6, 3, 1)),
    "many categories": _category(tuple(1 / rank for rank in range(1, 51))),
}
MIXED, NORMAL, RESAMPLED = "made, mixed", "made, normal", "resampled, mixed"
MADE = {
    MIXED: tuple(KINDS),
    NORMAL: ("normal",),
    "made, skewed": ("skewed",),
    "made, discrete": ("counts", "mostly zero"),
    "made, few categories": ("few categories",),
    "made, many categories": ("many categories",),
}


@dataclass(frozen=True, eq=False)
class Samples:
    """What is compared: frames that are alike but for the shift."""

    reference: pd.DataFrame
    windows: tuple[pd.DataFrame, ...]
    schema: Schema


def draw(
    world: str, tables: Mapping[str, Columns], random: Random, *, columns: int, rows: int, shift: float = 0.0
) -> Samples:
    """A reference and WINDOWS windows of `rows` rows; `shift` moves SHIFTED columns of these, in their deviations."""
    if world in tables:
        frame = pd.DataFrame(shuffled(tables[world], random, columns, rows))
    elif world == RESAMPLED:
        frame = pd.DataFrame(made(MADE[MIXED], random, columns, reference_rows(rows)))
        frame = frame.iloc[np.append(np.arange(len(frame)), random.integers(0, len(frame), WINDOWS * rows))]
    else:
        frame = pd.DataFrame(made(MADE[world], random, columns, reference_rows(rows) + WINDOWS * rows))
    start = len(frame) - WINDOWS * rows
    windows = [frame.iloc[start + rows * number :][:rows].reset_index(drop=True) for number in range(WINDOWS)]
    reference = frame.iloc[:start].reset_index(drop=True)
    if shift:
        windows = [shifted(window, reference, shift) for window in windows]
    return Samples(reference, tuple(windows), schema_of(frame))


def reference_rows(rows: int) -> int:
    """How many rows stand before windows of `rows` rows."""
    return max(REFERENCE, 2 * rows)


def made(kinds: tuple[str, ...], random: Random, columns: int, rows: int) -> dict[str, NDArray[Any]]:
    """Fresh rows, the kinds by turns."""
    return {f"x{place}": KINDS[kinds[place % len(kinds)]](random, rows) for place in range(columns)}


def shuffled(table: Columns, random: Random, columns: int, rows: int) -> dict[str, NDArray[Any]]:
    """A reference and its windows one after another; drawn with replacement where the table has too few rows."""
    there = len(next(iter(table.values())))
    wanted = min(there, reference_rows(rows) + WINDOWS * rows)
    enough = wanted >= 2 * WINDOWS * rows  # a reference as large as both windows
    names = random.permutation(list(table))

    def order() -> NDArray[Any]:
        if enough:
            return np.asarray(random.permutation(there)[:wanted])
        return random.integers(0, there, reference_rows(rows) + WINDOWS * rows)

    first = order()
    columns_made = {}
    for place in range(columns):
        copy, name = place // len(names), names[place % len(names)]
        cells = table[name][order() if copy else first]
        columns_made[f"{name}_{copy}" if copy else name] = blurred(cells, random) if copy % 2 else cells
    return columns_made


def blurred(cells: NDArray[Any], random: Random) -> NDArray[Any]:
    """Numbers with noise of BLUR deviations; categories as they are."""
    return cells if cells.dtype == object else cells + BLUR * cells.std() * random.normal(size=len(cells))


def shifted(window: pd.DataFrame, reference: pd.DataFrame, shift: float) -> pd.DataFrame:
    """The first SHIFTED number columns moved by `shift` deviations of the reference."""
    numbers = [str(name) for name in reference if reference[name].dtype == float]
    moved = [name for name in numbers if reference[name].nunique() > MIN_DISTINCT][:SHIFTED]
    if len(moved) < SHIFTED:
        raise ValueError(f"{len(moved)} columns can be shifted, expected {SHIFTED}; use a table with more numbers")
    return window.assign(**{name: window[name] + shift * reference[name].std() for name in moved})


def schema_of(frame: pd.DataFrame) -> Schema:
    """Every column a feature, beside a target that is not compared."""
    kinds = {name: "number" if frame[name].dtype == float else "category" for name in frame}
    return Schema.from_dict(
        {
            "columns": {name: {"type": kind} for name, kind in kinds.items()},
            "target": {"name": "target", "classes": ["no", "yes"]},
        }
    )
