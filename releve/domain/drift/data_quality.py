"""Broken data is not drift: a feed that stopped, a recoding, other units. Each check is one sentence or none.

A check is silent where past windows of the reference already did the same: a count that only grows always leaves its
range, a season reaches a new level now and then, and the number of a batch is another one in every window.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.preprocessing import Pair, present_of
from releve.domain.schema.columns import CATEGORY, NUMBER

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


def check_cells(pair: Pair, max_missing_rise: float) -> str | None:
    """Return why the column's cells look broken; None where they do not, and of columns without a cell."""
    if min(len(pair.before), len(pair.now)) < 1:
        return None
    found = next((found for check in CHECKS if (found := check(pair, max_missing_rise))), None)
    return f"{pair.column.name}: {found}" if found else None


def describe_cells(pair: Pair) -> list[str]:
    """Return what a person should know of the column, though it holds nothing back."""
    notes = [
        f"{count} of {len(cells.values)} cells {side} cannot be read as a {pair.column.type} (the first is "
        f"{cells.example}) and count as missing"
        for side, cells in zip(("of the reference", "of the window"), pair.unreadable, strict=True)
        if (count := cells.unreadable)
    ]
    far = _far(pair)
    if far.any():
        notes.append(
            f"{int(far.sum())} of {len(far)} values lie far outside the reference, such as "
            f"{present_of(pair.now)[far][0]:.4g}"
        )
    return [f"{pair.column.name}: {each}" for each in notes]


def has_unique_values(pair: Pair) -> bool:
    """Return whether nearly every row has a category of its own, as ids have: such a column cannot be compared."""
    before = present_of(pair.before)
    return pair.column.type == CATEGORY and len(np.unique(before)) > len(before) / 2


def _went_missing(pair: Pair, max_missing_rise: float) -> str | None:
    before, now = pair.missing
    if now - before <= max_missing_rise:
        return None
    unreadable = pair.unreadable[1]
    how = f" or cannot be read as a {pair.column.type}, such as {unreadable.example}" if unreadable.unreadable else ""
    return f"{now:.0%} of the cells are missing{how}; {before:.0%} were before (params.yaml: batch.max_missing_rise)"


def _new_categories(pair: Pair, _: float) -> str | None:
    if pair.column.type != CATEGORY or pair.present < MIN_PRESENT or has_unique_values(pair):
        return None
    known, now = np.unique(present_of(pair.before)), present_of(pair.now)
    new = now[~np.isin(now, known)]
    share = len(new) / len(now)
    if share <= MAX_NEW_CATEGORIES or _always_renews(pair):
        return None
    return f"{share:.0%} of the cells hold categories that the reference never had, such as '{pair.names[int(new[0])]}'"


def _other_units(pair: Pair, _: float) -> str | None:
    if not _comparable_numbers(pair):
        return None
    (low, before, high), (now_low, now, now_high) = (
        np.quantile(present_of(side), [0.25, 0.5, 0.75]) for side in (pair.before, pair.now)
    )
    if min(abs(before), high - low, abs(now), now_high - now_low) <= 0:
        return None
    ratios = (now / before, (now_high - now_low) / (high - low))  # of the medians, of the spreads
    for factor in (*FACTORS, *(1 / factor for factor in FACTORS)):
        if all(abs(ratio / factor - 1) <= FACTOR_TOLERANCE for ratio in ratios):
            times = f"{factor:g} times" if factor > 1 else f"1/{1 / factor:g} of"
            return f"median and spread are {times} what they were; the unit seems to have changed"
    return None


def _out_of_range(pair: Pair, _: float) -> str | None:
    if not _comparable_numbers(pair):
        return None
    before, now = present_of(pair.before), present_of(pair.now)
    share = _outside_share(before, now)
    if share >= OUTSIDE and not _always_leaves(pair):
        return f"{share:.0%} of the values lie outside the {before.min():.4g} to {before.max():.4g} of the reference"
    far = float(_far(pair).mean())
    if far > MAX_FAR_OUTSIDE and not _only_goes_on(pair):
        return f"{far:.0%} of the values lie far outside the {before.min():.4g} to {before.max():.4g} of the reference"
    return None


def _became_constant(pair: Pair, _: float) -> str | None:
    if pair.column.type not in (NUMBER, CATEGORY) or pair.present < MIN_PRESENT:
        return None
    now, before = present_of(pair.now), present_of(pair.before)
    if not _is_constant(now) or _is_constant(before) or float((before == now[0]).mean()) >= MOST_EQUAL:
        return None
    if any(_is_constant(present_of(window)) for window in pair.windows):
        return None
    value = pair.names[int(now[0])] if pair.names else f"{now[0]:.4g}"
    return f"every cell is {value} now, and no window of the reference was like that; the source seems stuck"


Check = Callable[[Pair, float], str | None]
CHECKS: tuple[Check, ...] = (_went_missing, _new_categories, _other_units, _out_of_range, _became_constant)


def _comparable_numbers(pair: Pair) -> bool:
    enough = pair.column.type == NUMBER and pair.present >= MIN_PRESENT
    return enough and not _is_constant(present_of(pair.before))  # one that begins to move has drifted


def _far(pair: Pair) -> NDArray[np.bool_]:
    if not _comparable_numbers(pair):
        return np.zeros(0, dtype=bool)
    before, now = present_of(pair.before), present_of(pair.now)
    reach = FAR * (before.max() - before.min())
    return np.asarray((now < before.min() - reach) | (now > before.max() + reach))


def _outside_share(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    return float(((now < before.min()) | (now > before.max())).mean())


def _always_leaves(pair: Pair) -> bool:
    """Whether a past window, too, lay mostly outside the range of what came before it, next to it or some windows
    earlier: a model ages, and so does its reference."""
    full = _full(pair)
    lows = np.minimum.accumulate([cells.min() for cells in full])
    highs = np.maximum.accumulate([cells.max() for cells in full])
    return any(
        ((later < low) | (later > high)).mean() >= MOST_EQUAL
        for place, (low, high) in enumerate(zip(lows, highs, strict=True))
        for later in full[place + 1 :]
    )


def _only_goes_on(pair: Pair) -> bool:
    """Whether the column moved one way in nearly every past window, mostly out of the range of the one before, and
    moves that way now: a date or a running number, after a gap too. How far is no news then."""
    full = _full(pair)
    middles = [float(np.median(cells)) for cells in [*full, present_of(pair.now)]]
    steps = np.sign(np.diff(middles))
    leaving = [_outside_share(before, now) >= MOST_EQUAL for before, now in pairwise(full)]
    goes_on = bool(steps[-1] != 0) and float((steps == steps[-1]).mean()) >= ONE_WAY
    return len(leaving) >= LEAST_STEPS and goes_on and float(np.mean(leaving)) > MOST_EQUAL


def _always_renews(pair: Pair) -> bool:
    """Whether past windows, too, held one category alone, or most of them mostly such as no window before had."""
    full = _full(pair)
    if any(map(_is_constant, full)):
        return True
    renewed = [
        (~np.isin(now, np.concatenate(full[:place]))).mean() >= MOST_EQUAL
        for place, now in enumerate(full[1:], start=1)
    ]
    return bool(renewed) and float(np.mean(renewed)) >= MOST_EQUAL


def _full(pair: Pair) -> list[NDArray[np.float64]]:
    """The present cells of past windows that have any."""
    return [cells for window in pair.windows if len(cells := present_of(window))]


def _is_constant(cells: NDArray[np.float64]) -> bool:
    return bool(len(cells)) and bool((cells == cells[0]).all())
