"""Messages about what the gate decided and what serves, for logs, histories and the service."""

from collections.abc import Sequence

from releve.domain.registry.chain import CHALLENGED, Event
from releve.domain.registry.events import Challenger

HISTORY = "`releve history {scenario}` has every reason"


def outcome(challenger: Challenger) -> str:
    """Say in a few words what the gate decided."""
    if challenger.promote:
        return "accepted"
    return f"refused, {challenger.champion} stays" if challenger.champion else "refused, so nothing serves yet"


def conclusion(scenario: str, challenger: Challenger, *, released: bool) -> str:
    """Write the last line of a run: what was decided, the first reason, and what to do next."""
    if released:
        return served(scenario, challenger.model)
    decided = f"{challenger.model} {outcome(challenger)}: {challenger.reasons[0]}"
    if challenger.promote:
        return f"{decided}. It waits: make release SCENARIO={scenario}"
    return (
        f"{decided}. {HISTORY.format(scenario=scenario)}. Bring more rows, or write what is to be otherwise into "
        f"scenarios/{scenario}/params.yaml (what the gate asks for: its section gate), commit, and run again: "
        f"make retrain SCENARIO={scenario}"
    )


def served(scenario: str, model: str, *, note: str = "") -> str:
    """Write the last line of a release; `note`: what a person should know besides."""
    return f"{model} serves {scenario}; {f'{note}; ' if note else ''}{HISTORY.format(scenario=scenario)}"


def rolled_back(scenario: str, model: str, left: str, *, note: str = "") -> str:
    """Write the last line of a rollback: what serves, and how to undo it."""
    return (
        f"{model} serves {scenario} again, in the place of {left}; {f'{note}; ' if note else ''}"
        f"make rollback SCENARIO={scenario} once more brings {left} back"
    )


def nothing_serves(scenario: str, events: Sequence[Event]) -> str:
    """Say why no release serves, and what to do; `events` of the scenario, oldest first."""
    start = f"no release of {scenario} is served"
    last = events[-1] if events else None
    if last is None or last.kind != CHALLENGED:
        return f"{start} yet: train and release one (make retrain SCENARIO={scenario})"
    model = last.read(Challenger).model
    if last.read(Challenger).promote:
        return f"{start} yet: {model} was accepted and waits (make release SCENARIO={scenario})"
    return (
        f"{start}: the gate refused the newest challenger, {model} (`releve history {scenario}` says why); "
        f"fix that and run make retrain SCENARIO={scenario}"
    )
