"""The order of the rows: which one is claimed, whether the dates agree with it, and how the target changes along it.

A model is judged on the newest rows. Where no TIME is given the last rows of the file count as the newest, so that with
a file that is sorted newest first a model would be judged on the oldest rows, and know the future.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed, plural
from releve.domain.onboarding.issues import Issue, role_hint
from releve.domain.onboarding.profiles import ColumnProfile
from releve.domain.onboarding.target import class_of
from releve.domain.schema.columns import DATE, NUMBER

Floats = NDArray[np.float64]

FEWEST_ROWS = 20  # fewer stand in any order by chance
CLOCK = 0.99  # rank correlation with the row number, above which a column counts the rows
CLOCK_VALUES = 0.01  # share of different values; a growing column of fewer is a code, such as the year
IN_ORDER = 0.9  # rank correlation of a date with the rows' order; late entries and reruns stand a little out of it
YEAR = re.compile(r"(^|[_. -])(year|yr|jahr|ann[ée]e|a[ñn]o|anno)$", re.IGNORECASE)
MONTH = re.compile(r"(^|[_. -])(month|mnth|mth|monat|mois|mes|mese)$", re.IGNORECASE)

PARTS = 5  # of the rows in their order
FEWEST_TO_PART = 100  # rows
SHIFT = 0.15  # by which a class's share may differ between two of the parts
SHIFT_P_VALUE = 1e-4  # of such a difference where nothing changes
SHIFT_SIZE = 1.0  # standard deviations, the same of the mean of a regression
GATE_MAY_REFUSE = (
    "A model learned from older rows meets another mix in the newest, on which it is judged: the gate may refuse it "
    "until newer rows are learned from"
)


def newest_first(columns: Sequence[ColumnProfile]) -> str | None:
    """Return the date by which the rows are sorted newest first; None where a date grows with them, or none falls."""
    dates = _directions(columns)
    falling = sorted((column.missing, value, column.name) for column, value in dates if value <= -IN_ORDER)
    rising = any(value >= IN_ORDER for _, value in dates)
    return falling[0][2] if falling and not rising else None


def time_issues(columns: Sequence[ColumnProfile], *, time: str | None, is_inferred: bool) -> Iterator[Issue]:
    """Check the order of the rows, and name columns that could tell it. `is_inferred`: nobody named `time`."""
    chosen = next((column for column in columns if column.name == time), None)
    if chosen is None:
        yield _order_of_file(columns)
        return
    name = chosen.name
    if is_inferred:
        yield Issue(
            "order",
            f"the file is sorted newest first: {name} decreases from row to row. So that the newest rows count as the "
            f"newest, params.yaml says 'time: {name}', as {role_hint('TIME', name)} would; if another column tells "
            "when a row came about, name that one, and if the last rows are the newest all the same, remove the line",
        )
    else:
        order = time_order(chosen)
        dates = [column for column in columns if column is not chosen and _is_date(column)]
        if against := [each.name for each in dates if _correlation(each.numbers[order]) <= -IN_ORDER]:
            yield Issue(
                "order",
                f"in the order of {name}, the rows are newest first by {listed(against)}; to have the newest rows "
                f"count as the newest, set {role_hint('TIME', against[0])}",
            )
    if chosen.missing:
        yield Issue(
            "time",
            f"{name} is missing in {counted(chosen.missing, 'row')}, whose place in time is unknown: "
            f"{plural(chosen.missing, 'it counts', 'they count')} as the newest",
        )
    if shared := len(chosen.known_numbers) - len(np.unique(chosen.known_numbers)):
        text = f"{counted(shared, 'row')} {plural(shared, 'has', 'have')} the {name} of an earlier row"
        yield Issue("hint", f"{text}; such rows keep the file's order")
    if chosen.type == NUMBER:
        text = f"{name} orders the rows; as a number that only grows it is no feature"
        yield Issue("role", text, (name,), "the time: only grows")


def _order_of_file(columns: Sequence[ColumnProfile]) -> Issue:
    """Check a file whose rows count as they stand."""
    dates = _directions(columns)
    rising = [column.name for column, correlation in dates if correlation >= IN_ORDER]
    if dates and not rising:
        names = [column.name for column, _ in dates]
        return Issue(
            "order",
            f"the rows are in no order of time: {listed(names)} {plural(len(names), 'goes', 'go')} back and forth. "
            "Without TIME the last rows of the file count as the newest, and the model is judged on them; if "
            f"{names[0]} tells when a row came about, set {role_hint('TIME', names[0])}",
        )
    clocks = [column.name for column in columns if _grows(column)]
    year, month = (
        next((column for column in columns if column.is_whole and name.search(column.name)), None)
        for name in (YEAR, MONTH)
    )
    if not dates and year is not None and month is not None and len(year.numbers) >= FEWEST_ROWS:
        clocks = []
        if (correlation := _correlation(year.numbers * 12 + month.numbers)) < IN_ORDER:
            how = "newest first" if correlation <= -IN_ORDER else "in no order of time"
            return Issue(
                "order",
                f"by {year.name} and {month.name} the rows are {how}, and the last rows of the file count as the "
                "newest. Write the file oldest first, or give it one column of dates (such as 2024-03-01) and name "
                "that as TIME",
            )
    elif not dates and (falling := [column.name for column in columns if _grows(column, -1)]):
        return Issue(
            "order",
            f"{listed(falling)} {plural(len(falling), 'counts', 'count')} down with the rows, as in a file that is "
            "newest first, and the last rows count as the newest; if it is, set "
            f"{role_hint('TIME', falling[0])}",
        )
    if not (clocks := rising + clocks):
        return Issue(
            "time",
            "no column tells the time of a row: the rows count as they stand in the file, the last as the newest. If "
            "they stand otherwise, sort the file first",
        )
    return Issue(
        "time",
        f"the rows count as they stand in the file, the last as the newest, and {listed(clocks)} "
        f"{plural(len(clocks), 'grows', 'grow')} with them; to have the rows of every file ordered by it, set "
        f"{role_hint('TIME', clocks[0])}",
    )


def clock_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Name features that only grow: tomorrow's values were never seen, and drift is reported for ever."""
    if names := [column.name for column in columns if column.type == NUMBER and _grows(column)]:
        yield Issue(
            "clock",
            f"{listed(names)} only {plural(len(names), 'grows', 'grow')} from row to row: tomorrow's values are always "
            "larger than those that the model knows, and every window shows drift; unless needed, put 'feature: false'",
        )


def _directions(columns: Sequence[ColumnProfile]) -> list[tuple[ColumnProfile, float]]:
    """Return each date, and its rank correlation with the rows as they stand."""
    return [(column, _correlation(column.numbers)) for column in columns if _is_date(column)]


def _is_date(column: ColumnProfile) -> bool:
    return column.type == DATE and column.present >= FEWEST_ROWS and column.distinct > 2


def _grows(column: ColumnProfile, sign: int = 1) -> bool:
    """Return whether a number counts the rows; with `sign` -1, whether it counts them down."""
    if column.type != NUMBER or column.present < FEWEST_ROWS:
        return False
    return column.distinct > max(2, CLOCK_VALUES * column.present) and sign * _correlation(column.numbers) >= CLOCK


def _correlation(numbers: Floats) -> float:
    """Return the rank correlation with the row number, of the numbers that are known."""
    from scipy.stats import rankdata

    known = numbers[~np.isnan(numbers)]
    if len(np.unique(known)) < 2:
        return 0.0
    return float(np.corrcoef(rankdata(known), np.arange(len(known)))[0, 1])


def time_order(time: ColumnProfile) -> NDArray[np.int64]:
    """Order rows as training does, oldest first: those of one time as in the file, those without a time last."""
    return np.argsort(time.numbers, kind="stable")


@dataclass(frozen=True)
class TargetTrend:
    """The target from the oldest fifth of the labelled rows to the newest: shares by class, or the means."""

    shares: Mapping[str, tuple[float, ...]]  # the commonest class first; empty for a regression
    means: tuple[float, ...] = ()
    deviation: float = 1.0  # standard deviation of a regression's target
    p_value: float = 1.0  # of shares that differ so much, where nothing changes

    def describe(self, *, positive: object) -> str:
        """Write a line for the summary: of two classes the positive one's shares, else those of the commonest three."""
        if self.means:
            return f"mean, from the oldest fifth of the rows to the newest: {', '.join(map(_figure, self.means))}"
        names = [str(positive)] if str(positive) in self.shares else list(self.shares)[:3]
        shown = "; ".join(f"{name} {_percents(self.shares[name])}" for name in names)
        return f"share, from the oldest fifth of the rows to the newest: {shown}"


def target_trend(target: ColumnProfile, order: NDArray[np.int64], *, is_class: bool) -> TargetTrend | None:
    """Measure how the target changes along `order`. None for too few rows."""
    from scipy.stats import chi2_contingency

    labelled = order[target.codes[order] >= 0]
    if len(labelled) < FEWEST_TO_PART:
        return None
    if not is_class:
        means = tuple(float(np.nanmean(target.numbers[part])) for part in np.array_split(labelled, PARTS))
        return TargetTrend({}, means, float(np.nanstd(target.numbers[labelled])) or 1.0)
    names = np.array([class_of(target, value) for value in target.counts])
    classes, codes = np.unique(names[target.codes[labelled]], return_inverse=True)
    counts = np.array([np.bincount(part, minlength=len(classes)) for part in np.array_split(codes, PARTS)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    frequent = (-counts.sum(axis=0)).argsort(kind="stable")
    p_value = float(chi2_contingency(counts).pvalue) if len(classes) > 1 else 1.0
    return TargetTrend({str(classes[place]): tuple(shares[:, place].tolist()) for place in frequent}, p_value=p_value)


def trend_issues(target: str, trend: TargetTrend | None, *, positive: object) -> Iterator[Issue]:
    """Say what a target that changes with time means for the gate; of two classes, by the positive one's shares."""
    if trend is None:
        return
    if trend.means:
        if (max(trend.means) - min(trend.means)) / trend.deviation >= SHIFT_SIZE:
            figures = [*map(_figure, trend.means)]
            yield Issue(
                "shift",
                f"the mean of {target} changes with time, from {figures[0]} in the oldest fifth of the rows to "
                f"{figures[-1]} in the newest ({', '.join(figures)}). {GATE_MAY_REFUSE}",
            )
        return
    name, shares = max(
        trend.shares.items(), key=lambda each: (round(max(each[1]) - min(each[1]), 9), each[0] == str(positive))
    )  # the shares of two classes change alike
    if max(shares) - min(shares) < SHIFT or trend.p_value > SHIFT_P_VALUE:
        return
    pure = [{each for each, parts in trend.shares.items() if parts[end] == 1.0} for end in (0, -1)]
    if all(pure) and pure[0] != pure[1]:
        yield Issue(
            "order",
            f"the rows are sorted by {target}: the last ones count as the newest, the model is judged on them, and "
            "they hold one class only. Say which column is the TIME; where rows have no time, shuffle the file first",
        )
    else:
        yield Issue(
            "shift",
            f"the share of {target} = {name} changes with time, from {shares[0]:.0%} in the oldest fifth of the rows "
            f"to {shares[-1]:.0%} in the newest ({_percents(shares)}). {GATE_MAY_REFUSE}",
        )


def _figure(mean: float) -> str:
    return f"{mean:,.0f}" if 100 <= abs(mean) < 1e9 else f"{mean:.3g}"


def _percents(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)
