"""What a guard does: the arms end, and the registry knows why."""

import logging

from releve.adapters.registry.registry import Registry, StaleArms
from releve.domain.arms.arms import ArmsEnded, ArmsOutcome, FiredGuard, RunningArms
from releve.reporting.messages.arms import describe_guard

ACTOR = "guard"
log = logging.getLogger("releve.serving")


def end_by_guard(registry: Registry, scenario: str, running: RunningArms, guard: FiredGuard) -> None:
    """End the arms, unless somebody did so first. Raises RegistryUnavailable."""
    started, reason = running.started, describe_guard(guard)
    ended = ArmsEnded(
        outcome=ArmsOutcome.GUARD, champion=started.champion, challenger=started.challenger.model, guard=guard
    )
    try:
        registry.end_arms(scenario, ended, expected=running.number, reason=reason, actor=ACTOR)
        log.warning("%s of %s takes part no more: %s", started.challenger.model, scenario, reason)
    except StaleArms:  # another process was first, or a person
        return
