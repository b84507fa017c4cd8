"""How thresholds should be chosen: what decisions cost beyond those of who knows the true probabilities.

`python -m benchmarks.decisions` draws customers whose true probability is known, distorts what a model says of it, lets
each method learn from few labelled answers, and charges it on 20,000 others. Figures are in docs/decisions/0068.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from releve.domain.decision.calibration import ProbabilityScaling
from releve.domain.decision.choices import Floats
from releve.domain.decision.costs import CostMatrix, choose

Places = NDArray[np.intp]
Chosen = Callable[[Floats], Places]  # decisions by answers (rows, 2)
DRAWS, NEWER = 40, 20_000
ROWS = (60, 180, 540)
MATRICES = {
    "two decisions": CostMatrix(decisions=("grant", "refuse"), costs=((0.0, 40.0), (10.0, 0.0))),
    "three decisions": CostMatrix(
        decisions=("keep", "offer", "review"), costs=((0.0, 200.0), (20.0, 60.0), (30.0, 30.0))
    ),
}
WORLDS: dict[str, Callable[[Floats], Floats]] = {  # log odds that are said, by the true ones
    "calibrated": lambda odds: odds,
    "too sure": lambda odds: 2 * odds,
    "too unsure": lambda odds: odds / 2,
    "too high": lambda odds: odds + 1,
    "bent": lambda odds: np.where(odds > 0, 3 * odds, odds / 2),
}


def as_they_are(answers: Floats, truth: Places, matrix: CostMatrix) -> Chosen:
    """Decide by what is said (Elkan 2001)."""
    return lambda asked: choose(matrix, asked).places


def scaled(answers: Floats, truth: Places, matrix: CostMatrix) -> Chosen:
    """Decide by calibrated probabilities: what the product does."""
    scaling = ProbabilityScaling.fit(answers, truth)
    return lambda asked: choose(matrix, scaling.scaled(asked)).places


def searched(answers: Floats, truth: Places, matrix: CostMatrix) -> Chosen:
    """Search for the thresholds that would have cost least on these rows (Sheng & Ling 2006)."""
    order = np.argsort(answers[:, 1], kind="stable")
    said, costs = answers[order, 1], matrix.array[:, truth[order]]
    before = np.concatenate([np.zeros((len(costs), 1)), costs.cumsum(axis=1)], axis=1)  # of the rows below a place
    best, place = before[0].copy(), [np.arange(len(said) + 1)]
    for number in range(1, len(costs)):  # the last decision whose rows end at a place, by dynamic programming
        start = np.minimum.accumulate(best - before[number])
        began = np.maximum.accumulate(np.where(best - before[number] == start, np.arange(len(start)), 0))
        place.append(began)
        best = start + before[number]
    ends, at = [], len(said)
    for began in reversed(place[1:]):
        at = int(began[at])
        ends.append(1.0 if at == len(said) else 0.0 if at == 0 else float((said[at - 1] + said[at]) / 2))
    return lambda asked: np.searchsorted(np.array(ends[::-1]), asked[:, 1], side="right")


METHODS = {"as they are": as_they_are, "calibrated": scaled, "searched": searched}


def customers(random: np.random.Generator, rows: int, world: str) -> tuple[Floats, Floats, Places]:
    """Draw true probabilities, answers (rows, 2) and true classes."""
    odds = random.normal(-1.5, 1.5, rows)
    chance, said = (1 / (1 + np.exp(-each)) for each in (odds, WORLDS[world](odds)))
    return chance, np.column_stack([1 - said, said]), (random.random(rows) < chance).astype(np.intp)


def excess(name: str, world: str, matrix: CostMatrix, rows: int) -> float:
    """Return the mean cost above that of the true probabilities, as a share of it."""
    shares = []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        _, answers, truth = customers(random, rows, world)
        chosen = METHODS[name](answers, truth, matrix)
        chance, asked, _ = customers(random, NEWER, world)
        each = np.column_stack([1 - chance, chance]) @ matrix.array.T  # expected, so that no label adds noise
        shares.append(each[np.arange(NEWER), chosen(asked)].mean() / each.min(axis=1).mean() - 1)
    return float(np.mean(shares))


def lines() -> Iterator[str]:
    """Write a table as Markdown."""
    yield f"| costs | answers | rows | {' | '.join(METHODS)} |"
    yield "|---|---|---|" + "---|" * len(METHODS)
    for what, matrix in MATRICES.items():
        for world in WORLDS:
            for rows in ROWS:
                figures = (f"{excess(name, world, matrix, rows):.1%}" for name in METHODS)
                yield f"| {what} | {world} | {rows} | {' | '.join(figures)} |"


if __name__ == "__main__":
    print("\n".join(lines()))
