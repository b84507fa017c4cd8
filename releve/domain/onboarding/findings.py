"""What a person is told of a table, the weightiest first."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# By what they cost, the dearest first: the file or rows of it, the wrong rows taken for the newest, a model that knows
# the answer, one that cannot be learned or judged, columns that are read otherwise than meant or left out, what
# deserves a look, and what was only done as one was told.
KINDS = (
    "refused",
    "rejected",
    "unread",
    "label",
    "cells",
    "order",
    "leak",
    "strong",
    "classes",
    "size",
    "shift",
    "repeated",  # many rows
    "numerals",
    "mixed",
    "type",
    "clock",
    "id",
    "constant",
    "missing",
    "mirror",
    "time",
    "hint",
    "duplicates",  # few rows
    "role",
)


@dataclass(frozen=True)
class Finding:
    """One sentence about a table. `leaves_out` are columns that it makes `feature: false`, `why` is their comment.

    `cures` are the settings that it suggests, by key (ingest.missing): one of them, where there are several.
    """

    kind: str  # of KINDS
    text: str
    leaves_out: tuple[str, ...] = ()
    why: str = ""
    cures: tuple[Mapping[str, Any], ...] = ()


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The weightiest first, else as they were found."""
    return sorted(findings, key=lambda finding: KINDS.index(finding.kind))


def left_out(findings: Iterable[Finding]) -> dict[str, str]:
    """Each column that is no feature, and why; the weightiest reason where there are several."""
    reasons: dict[str, str] = {}
    for finding in in_order(findings):
        for name in finding.leaves_out:
            reasons.setdefault(name, finding.why)
    return reasons


def said(role: str, column: str) -> str:
    """What to add to the command: TIME=day, TIME='signed up'."""
    return f"{role}={shlex.quote(column)}"
