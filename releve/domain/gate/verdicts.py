"""What the gate decided, in the words of a person who has to act on it: for logs, histories and the service."""

from collections.abc import Sequence

from releve.domain.registry.chain import CHALLENGED, Event
from releve.domain.registry.events import Challenger

NOTE = "note: "  # begins a sentence that is worth knowing and decided nothing
HISTORY = "`releve history {scenario}` has every reason"


def is_note(sentence: str) -> bool:
    """Whether it is worth knowing, and nothing that the gate decided by."""
    return sentence.startswith(NOTE)


def main_reason(challenge: Challenger) -> str:
    """The first of what the gate decided by; `challenge`: the payload of its event."""
    return next((str(reason) for reason in challenge.reasons if not is_note(reason)), "no reason was written down")


def verdict(challenge: Challenger) -> str:
    """One of three things."""
    if challenge.promote:
        return "accepted"
    return f"refused, {challenge.champion} stays" if challenge.champion else "refused, so nothing serves yet"


def told(challenge: Challenger) -> str:
    """Which model, what became of it, and the main reason."""
    return f"{challenge.model} {verdict(challenge)}: {main_reason(challenge)}"


def conclusion(scenario: str, challenge: Challenger, *, released: bool) -> str:
    """The last line of a run: what happened, and what to do next."""
    if released:
        return served(scenario, challenge.model)
    if challenge.promote:
        return f"{told(challenge)}. It waits: make release SCENARIO={scenario}"
    return f"{told(challenge)}. {remedy(scenario)}"


def served(scenario: str, model: str, *, note: str = "") -> str:
    """The last line of a release; `note`: what a person should know besides."""
    return f"{model} serves {scenario}; {_noted(note)}{HISTORY.format(scenario=scenario)}"


def rolled_back(scenario: str, model: str, left: str, *, note: str = "") -> str:
    """The last line of a rollback: what serves, and how to undo it."""
    return (
        f"{model} serves {scenario} again, in the place of {left}; {_noted(note)}"
        f"make rollback SCENARIO={scenario} once more brings {left} back"
    )


def _noted(note: str) -> str:
    return f"{note}; " if note else ""


def remedy(scenario: str) -> str:
    """What a person can do about a refusal."""
    return (
        f"{HISTORY.format(scenario=scenario)}. Bring more rows, or write what is to be otherwise into "
        f"scenarios/{scenario}/params.yaml (what the gate asks for: its section gate), commit, and run again: "
        f"make retrain SCENARIO={scenario}"
    )


def nothing_serves(scenario: str, events: Sequence[Event]) -> str:
    """Why no release serves, and what to do; `events` of the scenario, oldest first."""
    start = f"no release of {scenario} is served"
    last = events[-1] if events else None
    if last is None or last.kind != CHALLENGED:
        return f"{start} yet: train and release one (make retrain SCENARIO={scenario})"
    model = last.read(Challenger).model
    if last.read(Challenger).promote:
        return f"{start} yet: {model} was accepted and waits (make release SCENARIO={scenario})"
    return (
        f"{start}: the gate refused the newest challenger, {model} (`releve history {scenario}` says why); "
        f"mend that and run make retrain SCENARIO={scenario}"
    )
