"""Columns that add up to the target, as casual and registered riders add up to all riders.

Found by orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993, Asilomar Conference): take the column
that explains most of what is left, fit all columns taken so far, and again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import listed
from releve.domain.onboarding.findings import Finding
from releve.domain.onboarding.profiles import Profile
from releve.domain.schema.columns import NUMBER

ADDS_UP = 0.9999  # R2
MOST_TERMS = 5  # columns in a sum


def sum_findings(columns: Sequence[Profile], target: str, values: NDArray[Any], rows: NDArray[Any]) -> list[Finding]:
    """Groups of number columns whose weighted sum is the target."""
    left = [column for column in columns if column.type == NUMBER and column.distinct > 1]
    findings = []
    while (found := _sum(left, values, rows)) is not None:
        terms, weights = found
        names = sorted(column.name for column in terms)
        formula = _formula([column.name for column in terms], weights)
        text = (
            f"{target} is {formula}: together {listed(names)} give it away, and are no features; if they are truly "
            "known before the outcome, remove 'feature: false'"
        )
        findings.append(Finding("leak", text, tuple(names), f"a leak: {listed(names)} add up to {target}"))
        left = [column for column in left if column.name not in names]
    return findings


def _sum(
    columns: Sequence[Profile], values: NDArray[Any], rows: NDArray[Any]
) -> tuple[list[Profile], NDArray[Any]] | None:
    """At most MOST_TERMS columns that explain the values, and their weights; None when there are none."""
    table = {column.name: column.numbers[rows] for column in columns}
    whole = {name: numbers for name, numbers in table.items() if not np.isnan(numbers).any() and numbers.std() > 0}
    truth = values[rows] - values[rows].mean()
    centred = {name: numbers - numbers.mean() for name, numbers in whole.items()}
    taken: list[str] = []
    rest: NDArray[Any] = truth
    weights: NDArray[Any] = np.empty(0)
    while len(taken) < min(MOST_TERMS, len(centred)) and not _explains(rest, truth):
        taken.append(max(set(centred) - set(taken), key=lambda name: (_likeness(centred[name], rest), name)))
        block = np.column_stack([centred[name] for name in taken])
        weights = np.linalg.lstsq(block, truth, rcond=None)[0]
        rest = truth - block @ weights
    if not taken or not _explains(rest, truth):
        return None
    return _needed([column for name in taken for column in columns if column.name == name], weights, centred, truth)


def _needed(
    terms: list[Profile],
    weights: NDArray[Any],
    centred: dict[str, NDArray[Any]],
    truth: NDArray[Any],
) -> tuple[list[Profile], NDArray[Any]]:
    """The terms without those that were taken in vain on the way."""
    for term in list(terms):
        fewer = [other for other in terms if other is not term]
        if not fewer:
            break
        block = np.column_stack([centred[other.name] for other in fewer])
        lighter = np.linalg.lstsq(block, truth, rcond=None)[0]
        if _explains(truth - block @ lighter, truth):
            terms, weights = fewer, lighter
    return terms, weights


def _explains(rest: NDArray[Any], truth: NDArray[Any]) -> bool:
    return float(rest @ rest) <= (1 - ADDS_UP) * float(truth @ truth)


def _likeness(numbers: NDArray[Any], rest: NDArray[Any]) -> float:
    return abs(float(numbers @ rest)) / float(np.sqrt(numbers @ numbers))


def _formula(names: Sequence[str], weights: NDArray[Any]) -> str:
    """ "a + b - 2 x c"."""
    terms = (f"{weight:+.3g} x {name}" for name, weight in sorted(zip(names, weights, strict=True)))
    text = " ".join(terms).replace("+1 x ", "+").replace("-1 x ", "-")
    return text.replace(" +", " + ").replace(" -", " - ").removeprefix("+")
