"""Tell people what changed: gather the events, decide on the messages, send them, write down what was sent."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from releve.adapters.git_dvc.committed import read_committed, read_committed_base
from releve.adapters.http.webhook import MessageRefused, WebhookAway, post
from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.params import Alerts
from releve.core.settings import Settings
from releve.domain.alerting.alerts import Book, Message, first_book, look_through, read_book, told
from releve.domain.alerting.signals import KINDS
from releve.domain.registry.chain import ALERTED

Post = Callable[[Message], None]


@dataclass(frozen=True)
class AlertDelivery:
    """What was made, what waits for the next time, and what no next time would help."""

    made: tuple[Message, ...] = ()
    waiting: tuple[Message, ...] = ()
    away: str = ""  # why they wait
    given_up: tuple[str, ...] = ()  # each message that the receiver refused, and its answer


def alert(
    settings: Settings,
    scenario: str,
    *,
    emit: Callable[[Message], None] = lambda message: None,
    environ: Mapping[str, str] = os.environ,
    actor: str = "alert",
) -> AlertDelivery:
    """Send what changed since the last time, and what could not be delivered then. `emit` gets each new message too.

    A receiver that is away is no error: its messages wait. What it refuses is given up, and told. Raises
    RegistryUnavailable, BadInput for wrong params.
    """
    # gather
    registry, params = Registry(settings.registry_url), _params(settings, scenario)
    events, books = registry.events(scenario, kinds=KINDS), registry.events(scenario, kinds=[ALERTED])
    before = read_book(books[-1].payload) if books else None

    # decide
    book, made = look_through(before or first_book(events), events, params)

    # apply: what is sent is written down afterwards, so that a killed process sends twice rather than never
    for message in made:
        emit(message)
    done = replace(deliver(book.waiting, _receiver(params.webhook_env, environ)), made=made)
    if made or before is None or before.waiting != done.waiting:
        _record(registry, scenario, replace(book, waiting=done.waiting), done, actor=actor)
    return done


def _params(settings: Settings, scenario: str) -> Alerts:
    """A scenario that is archived may have no folder any more: then params.yaml alone says where messages go."""
    try:
        return read_committed(settings, scenario).params.alerts
    except NotFound:
        return read_committed_base(settings).alerts


def deliver(messages: Sequence[Message], send: Post) -> AlertDelivery:
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


def as_json(message: Message) -> dict[str, Any]:
    """What the webhook gets; chats show `text`, programs tell two deliveries of one message by `id`."""
    return {"format": 1, **asdict(message)}


def _receiver(variable: str, environ: Mapping[str, str]) -> Post:
    """Where messages go: nowhere without a webhook, then Prefect's events are all there is."""
    if not variable:
        return lambda message: None
    url = environ.get(variable, "").strip()
    if url:
        return lambda message: post(url, as_json(message))

    def unknown(_: Message) -> None:
        raise WebhookAway(
            f"alerts.webhook_env is {variable!r}, and no environment variable of that name holds an address; set it "
            "where the worker is started (make down, then make up)"
        )

    return unknown


def _record(registry: Registry, scenario: str, book: Book, done: AlertDelivery, *, actor: str) -> None:
    kept = [f"{len(done.waiting)} wait: {done.away}"] if done.waiting else []
    lost = [f"given up: {each}" for each in done.given_up]
    reason = "; ".join([told(done.made), *lost, *kept])
    registry.append(scenario, ALERTED, reason=reason, actor=actor, payload=book.as_json())
