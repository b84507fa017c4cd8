"""The order of the rows: which one is claimed, whether the dates agree with it, and how the target changes along it.

A model is judged on the newest rows. Where no TIME is said the last rows of the file count as the newest, so that with
a file that is sorted newest first a model would be judged on the oldest rows, and know the future.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed, plural
from releve.domain.onboarding.findings import Finding, said
from releve.domain.onboarding.profiles import Profile
from releve.domain.onboarding.targets import class_of
from releve.domain.schema.columns import DATE, NUMBER
from releve.domain.schema.target import REGRESSION

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
LUCK = 1e-4  # chance of such a difference where nothing changes
SHIFT_SIZE = 1.0  # standard deviations, the same of the mean of a regression


def newest_first(columns: Sequence[Profile]) -> str | None:
    """The date by which the rows are sorted newest first; None where some date grows with them, or none goes back."""
    found = _directions(columns)
    falling = sorted(
        (column.missing, correlation, column.name) for column, correlation in found if correlation <= -IN_ORDER
    )
    rising = any(correlation >= IN_ORDER for _, correlation in found)
    return falling[0][2] if falling and not rising else None


def time_findings(columns: Sequence[Profile], *, time: str | None, was_found: bool) -> list[Finding]:
    """What is wrong with the order of the rows, and which column could tell it. `was_found`: nobody named `time`."""
    chosen = next((column for column in columns if column.name == time), None)
    if chosen is None:
        return _as_they_stand(columns)
    turned = [_turned(chosen)] if was_found else _against(columns, chosen)
    return [*turned, *_time(chosen)]


def _turned(time: Profile) -> Finding:
    role = said("TIME", time.name)
    return Finding(
        "order",
        f"the file is sorted newest first: {time.name} decreases from row to row. So that the newest rows count as the "
        f"newest, params.yaml says 'time: {time.name}', as {role} would; if another column tells when a row came "
        "about, name that one, and if the last rows are the newest all the same, remove the line",
    )


def _against(columns: Sequence[Profile], time: Profile) -> list[Finding]:
    """Dates that fall as the named time grows."""
    order = time_order(time)
    names = [
        column.name
        for column in columns
        if column is not time and _is_date(column) and _correlation(column.numbers[order]) <= -IN_ORDER
    ]
    if not names:
        return []
    return [
        Finding(
            "order",
            f"in the order of {time.name}, the rows are newest first by {listed(names)}; to have the newest rows "
            f"count as the newest, say {said('TIME', names[0])}",
        )
    ]


def _time(column: Profile) -> list[Finding]:
    known = column.numbers[~np.isnan(column.numbers)]
    shared = len(known) - len(np.unique(known))
    told = (
        (
            "time",
            column.missing,
            f"{column.name} is missing in {counted(column.missing, 'row')}, whose place in time is unknown: "
            f"{plural(column.missing, 'it counts', 'they count')} as the newest",
        ),
        (
            "hint",
            shared,
            f"{counted(shared, 'row')} {plural(shared, 'has', 'have')} the {column.name} of an earlier row; such rows "
            "keep the file's order",
        ),
    )
    findings = [Finding(kind, text) for kind, count, text in told if count]
    if column.type == NUMBER:
        text = f"{column.name} orders the rows; as a number that only grows it is no feature"
        findings.append(Finding("role", text, (column.name,), "the time: only grows"))
    return findings


def _as_they_stand(columns: Sequence[Profile]) -> list[Finding]:
    dates = _directions(columns)
    rising = [column.name for column, correlation in dates if correlation >= IN_ORDER]
    if dates and not rising:
        return [_shuffled([column.name for column, _ in dates])]
    if not dates and (pair := _year_and_month(columns)) is not None:
        correlation = _correlation(pair.numbers)
        return [_pair(pair.name, correlation)] if correlation < IN_ORDER else [_by_rows([])]
    falling = [column.name for column in columns if _grows(column, -1)]
    if not dates and falling:
        return [_countdown(falling)]
    return [_by_rows(rising + [column.name for column in columns if _grows(column)])]


def _shuffled(names: list[str]) -> Finding:
    return Finding(
        "order",
        f"the rows are in no order of time: {listed(names)} {plural(len(names), 'goes', 'go')} back and forth. "
        "Without TIME the last rows of the file count as the newest, and the model is judged on them; if "
        f"{names[0]} tells when a row came about, say {said('TIME', names[0])}",
    )


def _pair(names: str, correlation: float) -> Finding:
    how = "newest first" if correlation <= -IN_ORDER else "in no order of time"
    return Finding(
        "order",
        f"by {names} the rows are {how}, and the last rows of the file count as the newest. Write the file oldest "
        "first, or give it one column of dates (such as 2024-03-01) and name that as TIME",
    )


def _countdown(names: list[str]) -> Finding:
    return Finding(
        "order",
        f"{listed(names)} {plural(len(names), 'counts', 'count')} down with the rows, as in a file that is newest "
        f"first, and the last rows count as the newest; if it is, say {said('TIME', names[0])}",
    )


def _by_rows(clocks: list[str]) -> Finding:
    if not clocks:
        return Finding(
            "time",
            "no column tells the time of a row: the rows count as they stand in the file, the last as the newest. If "
            "they stand otherwise, sort the file first",
        )
    return Finding(
        "time",
        f"the rows count as they stand in the file, the last as the newest, and {listed(clocks)} "
        f"{plural(len(clocks), 'grows', 'grow')} with them; to have the rows of every file ordered by it, say "
        f"{said('TIME', clocks[0])}",
    )


def clock_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Features that only grow: tomorrow's values were never seen, and drift is found for ever."""
    names = [column.name for column in columns if column.type == NUMBER and _grows(column)]
    if not names:
        return []
    return [
        Finding(
            "clock",
            f"{listed(names)} only {plural(len(names), 'grows', 'grow')} from row to row: tomorrow's values are always "
            "larger than those that the model knows, and every window shows drift; unless needed, put 'feature: false'",
        )
    ]


@dataclass(frozen=True)
class _Pair:
    name: str
    numbers: Floats


def _year_and_month(columns: Sequence[Profile]) -> _Pair | None:
    """A year and a month in columns of their own, as one number."""
    year = next((column for column in columns if column.is_whole and YEAR.search(column.name)), None)
    month = next((column for column in columns if column.is_whole and MONTH.search(column.name)), None)
    if year is None or month is None or len(year.numbers) < FEWEST_ROWS:
        return None
    return _Pair(f"{year.name} and {month.name}", year.numbers * 12 + month.numbers)


def _directions(columns: Sequence[Profile]) -> list[tuple[Profile, float]]:
    """Each date, and its rank correlation with the rows as they stand."""
    return [(column, _correlation(column.numbers)) for column in columns if _is_date(column)]


def _is_date(column: Profile) -> bool:
    return column.type == DATE and column.present >= FEWEST_ROWS and column.distinct > 2


def _grows(column: Profile, sign: int = 1) -> bool:
    """Whether a number counts the rows; with `sign` -1, whether it counts them down."""
    if column.type != NUMBER or column.present < FEWEST_ROWS:
        return False
    if column.distinct <= max(2, CLOCK_VALUES * column.present):
        return False
    return sign * _correlation(column.numbers) >= CLOCK


def _correlation(numbers: Floats) -> float:
    """Rank correlation with the row number; of what is known."""
    from scipy.stats import rankdata

    known = numbers[~np.isnan(numbers)]
    if len(np.unique(known)) < 2:
        return 0.0
    return float(np.corrcoef(rankdata(known), np.arange(len(known)))[0, 1])


def time_order(time: Profile) -> NDArray[np.int64]:
    """Rows, oldest first, as training takes them: those of one time in the file's order, those without a time last."""
    return np.argsort(time.numbers, kind="stable")


@dataclass(frozen=True)
class Course:
    """The target from the oldest fifth of the labelled rows to the newest: shares by class, or the means."""

    shares: Mapping[str, tuple[float, ...]]  # the commonest class first; empty for a regression
    means: tuple[float, ...] = ()
    deviation: float = 1.0  # standard deviation of a regression's target
    luck: float = 1.0  # chance that shares differ so much where nothing changes


def course(target: Profile, spec: Mapping[str, Any], order: NDArray[np.int64]) -> Course | None:
    """How the target changes along `order`. None for too few rows."""
    from scipy.stats import chi2_contingency

    labelled = order[target.codes[order] >= 0]
    if len(labelled) < FEWEST_TO_PART:
        return None
    parts = np.array_split(labelled, PARTS)
    if spec["task"] == REGRESSION:
        known = target.numbers[labelled]
        means = tuple(float(np.nanmean(target.numbers[part])) for part in parts)
        return Course({}, means, float(np.nanstd(known)) or 1.0)
    names = np.array([class_of(target, value) for value in target.counts])
    classes, codes = np.unique(names[target.codes[labelled]], return_inverse=True)
    counts = np.array([np.bincount(part, minlength=len(classes)) for part in np.array_split(codes, PARTS)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    ranked = (-counts.sum(axis=0)).argsort(kind="stable")
    luck = float(chi2_contingency(counts).pvalue) if len(classes) > 1 else 1.0
    return Course({str(classes[place]): tuple(shares[:, place].tolist()) for place in ranked}, luck=luck)


def course_findings(target: str, found: Course | None) -> list[Finding]:
    """What a target that changes with time means for the gate."""
    if found is None:
        return []
    if found.means:
        moved = (max(found.means) - min(found.means)) / found.deviation
        if moved < SHIFT_SIZE:
            return []
        oldest, newest = _figure(found.means[0]), _figure(found.means[-1])
        text = (
            f"the mean of {target} changes with time, from {oldest} in the oldest fifth of the rows to {newest} in the"
        )
        return [_moves(f"{text} newest ({described_means(found)})")]
    name, shares = max(found.shares.items(), key=lambda each: max(each[1]) - min(each[1]))
    if max(shares) - min(shares) < SHIFT or found.luck > LUCK:
        return []
    pure = [{each for each, course in found.shares.items() if course[part] == 1.0} for part in (0, -1)]
    if all(pure) and pure[0] != pure[1]:
        return [_sorted(target)]
    text = f"the share of {target} = {name} changes with time, from {shares[0]:.0%} in the oldest fifth of the rows to "
    return [_moves(f"{text}{shares[-1]:.0%} in the newest ({_percents(shares)})")]


def _sorted(target: str) -> Finding:
    return Finding(
        "order",
        f"the rows are sorted by {target}: the last ones count as the newest, the model is judged on them, and they "
        "hold one class only. Say which column is the TIME; where rows have no time, shuffle the file first",
    )


def _moves(text: str) -> Finding:
    return Finding(
        "shift",
        f"{text}. A model learned from older rows meets another mix in the newest, on which it is judged: the gate may "
        "refuse it until newer rows are learned from",
    )


def described_means(found: Course) -> str:
    """The means of the parts, oldest first."""
    return ", ".join(map(_figure, found.means))


def _figure(mean: float) -> str:
    return f"{mean:,.0f}" if 100 <= abs(mean) < 1e9 else f"{mean:.3g}"


def described_course(found: Course, *, positive: Any) -> str:
    """A line for the summary: of two classes the positive one's, else the commonest three."""
    if found.means:
        return f"mean, from the oldest fifth of the rows to the newest: {described_means(found)}"
    names = [str(positive)] if str(positive) in found.shares else list(found.shares)[:3]
    shown = "; ".join(f"{name} {_percents(found.shares[name])}" for name in names)
    return f"share, from the oldest fifth of the rows to the newest: {shown}"


def _percents(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)
