"""Which features a model relies on: permutation importance (Breiman 2001), computed by scikit-learn.

The cells of one feature are shuffled among rows that the model has not learned from; what the score loses is the
feature's importance. Features that say nearly the same share it: shuffling one of them loses little, since the model
reads the other.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from releve.domain.evaluation.evaluation import FeatureImportance, FeatureImportances
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import BootstrapConfig, drawn_rows
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import DATE_PARTS, Schema
from releve.domain.training.learning import answer_features
from releve.domain.training.pipeline import model_frame

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS, STRONGEST, DRAWS = 1_000, 12, 6  # of 64 columns the model then answers 142 times: a few seconds


def permutation_importances(
    model: Any, rows: "pd.DataFrame", schema: Schema, metric: str, *, quantile: float, bootstrap: BootstrapConfig
) -> FeatureImportances:
    """Measure the strongest features on the newest MOST_ROWS of `rows`, which `model` has not learned from.

    All features are shuffled once, and the STRONGEST of them again in each of DRAWS draws, which alone make the
    figures. A draw takes rows with replacement, in blocks as long as the losses depend on each other, so that the
    interval covers the choice of rows as well as the shuffling. Returns no feature where the metric is not defined
    on such draws.
    """
    from scipy.stats import t
    from sklearn.dummy import DummyClassifier
    from sklearn.inspection import permutation_importance

    rows, target, names, sign = rows.tail(MOST_ROWS), schema.target, schema.names, METRICS[metric].sign
    labels = np.asarray(rows[target.name], dtype=object)
    frame = model_frame(arrays_of_frame(schema, rows), schema)
    cells = {str(name): frame[name].to_numpy() for name in frame}
    part_of = {f"{name}.{part}": name for name in schema.dates for part in DATE_PARTS}
    feature_of = {name: part_of.get(name, name) for name in cells}

    def predict(shuffled: dict[str, Any], taken: Any) -> ScoredPredictions:
        """Answer the rows `taken`, with the cells of some features from other rows."""
        cut = {name: values[shuffled.get(feature_of[name], taken)] for name, values in cells.items()}
        outputs = answer_features(model, frame.__class__(cut), schema).to_numpy()
        return ScoredPredictions.of(outputs, labels[taken].tolist(), target, quantile=quantile)

    def losses(features: list[str], taken: Any, *, seed: int) -> Any:
        """Compute what the score of the rows `taken` loses with each feature."""

        def scorer(_: Any, positions: Any, places: Any) -> float:
            predictions = predict(dict(zip(features, positions.T, strict=True)), places)
            return sign * compute_score(metric, predictions) if METRICS[metric].is_defined(predictions) else np.nan

        # scikit-learn shuffles columns of row numbers: all parts of a date move together, as one feature. It wants
        # an estimator of its own; the scorer asks the model.
        positions = np.tile(taken[:, None], (1, len(features)))
        placeholder = DummyClassifier()
        result = permutation_importance(placeholder, positions, taken, scoring=scorer, n_repeats=1, random_state=seed)
        return result.importances[:, 0]

    everything = np.arange(len(rows))
    first = losses(names, everything, seed=bootstrap.seed)
    strongest = [names[place] for place in np.argsort(-first, kind="stable")[:STRONGEST]]
    block = bootstrap.block_of(METRICS[metric].losses(predict({}, everything)))
    drawn = drawn_rows(len(rows), block=block, draws=DRAWS, seed=bootstrap.seed).astype(np.int64)
    drawn_losses = [
        losses(strongest, np.repeat(everything, counts), seed=bootstrap.seed + number)
        for number, counts in enumerate(drawn, start=1)
    ]
    known = np.array([each for each in drawn_losses if np.isfinite(each).all()])
    if len(known) < 2:
        return FeatureImportances(rows=len(rows), features=())
    reach = t.ppf((1 + bootstrap.confidence) / 2, len(known) - 1) * known.std(axis=0, ddof=1)
    importances = [
        FeatureImportance(feature=name, loss=Interval(value, value - half, value + half))
        for name, value, half in zip(strongest, known.mean(axis=0).tolist(), reach.tolist(), strict=True)
    ]
    strongest_first = sorted(importances, key=lambda each: -each.loss.value)
    return FeatureImportances(rows=len(rows), features=tuple(strongest_first))
