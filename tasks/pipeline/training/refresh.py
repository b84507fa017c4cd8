"""What a refresh works on: rows, settings, and the champion whose answers it is compared with."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.adapters.brought.folder import read_brought
from releve.adapters.files import PipelineInputs, read_inputs
from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import NotFound
from releve.domain.ensemble.ensemble import WeightedEnsemble
from releve.domain.ensemble.fitting import BroughtModel, LearningData
from releve.domain.ensemble.pool import Member, brought_member
from releve.domain.ensemble.weights import loss_of
from releve.domain.ensemble.wrong_labels import LeftOut
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.holdout_evaluation import check_comparable
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import ESTIMATED, RESAMPLES, BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import Floats, in_classes
from releve.domain.features.completion import complete_frame
from releve.domain.features.known import check_reach
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label
from releve.domain.training.importance import permutation_importances
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage, say

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Refresh:
    """What a refresh works on."""

    stage: Stage
    data: LearningData
    metric: str
    loss: str
    inputs: PipelineInputs
    is_corrected: NDArray[np.bool_]  # of each row: it came again, and its newest version counts
    left_out: tuple[LeftOut, ...] = ()  # rows that were found to be wrong

    @classmethod
    def of(cls, stage: Stage) -> "Refresh":
        """Read the rows, and what inputs.yaml says of them. Raise BadInput as `check_reach` does."""
        inputs, params = read_inputs(stage.files.inputs), stage.params
        metric = resolve(params.gate.metric, stage.schema.target.task)
        newest = stage_rows(stage)
        check_reach(stage.schema, newest.rows)
        if newest.superseded:
            say(f"{newest.superseded} older versions of rows do not count: each row counts once, as it came last")
        brought = {name: _brought(stage, name, alone=inputs.alone) for name in inputs.brought}
        data = LearningData(newest.rows, stage.schema, params.statistics.seed, inputs.without, brought=brought)
        return cls(stage, data, metric, loss_of(metric, stage.schema.target.task), inputs, newest.is_corrected)

    @property
    def brought_members(self) -> tuple[Member, ...]:
        """Return the models that were brought as members of the pool, the newest first."""
        folder = self.stage.files.brought
        described = (read_brought(folder, name).description for name in reversed(self.inputs.brought))
        return tuple(brought_member(each.name, each.digest) for each in described)

    @property
    def is_beside(self) -> bool:
        """Whether an experiment or a brought model is held against what serves, maybe on rows that this has learned."""
        return self.inputs.tried or bool(self.inputs.alone)

    @cached_property
    def is_against_brought(self) -> bool:
        """Whether a brought model serves. Its description stays where its files leave the store."""
        tag = self.inputs.champion
        return bool(tag) and ModelStore(self.stage.settings.home).describe(tag).brought is not None

    def leaving_out(self, left_out: tuple[LeftOut, ...]) -> "Refresh":
        """Return the refresh without rows that no member is to learn."""
        data = replace(self.data, left_out=tuple(each.rows for each in left_out))
        return replace(self, left_out=left_out, data=data)

    @property
    def schema(self) -> Schema:
        return self.stage.schema

    @property
    def classes(self) -> tuple[Label, ...]:
        return self.schema.target.classes

    @property
    def champion_identity(self) -> str:
        """Return the identity of the champion's ensemble; "" where none serves, or its files are gone."""
        try:
            tag = self.inputs.champion
            serving = ModelStore(self.stage.settings.home).describe(tag).ensemble if tag else None
        except NotFound:
            return ""
        return serving.identity if serving else ""

    @property
    def bootstrap(self) -> BootstrapConfig:
        """By single keys: this stage is not to run again for the gate's least number of rows."""
        return BootstrapConfig(
            self.stage.params.statistics.confidence, RESAMPLES, ESTIMATED, self.stage.params.statistics.seed
        )

    def importances(self, ensemble: WeightedEnsemble, block: Fold) -> FeatureImportances:
        """Measure which features answers to a block rest on, that no member has learned."""
        from threadpoolctl import threadpool_limits

        rows = self.data.rows.iloc[block.start : block.end]
        with threadpool_limits(limits=1):  # hundreds of short answers: threads would mostly wait for each other
            return permutation_importances(
                ensemble,
                rows,
                self.schema,
                self.metric,
                quantile=self.stage.params.gate.quantile,
                bootstrap=self.bootstrap,
            )


def _brought(stage: Stage, name: str, *, alone: str) -> BroughtModel:
    """Read a brought model; judged by itself it answers all rows but those that somebody says it has learned."""
    model = read_brought(stage.files.brought, name)
    known = model.description
    return BroughtModel(model.pipeline, (known.learned or 0) if name == alone else known.earliest)


@dataclass(frozen=True, eq=False)
class Champion:
    """The model that serves: it is asked once, when a window is new, and its answers are on record from then on."""

    model: Model
    identity: str  # of its ensemble
    asked: "pd.DataFrame"  # all rows, with the features that the model knows

    @classmethod
    def of(cls, refresh: Refresh, tag: str) -> "Champion | None":
        """Load a model that serves, or served; None where `tag` is "". Raises BadInput where it cannot answer."""
        if not tag:
            return None
        model = ModelStore(refresh.stage.settings.home).load(tag)
        check_comparable(model.schema, refresh.schema, champion=tag)
        ensemble = model.description.ensemble
        asked = refresh.data.rows
        if model.schema.derived != refresh.schema.derived:
            asked = complete_frame(model.schema, asked)
        return cls(model, ensemble.identity if ensemble else "", asked)

    @property
    def rows(self) -> int:
        """Return how many rows it learned from, the oldest; of a brought model as far as anybody has said so."""
        brought = self.model.description.brought
        return (brought.learned or 0) if brought else self.model.description.rows

    def answers(self, refresh: Refresh, block: Fold) -> Floats:
        """Answer a block, (rows, classes) or (rows, 1); it may know fewer classes, or others."""
        schema = self.model.schema
        answers = self.model.answer(arrays_of_frame(schema, self.asked.iloc[block.start : block.end]))
        if answers.probabilities is None:
            return np.asarray(answers.labels, dtype=np.float64)[:, None]
        return in_classes(answers.probabilities, schema.target.classes, refresh.classes)
