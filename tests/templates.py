"""Templated texts, as exports of call centres and forms have them: fewer different words than `text_dimensions`."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import StandardScaler

from releve.domain.schema.schema import Schema

BAD = ("wants to cancel", "price is too high", "competitor is cheaper", "bill is wrong again")
GOOD = ("all is well", "nice contact", "bill is fine", "nobody called back")
TARGETS: dict[str, dict[str, Any]] = {
    "binary": {"name": "left", "classes": ["no", "yes"], "positive": "yes"},
    "multiclass": {"name": "left", "classes": ["no", "yes", "perhaps"]},
    "regression": {"name": "left", "task": "regression"},
}


class Whitened(TruncatedSVD):  # type: ignore[misc]
    """Folds texts and divides every direction by its deviation, noise too: what scikit-learn's own scaler does."""

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """As scikit-learn's pipeline of both would."""
        folded = super().fit_transform(X, y)
        self.scaler_ = StandardScaler().fit(folded)
        return self.scaler_.transform(folded)

    def transform(self, X: Any) -> Any:
        """Noise of a new text is divided as well."""
        return self.scaler_.transform(super().transform(X))


def templates(
    task: str = "binary", *, rows: int = 300, share: float = 0.4, seed: int = 7
) -> tuple[Schema, pd.DataFrame]:
    """A note and an age, and what follows from both, not surely."""
    random = np.random.default_rng(seed)
    is_bad = random.random(rows) < share
    notes = [f"{random.choice(BAD if bad else GOOD)}, call on {random.choice(['monday', 'friday'])}" for bad in is_bad]
    score = 2 * is_bad + random.normal(0, 0.6, rows)
    labels: Any = score * 10
    if task != "regression":
        classes = TARGETS[task]["classes"]
        labels = np.array(classes, dtype=object)[np.digitize(score, [1.0, 2.2][: len(classes) - 1])]
    frame = pd.DataFrame({"note": notes, "age": score + random.normal(0, 1, rows), "left": labels})
    columns = {"note": {"type": "text"}, "age": {"type": "number"}}
    return Schema.from_dict({"columns": columns, "target": TARGETS[task]}), frame
