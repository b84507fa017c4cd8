"""What there is to predict: the task, its classes or its limits, as a target column's values suggest."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.core.config_hint import settings_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted, listed
from releve.domain.ingestion.cell_formats import CellFormats
from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.onboarding.columns import natural_bounds
from releve.domain.onboarding.findings import Finding
from releve.domain.onboarding.profiles import Profile, profile
from releve.domain.schema.cells import fold
from releve.domain.schema.columns import NUMBER
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION, TASKS

if TYPE_CHECKING:
    import pandas as pd

MOST_NUMBER_CLASSES = 20  # different whole numbers; more of them are amounts
MOST_CLASSES = 200  # different texts; more of them are names
ROWS_A_CLASS = 5  # on average; classes repeat themselves, amounts hardly do
FEW_ROWS = 20  # of one class; below that neither learned nor judged
RARE = 0.01  # share of the rows
# Markers that are words, and may be the class of those who have nothing; not beside an answer to yes or no.
CLASS_WORDS = ("none", "nil")
YES = {"yes", "y", "true", "t", "ja", "j", "oui", "si", "sí", "sì", "sim", "wahr", "vrai"}
NO = {"no", "n", "false", "f", "nein", "non", "não", "falsch", "faux"}
ANSWERS = YES | NO | {"0", "1"}
# Of two classes, the one that AUC, F1 and Brier score are about: the one that is called so, else the other one of a
# class that is called its opposite, else the rarer one. 1 is one of 1 and 2 as well, and called so beside 0 or -1 only.
POSITIVE = YES | {"on", "positive", "pos", "spam", "fraud", "churn", "churned", "default", "up", "bad", "+"}
NEGATIVE = NO | {"off", "negative", "neg", "ham", "good", "down", "0", "-1", "-", "none", "never"}


def target_profile(name: str, cells: "pd.Series[Any]", *, as_text: bool, reading: CellFormats) -> Profile:
    """The target, in which markers are no labels, and spellings that differ in case or spaces alone are one class."""
    found = profile(name, cells, as_text=as_text, is_marker=reading.is_marker)
    kept = found.kept
    others = {fold(str(value)) for value in found.counts if value not in kept}
    if found.markers and len(others) < 2:
        return _one_spelling(profile(name, cells, as_text=as_text))
    is_word = all(fold(marker) in CLASS_WORDS for marker in kept) and not others <= ANSWERS
    if kept and not (is_word and sum(kept.values()) > (1 - MOSTLY) * found.present):
        words = found.cells.map(lambda cell: None if isinstance(cell, str) and cell in kept else cell)
        found = replace(profile(name, words, as_text=as_text), markers=found.markers)
    return _one_spelling(found)


def _one_spelling(found: Profile) -> Profile:
    """Each class in its commonest spelling; `spellings` says what was joined."""
    if found.type == NUMBER:
        return found
    groups: dict[str, dict[str, int]] = {}
    for value, count in found.counts.items():
        if isinstance(value, str | bool | np.bool_):
            groups.setdefault(fold(str(value)), {})[str(value)] = count
    several = {next(iter(each)): each for each in groups.values() if len(each) > 1}
    if not several:
        return found
    names = {spelling: name for name, each in several.items() for spelling in each}
    cells = found.cells.map(lambda cell: names.get(str(cell), cell) if cell is not None else None)
    counts: dict[Any, int] = {}
    for value, count in found.counts.items():
        name = names.get(str(value), value)
        counts[name] = counts.get(name, 0) + count
    return replace(found, cells=cells, counts=counts, spellings=several)


def target_spec(profile: Profile, *, task: str | None, asked: Finding | None = None) -> dict[str, Any]:
    """The keys of `target`. `asked`: what is asked about its numbers, as the file is.

    Raises BadInput when the values cannot be what `task` says, or no task fits them.
    """
    if not profile.counts:
        raise BadInput(f"the target '{profile.name}' is empty in every row; nothing can be learned from such a file")
    if task not in (None, *TASKS):
        raise BadInput(f"the task is {task!r}; expected {', '.join(TASKS)}")
    if asked is not None and asked.kind == "numerals" and task in (None, REGRESSION):
        raise BadInput(f"the target {asked.text}; if they are names of classes, say TASK={MULTICLASS}")
    task = task or _likely_task(profile)
    return {"name": profile.name} | (_regression(profile) if task == REGRESSION else _classes(profile, task))


def _likely_task(profile: Profile) -> str:
    repeats = profile.present >= ROWS_A_CLASS * profile.distinct
    few_numbers = profile.is_whole and profile.distinct <= MOST_NUMBER_CLASSES and repeats
    if profile.type == NUMBER and profile.distinct > 2 and not few_numbers:
        return REGRESSION
    return BINARY if len(_class_names(profile)) == 2 else MULTICLASS  # 1 and "1" are one class


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
    ignore_case = {"ignore_case": True} if profile.spellings else {}
    return {"task": task, "classes": classes} | positive | ignore_case


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
    names = {fold(str(label)): label for label in classes}
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


def target_findings(profile: Profile, spec: dict[str, Any], *, missing: Sequence[str] = ()) -> list[Finding]:
    """What is odd about the target. `missing`: ingest.missing."""
    told = [*_marked_labels(profile, missing), *_joined(profile)]
    return told if spec["task"] == REGRESSION else [*told, *_rare(profile), *_looks_like_amounts(profile)]


def _marked_labels(profile: Profile, missing: Sequence[str]) -> list[Finding]:
    if not profile.markers:
        return []
    shown = listed(f"{marker!r} in {counted(count, 'row')}" for marker, count in profile.markers.items())
    if profile.kept:
        text = "a class; where it means that the label is missing, take it out of target.classes"
        return [Finding("label", f"{profile.name} holds {shown}, taken for {text}")]
    text = f"{profile.name} holds {shown}, which is no label (ingest.missing)"
    if profile.type == NUMBER:
        return [Finding("label", text)]
    cure = {"ingest.missing": [each for each in missing if fold(each) not in map(fold, profile.markers)]}
    return [Finding("label", f"{text}; where it is a class, add {settings_hint(cure)}", cures=(cure,))]


def _joined(profile: Profile) -> list[Finding]:
    if not profile.spellings:
        return []
    shown = listed(
        (", ".join(f"{name!r} {count:,} x" for name, count in each.items()) for each in profile.spellings.values()),
        most=3,
    )
    text = (
        f"{profile.name} has classes that differ in case or spaces alone ({shown}): each is one class, which "
        "'ignore_case: true' says; where they are different ones, remove it and list them in target.classes"
    )
    return [Finding("classes", text)]


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
