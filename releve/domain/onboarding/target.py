"""What there is to predict: the task, its classes or its limits, as a target column's values suggest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.core.config_hint import settings_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted, listed
from releve.domain.ingestion.cell_formats import CellFormats
from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.onboarding.columns import natural_bounds
from releve.domain.onboarding.issues import Issue
from releve.domain.onboarding.profiles import ColumnProfile, profile
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


def target_profile(name: str, cells: "pd.Series[Any]", *, as_text: bool, reading: CellFormats) -> ColumnProfile:
    """Profile the target: markers are no labels, and spellings that differ in case or spaces alone are one class."""
    target = profile(name, cells, as_text=as_text, is_marker=reading.is_marker)
    kept = target.kept
    others = {fold(str(value)) for value in target.counts if value not in kept}
    if target.markers and len(others) < 2:
        return _one_spelling(profile(name, cells, as_text=as_text))
    is_word = all(fold(marker) in CLASS_WORDS for marker in kept) and not others <= ANSWERS
    if kept and not (is_word and sum(kept.values()) > (1 - MOSTLY) * target.present):
        words = target.cells.map(lambda cell: None if isinstance(cell, str) and cell in kept else cell)
        target = replace(profile(name, words, as_text=as_text), markers=target.markers)
    return _one_spelling(target)


def _one_spelling(target: ColumnProfile) -> ColumnProfile:
    """Take each class in its commonest spelling; `spellings` says what was joined."""
    if target.type == NUMBER:
        return target
    groups: dict[str, dict[str, int]] = {}
    for value, count in target.counts.items():
        if isinstance(value, str | bool | np.bool_):
            groups.setdefault(fold(str(value)), {})[str(value)] = count
    several = {next(iter(each)): each for each in groups.values() if len(each) > 1}
    if not several:
        return target
    names = {spelling: name for name, each in several.items() for spelling in each}
    cells = target.cells.map(lambda cell: names.get(str(cell), cell) if cell is not None else None)
    counts: dict[Any, int] = {}
    for value, count in target.counts.items():
        name = names.get(str(value), value)
        counts[name] = counts.get(name, 0) + count
    return replace(target, cells=cells, counts=counts, spellings=several)


@dataclass(frozen=True)
class TargetSpec:
    """The keys of `target` in params.yaml, as `Schema.from_dict` reads them."""

    name: str
    task: str
    classes: tuple[Any, ...] = ()  # none of a regression
    positive: Any = None  # of two classes
    ignore_case: bool = False
    min: int | None = None  # of a regression
    positive_by_name: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return what is set, in the order in which params.yaml says it."""
        spec: dict[str, object] = {"name": self.name, "task": self.task}
        spec |= {"min": self.min} if self.min is not None else {}
        spec |= {"classes": list(self.classes)} if self.classes else {}
        spec |= {"positive": self.positive} if self.positive is not None else {}
        return spec | ({"ignore_case": True} if self.ignore_case else {})


def target_spec(profile: ColumnProfile, *, task: str | None, ambiguous: Issue | None = None) -> TargetSpec:
    """Infer the task and its classes. `ambiguous`: that its numbers can be read in several ways.

    Raises BadInput when the values cannot be what `task` says, or no task fits them.
    """
    name = profile.name
    if not profile.counts:
        raise BadInput(f"the target '{name}' is empty in every row; nothing can be learned from such a file")
    if task not in (None, *TASKS):
        raise BadInput(f"the task is {task!r}; expected {', '.join(TASKS)}")
    if ambiguous is not None and ambiguous.kind == "numerals" and task in (None, REGRESSION):
        raise BadInput(f"the target {ambiguous.text}; if they are names of classes, set TASK={MULTICLASS}")
    # Whole numbers where all are, else texts: Python's True and numpy's are the text True, 1 and "1" are one class.
    classes: list[Any]
    if profile.is_whole and not profile.strange:
        classes = sorted({int(number) for number in profile.known_numbers})
    else:
        classes = sorted({str(value) for value in profile.counts})
    if task is None:
        repeats = profile.present >= ROWS_A_CLASS * profile.distinct
        few_numbers = profile.is_whole and profile.distinct <= MOST_NUMBER_CLASSES and repeats
        is_amount = profile.type == NUMBER and profile.distinct > 2 and not few_numbers
        task = REGRESSION if is_amount else BINARY if len(classes) == 2 else MULTICLASS
    if task == REGRESSION:
        if profile.type != NUMBER:
            shown = listed((repr(value) for value in profile.counts), most=3)
            raise BadInput(
                f"the target '{name}' holds {shown}, and a regression needs numbers; give another column, or the task "
                "binary or multiclass"
            )
        return TargetSpec(name, task, min=natural_bounds(profile).get("min"))
    if len(classes) < 2:
        raise BadInput(f"the target '{name}' is always {classes[0]!r}; there is nothing to tell apart")
    if len(classes) > MOST_CLASSES:
        raise BadInput(
            f"the target '{name}' has {len(classes):,} different values such as {classes[0]!r}; expected at most "
            f"{MOST_CLASSES} classes, or numbers with the task regression"
        )
    if task == BINARY and len(classes) != 2:
        raise BadInput(f"the target '{name}' has {len(classes)} classes ({listed(map(str, classes))}), not two")
    named = _positive_by_name(classes) if task == BINARY else None
    counts = class_counts(profile)
    rarer = min(classes, key=lambda label: counts[str(label)]) if task == BINARY else None
    positive = rarer if named is None else named
    return TargetSpec(name, task, tuple(classes), positive, bool(profile.spellings), positive_by_name=named is not None)


def _positive_by_name(classes: list[Any]) -> Any:
    """Choose the class whose name says that it is the positive one; None where names do not tell."""
    names = {fold(str(label)): label for label in classes}
    if any(len(name) == 1 and name.isalpha() for name in names) and not names.keys() <= POSITIVE | NEGATIVE:
        return None  # f and m are no false and true
    for likely in (names.keys() & POSITIVE, names.keys() - NEGATIVE):
        if len(likely) == 1:
            return names[likely.pop()]
    return None


def positive_reason(profile: ColumnProfile, spec: TargetSpec) -> str:
    """Say why the positive class is the positive one, for the summary."""
    are_equal = len(set(class_counts(profile).values())) == 1
    why = "by its name" if spec.positive_by_name else "of two equal ones" if are_equal else "the rarer one"
    return f"{why}; target.positive in params.yaml changes it"


def class_of(profile: ColumnProfile, value: Any) -> str:
    """Return the name of the class that a value is; 1 and 1.0 are one class."""
    return f"{float(value):.0f}" if profile.is_whole and value not in profile.strange else str(value)


def class_counts(profile: ColumnProfile) -> dict[str, int]:
    """Count rows by class, the most frequent first."""
    counts: dict[str, int] = {}
    for value, count in profile.counts.items():
        name = class_of(profile, value)
        counts[name] = counts.get(name, 0) + count
    return counts


def target_issues(profile: ColumnProfile, task: str, *, missing: Sequence[str] = ()) -> Iterator[Issue]:
    """List the issues of the target. `missing`: ingest.missing."""
    name = profile.name
    if profile.markers:
        shown = listed(f"{marker!r} in {counted(count, 'row')}" for marker, count in profile.markers.items())
        suggestion = {"ingest.missing": [each for each in missing if fold(each) not in map(fold, profile.markers)]}
        text = f"{name} holds {shown}, which is no label (ingest.missing)"
        if profile.kept:
            text = f"{name} holds {shown}, taken for a class; where it means that the label is missing, take it out of "
            yield Issue("label", f"{text}target.classes")
        elif profile.type == NUMBER:
            yield Issue("label", text)
        else:
            text += f"; where it is a class, add {settings_hint(suggestion)}"
            yield Issue("label", text, suggestions=(suggestion,))
    if profile.spellings:
        several = (
            ", ".join(f"{one!r} {count:,} x" for one, count in each.items()) for each in profile.spellings.values()
        )
        yield Issue(
            "classes",
            f"{name} has classes that differ in case or spaces alone ({listed(several, most=3)}): each is one class, "
            "which 'ignore_case: true' says; where they are different ones, remove it and list them in target.classes",
        )
    if task == REGRESSION:
        return
    fewest = max(FEW_ROWS, RARE * profile.present)
    if rare := {each: count for each, count in class_counts(profile).items() if count < fewest}:
        shown = listed(f"{each} ({counted(count, 'row')})" for each, count in rare.items())
        are_few = min(rare.values()) < FEW_ROWS
        advice = "too few to learn from or to judge by; collect more, or merge classes" if are_few else "hard to learn"
        # open, pending, n.v.: such rows have no outcome yet, and make two classes three
        words = [each for each, count in rare.items() if count < FEW_ROWS and each in profile.counts]
        suggestions = []
        if words and profile.type != NUMBER and len(class_counts(profile)) - len(words) > 1:
            suggestions = [{"ingest.missing": [*missing, *words]}]
            which = words[0] if len(words) == 1 else "such a class"
            advice += f"; where {which} means that the outcome is not known, add {settings_hint(suggestions[0])}"
        yield Issue("classes", f"{name} has classes with few rows: {shown}; {advice}", suggestions=tuple(suggestions))
    if profile.is_whole and profile.distinct > 2:
        advice = f"taken for classes; if they are amounts or grades, set TASK={REGRESSION}"
        yield Issue("hint", f"{name} holds {profile.distinct} different whole numbers, {advice}")
