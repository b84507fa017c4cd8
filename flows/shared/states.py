"""The states that a run ends in: the only place that makes them. Each carries a sentence, which people read first.

`Completed`: what was asked for is done. `Kept champion`: nothing was due, so that the champion serves on. `Refused`:
the gate refused the challenger. `Needs attention`: the run did its work, and a person has something to do; it is not
green.
"""

from collections.abc import Sequence
from typing import Any

from prefect import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

from releve.core.errors import ReleveError
from releve.core.settings import Settings

KEPT = "Kept champion"
REFUSED = "Refused"
ATTENTION = "Needs attention"
FLEET = {"prefect.resource.id": "releve.fleet", "prefect.resource.name": "all scenarios"}


class NeedsAttention(ReleveError):
    """A run that did its work, and found what a person has to look at; `result` is what it would have ended with."""

    code = "needs_attention"
    exit_code = 3

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


def alert_of_fleet(needed: Sequence[str]) -> None:
    """Tell automations what of all scenarios needs a person; of one of them, its own alerts tell."""
    emit_event(
        event="releve.alert.run.needs_attention",
        resource=FLEET,
        payload={"scenario": "", "subject": "run", "state": "needs_attention", "text": "\n".join(needed)},
    )


def completed(message: str, result: Any) -> State[Any]:
    """What was asked for is done."""
    return Completed(message=message, data=result)


def kept_champion(message: str, result: Any) -> State[Any]:
    """Nothing was due."""
    return Completed(name=KEPT, message=message, data=result)


def refused(message: str, result: Any) -> State[Any]:
    """The gate refused the challenger, which is its work."""
    return Completed(name=REFUSED, message=message, data=result)


def ending(settings: Settings, scenario: str, refused_files: Sequence[str], state: State[Any]) -> State[Any]:
    """End in `state`, unless something in the scenario needs a person.

    `refused_files`: sentences about those of this very run.
    """
    return unless_attention(_needs_of_scenario(settings, scenario, refused_files), state)


def _needs_of_scenario(settings: Settings, scenario: str, refused: Sequence[str]) -> list[str]:
    """That nothing serves yet, or that no monitoring run came, is no news to the run that is at work on it."""
    from releve.domain.attention.needs import NeedKind
    from releve.reporting.messages.needs import describe_need
    from tasks.monitoring.needs import needs_of

    passed_over = {NeedKind.NOTHING_SERVES, NeedKind.SILENT, *([NeedKind.REFUSED_FILES] if refused else [])}
    try:
        texts = [describe_need(need) for need in needs_of(settings, scenario) if need.kind not in passed_over]
    except ReleveError as error:
        print(f"what needs a person in {scenario} is not known: {error}")
        return [*refused]
    return [*refused, *(f"{scenario}: {text.sentence}. {text.advice} {text.command}".strip() for text in texts)]


def unless_attention(needed: Sequence[str], state: State[Any]) -> State[Any]:
    """End in `state`, or, where a person is needed (a sentence each), in a state that says so. What the run did stands
    behind these sentences.
    """
    if not needed:
        return state
    message = "\n".join([*needed, *([state.message] if state.message else [])])
    return Failed(name=ATTENTION, message=message, data=NeedsAttention(message, state.data))
