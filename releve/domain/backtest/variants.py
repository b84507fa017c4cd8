"""The policies that a backtest compares: when to retrain, on which rows, and whether the gate has a say.

A policy is some keys of params.yaml, so that the one that is recommended can be written there as it was backtested.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releve.core.params import Params, merge, parse
from releve.domain.trigger.policies import REFRESH, SCHEDULE, STATIC

ALL_PAST = {"train.last_batches": 0}
GATE_OFF = ", gate off"
LAST_WINDOWS = 5  # that the policies without all past rows learn from: a quarter of the 20 windows that are played


@dataclass(frozen=True)
class PolicyVariant:
    """`settings` are put over the scenario's params; without the gate every challenger is promoted."""

    name: str
    settings: Mapping[str, Any]  # "section.key": value
    gated: bool = True

    @property
    def can_be_chosen(self) -> bool:
        """What skips the gate is backtested for comparison: no setting of production skips it."""
        return self.gated

    def params(self, base: Params) -> Params:
        """Return the scenario's params with this policy's settings."""
        sections: dict[str, dict[str, Any]] = {}
        for key, value in self.settings.items():
            section, _, name = key.partition(".")
            sections.setdefault(section, {})[name] = value
        return parse(merge(base.model_dump(), sections), source=f"the policy {self.name!r}")


def policy_variants(params: Params) -> tuple[PolicyVariant, ...]:
    """List the compared policies, the simplest first: each of `trigger.policy`; the newest windows alone; no gate."""
    apart = params.trigger.every_batches
    newest = {"train.last_batches": LAST_WINDOWS}
    every, schedule = _rule(REFRESH), _rule(SCHEDULE) | {"trigger.every_batches": apart}
    last, each = f"last {LAST_WINDOWS}", f"every {apart} windows"
    return (
        PolicyVariant("static", _rule(STATIC) | ALL_PAST),
        PolicyVariant("every window", every | ALL_PAST),
        PolicyVariant(each, schedule | ALL_PAST),
        PolicyVariant(f"every window, {last}", every | newest),
        PolicyVariant(f"every window{GATE_OFF}", every | ALL_PAST, gated=False),
        PolicyVariant(f"{each}{GATE_OFF}", schedule | ALL_PAST, gated=False),
        PolicyVariant(f"every window, {last}{GATE_OFF}", every | newest, gated=False),
    )


def _rule(policy: str) -> dict[str, Any]:
    return {"trigger.policy": policy, "trigger.min_new_rows": 1}
