"""The life of a model version: read from its scenario's events, and drawn from the table of transitions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from releve.core.errors import Conflict
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, RELEASED, ROLLED_BACK, WITHDRAWN, Event
from releve.domain.registry.events import Challenger, ModelReleased, release_of
from releve.domain.registry.release import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    REFUSED,
    RETIRED,
    UNEVALUATED,
    check_can_become,
)

Move = tuple[str, str]  # a model's tag, and the state that it takes
STEP_DOWN = {CHAMPION: PREVIOUS, PREVIOUS: RETIRED}  # when another model takes over


@dataclass(frozen=True)
class ModelVersionStatus:
    """The state of a model version."""

    state: str
    since: str  # ISO 8601, UTC
    reason: str  # what brought it there: the gate's reasons, or what was done
    gate: str = ""  # the gate's reasons for this very version

    @property
    def full_reason(self) -> str:
        """The reason, and the gate's where that is another one."""
        return self.reason if self.gate in ("", self.reason) else f"{self.reason}; the gate had said: {self.gate}"


def model_version_statuses(events: Iterable[Event]) -> dict[str, ModelVersionStatus]:
    """Map model tags to their status, in the order of the first challenges.

    `events`: of ONE scenario, oldest first. Raises Conflict, naming the event that makes a move which is not allowed.
    """
    statuses: dict[str, ModelVersionStatus] = {}
    for event in events:
        states = {model: status.state for model, status in statuses.items()}
        champion = next((model for model, state in states.items() if state == CHAMPION), "nothing")
        moves = MOVES_OF[event.kind](event, states) if event.kind in MOVES_OF else []
        for model, state in moves:
            try:
                check_can_become(statuses[model].state if model in statuses else UNEVALUATED, state)
            except Conflict as error:
                raise Conflict(
                    f"event {event.number} of {event.scenario!r} ({event.kind}) moves {model}: {error}"
                ) from None
            statuses[model] = _status(event, state, statuses.get(model), champion=champion)
    return statuses


def _moves_of_challenge(event: Event, states: Mapping[str, str]) -> list[Move]:
    challenger = event.read(Challenger)
    model, state = challenger.model, states.get(challenger.model, UNEVALUATED)
    if state in STEP_DOWN:
        return []  # judged once more, it keeps its place in service
    moves = [] if state == CHALLENGER else [(model, CHALLENGER)]
    return moves if challenger.promote else [*moves, (model, REFUSED)]


def _takes_over(event: Event, states: Mapping[str, str]) -> list[Move]:
    model = event.read(ModelReleased).release.model
    if states.get(model) == CHAMPION:
        return []
    others = [(other, STEP_DOWN[state]) for other, state in states.items() if state in STEP_DOWN and other != model]
    return [(model, CHAMPION), *others]


MOVES_OF: dict[str, Callable[[Event, Mapping[str, str]], list[Move]]] = {
    CHALLENGED: _moves_of_challenge,
    RELEASED: _takes_over,
    ROLLED_BACK: _takes_over,
    WITHDRAWN: lambda _, states: [(model, RETIRED) for model, state in states.items() if state in STEP_DOWN],
    # a challenger that still waited cannot be released any more
    ARCHIVED: lambda _, states: [(model, REFUSED) for model, state in states.items() if state == CHALLENGER],
}


def _status(event: Event, state: str, before: ModelVersionStatus | None, *, champion: str) -> ModelVersionStatus:
    """Return the status that an event brings; every version's first one comes of a challenge.

    `champion`: what served before the event.
    """
    if event.kind == CHALLENGED or before is None:
        reasons = "; ".join(event.read(Challenger).sentences)
        return ModelVersionStatus(state, event.at, reasons, reasons)
    release = release_of(event)
    reason = REASONS[event.kind, state].format(
        why=event.reason, model=release.model if release else "", champion=champion
    )
    reason = reason.removesuffix(": ")
    if (before.state, state) == (PREVIOUS, RETIRED):
        reason = f"{before.reason}; {reason}"
    return ModelVersionStatus(state, event.at, reason, before.gate)


REASONS = {  # what an event means for a version that takes this state: a successor's gain is not its own
    (RELEASED, CHAMPION): "{why}",
    (RELEASED, PREVIOUS): "replaced by {model}",
    (RELEASED, RETIRED): "retired when {model} was released",
    (ROLLED_BACK, CHAMPION): "brought back by a rollback from {champion}: {why}",
    (ROLLED_BACK, PREVIOUS): "rolled back to {model}: {why}",
    (ROLLED_BACK, RETIRED): "retired when {model} was brought back",
    (WITHDRAWN, RETIRED): "withdrawn: {why}",
    (ARCHIVED, REFUSED): "the scenario was started over: {why}",
}


def mermaid(transitions: Mapping[str, Sequence[str]]) -> str:
    """A mermaid state diagram. The first state is where a life begins; a state without a next one is final."""
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{state}" as {_id(state)}' for state in transitions if _id(state) != state]
    lines += [f"    [*] --> {_id(state)}" for state in list(transitions)[:1]]
    for state, next_states in transitions.items():
        lines += [f"    {_id(state)} --> {_id(next_state)}" for next_state in next_states or ["[*]"]]
    return "\n".join(lines)


def _id(state: str) -> str:
    return state.replace(" ", "_")
