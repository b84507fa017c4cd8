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

Label = int | str | float  # a class, or the number of a regression


@dataclass(frozen=True)
class Target:
    """What is predicted: the column's name and its classes, in the order of the probabilities, or its limits."""

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
        """Why `value` is not a label; None when it is."""
        if is_missing(value) or (isinstance(value, str) and not trimmed(value)):
            return "is missing: every ingested row needs its label"
        label = self.parse(value)
        return self._number_problem(value, label) if self.task == REGRESSION else self._class_problem(value, label)

    def parse(self, value: Any) -> Label | None:
        """The class that `value` names (3, 3.0, "3" and "3.0" name the class 3) or the number that it is, or None.

        A number outside of `min` and `max` is still that number: a prediction may lie there.
        """
        return _as_number(value) if self.task == REGRESSION else self._class(value)

    def _class(self, value: Any) -> Label | None:
        """A label is met a million times: what it is named comes before what else it could be."""
        if isinstance(value, str):
            known = self._classes_by_name.get(value)
            return self._spelled(trimmed(value)) if known is None else known
        return self._named(value)

    def _spelled(self, text: str) -> Label | None:
        """The class that a text names in another spelling: "3.0", as pandas writes whole numbers once one was missing,
        TRUE beside true, and with `ignore_case` what differs in case and spaces alone."""
        number = as_number(text) if self.is_number else None
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

    def _class_problem(self, value: Any, label: Label | None) -> str | None:
        return f"is {format_value(value)}, expected {self.expected}" if label is None else None

    def _number_problem(self, value: Any, label: Any) -> str | None:
        fits = label is not None and abs(label) <= LARGEST_NUMBER
        fits = fits and (self.min is None or label >= self.min) and (self.max is None or label <= self.max)
        return None if fits else f"is {format_value(value)}, expected {self.expected}"

    @property
    def expected(self) -> str:
        """What a label is, in words."""
        if self.task != REGRESSION:
            return f"one of {', '.join(map(str, self.classes))}"
        limits = (("at least", self.min), ("at most", self.max))
        return ", ".join(["a finite number", *(f"{word} {limit:g}" for word, limit in limits if limit is not None)])


def read_target(spec: Mapping[str, Any], *, source: str) -> Target:
    """`target` of params.yaml. Raises BadInput naming `source` and the key."""
    if not isinstance(spec.get("name"), str):
        raise BadInput(f"{source}: 'target' needs a 'name' and at least two 'classes', or task: {REGRESSION}")
    if unknown := sorted(set(map(str, spec)) - KEYS):
        raise BadInput(f"{source}: 'target' has the unknown {unknown}; known are {sorted(KEYS)}")
    if spec.get("task") not in (None, *TASKS):
        raise BadInput(f"{source}: target.task is {spec['task']!r}; expected {', '.join(TASKS)}")
    return _regression(spec, source) if spec.get("task") == REGRESSION else _classification(spec, source)


def write_target(target: Target) -> dict[str, Any]:
    """What `read_target` reads."""
    spec: dict[str, Any] = {"name": target.name, "task": target.task, "classes": list(target.classes) or None}
    spec |= {"positive": target.positive, "ignore_case": target.ignore_case or None}
    spec |= {"min": target.min, "max": target.max}
    return {key: value for key, value in spec.items() if value is not None}


def _as_number(value: Any) -> float | None:
    """Plain float; None for what is no finite number."""
    if isinstance(value, str):
        value = as_number(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, REAL):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int that no float can hold
        return None
    return number if np.isfinite(number) else None


def _regression(spec: Mapping[str, Any], source: str) -> Target:
    if given := [key for key in ("classes", "positive", "ignore_case") if spec.get(key) is not None]:
        raise BadInput(
            f"{source}: target.{given[0]} is given, and a {REGRESSION} has no classes; remove one of the two"
        )
    low, high = (_limit(spec, key, source) for key in ("min", "max"))
    if low is not None and high is not None and low > high:
        raise BadInput(f"{source}: 'target' has min {low:g} above max {high:g}; no number fits")
    return Target(spec["name"], REGRESSION, min=low, max=high)


def _limit(spec: Mapping[str, Any], key: str, source: str) -> float | None:
    limit = spec.get(key)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
        raise BadInput(f"{source}: target.{key} is {limit!r}; expected a number")
    return limit


def _classification(spec: Mapping[str, Any], source: str) -> Target:
    classes = _classes(spec.get("classes"), source)
    task = spec.get("task") or (BINARY if len(classes) == 2 else MULTICLASS)
    if task == BINARY and len(classes) != 2:
        raise BadInput(f"{source}: target.task is {BINARY} with {len(classes)} classes; expected two, or {MULTICLASS}")
    if given := [key for key in ("min", "max") if spec.get(key) is not None]:
        raise BadInput(f"{source}: target.{given[0]} is given, and classes have no limits; remove it")
    ignore_case = _ignore_case(spec.get("ignore_case", False), classes, source)
    return Target(spec["name"], task, classes, _positive(spec.get("positive"), task, classes, source), ignore_case)


def _ignore_case(said: Any, classes: tuple[Label, ...], source: str) -> bool:
    if not isinstance(said, bool):
        raise BadInput(f"{source}: target.ignore_case is {said!r}; expected true or false")
    if said and len({fold(str(label)) for label in classes}) < len(classes):
        raise BadInput(
            f"{source}: target.ignore_case makes one of classes that differ in case or spaces alone, and "
            f"target.classes lists them: {', '.join(map(str, classes))}; keep one spelling of each"
        )
    return said


def _positive(positive: Any, task: str, classes: tuple[Label, ...], source: str) -> Label | None:
    if positive is None:
        return classes[-1] if task == BINARY else None
    if task != BINARY:
        raise BadInput(f"{source}: target.positive is {positive!r}, and the task is {task}; only {BINARY} has one")
    if isinstance(positive, bool) or positive not in classes:
        raise BadInput(f"{source}: target.positive is {positive!r}; expected one of {', '.join(map(str, classes))}")
    return classes[classes.index(positive)]


def _classes(classes: Any, source: str) -> tuple[Label, ...]:
    if not isinstance(classes, list | tuple) or len(classes) < 2:
        raise BadInput(f"{source}: 'target' needs a 'name' and at least two 'classes', or task: {REGRESSION}")
    kinds = {type(label) for label in classes}
    names = {label if isinstance(label, int) else trimmed(str(label)) for label in classes}
    if kinds not in ({int}, {str}) or len(names) < len(classes):
        raise BadInput(
            f"{source}: target.classes is {list(classes)!r}; expected only whole numbers or only texts, all different "
            "(YAML reads yes, no, on and off as true and false: put them in quotes)"
        )
    return tuple(trimmed(label) if isinstance(label, str) else label for label in classes)
