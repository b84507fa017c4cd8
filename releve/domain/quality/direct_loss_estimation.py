"""The score of a regression without labels: a small model of the champion's loss, learned from answers out of sample
(direct loss estimation, as NannyML's documentation calls it).

What the loss model misses is a factor per row, realised over expected loss, whose spread and mean are uncertain.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.metrics import METRICS
from releve.domain.evaluation.paired import BootstrapConfig, drawn_rows
from releve.domain.quality.realised import ScoredAnswers
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

FOLDS = 3  # neighbouring blocks of the holdout, each with losses expected by a model of the others
CODED = 30  # most frequent categories that the loss model tells apart
OPTIONS = {"loss": "poisson", "max_iter": 40, "max_depth": 3, "min_samples_leaf": 20, "early_stopping": False}


@dataclass(frozen=True, eq=False)
class LossInputs:
    """Inputs of the loss model: numbers, frequent categories as codes, lengths of texts, the answer."""

    schema: Schema
    codes: tuple[dict[str, int], ...]  # per category column

    @classmethod
    def of(cls, features: "pd.DataFrame", schema: Schema) -> "LossInputs":
        """Learn the frequent categories."""
        codes = []
        for cells in _blocks(features, schema).get("categories", np.empty((0, 0))).T:
            names, counts = np.unique(cells.astype(str), return_counts=True)
            frequent = np.argsort(-counts, kind="stable")[:CODED]
            codes.append({str(names[place]): code for code, place in enumerate(frequent)})
        return cls(schema, tuple(codes))

    def table(self, features: "pd.DataFrame", answers: Floats) -> Floats:
        """Return the inputs of the loss model, (rows, inputs)."""
        blocks = _blocks(features, self.schema)
        parts = [np.asarray(answers)[:, None]]
        if "numbers" in blocks:
            parts.append(blocks["numbers"])
        if "categories" in blocks:
            columns = zip(self.codes, blocks["categories"].T, strict=True)
            parts.append(np.column_stack([[codes.get(str(cell), -1) for cell in cells] for codes, cells in columns]))
        if "texts" in blocks:
            parts.append(np.vectorize(len, otypes=[float])(blocks["texts"]))
        return np.hstack(parts).astype(np.float64)


@dataclass(frozen=True, eq=False)
class DleEstimator:
    """Estimates the score of a regression by a model of its losses (direct loss estimation).

    scale: corrects the mean of the expected losses.
    scales: (draws,) the same in each resample of the holdout, which are the uncertainty of the correction.
    factors: (holdout rows,) realised over expected loss, in time order, with mean 1.
    """

    method: ClassVar = "direct loss estimation"
    name: str
    inputs: LossInputs
    model: Any
    scale: float
    scales: Floats
    factors: Floats

    def value(self, asked: ScoredAnswers) -> float:
        """Return the expected score of these answers."""
        return float(_finish(self.name, self.losses(asked)[None])[0])

    def draws(self, asked: ScoredAnswers, bootstrap: BootstrapConfig) -> Floats:
        """Draw scores that could be realised on such rows, each with other rows, factors and scale."""
        expected = self._unscaled(asked)
        rows = drawn_rows(len(asked), block=bootstrap.block_of(expected), draws=len(self.scales), seed=bootstrap.seed)
        losses = rows * expected * self._drawn_factors(len(asked), bootstrap)
        return _finish(self.name, losses * self.scales[:, None])

    def gaps(self, labelled: ScoredAnswers, bootstrap: BootstrapConfig) -> Floats:
        """Return realised minus expected score on the same labelled rows, in each resample."""
        expected, realised = self._unscaled(labelled), METRICS[self.name].losses(labelled.scored)
        block = bootstrap.block_of(realised - self.scale * expected)
        rows = drawn_rows(len(labelled), block=block, draws=len(self.scales), seed=bootstrap.seed) / len(labelled)
        mean_expected = (rows @ expected * self.scales)[:, None]
        return _finish(self.name, (rows @ realised)[:, None]) - _finish(self.name, mean_expected)

    def losses(self, asked: ScoredAnswers) -> Floats:
        """Return the expected loss of each row."""
        return self.scale * self._unscaled(asked)

    def residuals(self, labelled: ScoredAnswers) -> Floats:
        """Return realised minus expected loss of each row."""
        return np.asarray(METRICS[self.name].losses(labelled.scored) - self.losses(labelled))

    def _unscaled(self, asked: ScoredAnswers) -> Floats:
        return np.asarray(self.model.predict(self.inputs.table(asked.features, asked.scored.outputs)))

    def _drawn_factors(self, rows: int, bootstrap: BootstrapConfig) -> Floats:
        """Draw factors (draws, rows) in blocks, so that neighbours of the holdout stay together."""
        random, block = np.random.default_rng(bootstrap.seed), bootstrap.block_of(self.factors)
        starts = random.integers(len(self.factors), size=(len(self.scales), -(-rows // block), 1))
        places = (starts + np.arange(block)).reshape(len(self.scales), -1)[:, :rows]
        return np.asarray(self.factors[places % len(self.factors)])


def fit_dle(name: str, holdout: ScoredAnswers, schema: Schema, bootstrap: BootstrapConfig) -> DleEstimator:
    """Learn the losses of the answers to the holdout, in time order."""
    inputs, losses = LossInputs.of(holdout.features, schema), METRICS[name].losses(holdout.scored)
    table = inputs.table(holdout.features, holdout.scored.outputs)
    expected, rows = np.empty(len(losses)), np.arange(len(losses))
    for block in np.array_split(rows, FOLDS):  # each row's loss as a model of the other blocks expects it
        others = np.setdiff1d(rows, block)
        expected[block] = _learn(table[others], losses[others], seed=bootstrap.seed).predict(table[block])
    factors = losses / expected
    factors = factors / factors.mean() if losses.any() else np.ones(len(losses))
    drawn = drawn_rows(len(losses), block=bootstrap.block_of(factors), draws=bootstrap.resamples, seed=bootstrap.seed)
    model = _learn(table, losses, seed=bootstrap.seed)
    return DleEstimator(
        name, inputs, model, float(losses.sum() / expected.sum()), (drawn @ losses) / (drawn @ expected), factors
    )


def _learn(table: Floats, losses: Floats, *, seed: int) -> Any:
    """Fit a model of positive values. Losses that are all 0 have no log and are replaced by the smallest float."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    shown = losses if losses.any() else np.full(len(losses), np.finfo(np.float64).tiny)
    return HistGradientBoostingRegressor(**OPTIONS, random_state=seed).fit(table, shown)


def _finish(name: str, losses: Floats) -> Floats:
    """Turn losses (draws, rows), or their means (draws, 1), into scores (draws,)."""
    return METRICS[name].finish(losses.mean(axis=1, keepdims=True))


def _blocks(features: "pd.DataFrame", schema: Schema) -> dict[str, NDArray[Any]]:
    """The arrays of `arrays_of_rows`, of cells in whatever form they travelled; what is not there is missing."""
    cells = features.reindex(columns=schema.names).astype(object)
    rows: list[dict[Any, Any]] = cells.where(cells.notna(), None).to_dict("records")
    return arrays_of_rows(schema, rows)
