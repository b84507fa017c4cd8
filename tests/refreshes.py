"""Folders of refreshes as `tasks.pipeline.train` writes them, with answers and pipelines of a test's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from releve.adapters.files import write_bytes
from releve.adapters.models.memory_files import MemoryFolder
from releve.adapters.models.skops_files import dump_pipeline
from releve.domain.ensemble.description import EnsembleDescription, MemberDescription
from releve.domain.ensemble.fitting import LearningData
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.memory import Memory, WindowRecord
from releve.domain.ensemble.pool import DEFAULT, Member, MemberPool
from releve.domain.ensemble.weights import LOG_LOSS, Serves
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.schema import Schema
from releve.domain.training.recipes import Candidate

NO_IMPORTANCES = FeatureImportances(rows=0, features=())
PLAIN = Member.of(Candidate("linear", "standard"), origin=DEFAULT)


def write_refresh(
    folder: Path,
    rows: pd.DataFrame,
    schema: Schema,
    *,
    blocks: Sequence[Fold],
    answers: np.ndarray,
    served: np.ndarray | None = None,
    pipelines: Mapping[str, Any] | None = None,
    importances: FeatureImportances = NO_IMPORTANCES,
    serves: Serves = Serves.ENSEMBLE,
    plain: Member = PLAIN,
) -> MemoryFolder:
    """One refresh whose members, all of the same weight, answered the newest rows with `answers` (rows, outputs).

    `served`: what a champion answered, None where there was none.
    """
    made, pipelines = MemoryFolder(folder), pipelines or {}
    data, records, first = LearningData(rows, schema, seed=7), [], blocks[0].start
    for block in blocks:
        ours = answers[block.start - first : block.end - first]
        theirs = ours if served is None else served[block.start - first : block.end - first]
        records.append(WindowRecord(rows=block, learned=block.start, weights={}))
        made.write_window(records[-1], ForwardWindow(data.truth(block), {plain.name: ours}, ours, ours, theirs))
    for name, pipeline in pipelines.items():
        write_bytes(made.member_path(name), dump_pipeline(pipeline))
    weights = {name: 1 / len(pipelines) for name in pipelines} or {plain.name: 1.0}
    memory = Memory(
        table="",
        rows=len(rows),
        learned=len(rows),
        refresh=1,
        champion="" if served is None else "shop:before",
        pool=MemberPool(members=(plain,)),
        files={name: name for name in pipelines},
        kept=(),
        plain=plain.name,
        weights=weights,
        exported=tuple(weights),
        serves=serves,
        identity="",
        windows=tuple(records),
        search="",
    )
    described = EnsembleDescription(
        identity="",
        learned=len(rows),
        serves=serves,
        loss=LOG_LOSS,
        windows=len(records),
        rows=len(answers),
        members=tuple(
            MemberDescription(
                name=name, recipe="linear", options={}, last_batches=0, rows=len(rows), weight=weight, loss=None
            )
            for name, weight in weights.items()
        ),
        search=None,
    )
    made.write_documents(memory, described, importances)
    return made
