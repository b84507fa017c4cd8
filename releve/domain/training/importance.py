"""Which features a model relies on: permutation importance (Breiman 2001).

The cells of one feature are shuffled among rows that the model has not learned from; what the score loses is the
feature's importance. Features that say nearly the same share it: shuffling one of them loses little, since the model
reads the other.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.domain.evaluation.evaluation import FeatureImportance, FeatureImportances
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import BootstrapConfig, drawn_rows
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training.learning import answer_features
from releve.domain.training.pipeline import model_frame

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS, STRONGEST, DRAWS = 500, 8, 6  # of 64 columns the model then answers 40,500 rows: half a second or so
SCREENED = 2  # to find the strongest, every second row is enough
MOST_CELLS = 4_000_000  # of a table that is answered at once: 32 MB


def permutation_importances(
    model: Any, rows: "pd.DataFrame", schema: Schema, metric: str, *, quantile: float, bootstrap: BootstrapConfig
) -> FeatureImportances:
    """Measure the strongest features on the newest MOST_ROWS of `rows`, which `model` has not learned from.

    All features are shuffled once, on every SCREENED-th row, and the STRONGEST of them again in each of DRAWS draws,
    which alone make the figures. A draw takes rows with replacement, in blocks as long as the losses depend on each
    other, so that the interval covers the choice of rows as well as the shuffling. Returns no feature where the metric
    is not defined on such draws.
    """
    from scipy.stats import t

    asked = _ShuffledRows(model, rows.tail(MOST_ROWS), schema, metric, quantile=quantile)
    first = asked.losses(schema.names, asked.places[::SCREENED], seed=bootstrap.seed)
    strongest = [schema.names[place] for place in np.argsort(-first, kind="stable")[:STRONGEST]]
    block = bootstrap.block_of(METRICS[metric].losses(asked.scored(asked.unshuffled, asked.places)))
    drawn = drawn_rows(len(asked.places), block=block, draws=DRAWS, seed=bootstrap.seed).astype(np.int64)
    losses = [
        asked.losses(strongest, np.repeat(asked.places, counts), seed=bootstrap.seed + number)
        for number, counts in enumerate(drawn, start=1)
    ]
    known = np.array([each for each in losses if np.isfinite(each).all()])
    if len(known) < 2:
        return FeatureImportances(rows=len(asked.places), features=())
    reach = t.ppf((1 + bootstrap.confidence) / 2, len(known) - 1) * known.std(axis=0, ddof=1)
    importances = [
        FeatureImportance(feature=name, loss=Interval(value, value - half, value + half))
        for name, value, half in zip(strongest, known.mean(axis=0).tolist(), reach.tolist(), strict=True)
    ]
    strongest_first = sorted(importances, key=lambda each: -each.loss.value)
    return FeatureImportances(rows=len(asked.places), features=tuple(strongest_first))


class _ShuffledRows:
    """Rows that a model has not learned from, as it answers them with the cells of a feature shuffled among them."""

    def __init__(self, model: Any, rows: "pd.DataFrame", schema: Schema, metric: str, *, quantile: float) -> None:
        self._model, self._schema, self._metric, self._quantile = model, schema, metric, quantile
        self._labels = np.asarray(rows[schema.target.name], dtype=object)
        frame = model_frame(arrays_of_frame(schema, rows), schema)
        self._frame_type, self._cells = type(frame), {str(name): frame[name].to_numpy() for name in frame}
        part_of = {part: name for name, parts in schema.feature_parts.items() for part in parts}
        self._feature_of = {name: part_of.get(name, name) for name in self._cells}
        self.places = np.arange(len(rows))
        self.unshuffled = self._answers([{}], self.places)[0]

    def scored(self, answers: Any, taken: Any) -> ScoredPredictions:
        """Put answers to the rows `taken` beside their labels."""
        return ScoredPredictions.of(answers, self._labels[taken].tolist(), self._schema.target, quantile=self._quantile)

    def losses(self, features: Sequence[str], taken: Any, *, seed: int) -> Any:
        """Compute what the score of the rows `taken` loses with each feature: all parts of a date or image are one."""
        random, metric = np.random.default_rng(seed), METRICS[self._metric]
        shuffled = self._answers([{name: random.permutation(taken)} for name in features], taken)
        scored = [self.scored(answers, taken) for answers in (self.unshuffled[taken], *shuffled)]
        scores = np.array(
            [metric.sign * compute_score(self._metric, each) if metric.is_defined(each) else np.nan for each in scored]
        )
        return scores[0] - scores[1:]

    def _answers(self, variants: Sequence[dict[str, Any]], taken: Any) -> list[Any]:
        """Answer the rows `taken` once per variant, which has the cells of some features from other rows.

        Many variants at a time: an answer to a few rows costs as much as one to thousands.
        """
        outputs = list[Any]()
        together = max(1, MOST_CELLS // (len(taken) * len(self._cells)))
        for place in range(0, len(variants), together):
            some = variants[place : place + together]
            cut = {
                name: np.concatenate([values[one.get(self._feature_of[name], taken)] for one in some])
                for name, values in self._cells.items()
            }
            answers = answer_features(self._model, self._frame_type(cut), self._schema)
            outputs += np.split(answers.to_numpy(), len(some))
        return outputs
