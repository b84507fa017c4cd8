"""Labelled answers of the ledger as a sheet that any metric can score."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.rules.ledger import Labelled
from releve.rules.metrics import Sheet, sheet
from releve.rules.target import REGRESSION, Target


def as_sheet(labelled: Labelled, target: Target, *, rows: int, quantile: float = 0.5) -> Sheet | None:
    """The newest `rows` labelled answers, oldest first; None where there is none.

    A class that the target no longer has is a wrong answer (no probability at all); a label that it no longer has
    cannot be scored and is left out.
    """
    labels = [target.parse(label) for label in labelled.labels]
    known = [place for place, label in enumerate(labels) if label is not None][-rows:]
    if not known:
        return None
    answers = labelled.answers.take(known)
    given = _values(answers, target) if target.task == REGRESSION else _chances(answers, target)
    return sheet(given, [labels[place] for place in known], target, quantile=quantile)


def _values(answers: Any, target: Target) -> NDArray[np.float64]:
    return np.array([target.parse(value) for value in answers.predicted], dtype=np.float64)


def _chances(answers: Any, target: Target) -> NDArray[np.float64]:
    """Per row the probabilities in the order of the classes; where none were kept, all on the class answered."""
    return np.array(
        [
            _certain(target.parse(label), target) if chances is None else _fitting(chances, label, target)
            for label, chances in zip(answers.predicted, answers.probabilities, strict=True)
        ],
        dtype=np.float64,
    )


def _fitting(chances: Any, label: Any, target: Target) -> list[float]:
    """The probabilities, unless the classes have changed since."""
    return list(chances) if len(chances) == len(target.classes) else _certain(target.parse(label), target)


def _certain(label: Any, target: Target) -> list[float]:
    return [float(label == other) for other in target.classes]
