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

from flows.context import resource_of
from releve.core.errors import ReleveError

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


def completed(message: str, result: Any) -> State[Any]:
    """What was asked for is done."""
    return Completed(message=message, data=result)


def kept_champion(message: str, result: Any) -> State[Any]:
    """Nothing was due."""
    return Completed(name=KEPT, message=message, data=result)


def refused(message: str, result: Any) -> State[Any]:
    """The gate refused the challenger, which is its work."""
    return Completed(name=REFUSED, message=message, data=result)


def unless_attention(scenario: str, needed: Sequence[str], state: State[Any], *, is_news: bool = True) -> State[Any]:
    """End in `state`, or, where a person is needed (a sentence each), in a state that says so. What the run did stands
    behind these sentences.

    `scenario`: "" for a run of all. `is_news`: whether automations hear of it.
    """
    if not needed:
        return state
    message = "\n".join([*needed, *([state.message] if state.message else [])])
    if is_news:
        emit_event(
            event="releve.alert.run.needs_attention",
            resource=resource_of(scenario) if scenario else FLEET,
            payload={"scenario": scenario, "subject": "run", "state": "needs_attention", "text": "\n".join(needed)},
        )
    return Failed(name=ATTENTION, message=message, data=NeedsAttention(message, state.data))
