"""Recipes: one entry of RECIPES says all that the product has to know of a recipe.

An entry has, per kind of task, the estimator and its search space: the options that matter most and their ranges. Few
dimensions on purpose: a budget of twenty trials learns nothing about ten options. Every parameter has the default of
scikit-learn, or of the recipe, so that a recipe's defaults are a point of its own space. Figures:
docs/decisions/0009-recipes.md
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from releve.core.errors import BadInput
from releve.core.params import Train
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

STANDARD = "standard"  # mean 0, deviation 1
SCALE = "scale"  # the one parameter that is an argument of the pipeline, not an option of its estimator
Features = Literal["all", "season", "none"]  # what of them a recipe sees; season: what comes again of a date
ALL_FEATURES: Features = "all"
SEASON: Features = "season"
NO_FEATURES: Features = "none"
SEASON_PARTS = ("month", "weekday", "hour")  # of a date
CALIBRATION_FOLDS = 3  # a support vector machine has no probabilities; Platt scaling over three folds gives them
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
        """Return whether the parameter may stand at `value`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.whole or float(value).is_integer())


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Value, ...]
    default: Value

    def holds(self, value: Any) -> bool:
        """Return whether the parameter may stand at `value`; True is not 1."""
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
        """Return the recipe that params.yaml names. Raises ValueError where it names none."""
        if train.named is None:
            raise ValueError("train.recipe names no single recipe")
        options = dict(train.options)
        return cls(train.named, str(options.pop(SCALE, STANDARD)), options)

    def __str__(self) -> str:
        short = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in self.options.items()}
        unscaled = ["unscaled"] if self.scale == "none" and RECIPES[self.recipe].scaled else []
        return " ".join([self.recipe, *(f"{name}={value}" for name, value in sorted(short.items())), *unscaled])


MakeEstimator = Callable[[Mapping[str, Value], int], Any]  # options and seed to an unfitted estimator


@dataclass(frozen=True)
class Recipe:
    """A kind of model, for classes and for values."""

    classifier: MakeEstimator
    regressor: MakeEstimator
    class_space: Space
    value_space: Space
    scaled: bool = False  # whether the unit of a number matters to it; not to a tree
    knows_missing: bool = False  # learns from a number being missing; the others see the median there
    max_rows: int | None = None  # that it is fitted on: the cost of these grows with the square of the rows or worse
    fixed: Mapping[str, tuple[Value, str]] = field(default_factory=dict)  # options that a model file needs so, and why
    least_per_class: int = 1  # rows
    least_classes: int = 2
    features: Features = ALL_FEATURES


def _estimator(path: str, *, seeded: bool = True, **defaults: Any) -> MakeEstimator:
    """Make an estimator by its path. Raises BadInput naming an option that it does not know."""

    def make(options: Mapping[str, Value], seed: int) -> Any:
        module, _, name = path.rpartition(".")
        kind = getattr(import_module(module), name)
        known = kind().get_params()
        if unknown := sorted(set(options) - set(known)):
            raise BadInput(
                f"train.options has {', '.join(unknown)}, which {name} does not know; it knows "
                f"{', '.join(sorted(known))}"
            )
        return kind(**{**defaults, **({"random_state": seed} if seeded else {}), **options})

    return make


def _calibrated(make: MakeEstimator) -> MakeEstimator:
    def calibrated(options: Mapping[str, Value], seed: int) -> Any:
        from sklearn.calibration import CalibratedClassifierCV

        return CalibratedClassifierCV(make(options, seed), cv=CALIBRATION_FOLDS, ensemble=False)

    return calibrated


def _of_scaled_target(make: MakeEstimator) -> MakeEstimator:
    """Learn a standardised target: C, epsilon and first weights are in its unit, be it cents or millions."""

    def scaled(options: Mapping[str, Value], seed: int) -> Any:
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        return TransformedTargetRegressor(make(options, seed), transformer=StandardScaler())

    return scaled


# Leaves are bounded for what a model file holds; the score stays: docs/decisions/0031-ensemble-export.md
_FOREST_SIZE: Any = {"n_estimators": 100, "min_samples_leaf": 2, "max_leaf_nodes": 2000, "n_jobs": 1}
_SEASONAL: Any = {"min_samples_leaf": 20, "max_leaf_nodes": 512}
_SCALE = Choice(("standard", "none"), "standard")
_FOREST: dict[str, Number | Choice] = {
    "min_samples_leaf": Number(1, 32, 2, whole=True),
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
_NETWORK_SIZE: Any = {"hidden_layer_sizes": 32, "learning_rate_init": 0.003, "max_iter": 30}  # of one layer; epochs
_NETWORK: dict[str, Number | Choice] = {
    "hidden_layer_sizes": Number(8, 128, 32, whole=True),
    "alpha": Number(1e-5, 10, 1e-4),
    "learning_rate_init": Number(1e-4, 0.03, 3e-3),
    "max_iter": Number(10, 100, 30, whole=True),
}
_VALUE_FOREST = {**_FOREST, "max_features": Choice(("sqrt", 0.3, 0.6, 1.0), 1.0)}  # by default it uses all features

# From simple to complicated, and from fast to answer to slow: of two that score the same, the first is chosen.
RECIPES: dict[str, Recipe] = {
    "constant": Recipe(
        _estimator("sklearn.dummy.DummyClassifier", strategy="prior"),
        _estimator("sklearn.dummy.DummyRegressor", seeded=False, strategy="median"),
        {},
        {},
        least_classes=1,
        features=NO_FEATURES,
    ),
    "seasonal": Recipe(
        _estimator("sklearn.tree.DecisionTreeClassifier", **_SEASONAL),
        _estimator("sklearn.tree.DecisionTreeRegressor", **_SEASONAL),
        {},
        {},
        least_classes=1,
        features=SEASON,
    ),
    "linear": Recipe(
        _estimator("sklearn.linear_model.LogisticRegression", max_iter=1000),
        _estimator("sklearn.linear_model.Ridge"),
        {"C": Number(0.001, 100, 1.0)},
        {"alpha": Number(0.001, 1000, 1.0)},
        scaled=True,
    ),
    # Left alone, it stops early on tables of more than 10,000 rows, judged by rows drawn at random: by no future, and
    # by other rows for every seed. How long it learns is for the search to say.
    "hist_gradient_boosting": Recipe(
        _estimator("sklearn.ensemble.HistGradientBoostingClassifier", early_stopping=False),
        _estimator("sklearn.ensemble.HistGradientBoostingRegressor", early_stopping=False),
        _BOOSTING,
        {**_BOOSTING, "loss": Choice(("squared_error", "absolute_error"), "squared_error")},
        knows_missing=True,
        fixed={
            "scoring": ("loss", "any other holds the validation rows, which no model file may"),
            "categorical_features": (None, "categories are encoded before the model sees them"),
        },
    ),
    "random_forest": Recipe(
        _estimator("sklearn.ensemble.RandomForestClassifier", **_FOREST_SIZE),
        _estimator("sklearn.ensemble.RandomForestRegressor", **_FOREST_SIZE),
        _FOREST,
        _VALUE_FOREST,
    ),
    "extra_trees": Recipe(
        _estimator("sklearn.ensemble.ExtraTreesClassifier", **_FOREST_SIZE),
        _estimator("sklearn.ensemble.ExtraTreesRegressor", **_FOREST_SIZE),
        _FOREST,
        _VALUE_FOREST,
    ),
    "svm": Recipe(
        _calibrated(_estimator("sklearn.svm.SVC")),
        _of_scaled_target(_estimator("sklearn.svm.SVR", seeded=False)),
        _MACHINE,
        _MACHINE,
        scaled=True,
        max_rows=5_000,
        least_per_class=CALIBRATION_FOLDS,
    ),
    "k_neighbors": Recipe(
        _estimator("sklearn.neighbors.KNeighborsClassifier", seeded=False, algorithm="brute"),
        _estimator("sklearn.neighbors.KNeighborsRegressor", seeded=False, algorithm="brute"),
        _NEIGHBORS,
        _NEIGHBORS,
        scaled=True,
        max_rows=50_000,
        fixed={"algorithm": ("brute", "search trees are compiled objects, which no model file may hold")},
    ),
    "neural_network": Recipe(
        _estimator("releve.domain.training.networks.BriefNetworkClassifier", **_NETWORK_SIZE),
        _of_scaled_target(_estimator("releve.domain.training.networks.BriefNetworkRegressor", **_NETWORK_SIZE)),
        _NETWORK,
        _NETWORK,
        scaled=True,
        fixed={"early_stopping": (False, "it judges by rows drawn at random, which is no future")},
    ),
}

TEXT_SPACE: Space = {  # of every recipe, where the table has texts
    "text_analyzer": Choice(("char_wb", "word"), "char_wb"),
    "text_ngrams": Number(2, 5, 4, log=False, whole=True),
    "text_dimensions": Choice((32, 64, 128), 64),
}


def search_spaces(recipes: tuple[str, ...], schema: Schema) -> dict[str, Space]:
    """Return the space of each of `recipes`, for the task of the schema's target and the types of its columns."""
    is_value = schema.target.task == REGRESSION

    def space_of(recipe: Recipe) -> Space:
        texts = TEXT_SPACE if schema.texts and recipe.features == ALL_FEATURES else {}
        return {**(recipe.value_space if is_value else recipe.class_space), **texts}

    return {name: space_of(RECIPES[name]) for name in recipes}


def season_columns(schema: Schema) -> list[int]:
    """Return the places among `schema.model_names` of the parts of a date that come again, [] without a date.

    The date is the column that orders the rows where a model sees it, else the first that it sees.
    """
    dates = [schema.time] if schema.time in schema.dates else schema.dates[:1]
    return [schema.model_names.index(f"{date}.{part}") for date in dates for part in SEASON_PARTS]


def default_candidate(recipe: str, space: Space) -> Candidate:
    """Return the recipe with every parameter at its default."""
    return from_parameters(recipe, {name: parameter.default for name, parameter in space.items()}, space)


def from_parameters(recipe: str, parameters: Mapping[str, Value], space: Space) -> Candidate:
    """Return the candidate at a point of the space."""

    def exact(value: Any, parameter: Number | Choice) -> Value:
        """Six digits are enough for a parameter, and are the same in JSON and in the model."""
        if isinstance(parameter, Number):
            return int(value) if parameter.whole else float(f"{value:.6g}")
        chosen: Value = value
        return chosen

    options = {name: exact(value, space[name]) for name, value in parameters.items() if name != SCALE}
    return Candidate(recipe, str(parameters.get(SCALE, "standard" if RECIPES[recipe].scaled else "none")), options)


def parameters_of(candidate: Candidate, space: Space) -> dict[str, Value] | None:
    """Return where in the space a candidate lies, None when outside; what it leaves out is at its default."""
    set_by_hand = {**candidate.options, **({SCALE: candidate.scale} if SCALE in space else {})}
    if any(name not in space or not space[name].holds(value) for name, value in set_by_hand.items()):
        return None
    return {name: set_by_hand.get(name, parameter.default) for name, parameter in space.items()}


def fitting_recipes(recipes: tuple[str, ...], *, rows: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those of `recipes` that learn from so many rows in bearable time, and a sentence for every other one."""
    limits = {name: RECIPES[name].max_rows for name in recipes}
    small = {name: limit for name, limit in limits.items() if limit is not None and rows > limit}
    left_out = [f"{name} is left out: {rows} rows, it learns from {limit} at most" for name, limit in small.items()]
    return tuple(name for name in recipes if name not in small), tuple(left_out)
