"""Weights of members, by the loss of their forward answers: a convex combination that would have answered best.

Stacking on forward answers (van der Laan, Polley & Hubbard 2007, "Super Learner"), shrunk towards equal weights, since
a few windows do not tell near equals apart; losses are clipped, so that a window of wrong labels does not decide alone.
A guard serves the plain refit, or the naive constant, where the ensemble was not better:
docs/decisions/0032-ensemble.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.evaluation.scored_predictions import Floats
from releve.domain.schema.target import REGRESSION

LOG_LOSS, ABSOLUTE, SQUARED = "log_loss", "absolute", "squared"
LOSSES = (LOG_LOSS, ABSOLUTE, SQUARED)  # of classes; of values, where the metric is rmse the squared one
SHRINKAGE = 0.15  # share of the weights that all members get alike
LEAST_WEIGHT = 0.02  # a member with less answers nothing: it would cost time and bytes for nothing
LEAST_PROBABILITY = 0.005  # one answer costs at most its logarithm
MOST_ROWS = 20_000  # newest forward answers that weights are fitted on
STEPS = 60  # of the optimiser
CONSTANT = "constant"


class Serves(StrEnum):
    """What a refresh puts forward."""

    ENSEMBLE = "ensemble"
    PLAIN = "plain refit"
    NAIVE = "naive answer"


@dataclass(frozen=True)
class Weighing:
    """Weights of the ensemble, what the guard lets serve, and the mean loss of each over the windows."""

    weights: Mapping[str, float]  # of the members with a weight, sum 1
    serves: Serves
    plain: str
    losses: Mapping[str, float]  # of members; none where there was no window

    @property
    def serving(self) -> Mapping[str, float]:
        """Return the weights of what serves."""
        if self.serves == Serves.ENSEMBLE:
            return self.weights
        return {self.plain if self.serves == Serves.PLAIN else CONSTANT: 1.0}


def loss_of(metric: str, task: str) -> str:
    """Name the loss that weights minimise where the gate judges by `metric`."""
    if task != REGRESSION:
        return LOG_LOSS
    return SQUARED if metric == "rmse" else ABSOLUTE


def mix(answers: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Compute the weighted mean of members' answers (rows, outputs)."""
    total = np.zeros_like(next(iter(answers.values())))
    for name, weight in weights.items():
        total = total + weight * answers[name]
    return total


def weigh(windows: Sequence[ForwardWindow], *, plain: str, loss: str, members: Sequence[str]) -> Weighing:
    """Weigh `members` by the windows, the oldest first; a member without an answer to one of them has no weight yet.

    Without a window the plain refit serves.
    """
    if not windows:
        return Weighing({plain: 1.0}, Serves.PLAIN, plain, {})
    known = [name for name in members if all(name in window.answers for window in windows)]
    truth = np.concatenate([window.truth for window in windows])[-MOST_ROWS:]
    answers = np.stack([np.concatenate([window.answers[name] for window in windows])[-MOST_ROWS:] for name in known])
    blend = np.concatenate([window.blend for window in windows])[-MOST_ROWS:]
    most = cap(truth, answers[known.index(plain)], loss=loss)
    losses = {name: mean_loss(truth, each, loss=loss, most=most) for name, each in zip(known, answers, strict=True)}
    weights = _fit(truth, answers, loss=loss, most=most)
    kept = {name: weight for name, weight in zip(known, weights.tolist(), strict=True) if weight >= LEAST_WEIGHT}
    total = sum(kept.values())
    ours = mean_loss(truth, blend, loss=loss, most=most)
    serves = Serves.ENSEMBLE if ours <= losses[plain] else Serves.PLAIN
    if losses.get(CONSTANT, np.inf) < min(ours, losses[plain]):
        serves = Serves.NAIVE
    return Weighing({name: weight / total for name, weight in kept.items()}, serves, plain, losses)


def cap(truth: NDArray[np.float64], answers: Floats, *, loss: str) -> float:
    """Return the largest loss that one row may count: of values three times the 0.95 quantile of `answers`'."""
    if loss == LOG_LOSS:
        return float(-np.log(LEAST_PROBABILITY))
    return 3 * float(np.quantile(row_losses(truth, answers, loss=loss, most=np.inf), 0.95)) or np.inf


def mean_loss(truth: NDArray[np.float64], answers: Floats, *, loss: str, most: float) -> float:
    """Compute the mean of `row_losses`."""
    return float(row_losses(truth, answers, loss=loss, most=most).mean())


def row_losses(truth: NDArray[np.float64], answers: Floats, *, loss: str, most: float) -> Floats:
    """Compute the loss of each row (rows,), none above `most`."""
    if loss == LOG_LOSS:
        of_truth = answers[np.arange(len(truth)), truth.astype(int)]
        return np.asarray(np.minimum(-np.log(np.maximum(of_truth, 1e-15)), most), dtype=np.float64)
    errors = np.abs(answers[:, 0] - truth)
    return np.asarray(np.minimum(errors if loss == ABSOLUTE else errors**2, most), dtype=np.float64)


def _fit(truth: NDArray[np.float64], answers: Floats, *, loss: str, most: float) -> Floats:
    """Minimise the mean loss over the simplex, by sequential quadratic programming; (members,)."""
    from scipy.optimize import minimize

    count = len(answers)
    equal = np.full(count, 1 / count)
    if count == 1:
        return equal
    if loss == LOG_LOSS:
        picked = answers[:, np.arange(len(truth)), truth.astype(int)]  # (members, rows)

        def objective(weights: Floats) -> tuple[float, Floats]:
            mixed = np.maximum(weights @ picked, 0) + LEAST_PROBABILITY
            return float(-np.log(mixed).mean()), -(picked / mixed).mean(axis=1)
    else:
        values = answers[:, :, 0]
        width = most if np.isfinite(most) and most > 0 else 1.0
        unit = np.sqrt(width) if loss == SQUARED else width

        def objective(weights: Floats) -> tuple[float, Floats]:
            errors = (weights @ values - truth) / unit
            if loss == SQUARED:  # bounded: Geman & McClure 1987
                part = errors**2 / (1 + errors**2)
                slope = 2 * errors / (1 + errors**2) ** 2
            else:  # smooth, and growing ever more slowly beyond the cap
                size = np.sqrt(errors**2 + 1e-4)
                part, slope = np.log1p(size), errors / size / (1 + size)
            return float(part.mean()), (slope * values).mean(axis=1) / unit

    result = minimize(
        objective,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": lambda weights: np.ones(count)},
        options={"maxiter": STEPS, "ftol": 1e-8},
    )
    best = result.x if np.isfinite(result.x).all() else equal
    best = np.clip(best, 0, None)
    return np.asarray((1 - SHRINKAGE) * best / best.sum() + SHRINKAGE * equal, dtype=np.float64)
