"""Challenger, champion and naive baselines on the same holdout rows: by the gate's metric, over all and per slice."""

from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.fairness import find_unfairness, group_scores
from releve.adapters.files import read_document, read_inputs, write_json
from releve.adapters.models.model_store import ModelStore
from releve.core.formatting import format_score
from releve.domain.evaluation import judging
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Evaluation, FeatureImportances
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.judging import Case, check_comparable
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import HoldoutFolds, numbered
from releve.domain.evaluation.scored_predictions import ScoredPredictions, in_classes
from releve.domain.evaluation.slices import check_slices
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.training.learning import VALUE
from tasks.pipeline.stage import Stage, run
from tasks.places import POSITION

if TYPE_CHECKING:
    import pandas as pd


def evaluate(stage: Stage) -> None:
    """Write results/<scenario>/evaluation.json for the gate and metrics.json for people."""
    case = gather(stage)

    found = judge(case).model_copy(update={"importances": read_document(stage.files.importances, FeatureImportances)})

    write_json(stage.files.evaluation, all_rounded(found.model_dump(mode="json")))
    write_json(stage.files.metrics, all_rounded(_summary(found)))
    others = ", ".join(f"{describe_baseline(name)} {format_score(one.score)}" for name, one in found.against.items())
    print(f"{found.metric} {format_score(found.score.value)} on {found.holdout_rows} rows; {others}")


def gather(stage: Stage) -> Case:
    """Raises BadInput for params that do not fit the table, and for a champion that cannot be asked."""
    import pandas as pd

    gate, schema = stage.params.gate, stage.schema
    check_slices(gate.slices, schema, key="gate.slices")
    check_slices(gate.protected, schema, key="gate.protected")
    rows, holdout = pd.read_parquet(stage.files.rows), pd.read_parquet(stage.files.holdout)
    folds = read_document(stage.files.folds, HoldoutFolds).folds
    newest = rows.iloc[int(holdout[POSITION].iloc[0]) :]
    blocks = numbered(folds)
    mine = _scored(stage, newest, holdout[_answer_columns(stage)].to_numpy(), blocks)
    tag = read_inputs(stage.files.inputs).champion
    champion = _scored(stage, newest, _champion_answers(stage, tag, newest), blocks) if tag else None
    return Case(rows, folds, mine, champion, schema, gate, BootstrapConfig.of(stage.params.statistics))


def judge(case: Case) -> Evaluation:
    """The whole evaluation, fairness included."""
    fairness, unknown = find_unfairness(case)
    return judging.judge(case).model_copy(
        update={"fairness": fairness, "unknown_groups": unknown, "groups": group_scores(case)}
    )


def _answer_columns(stage: Stage) -> list[str]:
    return [str(label) for label in stage.schema.target.classes] or [VALUE]


def _scored(stage: Stage, rows: "pd.DataFrame", answers: Any, blocks: Any) -> ScoredPredictions:
    """Score the champion block by block as well, though it is one model: as the challenger it ranks rows of a block."""
    target = stage.schema.target
    return ScoredPredictions.of(
        answers, rows[target.name].tolist(), target, quantile=stage.params.gate.quantile, blocks=blocks
    )


def _champion_answers(stage: Stage, tag: str, rows: "pd.DataFrame") -> Any:
    """In the order of the schema's classes, of which the champion may know fewer, or others."""
    model, target = ModelStore(stage.settings.home).load(tag), stage.schema.target
    check_comparable(model.schema, stage.schema, champion=tag)
    answers = model.answer(arrays_of_frame(model.schema, rows))
    if answers.probabilities is None:
        return np.asarray(answers.labels, dtype=np.float64)
    return in_classes(answers.probabilities, model.schema.target.classes, target.classes)


def _summary(found: Evaluation) -> dict[str, Any]:
    others = {name.replace(" ", "_"): one.score for name, one in found.against.items()}
    return {**found.challenger.metrics, **others, "holdout_rows": found.holdout_rows, "rows": found.rows}


def all_rounded(value: Any) -> Any:
    """Every figure in it."""
    if isinstance(value, dict):
        return {key: all_rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [all_rounded(inner) for inner in value]
    return rounded(value) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
