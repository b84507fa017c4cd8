"""Fitted members that answer together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.target import Label

Floats = NDArray[np.float64]
Fitted = tuple[str, Any, float]  # a member's name, its fitted pipeline, its weight


class WeightedEnsemble:
    """Answer with the weighted mean of fitted pipelines: of their probabilities, or of their values.

    It is asked like an estimator of scikit-learn, and is plain data, so that a model file may hold it. Kept older
    ensembles are multiplied out: no ensemble is inside another one.
    """

    def __init__(self, members: Sequence[Fitted], classes: Sequence[Label]) -> None:
        """Take members with weights that sum to 1, and the target's classes in their order; none of a regression."""
        self.names = [name for name, _, _ in members]
        self.pipelines = [pipeline for _, pipeline, _ in members]
        self.weights = [float(weight) for _, _, weight in members]
        self.classes = list(classes)

    @property
    def classes_(self) -> NDArray[Any]:
        return np.array(self.classes)

    def predict_proba(self, features: Any) -> Floats:
        """Answer (rows, classes); a class that a member never saw has no probability of it."""
        total = np.zeros((len(features), len(self.classes)))
        for pipeline, weight in self._with_weight():
            places = [self.classes.index(label) for label in pipeline.classes_.tolist()]
            total[:, places] += weight * pipeline.predict_proba(features)
        return total

    def predict(self, features: Any) -> Any:
        """Answer (rows,): the most probable class, or the value."""
        if self.classes:
            return self.classes_[self.predict_proba(features).argmax(axis=1)]
        return sum(weight * pipeline.predict(features) for pipeline, weight in self._with_weight())

    def _with_weight(self) -> list[tuple[Any, float]]:
        """List who is asked: members that were weighed anew may have no weight any more."""
        return [(each, weight) for each, weight in zip(self.pipelines, self.weights, strict=True) if weight]

    def members(self, *, weight: float = 1.0, prefix: str = "") -> list[Fitted]:
        """List the members, their weights times `weight`: to become part of another ensemble."""
        return [
            (f"{prefix}{name}", pipeline, own * weight)
            for name, pipeline, own in zip(self.names, self.pipelines, self.weights, strict=True)
        ]


def put_together(
    serving: Mapping[str, float],
    pipelines: Mapping[str, Any],
    kept: Mapping[str, WeightedEnsemble],
    classes: tuple[Label, ...],
) -> WeightedEnsemble:
    """Make one ensemble of members and of kept ensembles, which are multiplied out; equal fits become one member."""
    members: list[Fitted] = []
    for name, weight in serving.items():
        if name in kept:
            members += kept[name].members(weight=weight, prefix=f"{name}.")
            continue
        same = [place for place, (_, pipeline, _) in enumerate(members) if pipeline is pipelines[name]]
        if same:
            first, pipeline, before = members[same[0]]
            members[same[0]] = (first, pipeline, before + weight)
        else:
            members.append((name, pipelines[name], weight))
    return weighted(members, classes)


def weighted(members: list[Fitted], classes: tuple[Label, ...]) -> WeightedEnsemble:
    """Make an ensemble that knows the classes that its members know, in the order of `classes`."""
    known = {label for _, pipeline, _ in members for label in (pipeline.classes_.tolist() if classes else ())}
    return WeightedEnsemble(members, [label for label in classes if label in known])
