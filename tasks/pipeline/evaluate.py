"""What a refresh would have answered to the newest windows, beside what did serve and the naive baselines."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.fairness import find_unfairness, group_scores
from releve.adapters.files import read_inputs, write_json
from releve.adapters.models.memory_files import MemoryFolder
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import NotFound
from releve.core.formatting import format_score
from releve.domain.decision.money import MoneyInputs, evaluate_money
from releve.domain.ensemble.forward import ForwardWindow, opponents_of
from releve.domain.ensemble.memory import Memory
from releve.domain.ensemble.weights import Serves, loss_of
from releve.domain.ensemble.wrong_labels import doubted
from releve.domain.evaluation import holdout_evaluation
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold, newest_connected, numbered
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions
from releve.domain.evaluation.slices import check_slices
from tasks.pipeline.plots import write_plots
from tasks.pipeline.stage import Stage

if TYPE_CHECKING:
    import pandas as pd


def evaluate(stage: Stage, rows: "pd.DataFrame", money: MoneyInputs | None = None) -> Evaluation:
    """Write results/<scenario>/: evaluation.json for the gate, metrics.json and plots/ for people."""
    folder = MemoryFolder(stage.files.memory)
    memory = folder.memory
    inputs = gather(stage, rows, folder, memory)

    fairness, unknown_groups = find_unfairness(inputs)
    evaluation = holdout_evaluation.evaluate(inputs).model_copy(
        update={
            "fairness": fairness,
            "unknown_groups": unknown_groups,
            "groups": group_scores(inputs),
            "importances": folder.importances,
            "naive": memory.serves == Serves.NAIVE,
            "money": evaluate_money(money) if money else None,
            "champion_may_know": may_know(stage, memory.champion, inputs.holdout_start),
        }
    )

    against = evaluation.against
    scores = evaluation.challenger.metrics | {name.replace(" ", "_"): one.score for name, one in against.items()}
    counts = {"holdout_rows": evaluation.holdout_rows, "rows": evaluation.rows}
    scores |= {"cost": evaluation.money.cost.value} if evaluation.money else {}
    values = all_rounded(evaluation.model_dump(mode="json"))
    write_json(stage.files.evaluation, values)
    write_json(stage.files.metrics, all_rounded(scores | counts))
    write_plots(stage.files.plots, inputs, evaluation)
    others = ", ".join(f"{describe_baseline(name)} {format_score(one.score)}" for name, one in against.items())
    print(f"{evaluation.metric} {format_score(evaluation.score.value)} on {evaluation.holdout_rows} rows; {others}")
    return Evaluation.model_validate(values)


def gather(stage: Stage, rows: "pd.DataFrame", folder: MemoryFolder, memory: Memory) -> EvaluationInputs:
    """Raises BadInput for params that do not fit the table."""
    gate, schema = stage.params.gate, stage.schema
    check_slices(gate.slices, schema, key="gate.slices")
    check_slices(gate.protected, schema, key="gate.protected")
    folds, windows = judged(memory), folder.windows(memory)
    blocks, labels = numbered(folds), rows[schema.target.name].iloc[folds[0].start :].tolist()

    def scored(answers: list[Floats]) -> ScoredPredictions:
        outputs = np.concatenate(answers[-len(folds) :])
        return ScoredPredictions.of(outputs, labels, schema.target, quantile=gate.quantile, blocks=blocks)

    challenger = scored([window.refreshed for window in windows])
    replayed = [not each.weights for each in memory.windows]  # by no refresh, as where there was no memory
    rejected = bool(read_inputs(stage.files.inputs).rejected)
    opponents = opponents_of(windows, replayed=replayed, rejected=rejected)
    champion = scored([*opponents]) if memory.champion else None
    bootstrap, in_doubt = BootstrapConfig.of(stage.params.statistics), doubted_rows(stage, memory, windows)
    return EvaluationInputs(rows, folds, challenger, champion, schema, gate, bootstrap, in_doubt)


def may_know(stage: Stage, champion: str, start: int) -> bool:
    """Whether a champion that was brought may have learned rows from `start` on: nobody has said what it learned."""
    brought = None
    if champion:
        with suppress(NotFound):  # a model before it is rebuilt: what tidying leaves of a brought one would be there
            brought = ModelStore(stage.settings.home).describe(champion).brought
    return brought is not None and brought.learned is None and start < brought.known


def doubted_rows(stage: Stage, memory: Memory, windows: Sequence[ForwardWindow]) -> tuple[Fold, ...]:
    """Return the rows of windows by which nothing is expected of the refresh."""
    task = stage.schema.target.task
    loss = loss_of(resolve(stage.params.gate.metric, task), task)
    return doubted(windows, [each.rows for each in memory.windows], memory.left_out, loss=loss)


def judged(memory: Memory) -> tuple[Fold, ...]:
    """Return the rows of the windows that a refresh is judged on."""
    return newest_connected([each.rows for each in memory.windows])


def all_rounded(value: Any) -> Any:
    """Round every float in a JSON value, at any depth."""
    if isinstance(value, dict):
        return {key: all_rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [all_rounded(inner) for inner in value]
    return rounded(value) if isinstance(value, float) else value
