"""Does the gate see what is chance? Between equals: refreshes that are refused, searches that are found to be better;
and how often it sees a known gain.

    python -m benchmarks.gate_aa --quick            # two minutes; writes docs/figures/gate_aa.csv, .md and .png
    python -m benchmarks.gate_aa --table rows.csv   # two answers per row of your own: resampled, see `read_table`

Equals: both models see the same signal through noise of the same size, so neither is better. The noise is independent
from row to row, or is autocorrelated (autoregressive, `phi` from row to row), as do the errors of models that see a
table drift. Better by a known gain: the other's noise is larger.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from releve.adapters.files import read_params
from releve.core.params import Params
from releve.domain.evaluation.intervals import Interval, share
from releve.domain.evaluation.metrics import BINARY, METRICS, REGRESSION
from releve.domain.evaluation.paired import ESTIMATED, BootstrapConfig, compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions

Floats = NDArray[np.float64]

PHIS = (0.0, 0.5, 0.9)
SIZES = (90, 300, 1000)
POWER_ROWS, POWER_STEPS = 300, (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
LIMIT = 0.05
QUICK_TRIES, TRIES, RESAMPLES = 200, 1000, 400
SIGNAL, NOISE = 1.5, 0.5  # deviations, in units of log odds or of the target


@dataclass(frozen=True)
class Cell:
    """How often a search was found to be better, and a refresh to be worse."""

    metric: str
    phi: float
    rows: int
    more_noise: float  # of the other model: 0 means equals
    gain: float  # mean over the tries
    better: Interval
    worse: Interval
    tries: int


def main() -> None:
    """Write the table and the plot, and say which figures lie above the limit."""
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    started, params = time.process_time(), read_params(Path.cwd())
    tries = arguments.tries or (QUICK_TRIES if arguments.quick else TRIES)
    if arguments.table:
        cells = [of_table(read_table(path), params, tries, arguments.task) for path in arguments.table]
    else:
        cells = [*equals(params, tries), *power(params, tries)]
        draw(cells, arguments.out.with_suffix(".png"))
    write(cells, arguments.out)
    above = [cell for cell in cells if not cell.more_noise and max(cell.better.low, cell.worse.low) > LIMIT]
    print(f"{len(cells)} figures of {tries} tries in {time.process_time() - started:.0f} s CPU")
    print(f"verdicts by chance shown to be above {LIMIT:.0%}: {above or 'none'}")


def equals(params: Params, tries: int) -> Iterator[Cell]:
    """A figure per metric, dependence and size."""
    for metric in METRICS:
        for phi in PHIS:
            for rows in SIZES:
                yield tried(metric, params, tries, phi=phi, rows=rows, more_noise=0.0)


def power(params: Params, tries: int) -> Iterator[Cell]:
    """A curve per metric and dependence, at one size."""
    for metric in METRICS:
        for phi in (PHIS[0], PHIS[-1]):
            for more in POWER_STEPS[1:]:
                yield tried(metric, params, tries, phi=phi, rows=POWER_ROWS, more_noise=more)


def tried(metric: str, params: Params, tries: int, *, phi: float, rows: int, more_noise: float) -> Cell:
    """Promotions among `tries` pairs of models over fresh rows."""
    random = np.random.default_rng([params.statistics.seed, rows, int(100 * phi), int(100 * more_noise)])
    pair = WORLDS[METRICS[metric].tasks[0]]
    return _cell(metric, params, tries, lambda: pair(random, rows, phi, more_noise), phi, rows, more_noise)


def _cell(
    metric: str,
    params: Params,
    tries: int,
    pair: Callable[[], tuple[ScoredPredictions, ScoredPredictions]],
    phi: float,
    rows: int,
    more_noise: float,
) -> Cell:
    found = []
    for seed in range(tries):
        result = compare(metric, *pair(), BootstrapConfig(params.statistics.confidence, RESAMPLES, ESTIMATED, seed))
        found.append((result.gain.value, result.gain.low > 0, result.gain.high < 0))
    gains, better, harmed = np.array(found, dtype=float).T
    shares = (share(int(each.sum()), tries, confidence=params.statistics.confidence) for each in (better, harmed))
    return Cell(metric, phi, rows, more_noise, float(gains.mean()), *shares, tries)


def two_classes(
    random: np.random.Generator, rows: int, phi: float, more_noise: float
) -> tuple[ScoredPredictions, ScoredPredictions]:
    """Challenger and other, both calibrated but for their noise."""
    odds = SIGNAL * random.normal(size=rows)
    truth = (random.random(rows) < _chance(odds)).astype(np.int64)
    chances = [_chance(odds + size * noise(random, rows, phi)) for size in (NOISE, NOISE * (1 + more_noise))]
    mine, other = (ScoredPredictions(np.column_stack([1 - chance, chance]), truth) for chance in chances)
    return mine, other


def values(
    random: np.random.Generator, rows: int, phi: float, more_noise: float
) -> tuple[ScoredPredictions, ScoredPredictions]:
    """Challenger and other; what neither can know is autocorrelated too."""
    signal = SIGNAL * random.normal(size=rows)
    truth = signal + noise(random, rows, phi)
    sizes = (NOISE, NOISE * (1 + more_noise))
    mine, other = (ScoredPredictions(signal + size * noise(random, rows, phi), truth) for size in sizes)
    return mine, other


WORLDS = {BINARY: two_classes, REGRESSION: values}


def noise(random: np.random.Generator, rows: int, phi: float) -> Floats:
    """Deviation 1; each row keeps `phi` of the one before."""
    fresh = random.normal(size=rows)
    fresh[1:] *= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], fresh))


def _chance(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def read_table(path: Path) -> tuple[Floats, Floats]:
    """truth (rows,) and answers (rows, 2) of a CSV file with the columns truth, one, other: probabilities of the
    positive class, whose truth is 1, or values; in time order."""
    lines = np.genfromtxt(path, delimiter=",", names=True)
    return lines["truth"], np.column_stack([lines["one"], lines["other"]])


def of_table(table: tuple[Floats, Floats], params: Params, tries: int, task: str) -> Cell:
    """Equals made of real answers: blocks of rows in which both models' answers change hands by the toss of a coin."""
    truth, answers = table
    random = np.random.default_rng(params.statistics.seed)
    metric = "brier" if task == BINARY else "mae"
    length = max(1, int(np.sqrt(len(truth))))

    def pair() -> tuple[ScoredPredictions, ScoredPredictions]:
        first = np.repeat(random.integers(0, 2, len(truth) // length + 1), length)[: len(truth)]
        mine, other = (_as_sheet(answers[np.arange(len(truth)), side], truth, task) for side in (first, 1 - first))
        return mine, other

    return _cell(metric, params, tries, pair, float("nan"), len(truth), 0.0)


def _as_sheet(answers: Floats, truth: Floats, task: str) -> ScoredPredictions:
    return (
        ScoredPredictions(np.column_stack([1 - answers, answers]), truth.astype(np.int64))
        if task == BINARY
        else ScoredPredictions(answers, truth)
    )


def write(cells: list[Cell], out: Path) -> None:
    """out.csv: every figure. out.md: between equals, better / worse by chance, a line per metric and dependence."""
    with out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        ends = [f"{name}{end}" for name in ("better", "worse") for end in ("", "_low", "_high")]
        writer.writerow(["metric", "phi", "rows", "more_noise", "gain", *ends, "tries"])
        for cell in cells:
            shares = [end for each in (cell.better, cell.worse) for end in (each.value, each.low, each.high)]
            figures = [cell.gain, *shares]
            writer.writerow(
                [cell.metric, cell.phi, cell.rows, cell.more_noise, *(f"{x:.4f}" for x in figures), cell.tries]
            )
    alike = [cell for cell in cells if not cell.more_noise]
    sizes = sorted({cell.rows for cell in alike})
    lines = ["| metric | phi | " + " | ".join(f"{rows} rows" for rows in sizes) + " |", "|---" * (2 + len(sizes)) + "|"]
    for metric, phi in dict.fromkeys((cell.metric, cell.phi) for cell in alike):
        shown = [_shown(cell) for cell in alike if (cell.metric, cell.phi) == (metric, phi)]
        lines.append(f"| {metric} | {phi:g} | {' | '.join(shown)} |")
    out.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shown(cell: Cell) -> str:
    return " / ".join(f"{each.value:.1%} [{each.low:.1%}, {each.high:.1%}]" for each in (cell.better, cell.worse))


def draw(cells: list[Cell], path: Path) -> None:
    """Shares found to be better: between equals, beside the limit; and against the known gain."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5), gridspec_kw={"width_ratios": [3, 2]})
    _draw_equals(left, [cell for cell in cells if not cell.more_noise])
    _draw_power(right, [cell for cell in cells if cell.more_noise or cell.rows == POWER_ROWS])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_equals(axes: Any, cells: list[Cell]) -> None:
    shades = dict(zip(PHIS, ("#86b6d9", "#2f74a8", "#12324c"), strict=True))
    for place, cell in enumerate(cells):
        x = place + 1.5 * (place // len(SIZES)) + 3 * (place // (len(SIZES) * len(PHIS)))
        reach = [[cell.better.value - cell.better.low], [cell.better.high - cell.better.value]]
        label = f"phi {cell.phi:g}" if place < len(SIZES) * len(PHIS) and cell.rows == SIZES[0] else None
        axes.errorbar(x, cell.better.value, yerr=reach, fmt="o", ms=3, lw=1, color=shades[cell.phi], label=label)
        if cell.phi == PHIS[1] and cell.rows == SIZES[1]:
            axes.text(x, -0.004, cell.metric, ha="center", va="top", fontsize=9)
    axes.axhline(LIMIT, color="#b3402a", lw=1)
    axes.set(ylim=(-0.012, 0.12), xticks=[], ylabel="found to be better by chance")
    axes.set_title(f"equals: {', '.join(map(str, SIZES))} rows, from left to right", fontsize=10)
    axes.legend(frameon=False, fontsize=9)


def _draw_power(axes: Any, cells: list[Cell]) -> None:
    for metric in METRICS:
        for phi, style in ((PHIS[0], "-"), (PHIS[-1], ":")):
            line = sorted((c for c in cells if (c.metric, c.phi) == (metric, phi)), key=lambda c: c.more_noise)
            label = metric if phi == PHIS[0] else None
            heights = [cell.better.value for cell in line]
            axes.plot([c.more_noise for c in line], heights, style, color=_colour(metric), label=label, lw=1.5)
    axes.set(
        xlabel="how much more noise the other model has, as a share", ylabel="found to be better", ylim=(-0.02, 1.02)
    )
    axes.set_title(f"power: {POWER_ROWS} rows; dotted: autocorrelated rows (phi {PHIS[-1]:g})", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def _colour(metric: str) -> str:
    return f"C{list(METRICS).index(metric)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TRIES} tries instead of {TRIES}")
    parser.add_argument("--tries", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/gate_aa"), help="without its ending")
    parser.add_argument("--table", type=Path, nargs="+", help="CSV files with the columns truth, one, other")
    parser.add_argument("--task", choices=(BINARY, REGRESSION), default=BINARY, help="of the tables")
    return parser.parse_args()


if __name__ == "__main__":
    main()
