"""What answers: a loaded model, with what it was released with."""

from dataclasses import dataclass

from releve.adapters.models.model_runtime import Model
from releve.core.params import ServiceLimits
from releve.domain.arms.arms import Arm
from releve.domain.neighbours.index_design import DistanceMetric
from releve.domain.registry.release import Release
from releve.domain.schema.schema import Schema


@dataclass(frozen=True)
class Served:
    """A loaded model and what it was released with; a request keeps the one that it began with."""

    model: Model
    limits: ServiceLimits
    since: str  # ISO 8601, UTC
    release: Release | None = None  # None: a pinned model, served without a registry
    number: int | None = None  # of the registry's event
    arm: Arm = Arm.CHAMPION

    @property
    def schema(self) -> Schema:
        """The table as the model knows it."""
        return self.model.schema

    @property
    def index(self) -> str | None:
        """What the index is called that was released with it; None where there is none to search."""
        return self.release.index_name if self.release else None

    @property
    def filters(self) -> tuple[str, ...]:
        """The columns that neighbours can be filtered by."""
        return self.release.index_design.filters if self.release else ()

    @property
    def metric(self) -> DistanceMetric:
        """How near neighbours are is measured so."""
        return self.release.index_design.metric if self.release else DistanceMetric.L2

    @property
    def is_naive(self) -> bool:
        """Whether it is the naive answer, which serves until a model is better."""
        evaluation = self.model.description.evaluation
        return evaluation is not None and evaluation.naive
