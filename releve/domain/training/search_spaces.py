"""What a search may choose: for every recipe and kind of task, the options that matter most and their ranges.

Few dimensions on purpose: a budget of twenty trials learns nothing about ten options. Every parameter has the default
of scikit-learn, or of the recipe, so that a recipe's defaults are a point of its own space.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from releve.core.params import Train
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

STANDARD = "standard"  # mean 0, deviation 1
SCALE = "scale"  # the one parameter that is an argument of the pipeline, not an option of its estimator
Value = bool | int | float | str | None


@dataclass(frozen=True)
class Number:
    """A number in [low, high]; `log`: a factor matters, not a distance; `whole`: without fraction."""

    low: float
    high: float
    default: float
    log: bool = True
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """Whether the parameter may be `value`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.whole or float(value).is_integer())


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Value, ...]
    default: Value

    def holds(self, value: Any) -> bool:
        """Whether the parameter may be `value`; True is not 1."""
        return any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in self.values)


Space = Mapping[str, Number | Choice]


@dataclass(frozen=True)
class Candidate:
    """A recipe with its options, not fitted to anything."""

    recipe: str
    scale: str
    options: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, train: Train) -> "Candidate":
        """The recipe that params.yaml names. Raises ValueError where it names none."""
        if train.named is None:
            raise ValueError("train.recipe names no single recipe")
        options = dict(train.options)
        return cls(train.named, str(options.pop(SCALE, STANDARD)), options)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Candidate":
        """Read `as_dict`, or any mapping with these keys, such as recipe.json."""
        return cls(values["recipe"], values["scale"], dict(values["options"]))

    def as_dict(self) -> dict[str, Any]:
        """For recipe.json."""
        return {"recipe": self.recipe, "scale": self.scale, "options": dict(self.options)}

    def __str__(self) -> str:
        told = [f"{name}={_short(value)}" for name, value in sorted(self.options.items())]
        return " ".join([self.recipe, *told, *(["unscaled"] if self.scale == "none" and self.recipe in SCALED else [])])


# From simple to complicated, and from fast to answer to slow: of two that score the same, the first is chosen.
SIMPLEST_FIRST = ("linear", "hist_gradient_boosting", "random_forest", "extra_trees", "svm", "k_neighbors")
SCALED = ("linear", "svm", "k_neighbors")  # a tree does not see the unit of a number
# Rows that a recipe is fitted on, at most: the cost of these grows with the square of the rows or worse.
LARGEST_TABLE = {"svm": 5_000, "k_neighbors": 50_000}

_SCALE = Choice(("standard", "none"), "standard")
_FOREST: dict[str, Number | Choice] = {
    "min_samples_leaf": Number(1, 32, 1, whole=True),
    "max_features": Choice(("sqrt", 0.3, 0.6, 1.0), "sqrt"),
}
_BOOSTING: dict[str, Number | Choice] = {
    "learning_rate": Number(0.02, 0.3, 0.1),
    "max_iter": Number(50, 500, 100, whole=True),
    "max_leaf_nodes": Number(7, 127, 31, whole=True),
    "min_samples_leaf": Number(5, 100, 20, whole=True),
    "l2_regularization": Choice((0.0, 0.1, 1.0, 10.0), 0.0),
}
_NEIGHBORS: dict[str, Number | Choice] = {
    "n_neighbors": Number(1, 64, 5, whole=True),
    "weights": Choice(("uniform", "distance"), "uniform"),
    SCALE: _SCALE,
}
_MACHINE: dict[str, Number | Choice] = {
    "C": Number(0.01, 1000, 1.0),
    "gamma": Choice(("scale", 0.0001, 0.001, 0.01, 0.1, 1.0), "scale"),
    SCALE: _SCALE,
}

CLASS_SPACES: dict[str, Space] = {
    "linear": {"C": Number(0.001, 100, 1.0)},
    "hist_gradient_boosting": _BOOSTING,
    "random_forest": _FOREST,
    "extra_trees": _FOREST,
    "svm": _MACHINE,
    "k_neighbors": _NEIGHBORS,
}
VALUE_SPACES: dict[str, Space] = {
    "linear": {"alpha": Number(0.001, 1000, 1.0)},
    "hist_gradient_boosting": {**_BOOSTING, "loss": Choice(("squared_error", "absolute_error"), "squared_error")},
    # A regression forest looks at every feature by default; a classification forest at the root of their number.
    "random_forest": {**_FOREST, "max_features": Choice(("sqrt", 0.3, 0.6, 1.0), 1.0)},
    "extra_trees": {**_FOREST, "max_features": Choice(("sqrt", 0.3, 0.6, 1.0), 1.0)},
    "svm": _MACHINE,
    "k_neighbors": _NEIGHBORS,
}


TEXT_SPACE: Space = {  # of every recipe, where the table has texts
    "text_analyzer": Choice(("char_wb", "word"), "char_wb"),
    "text_ngrams": Number(2, 5, 4, log=False, whole=True),
    "text_dimensions": Choice((32, 64, 128), 64),
}


def spaces(recipes: tuple[str, ...], schema: Schema) -> dict[str, Space]:
    """The space of each of `recipes`, for the task of the schema's target and the types of its columns."""
    known = VALUE_SPACES if schema.target.task == REGRESSION else CLASS_SPACES
    texts = TEXT_SPACE if schema.texts else {}
    return {recipe: {**known[recipe], **texts} for recipe in recipes}


def default(recipe: str, space: Space) -> Candidate:
    """The recipe with every parameter at its default."""
    return from_parameters(recipe, {name: parameter.default for name, parameter in space.items()}, space)


def from_parameters(recipe: str, parameters: Mapping[str, Any], space: Space) -> Candidate:
    """The candidate at a point of the space."""
    options = {name: _exact(value, space[name]) for name, value in parameters.items() if name != SCALE}
    return Candidate(recipe, str(parameters.get(SCALE, "standard" if recipe in SCALED else "none")), options)


def parameters_of(candidate: Candidate, space: Space) -> dict[str, Value] | None:
    """Where in the space a candidate lies, an option that it leaves out at its default; None when it lies outside."""
    set_by_hand = {**candidate.options, **({SCALE: candidate.scale} if SCALE in space else {})}
    if any(name not in space or not space[name].holds(value) for name, value in set_by_hand.items()):
        return None
    return {name: set_by_hand.get(name, parameter.default) for name, parameter in space.items()}


def fitting(recipes: tuple[str, ...], *, rows: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of `recipes` that learn from so many rows in bearable time, and a sentence for every other one."""
    small = {recipe: LARGEST_TABLE[recipe] for recipe in recipes if rows > LARGEST_TABLE.get(recipe, rows)}
    told = [f"{recipe} is left out: {rows} rows, it learns from {most} at most" for recipe, most in small.items()]
    return tuple(recipe for recipe in recipes if recipe not in small), tuple(told)


def _exact(value: Any, parameter: Number | Choice) -> Value:
    """Six digits are enough for a parameter, and are the same in JSON and in the model."""
    if isinstance(parameter, Choice):
        chosen: Value = value
        return chosen
    return int(value) if parameter.whole else float(f"{value:.6g}")


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
