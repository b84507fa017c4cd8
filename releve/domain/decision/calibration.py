"""What has to be known of answers before they decide: calibrated probabilities, or the errors of numbers.

Both are fitted to answers that were given before their labels were learned.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.domain.decision.choices import Choices, Floats
from releve.domain.decision.costs import UnitPrices
from releve.domain.evaluation.intervals import rounded

LEAST_PROBABILITY = 1e-6  # as probabilities are sent: a class is never impossible
SPREAD = 0.5  # standard deviation of slope and offsets around what changes nothing: 50 rows outweigh it, 5 do not
LEAST_ROWS = 30  # labelled answers without which answers count as they are
MOST_BINS = 5
LEAST_OF_BIN = 100  # errors of a bin: a quantile of 0.9 has ten of them above it


class ProbabilityScaling(DocumentPart):
    """Probabilities as softmax(slope * log p + offset of the class), fitted with a normal prior around no change.

    Temperature scaling (Guo et al. 2017) with an offset per class, which of two classes is Platt's (1999).
    """

    rows: int  # labelled answers that it rests on
    slope: float
    offsets: tuple[float, ...]  # of each class

    @classmethod
    def fit(cls, probabilities: Floats, truth: NDArray[np.intp]) -> "ProbabilityScaling":
        """Fit to answers (rows, classes) and the places of the true classes; no change where there are few."""
        from scipy.optimize import minimize

        rows, classes = probabilities.shape
        unchanged = np.array([1.0, *[0.0] * classes])
        found = unchanged
        if rows >= LEAST_ROWS:
            logs, is_true = _logs(probabilities), np.eye(classes)[truth]

            def objective(given: Floats) -> tuple[float, Floats]:
                scaled = _softmax(given[0] * logs + given[1:])
                away = (given - unchanged) / SPREAD
                loss = -np.log(np.maximum(scaled[np.arange(rows), truth], 1e-300)).sum() + (away**2).sum() / 2
                gap = scaled - is_true
                return float(loss), np.array([(gap * logs).sum(), *gap.sum(axis=0)]) + away / SPREAD

            found = minimize(
                objective, unchanged, jac=True, method="L-BFGS-B", bounds=[(0.05, 20)] + [(-10, 10)] * classes
            ).x
        return cls(rows=rows, slope=rounded(found[0]), offsets=tuple(map(rounded, found[1:])))

    def scaled(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities (rows, classes)."""
        return _softmax(self.slope * _logs(probabilities) + np.array(self.offsets))


class ErrorBin(DocumentPart):
    """Numbers up to an edge: what is added to one so that it costs least, and what it then cost per row."""

    rows: int
    shift: float
    cost: float


class NumberShifts(DocumentPart):
    """What is added to a number before it is acted upon: a quantile of the errors of numbers of its size.

    The newsvendor's order, by a forecast and its errors. One for all sizes where there are too few rows for several.
    """

    edges: tuple[float, ...]  # between bins, ascending; a number at an edge belongs below it
    bins: tuple[ErrorBin, ...]

    @classmethod
    def fit(cls, numbers: Floats, truth: Floats, prices: UnitPrices) -> "NumberShifts":
        """Fit to answers (rows,) and the true values; no shift where there are few."""
        errors = truth - numbers
        if len(errors) < LEAST_ROWS:
            cost = float(prices.cost_of(errors).mean()) if len(errors) else 0.0
            return cls(edges=(), bins=(ErrorBin(rows=len(errors), shift=0.0, cost=cost),))
        count = max(1, min(MOST_BINS, len(numbers) // LEAST_OF_BIN))
        edges = np.unique(np.quantile(numbers, np.arange(1, count) / count)) if count > 1 else np.empty(0)
        edges = edges[edges < numbers.max()]
        places = np.searchsorted(edges, numbers)
        if np.bincount(places, minlength=len(edges) + 1).min() < LEAST_OF_BIN // 2:  # many equal numbers
            edges, places = np.empty(0), np.zeros(len(numbers), dtype=np.intp)
        bins = []
        for place in range(len(edges) + 1):
            own = errors[places == place]
            shift = rounded(float(np.quantile(own, prices.quantile)))
            bins.append(ErrorBin(rows=len(own), shift=shift, cost=rounded(float(prices.cost_of(own - shift).mean()))))
        return cls(edges=tuple(edges.tolist()), bins=tuple(bins))

    def choose(self, numbers: Floats, prices: UnitPrices) -> Choices:
        """Decide what costs least to act upon."""
        found = [self.bins[bisect_left(self.edges, each)] for each in numbers.tolist()]
        shifted = [rounded(number + each.shift) for number, each in zip(numbers.tolist(), found, strict=True)]
        within = np.array(shifted, dtype=np.float64)
        if prices.least is not None or prices.most is not None:
            within = np.clip(within, prices.least, prices.most)
        return Choices.of_numbers(within, np.array([each.cost for each in found]), prices.prices)


def two_classes_cut(scaling: ProbabilityScaling, calibrated: float, *, positive: int) -> float:
    """Return the probability of the positive class, as it is answered, that means a calibrated one (0-1)."""
    other = 1 - positive
    wanted = np.log(calibrated) - np.log1p(-calibrated) - (scaling.offsets[positive] - scaling.offsets[other])
    return float(1 / (1 + np.exp(-wanted / scaling.slope)))


def _logs(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(probabilities, LEAST_PROBABILITY)))


def _softmax(logits: Sequence[float] | Floats) -> Floats:
    powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
