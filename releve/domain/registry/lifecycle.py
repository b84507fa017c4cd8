"""The life of a model version, read from the events of its scenario."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from releve.core.errors import Conflict
from releve.domain.registry.chain import (
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_VOIDED,
    ARCHIVED,
    CHALLENGED,
    RELEASED,
    ROLLED_BACK,
    WITHDRAWN,
    Event,
)
from releve.domain.registry.events import Challenger, release_of
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
class StatusChange:
    """Why a model version left or reached a place in service: the event, and the models that it concerned."""

    kind: str  # of the event
    state: str  # that the version took
    reason: str  # the event's; of a release empty where the gate's decision is the reason
    model: str  # that the event put into service, "" for none
    left: str  # the champion before the event, "" for none
    by: str = ""  # the event's actor


@dataclass(frozen=True)
class ModelVersionStatus:
    """The state of a model version; `reporting.gate_messages` puts the reasons into words."""

    state: str
    since: str  # ISO 8601, UTC
    challenger: Challenger  # as the gate judged it last
    changes: tuple[StatusChange, ...] = ()  # what brought it to its state; empty where the gate alone did


def model_version_statuses(events: Iterable[Event]) -> dict[str, ModelVersionStatus]:
    """Map model tags to their status, in the order of the first challenges.

    `events`: of ONE scenario, oldest first. Raises Conflict, naming the event that makes a move which is not allowed.
    """
    statuses: dict[str, ModelVersionStatus] = {}
    states: dict[str, str] = {}  # of `statuses`, kept beside them: read anew for each event, it would be all models
    for event in events:
        champion = next((model for model in reversed(states) if states[model] == CHAMPION), "")
        moves = MOVES_OF[event.kind](event, states) if event.kind in MOVES_OF else []
        if event.kind == RELEASED and moves and _may_come_back(statuses.get(moves[0][0])):
            moves = [(moves[0][0], CHALLENGER), *moves]
        for model, state in moves:
            try:
                check_can_become(statuses[model].state if model in statuses else UNEVALUATED, state)
            except Conflict as error:
                raise Conflict(
                    f"event {event.number} of {event.scenario!r} ({event.kind}) moves {model}: {error}"
                ) from None
            statuses[model] = _status(event, state, statuses.get(model), champion=champion)
            states[model] = state
    return statuses


def taken_back(moves: Iterable[Event]) -> dict[str, Event]:
    """Map each model that a rollback took out of service, and that nothing put back since, to that rollback.

    `moves`: of ONE scenario, oldest first. A rollback to a release of after the one that it replaces undoes another
    rollback, and takes nothing back.
    """
    taken: dict[str, Event] = {}
    released: dict[str, int] = {}  # place of each model's newest release among the moves
    serving = ""
    for place, event in enumerate(moves):
        release = release_of(event)
        model = release.model if release else ""
        if event.kind == RELEASED:
            released[model] = place
        elif event.kind == ROLLED_BACK and released.get(model, -1) < released.get(serving, -1):
            taken[serving] = event
        taken.pop(model, None)
        serving = model
    return taken


def since_withdrawn(moves: Sequence[Event]) -> Sequence[Event]:
    """Return the moves after the newest withdrawal: no rollback reaches past it, and nothing before it counts."""
    withdrawals = [place for place, event in enumerate(moves) if event.kind == WITHDRAWN]
    return moves[withdrawals[-1] + 1 :] if withdrawals else moves


def _moves_of_challenge(event: Event, states: Mapping[str, str]) -> list[Move]:
    challenger = event.read(Challenger)
    model, state = challenger.model, states.get(challenger.model, UNEVALUATED)
    if state in STEP_DOWN:
        return []  # judged once more, it keeps its place in service
    moves = [] if state == CHALLENGER else [(model, CHALLENGER)]
    return moves if challenger.promote else [*moves, (model, REFUSED)]


def _takes_over(event: Event, states: Mapping[str, str]) -> list[Move]:
    release = release_of(event)
    model = release.model if release else ""
    if states.get(model) == CHAMPION:
        return []
    others = [(other, STEP_DOWN[state]) for other, state in states.items() if state in STEP_DOWN and other != model]
    return [(model, CHAMPION), *others]


def _may_come_back(status: ModelVersionStatus | None) -> bool:
    """Whether it was refused by no gate: live labels showed a gain that the gate had not found, or nobody has to
    approve it any more."""
    refused = status is not None and status.state == REFUSED
    return status is not None and refused and (status.challenger.promote or status.challenger.inconclusive)


def _asks(event: Event, states: Mapping[str, str]) -> list[Move]:
    """People are asked, also once more after a request that nobody answered, or for what live labels showed."""
    model = _asked_for(event)
    return [(model, CHALLENGER)] if states.get(model) == REFUSED else []


def _ends_request(event: Event, states: Mapping[str, str]) -> list[Move]:
    model = _asked_for(event)
    return [(model, REFUSED)] if states.get(model) == CHALLENGER else []


def _asked_for(event: Event) -> str:
    """Return the model of an event of `domain.approval`, which stands above this subject."""
    return str(event.payload["subject"]["model"])


MOVES_OF: dict[str, Callable[[Event, Mapping[str, str]], list[Move]]] = {
    CHALLENGED: _moves_of_challenge,
    APPROVAL_REQUESTED: _asks,
    APPROVAL_REFUSED: _ends_request,
    APPROVAL_VOIDED: _ends_request,
    APPROVAL_EXPIRED: _ends_request,
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
        return ModelVersionStatus(state, event.at, event.read(Challenger))
    release = release_of(event)
    change = StatusChange(event.kind, state, event.reason, release.model if release else "", champion, event.actor)
    earlier = before.changes if (before.state, state) == (PREVIOUS, RETIRED) else ()
    return ModelVersionStatus(state, event.at, before.challenger, (*earlier, change))
