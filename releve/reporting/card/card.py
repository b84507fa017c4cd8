"""A model card: its evidence, and how it says what is known and what is not.

What it holds: `made` and `judged`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from releve.domain.evaluation.evaluation import Evaluation
from releve.reporting.blocks import MISSING, TextBlock


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of a model version. A mapping is empty where there is nothing."""

    model: str  # "<scenario>:<version>"
    today: date  # decides which overrides are in force
    state: str = ""  # in its life: challenger, champion, ...
    challenge: Mapping[str, Any] = field(default_factory=dict)  # payload of the event of its last judgement
    judged: Mapping[str, Any] = field(default_factory=dict)  # that event's at, actor, reason
    description: Mapping[str, Any] = field(default_factory=dict)  # model.json in the store
    params: Mapping[str, Any] = field(default_factory=dict)  # of the revision, the scenario's overrides included
    data: Mapping[str, Any] = field(default_factory=dict)  # batch, batches, at: of its data version
    drift: Mapping[str, Any] = field(default_factory=dict)  # payload of the last look before the judgement
    lineage: Mapping[str, str] = field(default_factory=dict)  # what it was made of, each by name
    life: Sequence[Sequence[str]] = ()  # at, what, by whom, why; oldest first

    @property
    def evaluation(self) -> Evaluation | None:
        """What its last judgement rests on."""
        found = self.challenge.get("evaluation")
        return Evaluation.model_validate(found) if found else None

    @property
    def sign(self) -> int:
        """+1 where a higher score is better, -1 where a lower one is."""
        return self.evaluation.sign if self.evaluation else 1


def facts(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Names and values, MISSING where there is none."""
    return tuple((name, said(value)) for name, value in values.items())


def said(value: Any) -> str:
    """A value as text, MISSING where there is none."""
    return MISSING if value is None or value == "" else str(value)


def nothing() -> TextBlock:
    """A block that says so."""
    return TextBlock((MISSING,))


def figure(value: Any) -> str:
    """Four digits are enough to compare; "" where there is none."""
    return "" if value is None else f"{value:.4g}"


def interval(value: float, low: float, high: float, *, sign: str = "") -> str:
    """A figure and its interval; with `sign` "+" it has a direction."""
    return f"{value:{sign}.4g} [{low:{sign}.4g}, {high:{sign}.4g}]"
