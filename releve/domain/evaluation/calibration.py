"""Are probabilities to be believed? Of the answers given with 80% certainty, 80% should be right."""

from typing import Any

import numpy as np

from releve.domain.evaluation.scored_predictions import ScoredPredictions

BINS = 10  # of equal width over the certainty 0-1


def calibration(found: ScoredPredictions) -> dict[str, Any]:
    """The reliability table of the likeliest class and the expected calibration error (Guo et al. 2017): the mean
    distance of certainty and share of right answers, weighted by rows. Bins without rows are left out."""
    certainty = found.outputs.max(axis=1)
    bins = np.minimum((certainty * BINS).astype(int), BINS - 1)
    table = [_line(found, certainty, bins == number, number) for number in range(BINS) if (bins == number).any()]
    error = sum(line["rows"] * abs(line["certainty"] - line["right"]) for line in table) / len(found)
    return {"error": float(error), "bins": table}


def _line(found: ScoredPredictions, certainty: Any, members: Any, number: int) -> dict[str, Any]:
    return {
        "from": number / BINS,
        "to": (number + 1) / BINS,
        "rows": int(members.sum()),
        "certainty": float(certainty[members].mean()),
        "right": float(found.is_correct[members].mean()),
    }
