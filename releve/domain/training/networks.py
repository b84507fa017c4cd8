"""Small neural networks of a bounded cost: a fit that reaches its last epoch is finished, not unconverged.

scikit-learn's own early stopping is no choice: it judges by rows drawn at random, which is no future, and fails where
a class has a single row.
"""

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor


class BriefNetworkClassifier(MLPClassifier):  # type: ignore[misc]
    """A multilayer perceptron for classes that learns for `max_iter` epochs at most."""

    def fit(self, X: Any, y: Any) -> "BriefNetworkClassifier":
        """Learn the weights."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        del self._optimizer  # twice the size of the weights, and of use to `partial_fit` alone
        return self


class BriefNetworkRegressor(MLPRegressor):  # type: ignore[misc]
    """A multilayer perceptron for values that learns for `max_iter` epochs at most."""

    def fit(self, X: Any, y: Any) -> "BriefNetworkRegressor":
        """Learn the weights."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        del self._optimizer
        return self
