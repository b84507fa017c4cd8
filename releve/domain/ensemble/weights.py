"""Weights of members, by the loss of their forward answers: a convex combination that would have answered best.

Stacking on forward answers (van der Laan, Polley & Hubbard 2007, "Super Learner"), shrunk towards equal weights of the
members that are near the best one, since a few windows do not tell near equals apart. One window that was answered far
worse than all others, as one of wrong labels is, counts little. A guard serves the plain refit where the ensemble is
shown to be worse, or the naive constant: docs/decisions/0032-ensemble.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.pool import CONSTANT
from releve.domain.evaluation.rolling_origin import MIN_FOLD_ROWS
from releve.domain.evaluation.scored_predictions import Floats
from releve.domain.schema.target import REGRESSION

LOG_LOSS, ABSOLUTE, SQUARED = "log_loss", "absolute", "squared"
LOSSES = (LOG_LOSS, ABSOLUTE, SQUARED)  # of classes; of values, where the metric is rmse the squared one
SHRINKAGE = 0.15  # share of the weights that members near the best one get alike
NEAR = 1.5  # times the loss of the best one
OUTLIER = 3  # times the median loss of the windows before, beyond which the labels of the newest one are in doubt
HEDGE = 0.5  # share that the refresh before keeps then: it learned none of these labels
CONFIDENCE = 0.95  # that the plain refit is better, to serve alone
LEAST_WEIGHT = 0.02  # a member with less answers nothing: it would cost time and bytes for nothing
LEAST_PROBABILITY = 0.001  # one answer costs at most its logarithm
MOST_ROWS = 20_000  # newest forward answers that weights are fitted on
STEPS = 60  # of the optimiser
LEAST_WINDOWS = 3  # without which nothing is shown, and no window is in doubt
TINY = 1e-12
BEFORE = "before_"  # with its number, name of the member that is the ensemble of the refresh before


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


def of_answering(weights: Mapping[str, float], answers: Mapping[str, Floats]) -> dict[str, float]:
    """Return the weights of those that answered, sum 1; alike where none of `weights` did.

    Raises BadInput where nobody answered.
    """
    if not answers:
        raise BadInput("no member answers the newest rows with numbers; look for cells that are far beyond the others")
    if weights.keys() <= answers.keys():
        return dict(weights)
    there = {name: weight for name, weight in weights.items() if name in answers} or dict.fromkeys(answers, 1.0)
    total = sum(there.values())
    return {name: weight / total for name, weight in there.items()}


def weigh(windows: Sequence[ForwardWindow], *, plain: str, loss: str, members: Sequence[str]) -> Weighing:
    """Weigh `members` by the windows, the oldest first; a member without an answer to one of them has no weight yet.

    Without a window the plain refit serves. Where the labels of the newest window are in doubt, the ensemble of the
    refresh before, a member called BEFORE with a number, keeps a share for one window. From then on it is a member as
    others are, that learned none of these labels; to windows before it, it counts as having answered like the ensemble.
    """
    if not windows:
        return Weighing({plain: 1.0}, Serves.PLAIN, plain, {})
    spared = [name for name in members if name.startswith(BEFORE)]
    before = [name for name in spared if not any(name in window.answers for window in windows)]
    known = [
        name
        for name in members
        if all(name in window.answers for window in windows) or (name in spared and name in windows[-1].answers)
    ]
    truth = np.concatenate([window.truth for window in windows])
    answers = np.stack(
        [np.concatenate([window.answers.get(name, window.blend) for window in windows]) for name in known]
    )
    most = cap(windows, plain, loss=loss)
    rows = _row_weights(windows, loss=loss)
    losses = {
        name: float(rows @ row_losses(truth, each, loss=loss, most=most))
        for name, each in zip(known, answers, strict=True)
    }
    newest = slice(-MOST_ROWS, None)
    fitted = _fit(truth[newest], answers[:, newest], rows[newest], loss=loss, most=most)
    near = np.array([losses[name] <= NEAR * min(losses.values()) for name in known])
    shrunk = (1 - SHRINKAGE) * fitted + SHRINKAGE * near / near.sum()
    kept = {name: weight for name, weight in zip(known, shrunk.tolist(), strict=True) if weight >= LEAST_WEIGHT}
    weights = {name: weight / sum(kept.values()) for name, weight in kept.items()}
    weighing = Weighing(weights, _guard(windows, losses, rows, plain=plain, loss=loss, most=most), plain, losses)
    if before and newest_is_in_doubt(windows, loss=loss):
        hedged = {name: (1 - HEDGE) * weight for name, weight in weighing.serving.items()}
        return Weighing({**hedged, before[-1]: HEDGE}, Serves.ENSEMBLE, plain, losses)
    return weighing


def newest_is_in_doubt(windows: Sequence[ForwardWindow], *, loss: str) -> bool:
    """Return whether the newest window, and no other one, was answered far worse than all others.

    Its labels may be wrong, or the table may have moved: the next window tells. Where another window was like that
    before, the table moves.
    """
    means = blend_losses(windows, loss=loss)
    if len(means) < LEAST_WINDOWS or len(windows[-1]) < MIN_FOLD_ROWS:  # a few rows are far worse by chance
        return False
    return bool(means[-1] > OUTLIER * np.median(means[:-1])) and bool(
        (means[:-1] <= OUTLIER * np.median(means[:-1])).all()
    )


def blend_losses(windows: Sequence[ForwardWindow], *, loss: str) -> Floats:
    """Compute the mean loss of the ensemble in each window."""
    return np.array([mean_loss(one.truth, one.blend, loss=loss, most=largest(loss)) for one in windows])


def _row_weights(windows: Sequence[ForwardWindow], *, loss: str) -> Floats:
    """Compute what each row counts, sum 1: far less in the one window that was answered worse than all others.

    Two such windows count fully: the table has moved.
    """
    means = blend_losses(windows, loss=loss)
    second_worst = np.sort(means)[-2:][0]
    counts = np.minimum(1.0, second_worst / np.maximum(means, TINY)) ** 4
    rows = np.repeat(np.maximum(counts, TINY), [len(window) for window in windows])
    return np.asarray(rows / rows.sum(), dtype=np.float64)


def _guard(
    windows: Sequence[ForwardWindow],
    losses: Mapping[str, float],
    rows: Floats,
    *,
    plain: str,
    loss: str,
    most: float,
) -> Serves:
    """Decide what serves, by the losses of the ensembles that there were: each one weighed before its window."""
    from scipy.special import stdtrit

    truth, blend = (np.concatenate(each) for each in zip(*((one.truth, one.blend) for one in windows), strict=True))
    ours = float(rows @ row_losses(truth, blend, loss=loss, most=most))
    blends = np.array([mean_loss(one.truth, one.blend, loss=loss, most=most) for one in windows])

    def gains(name: str) -> Floats:
        """Compute what the ensemble gains over a member in each window."""
        alone = [mean_loss(one.truth, one.answers[name], loss=loss, most=most) for one in windows]
        return np.asarray(np.array(alone) - blends, dtype=np.float64)

    if losses.get(CONSTANT, np.inf) < min(ours, losses.get(plain, np.inf)) and (gains(CONSTANT) < 0).mean() >= 0.5:
        return Serves.NAIVE
    if len(windows) < LEAST_WINDOWS:
        return Serves.ENSEMBLE
    over_plain = gains(plain)
    error = over_plain.std(ddof=1) / np.sqrt(len(windows))
    is_worse = over_plain.mean() + stdtrit(len(windows) - 1, (1 + CONFIDENCE) / 2) * error < 0
    return Serves.PLAIN if is_worse else Serves.ENSEMBLE


def cap(windows: Sequence[ForwardWindow], plain: str, *, loss: str) -> float:
    """Return the largest loss that one row may count: of values three times the 0.95 quantile of the plain refit's
    in the median window."""
    if loss == LOG_LOSS:
        return largest(loss)
    quantiles = [
        np.quantile(row_losses(one.truth, one.answers[plain], loss=loss, most=np.inf), 0.95) for one in windows
    ]
    return 3 * float(np.median(quantiles)) or np.inf


def largest(loss: str) -> float:
    """Return the largest loss that one answer can have where nothing bounds it."""
    return float(-np.log(LEAST_PROBABILITY)) if loss == LOG_LOSS else np.inf


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


def _fit(truth: NDArray[np.float64], answers: Floats, rows: Floats, *, loss: str, most: float) -> Floats:
    """Minimise the loss, weighted by `rows`, over the simplex, by sequential quadratic programming; (members,)."""
    from scipy.optimize import minimize

    count = len(answers)
    equal = np.full(count, 1 / count)
    if count == 1:
        return equal
    if loss == LOG_LOSS:
        picked = answers[:, np.arange(len(truth)), truth.astype(int)]  # (members, rows)

        def objective(weights: Floats) -> tuple[float, Floats]:
            mixed = np.maximum(weights @ picked, 0) + LEAST_PROBABILITY
            return float(-rows @ np.log(mixed)), -(picked / mixed) @ rows
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
            return float(rows @ part), values @ (rows * slope) / unit

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
    return np.asarray(best / best.sum(), dtype=np.float64)
