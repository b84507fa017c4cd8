"""Everything that is known of one model version, as its card is written from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from releve.domain.ensemble.description import EnsembleDescription
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.registry.chain import Event
from releve.domain.registry.events import Challenger, release_of
from releve.domain.registry.release import Release
from releve.domain.schema.schema import Schema
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import MISSING, FactList, TextBlock

if TYPE_CHECKING:
    from releve.adapters.git_dvc.data_history import DataVersion
    from releve.adapters.models.description import ModelDescription

NOTHING = TextBlock((MISSING,))


@dataclass(frozen=True)
class ModelRecord:
    """What registry, model store and git know of a model version; empty or None where they know nothing."""

    model: str  # "<scenario>:<version>"
    today: date  # decides which overrides are in force
    state: str = ""  # challenger, champion, ...
    judgement: Event | None = None  # the last one
    description: "ModelDescription | None" = None  # model.json in the store
    texts: Mapping[str, str] = field(default_factory=dict)  # the section `card` of the revision's settings
    data: "DataVersion | None" = None
    monitoring: MonitoringRun | None = None  # the last one before the judgement
    lineage: Mapping[str, str] = field(default_factory=dict)  # what it was made of, each by name
    history: Sequence[Event] = ()  # that concern it, oldest first
    notes: Sequence[Event] = ()  # of the team on it, oldest first

    @property
    def challenger(self) -> Challenger | None:
        return self.judgement.read(Challenger) if self.judgement else None

    @property
    def evaluation(self) -> Evaluation | None:
        return self.challenger.evaluation if self.challenger else None

    @property
    def ensemble(self) -> EnsembleDescription | None:
        return self.description.ensemble if self.description else None

    @cached_property
    def release(self) -> Release | None:
        """What it was put into service with last; None for one that never was."""
        return next((found for event in reversed(self.history) if (found := release_of(event))), None)

    @cached_property
    def schema(self) -> Schema | None:
        """The table that the model learned by."""
        return Schema.from_dict(self.description.table, source=f"model {self.model}") if self.description else None


def or_missing(value: Any) -> str:
    """Write a value, or MISSING where there is none."""
    return MISSING if value is None or value == "" else str(value)


def fact_list(values: Mapping[str, Any]) -> FactList:
    """List names and values, MISSING where there is none."""
    return FactList(tuple((name, or_missing(value)) for name, value in values.items()))
