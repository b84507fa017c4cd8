"""Decisions of a challenger, by what was answered before the labels were learned: what they cost, and its policy."""

from typing import TYPE_CHECKING

import numpy as np

from releve.adapters.models.memory_files import MemoryFolder
from releve.domain.decision.money import AnsweredPart, MoneyInputs, compare_tables, known_labels, together
from releve.domain.decision.policy import DecisionPolicy, DecisionTable
from releve.domain.ensemble.forward import ForwardWindow, opponents_of
from releve.domain.evaluation.baselines import labels_as_places
from releve.domain.evaluation.evaluation import DecisionChange
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold, newest_connected
from releve.domain.evaluation.scored_predictions import Floats
from tasks.pipeline.evaluate import all_rounded, doubted_rows
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage

if TYPE_CHECKING:
    import pandas as pd


def money_inputs(
    stage: Stage, rows: "pd.DataFrame", folder: MemoryFolder, *, doubted: tuple[Fold, ...], rejected: bool
) -> MoneyInputs | None:
    """Gather the windows of a refresh, and what did serve; None where no costs are known.

    `doubted`: windows by which no threshold is chosen. `rejected`: as `opponents_of` has it.
    """
    table = DecisionTable.of(
        stage.params.decision, stage.schema, source=f"scenarios/{stage.files.scenario}/params.yaml"
    )
    if table is None:
        return None
    memory, target = folder.memory, stage.schema.target
    windows, folds = folder.windows(memory), [each.rows for each in memory.windows]
    served = opponents_of(windows, replayed=[not each.weights for each in memory.windows], rejected=rejected)
    labels = labels_as_places(rows[target.name].tolist(), target)

    def part(window: ForwardWindow, fold: Fold, answers: Floats) -> AnsweredPart:
        return AnsweredPart(answers, window.truth, is_sound=fold not in doubted)

    challenger = [part(each, fold, each.refreshed) for each, fold in zip(windows, folds, strict=True)]
    champion = [part(*each) for each in zip(windows, folds, served, strict=True)] if memory.champion else None
    judged = newest_connected(folds)
    first = len(folds) - len(judged)
    return MoneyInputs(
        table=table,
        schema=stage.schema,
        earlier=challenger[:first],
        served_earlier=champion[:first] if champion else (),
        challenger=challenger[first:],
        champion=champion[first:] if champion else None,
        labels=labels,
        known=[known_labels(fold, stage.params.gate.label_delay_rows) for fold in judged],
        rows=rows.iloc[judged[0].start :],
        bootstrap=BootstrapConfig.of(stage.params.statistics),
    )


def learned_policy(inputs: MoneyInputs) -> DecisionPolicy:
    """Choose thresholds by all windows: those that a model decides by once it serves."""
    windows = [*inputs.earlier, *inputs.challenger]
    answers, truth = together([each for each in windows if each.is_sound], like=windows[0])
    return inputs.table.fit(answers, np.asarray(truth))


def decision_change(stage: Stage, served: DecisionTable | None, *, alone: bool) -> DecisionChange:
    """Hold the costs of a refresh that was made against those that serve, `served`, by its own answers.

    `alone`: whether what serves answers alike.
    """
    folder, rows = MemoryFolder(stage.files.memory), stage_rows(stage).rows
    doubted = doubted_rows(stage, folder.memory, folder.windows(folder.memory))
    inputs = money_inputs(stage, rows, folder, doubted=doubted, rejected=False)
    compared = compare_tables(inputs, served) if inputs and served else None
    return DecisionChange.model_validate(all_rounded(DecisionChange(served=compared, alone=alone).model_dump()))
