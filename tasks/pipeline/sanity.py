"""Ask a packaged model, as it will be served, slightly altered rows: `releve.domain.gate.sanity` judges the answers.

In one thread: with more, those that wait for each other would cost most of the time.
"""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.models.model_runtime import Model
from releve.domain.evaluation.evaluation import Sanity
from releve.domain.gate.sanity import check
from releve.domain.schema.arrays import arrays_of_frame

if TYPE_CHECKING:
    import pandas as pd


def try_slight_changes(model: Model, known: "pd.DataFrame") -> Sanity:
    """`known`: checked rows that the model learned from. Prints what was found, and the CPU seconds that it took."""
    from threadpoolctl import threadpool_limits

    began = time.process_time()
    with threadpool_limits(limits=1):
        found = check(known, model.schema, lambda rows: _answers(model, rows))
    print(f"{found} ({time.process_time() - began:.1f} s CPU)")
    return found


def _answers(model: Model, rows: "pd.DataFrame") -> Any:
    answers = model.answer(arrays_of_frame(model.schema, rows))
    if answers.probabilities is None:
        return np.array(answers.labels, dtype=np.float64)[:, None]
    return answers.probabilities
