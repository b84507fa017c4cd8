"""The model that serves, and what travels with every model: its reference rows and its golden rows."""

from typing import TYPE_CHECKING

import numpy as np

from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Current
from releve.core.errors import NotFound, ReleveError
from releve.core.settings import Settings
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality.realised import Answered
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.learning import answers_of, truth_of
from tasks.places import HOLDOUT, REFERENCE

if TYPE_CHECKING:
    import pandas as pd


GOLDEN_TOLERANCE = 1e-5  # share of the largest golden number; float32 holds seven digits, and sums of trees lose two


class GoldenMismatch(ReleveError):
    """A model no longer gives the answers it gave when it was packaged."""

    code = "golden_mismatch"


def check_released(current: Current | None, scenario: str) -> Current:
    """Return `current`. Raises NotFound, with what to do, before the first release."""
    if current is None:
        raise NotFound(f"{scenario} has no release yet; run make retrain SCENARIO={scenario}")
    return current


def read_reference(settings: Settings, tag: str) -> "pd.DataFrame":
    """The rows a model learned from, newest at the end, as they travel with it."""
    import pandas as pd

    return pd.read_parquet(ModelStore(settings.home).get(tag).path / REFERENCE)


def read_holdout(settings: Settings, tag: str, schema: Schema, *, quantile: float) -> Answered | None:
    """What a model answered out of sample, as it travels with it; None with a model that was packaged without, or
    whose classes are no longer the target's."""
    import pandas as pd

    path, target = ModelStore(settings.home).get(tag).path / HOLDOUT, schema.target
    if not path.is_file():
        return None
    kept = pd.read_parquet(path)
    answers = answers_of(kept, task=target.task)
    if target.task != REGRESSION and answers.shape[1] != len(target.classes):
        return None
    truth = truth_of(kept)
    labels = truth.tolist() if target.task == REGRESSION else [target.classes[place] for place in truth]
    return Answered(ScoredPredictions.of(answers, labels, target, quantile=quantile), kept)


def check_golden(model: Model) -> None:
    """Ask a loaded model its golden rows. Raises GoldenMismatch when an answer differs."""
    golden = model.description.golden
    now, packaged = model.answer(arrays_of_rows(model.schema, golden.rows)).labels, list(golden.labels)
    same = now == packaged
    if model.schema.target.task == REGRESSION and len(now) == len(packaged):
        # numbers may differ by what float32 sums lose, measured by the largest of them: one may be near 0
        numbers, wanted = np.array(now, dtype=np.float64), np.array(packaged, dtype=np.float64)
        same = bool((np.abs(numbers - wanted) <= GOLDEN_TOLERANCE * np.abs(wanted).max(initial=0.0)).all())
    if not same:
        raise GoldenMismatch(
            f"model {model.tag} answers its golden rows with {now}, it was packaged with {packaged}; "
            "it is not released. Compare the installed onnxruntime with the one in requirements.lock"
        )
