"""The figures of benchmarks.drift, as pages show them: drift.csv, drift.md, drift.png."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.drift_rivals import ADWIN_ANY, EVIDENTLY, EVIDENTLY_ANY
from benchmarks.drift_tries import ALARM, COLUMNS, HELD, POWER_COLUMNS, POWER_ROWS, ROWS, SHIFTS, SURE, Figure
from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.intervals import Interval, share

FALSE_LIMIT = 0.05  # of windows
POWER_LIMITS = {200: 0.8, 1_000: 0.99}  # by rows of a window
OURS = (ALARM, SURE, HELD)
METHODS = (*OURS, EVIDENTLY_ANY, EVIDENTLY, ADWIN_ANY)
STATES = (
    DriftState.NO_DRIFT,
    DriftState.SUSPECTED,
    DriftState.DRIFT,
    DriftState.BROKEN_DATA,
    DriftState.INSUFFICIENT_DATA,
)
COLOURS = dict(zip(METHODS, ("#2f74a8", "#12324c", "#8a8a8a", "#d98b3a", "#b3402a", "#6a9a4a"), strict=True))
SHORT = {10_000: "10k", 1_000: "1k"}


def missed(figures: Sequence[Figure]) -> list[str]:
    """Figures that are shown to be beyond a bar: their whole interval is."""
    beyond = []
    for figure in figures:
        interval, cell = figure.interval, figure.cell
        if figure.method in OURS and not cell.shift and interval.low > FALSE_LIMIT:
            beyond.append(f"{describe(figure)}: at most {FALSE_LIMIT:.0%} wanted")
        if figure.method == ALARM and cell.shift and interval.high < POWER_LIMITS[cell.rows]:
            beyond.append(f"{describe(figure)}: at least {POWER_LIMITS[cell.rows]:.0%} wanted")
    return beyond


def describe(figure: Figure) -> str:
    """A figure in words."""
    cell = figure.cell
    return (
        f"{cell.world}, {cell.columns} columns, {cell.rows} rows, shift {cell.shift:g}: {figure.method} in "
        f"{figure.alarms} of {figure.verdicts}"
    )


def write(figures: Sequence[Figure], order: Sequence[Mapping[str, Any]], out: Path) -> None:
    """out.csv: every figure. out.md: false alarms, power, and tables in their own order."""
    with out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "columns", "rows", "shift", "method", "alarms", "verdicts", "share", "low", "high"])
        for figure in figures:
            cell, interval = figure.cell, figure.interval
            shares = [f"{each:.4f}" for each in (interval.value, interval.low, interval.high)]
            writer.writerow(
                [
                    cell.world,
                    cell.columns,
                    cell.rows,
                    cell.shift,
                    figure.method,
                    figure.alarms,
                    figure.verdicts,
                    *shares,
                ]
            )
    out.with_suffix(".md").write_text("\n".join(_page(figures, order)) + "\n", encoding="utf-8")


def _page(figures: Sequence[Figure], order: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    null = [figure for figure in figures if not figure.cell.shift]
    worlds = dict.fromkeys(figure.cell.world for figure in null)
    yield "## False alarms per window, over all tables"
    yield from _false({method: [each for each in null if each.method == method] for method in METHODS})
    yield from ("", f"## False alarms by table: {ALARM}")
    by_table = {name: [each for each in null if (each.cell.world, each.method) == (name, ALARM)] for name in worlds}
    yield from _false(by_table)
    yield from ("", "## A shift in 2 of 16 columns, seen")
    yield from _power([figure for figure in figures if figure.cell.shift])
    yield from ("", "## Tables in their own order: windows by their state, with memory")
    yield from _order(order)


def _false(groups: Mapping[str, Sequence[Figure]]) -> Iterator[str]:
    yield from _head("", "columns", *(f"{rows:,} rows" for rows in ROWS))
    for name, group in groups.items():
        for columns in COLUMNS:
            shown = [[each for each in group if (each.cell.columns, each.cell.rows) == (columns, r)] for r in ROWS]
            if any(shown):
                yield _row(name, columns, *map(_shown, shown))


def _power(figures: Sequence[Figure]) -> Iterator[str]:
    wanted = [(shift, rows) for shift in SHIFTS for rows in POWER_ROWS]
    yield from _head("table", "", *(f"{shift:g} sd, {rows:,} rows" for shift, rows in wanted))
    for name in dict.fromkeys(figure.cell.world for figure in figures):
        for method in METHODS:
            group = [each for each in figures if (each.cell.world, each.method) == (name, method)]
            if group:
                shown = [[each for each in group if (each.cell.shift, each.cell.rows) == want] for want in wanted]
                yield _row(name, method, *map(_shown, shown))


def _order(order: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from _head("table", "rows", "reference", "windows", *STATES)
    for row in order:
        shares = [f"{row.get(state, 0) / row['windows']:.0%}" if row["windows"] else "" for state in STATES]
        yield _row(row["table"], f"{row['rows']:,}", row["reference"], row["windows"], *shares)


def _head(*names: str) -> list[str]:
    return [_row(*names), "|---" * len(names) + "|"]


def _row(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def pooled(figures: Sequence[Figure]) -> Interval:
    """One share of all their verdicts."""
    return share(sum(each.alarms for each in figures), sum(each.verdicts for each in figures), confidence=0.95)


def _shown(figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    interval = pooled(figures)
    return f"{interval.value:.1%} [{interval.low:.1%}, {interval.high:.1%}] of {sum(each.verdicts for each in figures)}"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """False alarms by width and rows beside the limit; and how often a known shift is seen."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5))
    places = [(columns, rows) for columns in COLUMNS for rows in ROWS]
    _draw(left, [each for each in figures if not each.cell.shift], places, ("columns", "rows"))
    wanted = [(shift, rows) for shift in SHIFTS for rows in POWER_ROWS]
    _draw(right, [each for each in figures if each.cell.shift], wanted, ("shift", "rows"))
    left.axhline(FALSE_LIMIT, color="#444444", lw=0.8, ls=":")
    for place, (_, rows) in enumerate(wanted):
        right.hlines(POWER_LIMITS[rows], place - 0.4, place + 0.4, color="#444444", lw=0.8, ls=":")
    left.set(ylabel="share of windows", title="false alarms: columns x rows; dotted: at most")
    right.set(title=f"seen: shift in 2 of {POWER_COLUMNS} columns x rows; dotted: at least")
    right.legend(frameon=False, fontsize=9, loc="center", bbox_to_anchor=(0.45, 0.5))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw(axes: Any, figures: Sequence[Figure], places: Sequence[tuple[float, int]], named: tuple[str, str]) -> None:
    methods = [method for method in METHODS if any(each.method == method for each in figures)]
    labelled: set[str] = set()
    for number, method in enumerate(methods):
        for place, wanted in enumerate(places):
            group = [
                each
                for each in figures
                if each.method == method and tuple(getattr(each.cell, name) for name in named) == wanted
            ]
            if group:
                interval = pooled(group)
                reach = [[max(0.0, interval.value - interval.low)], [max(0.0, interval.high - interval.value)]]
                x = place + 0.12 * (number - len(methods) / 2)
                label = None if method in labelled else method
                labelled.add(method)
                style = {"fmt": "o", "ms": 3, "lw": 1, "color": COLOURS[method], "label": label}
                axes.errorbar(x, interval.value, yerr=reach, **style)
    axes.set(ylim=(-0.02, 1.02), xticks=range(len(places)))
    axes.set_xticklabels([f"{first:g}\nx {SHORT.get(rows, rows)}" for first, rows in places], fontsize=8)
