"""May one look at two arms after every label? False promotions of equals, known gains that are seen, labels needed.

    python -m benchmarks.online    # three minutes of CPU; prints the tables of benchmarks/README.md

Errors are 0 or 1. A row's error repeats that of the row before with the probability AR, and is drawn anew otherwise;
the errors of two models are independent of each other, which is the hardest case: real ones share most of theirs.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtri

from releve.domain.arms.sequences import ConfidenceSequence, gain_sequence, normal_mixture
from releve.domain.evaluation.intervals import share

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Promoted = Callable[[Floats], float]  # gains -> the row after which an equal or better challenger is promoted, or inf

CONFIDENCE, ALPHA = 0.95, 0.05  # of each end
ERROR, WORSE_ERROR = 0.15, 0.19
EQUALS_ROWS, POWER_ROWS, LABELS_ROWS, MOST_ROWS = 4000, 1000, 40_000, 4000
WARM_ROWS = 200  # after which a row does not know where the series began
ARS = (0.0, 0.5, 0.9)
NEVER = float("inf")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=4000, help="of equals in shadow; a quarter as many elsewhere")
    runs = parser.parse_args().runs
    tables = (equals(runs), other_dependence(runs // 4), real_valued(runs // 4), gains_seen(runs // 4))
    for lines in (*tables, labels(runs // 8), late(runs // 8)):
        print("\n".join(lines), end="\n\n", flush=True)
    print(f"{time.process_time():.0f} s CPU")


def errors(random: np.random.Generator, rows: int, probability: float, ar: float) -> Floats:
    """Draw 0 or 1 per row, of that autocorrelation."""
    fresh, repeats = random.random(rows) < probability, random.random(rows) < ar
    repeats[0] = False
    return fresh[np.maximum.accumulate(np.where(repeats, 0, np.arange(rows)))].astype(float)


def equals(runs: int) -> Iterator[str]:
    """Promotions of a challenger that is no better, after 4,000 rows that were looked at one by one."""
    yield f"| equals promoted, {EQUALS_ROWS:,} rows, {runs:,} runs | " + " | ".join(f"AR {ar:g}" for ar in ARS) + " |"
    yield "|---" * (len(ARS) + 1) + "|"
    ways: dict[str, Promoted] = {
        "shadow": lambda gains: first_promotion(of_pairs(gains)),
        "z-test, peeking": peeking,
        "asymptotic sequence, row by row": row_by_row,
    }
    for name, promoted in ways.items():
        shown = []
        for ar in ARS:
            random = np.random.default_rng([7, int(100 * ar)])
            pairs = (_gains(random, EQUALS_ROWS, ERROR, ar) for _ in range(runs))
            shown.append(_share(sum(promoted(gains) < NEVER for gains in pairs), runs))
        yield f"| {name} | {' | '.join(shown)} |"
    for name, part in (("A/B 50/50", 0.5), ("canary 10%", 0.1)):
        shown = []
        for ar in ARS:
            random = np.random.default_rng([8, int(100 * ar), int(100 * part)])
            rows = int(EQUALS_ROWS / 2 / part)  # in both: 2,000 rows of the smaller arm
            found = (first_promotion(of_arms(*_arms(random, rows, ERROR, ar, part))) for _ in range(runs // 4))
            shown.append(_share(sum(each < NEVER for each in found), runs // 4))
        yield f"| {name}, {rows:,} rows, {runs // 4:,} runs | {' | '.join(shown)} |"


def other_dependence(runs: int) -> Iterator[str]:
    """The same for dependence of other lengths, and for rare errors."""
    worlds = [(ERROR, ar) for ar in (0.2, 0.3, 0.7, 0.8, 0.95, 0.97)] + [(0.02, 0.0), (0.02, 0.9)]
    yield (
        f"| shadow, equals promoted, {runs:,} runs | "
        + " | ".join(f"errors {p:g}, AR {ar:g}" for p, ar in worlds)
        + " |"
    )
    yield "|---" * (len(worlds) + 1) + "|"
    shown = []
    for probability, ar in worlds:
        random = np.random.default_rng([9, int(100 * ar), int(100 * probability)])
        pairs = (_gains(random, EQUALS_ROWS, probability, ar, probability) for _ in range(runs))
        shown.append(_share(sum(first_promotion(of_pairs(each)) < NEVER for each in pairs), runs))
    yield f"| {EQUALS_ROWS:,} rows | {' | '.join(shown)} |"


def real_valued(runs: int) -> Iterator[str]:
    """The same for gains that are no shares: normal ones, those of squared errors, and ones whose spread changes."""
    late = np.arange(EQUALS_ROWS) >= EQUALS_ROWS // 4
    ways: dict[str, Callable[[np.random.Generator, float], Floats]] = {
        "normal": _normal,
        "squared errors": lambda random, ar: _normal(random, ar) ** 2 - _normal(random, ar) ** 2,
        "normal, three times as wide from row 1,000 on": lambda random, ar: _normal(random, ar) * np.where(late, 3, 1),
        "normal, a third as wide from row 1,000 on": lambda random, ar: _normal(random, ar) * np.where(late, 1, 3),
    }
    yield (
        f"| shadow, gains, equals promoted, {EQUALS_ROWS:,} rows, {runs:,} runs | "
        + " | ".join(f"AR {ar:g}" for ar in ARS)
        + " |"
    )
    yield "|---" * (len(ARS) + 1) + "|"
    for name, draw in ways.items():
        shown = []
        for ar in ARS:
            random = np.random.default_rng([13, int(100 * ar)])
            promoted = sum(first_promotion(of_pairs(draw(random, ar))) < NEVER for _ in range(runs))
            shown.append(_share(promoted, runs))
        yield f"| {name} | {' | '.join(shown)} |"


def gains_seen(runs: int) -> Iterator[str]:
    """Known gains in accuracy that shadow has seen."""
    yield f"| shadow, gain seen, {runs:,} runs | within {POWER_ROWS:,} rows | within {MOST_ROWS:,} rows |"
    yield "|---|---|---|"
    for gain in (0.02, 0.04, 0.08):
        for ar in (0.0, 0.9):
            random = np.random.default_rng([10, int(100 * gain), int(100 * ar)])
            pairs = (_gains(random, MOST_ROWS, ERROR + gain, ar) for _ in range(runs))
            rows = np.array([first_promotion(of_pairs(each)) for each in pairs])
            seen = (_share(int((rows <= most).sum()), runs) for most in (POWER_ROWS, MOST_ROWS))
            yield f"| {gain:g}, AR {ar:g} | {' | '.join(seen)} |"


def labels(runs: int) -> Iterator[str]:
    """Labels until a gain of .04 is seen, by each way of splitting the traffic, and by one sequence per arm."""
    yield f"| labels until a gain of .04 is seen, {runs:,} runs | a quarter | half | four fifths of the runs |"
    yield "|---|---|---|---|"
    random = np.random.default_rng(11)
    pairs = (_gains(random, LABELS_ROWS, WORSE_ERROR, 0.0) for _ in range(runs))
    yield _quantiles("shadow", [first_promotion(of_pairs(each)) for each in pairs])
    for name, part in (("A/B 50/50", 0.5), ("canary 10%", 0.1)):
        arms = [_arms(random, LABELS_ROWS, WORSE_ERROR, 0.0, part) for _ in range(runs)]
        yield _quantiles(name, [first_promotion(of_arms(*each)) for each in arms])
        yield _quantiles(f"{name}, one sequence per arm", [sequence_per_arm(*each) for each in arms])


def late(runs: int) -> Iterator[str]:
    """Equals whose labels come late.

    Shadow: exponential delays of 300 rows on average; a tenth comes after the row has matured, and joins it where it
    stands. A/B: the challenger errs on positive rows more, the champion on the others, and positive rows are labelled
    2,000 rows late.
    """
    yield f"| late labels, equals promoted, {EQUALS_ROWS:,} rows, {runs:,} runs | promoted |"
    yield "|---|---|"
    random = np.random.default_rng(12)
    for ar in (0.0, 0.9):
        promoted = sum(_late_shadow(random, ar) for _ in range(runs))
        yield f"| shadow, AR {ar:g}, looked at every 100 rows, the matured prefix | {_share(promoted, runs)} |"
    found = {"in the order of the labels": 0, "the matured prefix": 0}
    for _ in range(runs):
        positive, is_challenger = (random.random(EQUALS_ROWS) < 0.5 for _ in range(2))
        losses = (random.random(EQUALS_ROWS) < np.where(positive == is_challenger, 0.2, 0.1)).astype(float)
        delays = np.where(positive, 2000, 0) + random.integers(100, size=EQUALS_ROWS)
        arrival = np.argsort(np.arange(EQUALS_ROWS) + delays, kind="stable")
        for name, order in zip(found, (arrival, np.arange(EQUALS_ROWS - 2100)), strict=True):
            found[name] += first_promotion(of_arms(losses[order], is_challenger[order])) < NEVER
    for name, promoted in found.items():
        yield f"| A/B 50/50, {name} | {_share(promoted, runs)} |"


def _late_shadow(random: np.random.Generator, ar: float) -> bool:
    gains, rows = _gains(random, EQUALS_ROWS, ERROR, ar), np.arange(EQUALS_ROWS)
    delays = random.exponential(300, EQUALS_ROWS)
    matures = float(np.quantile(delays, 0.9))
    for now in range(100, EQUALS_ROWS + 1, 100):
        is_known = (rows < now - matures) & (rows + delays < now)
        if first_promotion(of_pairs(gains[is_known])) < NEVER:
            return True
    return False


def of_pairs(gains: Floats, *, confidence: float = CONFIDENCE) -> ConfidenceSequence:
    """Compare a shadow's answers; gains: per row."""
    return gain_sequence(np.array([gains, np.zeros(len(gains))]), confidence=confidence)


def of_arms(losses: Floats, is_challenger: Bools) -> ConfidenceSequence:
    """Compare arms that answered each their part of the rows."""
    return gain_sequence(np.where([~is_challenger, is_challenger], losses, np.nan), confidence=CONFIDENCE)


def first_promotion(looks: ConfidenceSequence) -> float:
    """Return the rows after which a gain was shown, at whatever look."""
    shown = np.flatnonzero(looks.lows > 0)
    return float(looks.rows[shown[0]]) if len(shown) else NEVER


def sequence_per_arm(losses: Floats, is_challenger: Bools) -> float:
    """Return the same by one sequence per arm, each at half the error (a union bound)."""
    bounds = np.full((2, len(losses)), [[-np.inf], [np.inf]])  # champion's loss at least, challenger's at most
    for arm, side in enumerate((~is_challenger, is_challenger)):
        looks = of_pairs(losses[side], confidence=1 - ALPHA / 2)
        ends = np.flatnonzero(side)[looks.rows - 1]
        lengths = np.diff([*ends, len(losses)])
        if len(ends):
            bounds[arm, ends[0] :] = np.repeat(looks.highs if arm else looks.lows, lengths)
    apart = np.flatnonzero(bounds[0] > bounds[1])
    return float(apart[0] + 1) if len(apart) else NEVER


def peeking(gains: Floats) -> float:
    """Test the mean of all rows so far as if this were the only look: from the hundredth row on."""
    means, deviations, rows = _running(gains)
    return _first(means > ndtri(1 - ALPHA / 2) * deviations / np.sqrt(rows))


def row_by_row(gains: Floats) -> float:
    """Look at an asymptotic confidence sequence of single rows (arXiv 2103.06476): from the hundredth row on."""
    means, deviations, rows = _running(gains)
    boundary = normal_mixture(rows, mean=0.0, variance=8 / POWER_ROWS, alpha=ALPHA)
    return _first(means > boundary * deviations / rows)


def _running(gains: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    rows = np.arange(1, len(gains) + 1)
    means = gains.cumsum() / rows
    return means, np.sqrt(np.maximum((gains**2).cumsum() / rows - means**2, 0)), rows


def _first(shown: Bools) -> float:
    places = np.flatnonzero(shown[99:])
    return float(places[0] + 100) if len(places) else NEVER


def _gains(random: np.random.Generator, rows: int, champion: float, ar: float, challenger: float = ERROR) -> Floats:
    return errors(random, rows, champion, ar) - errors(random, rows, challenger, ar)


def _normal(random: np.random.Generator, ar: float) -> Floats:
    drawn = random.standard_normal(EQUALS_ROWS + WARM_ROWS)
    return np.asarray(lfilter([1.0], [1.0, -ar], drawn)[WARM_ROWS:])


def _arms(random: np.random.Generator, rows: int, champion: float, ar: float, part: float) -> tuple[Floats, Bools]:
    is_challenger = random.random(rows) < part
    both = errors(random, rows, ERROR, ar), errors(random, rows, champion, ar)
    return np.where(is_challenger, *both), is_challenger


def _share(count: int, runs: int) -> str:
    found = share(count, runs, confidence=CONFIDENCE)
    return f"{found.value:.1%} [{found.low:.1%}, {found.high:.1%}]"


def _quantiles(name: str, rows: list[float]) -> str:
    shown = np.quantile(rows, [0.25, 0.5, 0.8], method="higher")
    return f"| {name} | {' | '.join(f'{each:,.0f}' if each < NEVER else f'over {LABELS_ROWS:,}' for each in shown)} |"


if __name__ == "__main__":
    main()
