"""The target: what is predicted, and what counts as its label."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from releve.core.errors import BadInput
from releve.domain.schema.cells import (
    LARGEST_NUMBER,
    TRUTH,
    as_number,
    fold,
    format_value,
    is_missing,
    names_of,
    trimmed,
)
from releve.domain.schema.columns import REAL

BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
TASKS = (BINARY, MULTICLASS, REGRESSION)
KEYS = frozenset({"name", "task", "classes", "positive", "ignore_case", "min", "max"})

NEEDED = f"'target' needs a 'name' and at least two 'classes', or task: {REGRESSION}"

Label = int | str | float  # a class, or the number of a regression


@dataclass(frozen=True)
class Target:
    """The predicted column and its classes, in the order of the probabilities, or its limits."""

    name: str
    task: str
    classes: tuple[Label, ...] = ()  # none for a regression
    positive: Label | None = None  # of a binary task: the class that AUC, F1 and Brier score are about
    ignore_case: bool = False  # whether classes are named by spellings that differ in case or spaces alone
    min: float | None = None  # of a regression
    max: float | None = None

    @property
    def is_number(self) -> bool:
        """Whether labels are numbers, of a regression or of classes."""
        return self.task == REGRESSION or isinstance(self.classes[0], int)

    def problem(self, value: Any) -> str | None:
        """Return why `value` is not a label, as a sentence part; None when it is."""
        if is_missing(value) or (isinstance(value, str) and not trimmed(value)):
            return "is missing: every ingested row needs its label"
        label: Any = self.parse(value)
        fits = label is not None
        if fits and self.task == REGRESSION:
            fits = abs(label) <= LARGEST_NUMBER
            fits = fits and (self.min is None or label >= self.min) and (self.max is None or label <= self.max)
        return None if fits else f"is {format_value(value)}, expected {self.expected}"

    def parse(self, value: Any) -> Label | None:
        """Return the class that `value` names (3, 3.0, "3" and "3.0" name the class 3) or its number, or None.

        A number outside of `min` and `max` is still that number: a prediction may lie there.
        """
        if self.task == REGRESSION:
            return _finite_number(value)
        if not isinstance(value, str):
            return self._named(value)
        # A label is met a million times: its exact name comes before other spellings.
        known = self._classes_by_name.get(value)
        if known is not None:
            return known
        text = trimmed(value)
        number = as_number(text) if self.is_number else None  # "3.0": pandas writes so beside a missing cell
        if number is not None:
            return self._named(number)
        known = self._classes_by_name.get(text)
        known = self._named(TRUTH.get(text.lower())) if known is None else known
        return self._classes_by_fold.get(fold(text)) if known is None and self.ignore_case else known

    def _named(self, value: Any) -> Label | None:
        named = (self._classes_by_name.get(name) for name in names_of(value))
        return next((label for label in named if label is not None), None)

    @cached_property
    def _classes_by_name(self) -> dict[str, Label]:
        return {str(label): label for label in self.classes}

    @cached_property
    def _classes_by_fold(self) -> dict[str, Label]:
        return {fold(str(label)): label for label in self.classes}

    @property
    def expected(self) -> str:
        """A description of labels, for messages."""
        if self.task != REGRESSION:
            return f"one of {', '.join(map(str, self.classes))}"
        limits = (("at least", self.min), ("at most", self.max))
        return ", ".join(["a finite number", *(f"{word} {limit:g}" for word, limit in limits if limit is not None)])


def read_target(spec: Mapping[str, Any], *, source: str) -> Target:
    """Read `target` of params.yaml. Raise BadInput naming `source` and the key."""
    name, task, classes = spec.get("name"), spec.get("task"), spec.get("classes")
    if not isinstance(name, str):
        raise BadInput(f"{source}: {NEEDED}")
    if unknown := sorted(set(map(str, spec)) - KEYS):
        raise BadInput(f"{source}: 'target' has the unknown {unknown}; known are {sorted(KEYS)}")
    if task not in (None, *TASKS):
        raise BadInput(f"{source}: target.task is {task!r}; expected {', '.join(TASKS)}")
    of_the_other = ("classes", "positive", "ignore_case") if task == REGRESSION else ("min", "max")
    if given := [key for key in of_the_other if spec.get(key) is not None]:
        why = f"a {REGRESSION} has no classes; remove one of the two"
        why = why if task == REGRESSION else "classes have no limits; remove it"
        raise BadInput(f"{source}: target.{given[0]} is given, and {why}")
    if task == REGRESSION:
        low, high = spec.get("min"), spec.get("max")
        for key, limit in (("min", low), ("max", high)):
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
                raise BadInput(f"{source}: target.{key} is {limit!r}; expected a number")
        if low is not None and high is not None and low > high:
            raise BadInput(f"{source}: 'target' has min {low:g} above max {high:g}; no number fits")
        return Target(name, REGRESSION, min=low, max=high)
    return _classification(name, task, classes, spec, source)


def _classification(name: str, task: str | None, classes: Any, spec: Mapping[str, Any], source: str) -> Target:
    if not isinstance(classes, list | tuple) or len(classes) < 2:
        raise BadInput(f"{source}: {NEEDED}")
    labels = tuple(trimmed(label) if isinstance(label, str) else label for label in classes)
    if {type(label) for label in labels} not in ({int}, {str}) or len(set(labels)) < len(labels):
        raise BadInput(
            f"{source}: target.classes is {list(classes)!r}; expected only whole numbers or only texts, all different "
            "(YAML reads yes, no, on and off as true and false: put them in quotes)"
        )
    task = task or (BINARY if len(labels) == 2 else MULTICLASS)
    if task == BINARY and len(labels) != 2:
        raise BadInput(f"{source}: target.task is {BINARY} with {len(labels)} classes; expected two, or {MULTICLASS}")
    ignore_case, positive = spec.get("ignore_case", False), spec.get("positive")
    if not isinstance(ignore_case, bool):
        raise BadInput(f"{source}: target.ignore_case is {ignore_case!r}; expected true or false")
    names = ", ".join(map(str, labels))
    if ignore_case and len({fold(str(label)) for label in labels}) < len(labels):
        raise BadInput(
            f"{source}: target.ignore_case makes one of classes that differ in case or spaces alone, and "
            f"target.classes lists them: {names}; keep one spelling of each"
        )
    if positive is not None and task != BINARY:
        raise BadInput(f"{source}: target.positive is {positive!r}, and the task is {task}; only {BINARY} has one")
    if positive is not None and (isinstance(positive, bool) or positive not in labels):
        raise BadInput(f"{source}: target.positive is {positive!r}; expected one of {names}")
    if task == BINARY:
        positive = labels[-1] if positive is None else labels[labels.index(positive)]
    return Target(name, task, labels, positive, ignore_case)


def write_target(target: Target) -> dict[str, object]:
    """Write what `read_target` reads."""
    spec: dict[str, object] = {"name": target.name, "task": target.task, "classes": list(target.classes) or None}
    spec |= {"positive": target.positive, "ignore_case": target.ignore_case or None}
    spec |= {"min": target.min, "max": target.max}
    return {key: value for key, value in spec.items() if value is not None}


def _finite_number(value: Any) -> float | None:
    """Convert to a plain float; None for what is no finite number."""
    if isinstance(value, str):
        value = as_number(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, REAL):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int that no float can hold
        return None
    return number if np.isfinite(number) else None
