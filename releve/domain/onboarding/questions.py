"""What a person who is no expert is asked about a new table: the issues in plain words, one question each."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from releve.core.formatting import listed
from releve.domain.onboarding.issues import MARKER, Issue
from releve.domain.onboarding.params_file import ScenarioDraft, SettingOverride
from releve.domain.onboarding.table import Roles

GO_ON, MEND, KEEP, LEAVE, HIDE, SHOW = "go-on", "mend", "keep", "leave", "hide", "show"
MEND_IT = "No: I will correct the file, and upload it again"


@dataclass(frozen=True)
class AnswerChoice:
    """One of the answers to a question."""

    key: str  # one word, for a form
    label: str
    keeps: tuple[str, ...] = ()  # columns that the model shall know
    leaves_out: tuple[str, ...] = ()  # columns that it shall not
    settings: tuple[SettingOverride, ...] = ()
    hides: tuple[str, ...] = ()  # columns that are personal
    shows: tuple[str, ...] = ()  # columns that are not
    mends: bool = False  # the table has to be corrected first


@dataclass(frozen=True)
class TableQuestion:
    """One doubt. The first choice is what happens where nobody answers."""

    key: str  # of its issue: the same one is not asked twice
    says: str
    asks: str
    choices: tuple[AnswerChoice, ...]
    details: str  # as `make scenario` prints it

    def chosen(self, answers: Mapping[str, str]) -> AnswerChoice:
        """The choice that was made, by the question's key; the first where there is none of that name."""
        return next((each for each in self.choices if each.key == answers.get(self.key)), self.choices[0])


# Kind of an issue -> what it means, and what is asked.
PLAIN = {
    "refused": ("Too many rows of this file cannot be used.", "Please correct the file, and upload it again."),
    "rejected": ("Some rows cannot be used. They are set aside, each with its reason.", "Go on without them?"),
    "unread": ("Some lines of the file are no rows.", "Go on without them?"),
    "label": ("Some rows do not say what came out.", "Go on without them?"),
    MARKER: ("Some cells may say that nothing is known.", "Are they read as you mean them?"),
    "cells": ("Some cells may mean something else than they seem to.", "Are they read as you mean them?"),
    "numerals": ("Some numbers can be read in two ways.", "Are they read as you mean them?"),
    "mixed": ("A column holds different kinds of things.", "Is that right?"),
    "type": ("A column may be of another kind than it seems.", "Is it read as you mean it?"),
    "order": ("The rows may not stand in the order of time, and the newest judge the model.", "Is the order right?"),
    "classes": ("Some outcomes are rare, or spelled in several ways.", "Is that right?"),
    "size": ("There are few rows to learn from, and to judge by.", "Go on with these?"),
    "repeated": ("Many rows are there more than once.", "Are they different things that look alike?"),
}
LEAKS = ("leak", "strong")
ID, PERSONAL = "id", "personal"


def questions(issues: Iterable[Issue], *, target: str) -> tuple[list[TableQuestion], list[str]]:
    """What to ask, the most serious first, and what a person only has to know. `issues`: as ranked."""
    asked, told = list[TableQuestion](), list[str]()
    for issue in issues:
        if (question := _question(issue, target)) is None:
            told.append(issue.text)
        else:
            asked.append(question)
    return asked, told


def plain_summary(draft: ScenarioDraft) -> list[str]:
    """What a table was taken for, in words that need no knowledge of models."""
    target, columns = draft.table["target"], draft.table["columns"]
    what = f"one of {listed(map(str, target['classes']), most=8)}" if "classes" in target else "a number"
    used = [f"{name} ({column['type']})" for name, column in columns.items() if column.get("feature", True)]
    unused = [name for name, column in columns.items() if not column.get("feature", True)]
    personal = [name for name, column in columns.items() if column.get("personal")]
    return [
        f"You want to know {target['name']} in advance: {what}.",
        f"The model will learn from {listed(used, most=20)}.",
        *([f"It will not see {listed(unused, most=20)}."] if unused else []),
        *([f"No page and no message will show what stands in {listed(personal, most=20)}."] if personal else []),
    ]


def answered(roles: Roles, asked: Sequence[TableQuestion], answers: Mapping[str, str]) -> Roles:
    """The roles with what a person chose."""
    chosen = [question.chosen(answers) for question in asked]
    return replace(
        roles,
        kept=roles.kept.union(*(each.keeps for each in chosen)),
        left_out=roles.left_out.union(*(each.leaves_out for each in chosen)),
        personal=roles.personal.union(*(each.hides for each in chosen)),
        not_personal=roles.not_personal.union(*(each.shows for each in chosen)),
        settings=(*roles.settings, *(setting for each in chosen for setting in each.settings)),
    )


def _question(issue: Issue, target: str) -> TableQuestion | None:
    key = hashlib.sha256(issue.text.encode()).hexdigest()[:12]
    columns = issue.leaves_out or issue.doubts
    if issue.kind in LEAKS:
        says = f"{listed(columns)} nearly {'gives' if len(columns) == 1 else 'give'} {target} away."
        asks = f"When you want to know {target}, do you know {listed(columns)} already?"
        keep = AnswerChoice(KEEP, "Yes: the model may use it", keeps=columns)
        leave = AnswerChoice(LEAVE, "No, only afterwards: leave it out", leaves_out=columns)
        return TableQuestion(key, says, asks, (leave, keep) if issue.leaves_out else (keep, leave), issue.text)
    if issue.kind == PERSONAL:
        return _personal_question(key, issue)
    if issue.kind == ID and columns:
        choices = (
            AnswerChoice(LEAVE, "Yes: leave it out", leaves_out=columns),
            AnswerChoice(KEEP, "No, it says something about the row: use it", keeps=columns),
        )
        asks = "Is it a name or a number that just tells the rows apart?"
        return TableQuestion(key, f"{listed(columns)} is different in nearly every row.", asks, choices, issue.text)
    if issue.kind not in PLAIN:
        return None
    says, asks = PLAIN[issue.kind]
    mend = AnswerChoice(MEND, MEND_IT, mends=True)
    if issue.kind == "refused":
        return TableQuestion(key, says, asks, (replace(mend, label="I will correct it"),), issue.text)
    meant = (_as_suggested(number, each) for number, each in enumerate(issue.suggestions, start=1))
    return TableQuestion(key, says, asks, (AnswerChoice(GO_ON, "Yes"), *filter(None, meant), mend), issue.text)


def _personal_question(key: str, issue: Issue) -> TableQuestion:
    if not issue.personal:  # the id: to hide it has a price
        says = f"{listed(issue.doubts)} names the rows, and seems to name people."
        show = AnswerChoice(SHOW, "Yes: pages and searches may name rows by it")
        hide = AnswerChoice(HIDE, "No: hide it", hides=issue.doubts)
        return TableQuestion(key, says, "May people who use the model read it?", (show, hide), issue.text)
    columns = issue.personal
    choices = (
        AnswerChoice(LEAVE, "Yes: hide it, and leave it out", leaves_out=columns),
        AnswerChoice(KEEP, "Yes: hide it, but the model may learn from it", keeps=columns),
        AnswerChoice(SHOW, "No: it is a column like any other", shows=columns),
    )
    says = f"{listed(columns)} {issue.why}."
    return TableQuestion(key, says, "Does it say who somebody is?", choices, issue.text)


def _as_suggested(number: int, suggestion: Mapping[str, object]) -> AnswerChoice | None:
    """The settings that solve an issue; None for what is no setting, as a column's own line."""
    settings = [(*name.partition(".")[::2], value) for name, value in suggestion.items()]
    if any(section == "columns" for section, _, _ in settings):
        return None
    label = " and ".join(f"{key.replace('_', ' ')} {value!r}" for _, key, value in settings)
    why = "as you answered"
    overrides = tuple(SettingOverride(section, key, value, why) for section, key, value in settings)
    return AnswerChoice(f"setting-{number}", f"No: read them with {label}", settings=overrides)
