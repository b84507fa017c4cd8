"""Tell people what changed: gather the events, decide on the alerts, send their messages, write down what was sent."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from releve.adapters.git_dvc.committed import read_committed, read_committed_base
from releve.adapters.http.webhook import MessageRefused, WebhookAway, post
from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.alerting.alert_state import AlertState, advance, first_state
from releve.domain.alerting.signals import KINDS
from releve.domain.registry.chain import ALERTED
from releve.reporting.messages.alerts import AlertMessage, write_message

Post = Callable[[AlertMessage], None]


@dataclass(frozen=True)
class AlertDelivery:
    """What was made, what waits for the next time, and what no next time would help."""

    made: tuple[AlertMessage, ...] = ()
    waiting: tuple[AlertMessage, ...] = ()
    away: str = ""  # why they wait
    given_up: tuple[str, ...] = ()  # each message that the receiver refused, and its answer


def alert(
    settings: Settings,
    scenario: str,
    *,
    emit: Callable[[AlertMessage], None] = lambda message: None,
    environ: Mapping[str, str] = os.environ,
    actor: str = "alert",
) -> AlertDelivery:
    """Send what changed since the last time, and what could not be delivered then. `emit` gets each new message too.

    A receiver that is away is no error: its messages wait. What it refuses is given up, and reported. Raises
    RegistryUnavailable, BadInput for wrong params.
    """
    # gather
    registry = Registry(settings.registry_url)
    try:
        params = read_committed(settings, scenario).params.alerts
    except NotFound:  # a scenario that is archived may have no folder any more
        params = read_committed_base(settings).alerts
    earlier = next(registry.newest(scenario, kinds=[ALERTED]), None)
    before = earlier.read(AlertState) if earlier else None
    first = min([before.through, *(each.event for each in before.waiting)]) if before else 1
    events = registry.events(scenario, kinds=KINDS, after=first - 1)

    # decide
    state, new = advance(before or first_state(events), events, params)
    by_number = {event.number: event for event in events}
    messages = {each.id: write_message(each, by_number[each.event], params) for each in state.waiting}
    made = tuple(messages[each.id] for each in new)

    # apply: what is sent is written down afterwards, so that a killed process sends twice rather than never
    for message in made:
        emit(message)
    done = replace(deliver([*messages.values()], _receiver(params.webhook_env, environ)), made=made)
    waiting = {message.id for message in done.waiting}
    after = state.model_copy(update={"waiting": tuple(each for each in state.waiting if each.id in waiting)})
    if made or before is None or before.waiting != after.waiting:
        _record(registry, scenario, after, done, actor=actor)
    return done


def deliver(messages: Sequence[AlertMessage], send: Post) -> AlertDelivery:
    """Send each, oldest first. Once the receiver is away, the others wait; what it refuses is not sent again."""
    given_up: list[str] = []
    for place, message in enumerate(messages):
        try:
            send(message)
        except MessageRefused as error:
            given_up.append(f"{message.text}: {error}")
        except WebhookAway as error:
            return AlertDelivery(waiting=tuple(messages[place:]), away=str(error), given_up=tuple(given_up))
    return AlertDelivery(given_up=tuple(given_up))


def _receiver(variable: str, environ: Mapping[str, str]) -> Post:
    """Where messages go: nowhere without a webhook, then Prefect's events are all there is."""
    if not variable:
        return lambda message: None
    url = environ.get(variable, "").strip()
    if url:
        return lambda message: post(url, message.model_dump(mode="json"))

    def unknown(_: AlertMessage) -> None:
        raise WebhookAway(
            f"alerts.webhook_env is {variable!r}, and no environment variable of that name holds an address; set it "
            "where the worker is started (make down, then make up)"
        )

    return unknown


def _record(registry: Registry, scenario: str, state: AlertState, done: AlertDelivery, *, actor: str) -> None:
    kept = [f"{len(done.waiting)} wait: {done.away}"] if done.waiting else []
    lost = [f"given up: {each}" for each in done.given_up]
    texts = [message.text for message in done.made] or ["nothing to report"]
    reason = "; ".join([*texts, *lost, *kept])
    registry.append(scenario, state, reason=reason, actor=actor)
