"""Broken data is not drift: a feed that stopped, a recoding, other units.

A check is silent where past windows of the reference already did the same: a count that only grows always leaves its
range, a season reaches a new level now and then, and the number of a batch is another one in every window.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.preprocessing import Pair, present_of
from releve.domain.schema.columns import CATEGORY, NUMBER, Column
from releve.domain.schema.personal import HIDDEN

MAX_MISSING_RISE = 0.2  # share 0-1 of the cells, where batch.max_missing_rise says nothing else
MAX_NEW_CATEGORIES = 0.5  # share 0-1 of the cells with categories that the reference never had: more is a recoding
MAX_FAR_OUTSIDE = 0.05  # share 0-1 of the cells that lie FAR outside: more is another unit or a broken sensor
FACTORS = (10, 60, 100, 1000, 3600, 10_000, 1_000_000)  # between units: tenths, minutes, cents, milli, hours, ...
FACTOR_TOLERANCE = 0.1  # of the median and of the spread, both of which a change of unit multiplies
FAR = 3.0  # ranges of the reference beyond its ends: no value of the same unit
OUTSIDE = 0.9  # share 0-1 of cells outside the range of the reference that no drift explains
MIN_PRESENT = 20  # present cells a side; fewer cannot be compared, whatever the window's size
LEAST_STEPS = 3  # between past windows, below which nobody knows that a column only goes one way
ONE_WAY = 0.75  # share 0-1 of the steps that go one way where a column does: a running number has its slips
MOST_EQUAL = 0.5  # share 0-1 of the reference that one value may have where being constant is news


class DataIssueKind(StrEnum):
    """What a person should know of the compared rows.

    `releve.reporting.messages.monitoring` writes the sentence of each.
    """

    # nothing was compared
    FEW_ANSWERS = "few answers"
    FEW_REFERENCE_ROWS = "few rows of reference"
    FEW_CELLS = "few cells in every column"
    # broken data
    COLUMN_MISSING = "column missing"
    COLUMN_REPEATED = "column repeated"
    CELLS_MISSING = "cells missing"
    CELLS_UNREADABLE = "cells missing or unreadable"
    NEW_CATEGORIES = "new categories"
    LARGER_UNIT = "larger unit"
    SMALLER_UNIT = "smaller unit"
    OUTSIDE = "outside the range of the reference"
    FAR_OUTSIDE = "far outside the range of the reference"
    CONSTANT = "constant"
    # columns that were not compared
    DATES = "dates"
    FEW_PRESENT = "few present cells"
    UNIQUE_VALUES = "a value of its own in nearly every row"
    NOT_IN_SCHEMA = "not in the schema"
    MISSING_IN_REFERENCE = "column missing in the reference"
    REPEATED_IN_REFERENCE = "column repeated in the reference"
    # cells that hold nothing back
    SOME_UNREADABLE_BEFORE = "some cells of the reference unreadable"
    SOME_UNREADABLE_NOW = "some cells of the window unreadable"
    SOME_FAR_OUTSIDE = "some values far outside"


@dataclass(frozen=True)
class DataIssue:
    """An issue with its figures; which of them a kind has is seen in its sentence."""

    kind: DataIssueKind
    columns: tuple[str, ...] = ()
    value: float = 0.0  # a count, a share 0-1, or a factor
    limit: float = 0.0  # that the value is compared with: as it was before, as many as there are, as many as needed
    low: float = 0.0  # ends of the reference
    high: float = 0.0
    type: str = ""  # of the column
    example: str = ""

    def as_shown(self, column: Column) -> "DataIssue":
        """Return it without the cells of a personal column: neither an example, nor the ends of the reference."""
        return replace(self, example=self.example and HIDDEN, low=0.0, high=0.0) if column.personal else self


def find_broken_cells(pair: Pair, max_missing_rise: float) -> DataIssue | None:
    """Return why the column's cells look broken; None where they do not, and of columns without a cell."""
    issue = _broken_cells(pair, max_missing_rise)
    return issue.as_shown(pair.column) if issue else None


def _broken_cells(pair: Pair, max_missing_rise: float) -> DataIssue | None:
    if not len(pair.before) or not len(pair.now):
        return None
    columns, column_type = (pair.column.name,), pair.column.type
    was_missing, missing = pair.missing
    if missing - was_missing > max_missing_rise:
        unreadable = pair.unreadable[1]
        kind = DataIssueKind.CELLS_UNREADABLE if unreadable.unreadable else DataIssueKind.CELLS_MISSING
        return DataIssue(kind, columns, missing, was_missing, type=column_type, example=unreadable.example)
    if column_type not in (NUMBER, CATEGORY) or pair.present < MIN_PRESENT:
        return None
    before, now = present_of(pair.before), present_of(pair.now)
    past = [cells for window in pair.windows if len(cells := present_of(window))]
    if column_type == CATEGORY and not has_unique_values(pair):
        new = now[~np.isin(now, np.unique(before))]
        share = len(new) / len(now)
        if share > MAX_NEW_CATEGORIES and not _always_renews(past):
            return DataIssue(DataIssueKind.NEW_CATEGORIES, columns, share, example=pair.names[int(new[0])])
    if _has_range(pair):
        if factor := _unit_factor(before, now):
            kind = DataIssueKind.LARGER_UNIT if factor > 1 else DataIssueKind.SMALLER_UNIT
            return DataIssue(kind, columns, max(factor, 1 / factor))
        low, high, share = float(before.min()), float(before.max()), _outside_share(before, now)
        if share >= OUTSIDE and not _always_leaves(past):
            return DataIssue(DataIssueKind.OUTSIDE, columns, share, low=low, high=high)
        share = float(_far(pair).mean())
        if share > MAX_FAR_OUTSIDE and not _only_goes_on(past, now):
            return DataIssue(DataIssueKind.FAR_OUTSIDE, columns, share, low=low, high=high)
    is_news = float((before == now[0]).mean()) < MOST_EQUAL and not any(map(_is_constant, [before, *past]))
    if _is_constant(now) and is_news:
        value = pair.names[int(now[0])] if pair.names else f"{now[0]:.4g}"
        return DataIssue(DataIssueKind.CONSTANT, columns, example=value)
    return None


def find_notable_cells(pair: Pair) -> list[DataIssue]:
    """Return what a person should know of the column, though it holds nothing back."""
    kinds, columns = (DataIssueKind.SOME_UNREADABLE_BEFORE, DataIssueKind.SOME_UNREADABLE_NOW), (pair.column.name,)
    issues = [
        DataIssue(kind, columns, count, len(cells.values), type=pair.column.type, example=cells.example)
        for kind, cells in zip(kinds, pair.unreadable, strict=True)
        if (count := cells.unreadable)
    ]
    far = _far(pair)
    if far.any():
        example = f"{present_of(pair.now)[far][0]:.4g}"
        issues.append(DataIssue(DataIssueKind.SOME_FAR_OUTSIDE, columns, int(far.sum()), len(far), example=example))
    return [issue.as_shown(pair.column) for issue in issues]


def has_unique_values(pair: Pair) -> bool:
    """Return whether nearly every row has a category of its own, as ids have: such a column cannot be compared."""
    before = present_of(pair.before)
    return pair.column.type == CATEGORY and len(np.unique(before)) > len(before) / 2


def _has_range(pair: Pair) -> bool:
    enough = pair.column.type == NUMBER and pair.present >= MIN_PRESENT
    return enough and not _is_constant(present_of(pair.before))  # one that begins to move has drifted


def _unit_factor(before: NDArray[np.float64], now: NDArray[np.float64]) -> float | None:
    """The factor between two units that both median and spread were multiplied by."""
    low, middle, high = np.quantile(before, [0.25, 0.5, 0.75])
    now_low, now_middle, now_high = np.quantile(now, [0.25, 0.5, 0.75])
    if min(abs(middle), high - low, abs(now_middle), now_high - now_low) <= 0:
        return None
    ratios = (now_middle / middle, (now_high - now_low) / (high - low))
    factors = (*FACTORS, *(1 / factor for factor in FACTORS))
    fits = (each for each in factors if all(abs(ratio / each - 1) <= FACTOR_TOLERANCE for ratio in ratios))
    return next(fits, None)


def _far(pair: Pair) -> NDArray[np.bool_]:
    """Which present cells of the window lie far outside."""
    if not _has_range(pair):
        return np.zeros(0, dtype=bool)
    before, now = present_of(pair.before), present_of(pair.now)
    reach = FAR * (before.max() - before.min())
    return np.asarray((now < before.min() - reach) | (now > before.max() + reach))


def _outside_share(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    return float(((now < before.min()) | (now > before.max())).mean())


def _always_leaves(past: list[NDArray[np.float64]]) -> bool:
    """Whether a past window, too, lay mostly outside the range of what came before it, next to it or some windows
    earlier: a model ages, and so does its reference."""
    lows = np.minimum.accumulate([cells.min() for cells in past])
    highs = np.maximum.accumulate([cells.max() for cells in past])
    return any(
        ((later < low) | (later > high)).mean() >= MOST_EQUAL
        for place, (low, high) in enumerate(zip(lows, highs, strict=True))
        for later in past[place + 1 :]
    )


def _only_goes_on(past: list[NDArray[np.float64]], now: NDArray[np.float64]) -> bool:
    """Whether the column moved one way in nearly every past window, mostly out of the range of the one before, and
    moves that way now: a date or a running number, after a gap too. How far is no news then."""
    steps = np.sign(np.diff([float(np.median(cells)) for cells in [*past, now]]))
    leaving = [_outside_share(before, after) >= MOST_EQUAL for before, after in pairwise(past)]
    goes_on = bool(steps[-1] != 0) and float((steps == steps[-1]).mean()) >= ONE_WAY
    return len(leaving) >= LEAST_STEPS and goes_on and float(np.mean(leaving)) > MOST_EQUAL


def _always_renews(past: list[NDArray[np.float64]]) -> bool:
    """Whether past windows, too, held one category alone, or most of them mostly such as no window before had."""
    if any(map(_is_constant, past)):
        return True
    renewed = [
        (~np.isin(now, np.concatenate(past[:place]))).mean() >= MOST_EQUAL
        for place, now in enumerate(past[1:], start=1)
    ]
    return bool(renewed) and float(np.mean(renewed)) >= MOST_EQUAL


def _is_constant(cells: NDArray[np.float64]) -> bool:
    return bool(len(cells)) and bool((cells == cells[0]).all())
