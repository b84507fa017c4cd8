"""The model that serves, and the rows that travel with every model."""

from typing import TYPE_CHECKING

from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Current
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality.realised import ScoredAnswers
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.learning import answers_of, truth_of
from tasks.places import HOLDOUT, REFERENCE

if TYPE_CHECKING:
    import pandas as pd


def check_released(current: Current | None, scenario: str) -> Current:
    """Return `current`. Raises NotFound, with what to do, before the first release."""
    if current is None:
        raise NotFound(f"{scenario} has no release yet; run make retrain SCENARIO={scenario}")
    return current


def read_reference(settings: Settings, tag: str) -> "pd.DataFrame":
    """The rows a model learned from, newest at the end, as they travel with it."""
    import pandas as pd

    return pd.read_parquet(ModelStore(settings.home).get(tag).path / REFERENCE)


def read_holdout(settings: Settings, tag: str, schema: Schema, *, quantile: float) -> ScoredAnswers | None:
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
    return ScoredAnswers(ScoredPredictions.of(answers, labels, target, quantile=quantile), kept)
