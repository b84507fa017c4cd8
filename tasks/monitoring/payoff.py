"""What the last promotion brought: the champion before it is asked the rows that the present one answered."""

from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput, ReleveError
from releve.core.settings import Settings
from releve.domain.evaluation.metrics import METRICS
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions, in_classes
from releve.domain.quality import payoff, realised
from releve.domain.quality.payoff import MOST_ROWS, Payoff
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.target import REGRESSION, Target
from releve.domain.schema.validation import row_problems
from tasks.monitoring.evidence import Gathered

if TYPE_CHECKING:
    import pandas as pd


def measure_payoff(known: Gathered, registry: Registry, settings: Settings, scenario: str) -> tuple[Payoff | None, str]:
    """Return the payoff, and why there is none where the champion before could not be asked.

    Without a reason there is none before the second release, nor while fewer than `statistics.min_rows` of the
    champion's answers are labelled, nor after a rollback: what is gained over the model that was taken back says
    nothing for a promotion.
    """
    target, metric = known.schema.target, known.expected.metric
    fit = [place for place, label in enumerate(known.labelled.labels) if target.parse(label) is not None]
    labelled = known.labelled.take(fit[-MOST_ROWS:])
    if len(labelled) < max(1, known.params.statistics.min_rows):
        return None, ""
    previous = registry.previous(scenario)
    if previous is None or registry.taken_back(scenario):
        return None, ""
    try:
        model = ModelStore(settings.home).load(previous.model, digest=previous.model_digest)
        answers = _answers(model, labelled.answers.features, target)
    except Exception as error:  # a model of an older release fails in ways of its own: files, runtime, keys, types
        first_line = str(error).partition("\n")[0]
        why = str(error) if isinstance(error, ReleveError) else f"{type(error).__name__}: {first_line}"
        return None, f"what the last promotion brought is unknown, as {previous.model} cannot be asked: {why}"
    quantile = known.params.gate.quantile
    mine = realised.as_scored(labelled, target, rows=len(labelled), quantile=quantile)
    labels = [target.parse(label) for label in labelled.labels]
    other = ScoredPredictions.of(answers, labels, target, quantile=quantile)
    if mine is None or not METRICS[metric].is_defined(mine):
        return None, ""
    return payoff.measure(metric, mine, other, bootstrap=known.bootstrap), ""


def _answers(model: Model, features: "pd.DataFrame", target: Target) -> Floats:
    """In the order of the target's classes. Raises BadInput where the model takes other rows, or answers another
    question."""
    if (model.schema.target.task == REGRESSION) != (target.task == REGRESSION):
        raise BadInput(f"it answers a {model.schema.target.task} question, and this is a {target.task} one")
    wanted = features[[name for name in model.schema.names if name in features]]
    rows: list[dict[Any, Any]] = wanted.astype(object).where(wanted.notna(), None).to_dict("records")
    if problems := row_problems(model.schema, rows):
        raise BadInput(f"it takes other rows: {problems[0]}")
    answered = model.answer(arrays_of_rows(model.schema, rows))
    if answered.probabilities is None:
        return np.asarray(answered.labels, dtype=np.float64)
    return in_classes(answered.probabilities, model.schema.target.classes, target.classes)
