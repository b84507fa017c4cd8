"""What there is to predict: the task, its classes or its limits, as a target column's values suggest."""

from collections.abc import Callable
from typing import Any

import numpy as np

from releve.errors import BadInput
from releve.rules.columns import NUMBER
from releve.rules.inference.columns import natural_bounds
from releve.rules.inference.findings import Finding, counted, listed
from releve.rules.inference.profiles import Profile
from releve.rules.inference.spelling import cure, spelled
from releve.rules.target import BINARY, MULTICLASS, REGRESSION, TASKS

MOST_NUMBER_CLASSES = 20  # different whole numbers; more of them are amounts
MOST_CLASSES = 200  # different texts; more of them are names
ROWS_A_CLASS = 5  # on average; classes repeat themselves, amounts hardly do
FEW_ROWS = 20  # of one class; below that neither learned nor judged
RARE = 0.01  # share of the rows
# Of two classes, the one that AUC, F1 and Brier score are about: the one that is called so, else the other one of a
# class that is called its opposite, else the rarer one. 1 is one of 1 and 2 as well, and called so beside 0 or -1 only.
POSITIVE = {"yes", "y", "true", "t", "positive", "pos", "spam", "fraud", "churn", "churned", "default", "up", "bad"}
POSITIVE |= {"ja", "j", "oui", "si", "sí", "sì", "sim", "wahr", "vrai", "+"}
NEGATIVE = {"no", "n", "false", "f", "negative", "neg", "ham", "good", "down", "nein", "non", "não", "falsch", "faux"}
NEGATIVE |= {"0", "-1", "-", "none", "never"}


def target_spec(profile: Profile, *, task: str | None) -> dict[str, Any]:
    """The keys of `target`. Raises BadInput when the values cannot be what `task` says, or no task fits them."""
    if not profile.counts:
        raise BadInput(f"the target '{profile.name}' is empty in every row; nothing can be learned from such a file")
    if task not in (None, *TASKS):
        raise BadInput(f"the task is {task!r}; expected {', '.join(TASKS)}")
    if profile.form == "grouped number" and task in (None, REGRESSION):
        raise BadInput(
            f"the target '{profile.name}' holds numbers such as {spelled(profile)}, which are none as they stand. "
            f"{cure(profile)}; if they are names of classes, say TASK={MULTICLASS}"
        )
    task = task or _likely_task(profile)
    return {"name": profile.name} | (_regression(profile) if task == REGRESSION else _classes(profile, task))


def _likely_task(profile: Profile) -> str:
    repeats = profile.present >= ROWS_A_CLASS * profile.distinct
    few_numbers = profile.is_whole and profile.distinct <= MOST_NUMBER_CLASSES and repeats
    if profile.type == NUMBER and profile.distinct > 2 and not few_numbers:
        return REGRESSION
    return BINARY if profile.distinct == 2 else MULTICLASS


def _regression(profile: Profile) -> dict[str, Any]:
    if profile.type != NUMBER:
        shown = listed((repr(value) for value in profile.counts), most=3)
        raise BadInput(
            f"the target '{profile.name}' holds {shown}, and a regression needs numbers; give another column, or "
            "the task binary or multiclass"
        )
    return {"task": REGRESSION} | {key: bound for key, bound in natural_bounds(profile).items() if key == "min"}


def _classes(profile: Profile, task: str) -> dict[str, Any]:
    classes = sorted(_class_names(profile))
    if len(classes) < 2:
        raise BadInput(f"the target '{profile.name}' is always {classes[0]!r}; there is nothing to tell apart")
    if len(classes) > MOST_CLASSES:
        raise BadInput(
            f"the target '{profile.name}' has {len(classes):,} different values such as {classes[0]!r}; expected at "
            f"most {MOST_CLASSES} classes, or numbers with the task regression"
        )
    if task == BINARY and len(classes) != 2:
        raise BadInput(f"the target '{profile.name}' has {len(classes)} classes ({listed(map(str, classes))}), not two")
    positive = {"positive": _positive(profile, classes)} if task == BINARY else {}
    return {"task": task, "classes": classes} | positive


def _class_names(profile: Profile) -> set[Any]:
    """Whole numbers where all are, else texts; Python's True and numpy's are the text True."""
    if profile.is_whole and not profile.strange:
        return {int(number) for number in profile.numbers if not np.isnan(number)}
    return {str(value) for value in profile.counts}


def _positive(profile: Profile, classes: list[Any]) -> Any:
    named = _named(classes)
    counts = class_counts(profile)
    return min(classes, key=lambda label: counts[str(label)]) if named is None else named


def _named(classes: list[Any]) -> Any:
    """Of two classes the one whose name says that it is the positive one; None where names do not tell."""
    names = {str(label).strip().casefold(): label for label in classes}
    if any(len(name) == 1 and name.isalpha() for name in names) and not names.keys() <= POSITIVE | NEGATIVE:
        return None  # f and m are no false and true
    for found in (names.keys() & POSITIVE, names.keys() - NEGATIVE):
        if len(found) == 1:
            return names[found.pop()]
    return None


def positive_reason(profile: Profile, classes: list[Any]) -> str:
    """Why the positive class is the positive one, for the summary."""
    if _named(classes) is not None:
        return "by its name; target.positive in params.yaml changes it"
    equal = len(set(class_counts(profile).values())) == 1
    return f"{'of two equal ones' if equal else 'the rarer one'}; target.positive in params.yaml changes it"


def class_of(profile: Profile, value: Any) -> str:
    """The name of the class that a value is; 1 and 1.0 are one class."""
    return f"{float(value):.0f}" if profile.is_whole and value not in profile.strange else str(value)


def class_counts(profile: Profile) -> dict[str, int]:
    """Rows by class, the most frequent first."""
    counts: dict[str, int] = {}
    for value, count in profile.counts.items():
        name = class_of(profile, value)
        counts[name] = counts.get(name, 0) + count
    return counts


def target_findings(profile: Profile, spec: dict[str, Any]) -> list[Finding]:
    """What is odd about the target."""
    if spec["task"] == REGRESSION:
        return []
    checks: tuple[Callable[[Profile], list[Finding]], ...] = (_rare, _looks_like_amounts)
    return [finding for check in checks for finding in check(profile)]


def _rare(profile: Profile) -> list[Finding]:
    counts = class_counts(profile)
    rare = {name: count for name, count in counts.items() if count < max(FEW_ROWS, RARE * profile.present)}
    if not rare:
        return []
    shown = listed(f"{name} ({counted(count, 'row')})" for name, count in rare.items())
    few = any(count < FEW_ROWS for count in rare.values())
    advice = "too few to learn from or to judge by; collect more, or merge classes" if few else "hard to learn"
    return [Finding("classes", f"{profile.name} has classes with few rows: {shown}; {advice}")]


def _looks_like_amounts(profile: Profile) -> list[Finding]:
    if not profile.is_whole or profile.distinct <= 2:
        return []
    advice = f"taken for classes; if they are amounts or grades, say TASK={REGRESSION}"
    return [Finding("hint", f"{profile.name} holds {profile.distinct} different whole numbers, {advice}")]
