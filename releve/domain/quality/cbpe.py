"""Estimate a score from calibrated probabilities, without a single label: confidence-based performance estimation
(CBPE: Bialek, Kuberski, Perrakis & Bifet 2024, "Estimating Model Performance Under Covariate Shift Without Labels",
arXiv 2401.08348).

If of the answers given with 80% certainty 80% are right, the certainties alone say how many are. A model's own
probabilities are rarely so good: they are calibrated first, with answers out of sample, class by class (Platt 1999).
Where the link between features and target changed, the estimate is wrong and cannot know: hence the audit
(`releve.domain.quality.estimate`).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import BootstrapConfig, drawn_rows
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality.realised import ScoredAnswers

Floats = NDArray[np.float64]

LEAST_PROBABILITY = 1e-4  # 0 and 1 have no finite log odds
STEPS, LONGEST_STEP = 30, 1.0  # of Newton's method; far from the solution a whole step may overshoot
RIDGE = 1.0  # pull towards "as it is", worth about one row: a class without rows stays as the model has it


@dataclass(frozen=True, eq=False)
class CbpeEstimator:
    """Estimates the score of a classifier from its calibrated probabilities.

    platt_coefficients: (1 + draws, classes, 2) intercept and slope of each class's log odds; the first by all holdout
        rows, the others by resamples, which are the uncertainty of the calibration.
    dependence: ratio of the variance of a mean loss to that of independent labels, at least 1.
    """

    method: ClassVar = "calibrated probabilities (CBPE)"
    name: str
    platt_coefficients: Floats
    dependence: float

    def value(self, asked: ScoredAnswers) -> float:
        """Return the expected score of these answers."""
        scored = asked.scored
        return self._expected(
            scored, _statistics(self.name, scored), self._probabilities(scored, 0), np.ones(len(scored))
        )

    def draws(self, asked: ScoredAnswers, bootstrap: BootstrapConfig) -> Floats:
        """Draw scores that could be realised on such rows, each with other rows, labels and calibration."""
        scored, scores = asked.scored, []
        random, every = np.random.default_rng(bootstrap.seed), _statistics(self.name, scored)
        for number, weights in enumerate(self._rows(self.losses(asked), bootstrap), start=1):
            probabilities = self._probabilities(scored, number)
            rows = np.repeat(np.arange(len(scored)), weights.astype(int))
            above = probabilities[rows].cumsum(axis=1) < random.random((len(rows), 1))
            labels = np.minimum(above.sum(axis=1), probabilities.shape[1] - 1)
            drawn = ScoredPredictions(scored.outputs[rows], labels, scored.positive)
            if METRICS[self.name].is_defined(drawn):
                middle = self._expected(scored, every, probabilities, weights)
                scores.append(middle + np.sqrt(self.dependence) * (compute_score(self.name, drawn) - middle))
        return np.array(scores)

    def gaps(self, labelled: ScoredAnswers, bootstrap: BootstrapConfig) -> Floats:
        """Return realised minus expected score on the same labelled rows, in each resample."""
        scored, metric = labelled.scored, METRICS[self.name]
        every, realised, gaps = _statistics(self.name, scored), metric.statistics(scored), []
        for number, weights in enumerate(self._rows(self.residuals(labelled), bootstrap), start=1):
            expected = self._expected(scored, every, self._probabilities(scored, number), weights)
            gaps.append(float(metric.scores(realised, weights[None])[0]) - expected)
        return np.array(gaps)

    def losses(self, asked: ScoredAnswers) -> Floats:
        """Return the expected loss of each row."""
        return expected_losses(self.name, asked.scored, self._probabilities(asked.scored, 0))

    def residuals(self, labelled: ScoredAnswers) -> Floats:
        """Return realised minus expected loss of each row."""
        return np.asarray(METRICS[self.name].losses(labelled.scored) - self.losses(labelled))

    def _rows(self, series: Floats, bootstrap: BootstrapConfig) -> Floats:
        return drawn_rows(
            len(series), block=bootstrap.block_of(series), draws=len(self.platt_coefficients) - 1, seed=bootstrap.seed
        )

    def _probabilities(self, scored: ScoredPredictions, draw: int) -> Floats:
        return calibrated(scored.outputs, self.platt_coefficients[draw])

    def _expected(self, scored: ScoredPredictions, every: Floats, probabilities: Floats, weights: Floats) -> float:
        if not METRICS[self.name].is_per_row:
            return float(
                np.mean([_auc(scored.outputs[:, k], probabilities[:, k], weights) for k in scored.scored_classes])
            )
        return float(METRICS[self.name].scores(every, (weights[:, None] * probabilities).reshape(1, -1))[0])


def fit_cbpe(name: str, holdout: ScoredAnswers, bootstrap: BootstrapConfig) -> CbpeEstimator:
    """Calibrate with the answers to the holdout, in time order, and their labels."""
    block = bootstrap.block_of(METRICS[name].losses(holdout.scored))
    resampled = drawn_rows(len(holdout), block=block, draws=bootstrap.resamples, seed=bootstrap.seed)
    platt_coefficients = calibrate(holdout.scored, np.vstack([np.ones((1, len(holdout))), resampled]))
    residuals = CbpeEstimator(name, platt_coefficients, 1.0).residuals(holdout)
    return CbpeEstimator(name, platt_coefficients, dependence_of(residuals, bootstrap))


def dependence_of(residuals: Floats, bootstrap: BootstrapConfig) -> float:
    """Return the variance of the mean by blocks over that by single rows, at least 1."""
    block, spread = bootstrap.block_of(residuals), float(residuals.var())
    if block == 1 or not spread:
        return 1.0
    weights = drawn_rows(len(residuals), block=block, draws=bootstrap.resamples, seed=bootstrap.seed)
    return max(1.0, float((weights @ residuals / len(residuals)).var() * len(residuals) / spread))


def calibrate(scored: ScoredPredictions, weights: Floats) -> Floats:
    """Fit a logistic regression of "is it this class" on its log odds, class by class (Platt 1999).

    `weights`: (draws, rows). Returns intercepts and slopes (draws, classes, 2).
    """
    classes = scored.outputs.shape[1]
    fitted = [
        _platt_coefficients(_log_odds(scored.outputs[:, k]), (scored.y_true == k).astype(np.float64), weights)
        for k in range(classes)
    ]
    return np.stack(fitted, axis=1)


def calibrated(answers: Floats, platt_coefficients: Floats) -> Floats:
    """Calibrate by `platt_coefficients` (classes, 2). Returns probabilities (rows, classes), summing to 1 per row."""
    odds = platt_coefficients[:, 0] + platt_coefficients[:, 1] * _log_odds(answers)
    probabilities = 1 / (1 + np.exp(-odds))
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def expected_losses(name: str, asked: ScoredPredictions, probabilities: Floats) -> Floats:
    """Return per row the metric's loss under each label, weighted by the label's probability."""
    losses = METRICS[name].losses(_every_label(asked)).reshape(probabilities.shape)
    return np.asarray((losses * probabilities).sum(axis=1))


def _every_label(asked: ScoredPredictions) -> ScoredPredictions:
    """Repeat each row as often as there are classes, once with each label."""
    rows, classes = asked.outputs.shape
    return ScoredPredictions(
        np.repeat(asked.outputs, classes, axis=0), np.tile(np.arange(classes), rows), asked.positive
    )


def _statistics(name: str, asked: ScoredPredictions) -> Floats:
    """Compute the metric's statistics of each row with each label. An AUC has none per row."""
    metric = METRICS[name]
    return metric.statistics(_every_label(asked)) if metric.is_per_row else np.zeros((0, 0))


def _auc(scores: Floats, probabilities: Floats, weights: Floats) -> float:
    """Estimate the AUC of one class, a tie counting half, when each row is of the class with its probability.

    No row is compared with itself. One half where all rows are surely on one side.
    """
    places = np.unique(scores, return_inverse=True)[1]
    ups, downs = (np.bincount(places, weights * each) for each in (probabilities, 1 - probabilities))
    itself = float((weights * probabilities * (1 - probabilities)).sum())
    above = float((ups * (downs.cumsum() - downs / 2)).sum()) - itself / 2
    pairs = float(ups.sum() * downs.sum()) - itself
    return above / pairs if pairs > 0 else 0.5


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _platt_coefficients(odds: Floats, truth: Floats, weights: Floats) -> Floats:
    """Fit intercepts and slopes (draws, 2) by Newton's method, all draws at once."""
    coefficients = np.tile([0.0, 1.0], (len(weights), 1))
    for _ in range(STEPS):
        probabilities = 1 / (1 + np.exp(-(coefficients[:, :1] + coefficients[:, 1:] * odds)))
        errors, curves = weights * (probabilities - truth), weights * probabilities * (1 - probabilities)
        slope = np.stack([errors.sum(axis=1), errors @ odds], axis=1) + RIDGE * (coefficients - [0.0, 1.0])
        a, b, c = curves.sum(axis=1) + RIDGE, curves @ odds, curves @ odds**2 + RIDGE
        determinant = a * c - b * b
        step = np.stack([c * slope[:, 0] - b * slope[:, 1], a * slope[:, 1] - b * slope[:, 0]], axis=1)
        coefficients = coefficients - np.clip(step / determinant[:, None], -LONGEST_STEP, LONGEST_STEP)
    return coefficients
