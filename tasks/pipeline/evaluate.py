"""Challenger, champion and naive baselines on the same holdout rows: by the gate's metric, over all and per slice."""

from typing import Any

import numpy as np

from releve.adapters.fairness import find_unfairness, group_scores
from releve.adapters.files import read_document, read_inputs, write_json
from releve.adapters.models.model_store import ModelStore
from releve.core.formatting import format_score
from releve.domain.evaluation import holdout_evaluation
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs, check_comparable
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import HoldoutFolds, numbered
from releve.domain.evaluation.scored_predictions import ScoredPredictions, in_classes
from releve.domain.evaluation.slices import check_slices
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.training.learning import VALUE
from tasks.pipeline.stage import Stage, run
from tasks.places import POSITION


def evaluate(stage: Stage) -> None:
    """Write results/<scenario>/evaluation.json for the gate and metrics.json for people."""
    inputs = gather(stage)

    fairness, unknown_groups = find_unfairness(inputs)
    evaluation = holdout_evaluation.evaluate(inputs).model_copy(
        update={
            "fairness": fairness,
            "unknown_groups": unknown_groups,
            "groups": group_scores(inputs),
            "importances": read_document(stage.files.importances, FeatureImportances),
        }
    )

    against = evaluation.against
    scores = evaluation.challenger.metrics | {name.replace(" ", "_"): one.score for name, one in against.items()}
    counts = {"holdout_rows": evaluation.holdout_rows, "rows": evaluation.rows}
    write_json(stage.files.evaluation, all_rounded(evaluation.model_dump(mode="json")))
    write_json(stage.files.metrics, all_rounded(scores | counts))
    others = ", ".join(f"{describe_baseline(name)} {format_score(one.score)}" for name, one in against.items())
    print(f"{evaluation.metric} {format_score(evaluation.score.value)} on {evaluation.holdout_rows} rows; {others}")


def gather(stage: Stage) -> EvaluationInputs:
    """Raises BadInput for params that do not fit the table, and for a champion that cannot be asked."""
    import pandas as pd

    gate, schema = stage.params.gate, stage.schema
    check_slices(gate.slices, schema, key="gate.slices")
    check_slices(gate.protected, schema, key="gate.protected")
    rows, holdout = pd.read_parquet(stage.files.rows), pd.read_parquet(stage.files.holdout)
    folds = read_document(stage.files.folds, HoldoutFolds).folds
    newest = rows.iloc[int(holdout[POSITION].iloc[0]) :]
    blocks = numbered(folds)
    labels, classes = newest[schema.target.name].tolist(), schema.target.classes

    def scored(outputs: Any) -> ScoredPredictions:
        """The champion is scored by block as well, though it is one model: it ranks rows of a block."""
        return ScoredPredictions.of(outputs, labels, schema.target, quantile=gate.quantile, blocks=blocks)

    champion = None
    if tag := read_inputs(stage.files.inputs).champion:
        model = ModelStore(stage.settings.home).load(tag)
        check_comparable(model.schema, schema, champion=tag)
        answers = model.answer(arrays_of_frame(model.schema, newest))
        if answers.probabilities is None:
            champion = scored(np.asarray(answers.labels, dtype=np.float64))
        else:  # the champion may know fewer classes, or others
            champion = scored(in_classes(answers.probabilities, model.schema.target.classes, classes))
    mine = scored(holdout[[str(label) for label in classes] or [VALUE]].to_numpy())
    return EvaluationInputs(rows, folds, mine, champion, schema, gate, BootstrapConfig.of(stage.params.statistics))


def all_rounded(value: Any) -> Any:
    """Round every float in a JSON value, at any depth."""
    if isinstance(value, dict):
        return {key: all_rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [all_rounded(inner) for inner in value]
    return rounded(value) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
