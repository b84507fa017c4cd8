"""The registry: which release serves, since when, by whom and why. SQLite by default, PostgreSQL by URL.

Events are append-only, one hash chain per scenario (`releve.domain.registry.chain`). A pointer per scenario says which
event put its current release there; it is moved by compare-and-swap, in the transaction that writes the event. So is
the pointer to the arms that run, which every move of the release takes away.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, takewhile
from typing import Any

import sqlalchemy as sa

from releve.adapters.registry.database import (
    ARMS,
    EVENTS,
    PAYLOAD,
    POINTERS,
    DatabaseFile,
    RegistryUnavailable,
    empty_log,
    explained,
    open_engine,
    parse_url,
)
from releve.core.errors import BadInput, Conflict
from releve.core.names import check_scenario_name
from releve.domain.arms.arms import ArmsEnded, ArmsOutcome, ArmsStarted, RunningArms, running_arms
from releve.domain.registry.chain import (
    ARM_CHANGES,
    ARMS_ENDED,
    GENESIS,
    INDEX_MOVED,
    MOVES,
    POINTER_MOVES,
    ROLLED_BACK,
    WITHDRAWN,
    Event,
    EventLine,
    EventPayload,
    arms_start,
    canonical_json,
    event_hash,
    first_break,
    serving_move,
)
from releve.domain.registry.events import IndexMoved, ModelReleased, ModelWithdrawn, release_of
from releve.domain.registry.release import Release

__all__ = ["ChainBroken", "Current", "Registry", "RegistryUnavailable", "StaleArms", "StaleEvents", "StaleRelease"]

PAGE_EVENTS = 16  # that are read at once, where mostly the newest is wanted
ATTEMPTS = 100  # to take the next number; each one lost means that somebody else's event was written


class StaleRelease(Conflict):
    """The release moved since the caller read it."""

    code = "stale_release"


class StaleArms(Conflict):
    """The arms changed since the caller read them."""

    code = "stale_arms"


class StaleEvents(Conflict):
    """Something was written since the caller read the events that it decided by."""

    code = "stale_events"


class ChainBroken(Conflict):
    """The history does not fit together: the database was changed by something else than the registry."""

    code = "chain_broken"


@dataclass(frozen=True)
class Current:
    """What serves, and the event that put it there."""

    release: Release
    number: int
    since: str  # ISO 8601, UTC: when its model went into service


@dataclass(frozen=True)
class _Opened:
    """The connections of one process, and the file that they lead to."""

    engine: sa.Engine
    file: DatabaseFile | None


class Registry:
    """Opens, and makes its tables, at the first call. Many threads and processes may use it at once, also after a fork.

    A file that takes the place of the one it opened, such as a restored backup, is opened at the next call.

    Every method raises RegistryUnavailable when the database cannot be used.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`url`: as SQLAlchemy spells it. Raises BadInput when it is not one."""
        self._url = parse_url(url)
        self._clock = clock
        self._opened: dict[int, _Opened] = {}  # by process id: a database connection must not cross a fork

    def append(self, scenario: str, payload: EventPayload, *, reason: str, actor: str) -> Event:
        """Write one event that moves nothing. Raises BadInput for what JSON cannot hold, and for a kind that moves."""
        _check_moves_nothing(payload)
        return self._write(scenario, payload, reason=reason, actor=actor)

    def append_unless(
        self, scenario: str, payload: EventPayload, *, kinds: Sequence[str], after: int, reason: str, actor: str
    ) -> Event:
        """Write an event like `append`, unless one of `kinds` was written after event `after`: compare and swap.

        Raises StaleEvents then, and nothing is written.
        """
        _check_moves_nothing(payload)
        return self._write(
            scenario,
            payload,
            reason=reason,
            actor=actor,
            swap=lambda connection, _: _check_newest(connection, scenario, kinds, after),
        )

    def move(
        self,
        scenario: str,
        payload: ModelReleased | IndexMoved | ModelWithdrawn,
        *,
        expected: int | None,
        reason: str,
        actor: str,
        kinds: Sequence[str] = (),
        after: int = 0,
    ) -> Event:
        """Put a release in service, or withdraw the current one, unless somebody moved it meanwhile.

        `expected` is `current(scenario).number` as the caller saw it, None for "no release". Raises StaleRelease when
        another release serves now, and StaleEvents when one of `kinds` was written after event `after`; then nothing
        is written. Arms that run end, unless its index moves alone.
        """
        if isinstance(payload, ModelReleased | IndexMoved) and payload.release.scenario != scenario:
            release = payload.release
            raise BadInput(f"{release.model} is a release of {release.scenario!r}, it cannot serve {scenario!r}")

        def swap(connection: sa.Connection, number: int) -> None:
            _swap(connection, scenario, payload, expected, number)
            if kinds:
                _check_newest(connection, scenario, kinds, after)

        return self._write(scenario, payload, reason=reason, actor=actor, swap=swap)

    def start_arms(
        self, scenario: str, payload: ArmsStarted, *, expected: int | None, reason: str, actor: str
    ) -> Event:
        """Have a challenger take part in live traffic, or change how it does, in the place of what ran.

        `expected` is the number of `arms(scenario)` as the caller saw it, None for no arms. Raises StaleArms when
        others run now, and StaleRelease when the champion serves no more; then nothing is written.
        """
        if payload.challenger.scenario != scenario:
            raise BadInput(f"{payload.challenger.model} is of {payload.challenger.scenario!r}, not of {scenario!r}")
        return self._write(
            scenario,
            payload,
            reason=reason,
            actor=actor,
            swap=lambda connection, number: _start_arms(connection, scenario, payload, expected, number),
        )

    def end_arms(self, scenario: str, payload: ArmsEnded, *, expected: int, reason: str, actor: str) -> Event:
        """End the arms that `expected` started. Raises StaleArms when they run no more; then nothing is written.

        Of a challenger that was promoted the release has ended them before: then this only tells why, once.
        """
        return self._write(
            scenario,
            payload,
            reason=reason,
            actor=actor,
            swap=lambda connection, _: _end_arms(connection, scenario, payload, expected),
        )

    def arms(self, scenario: str) -> RunningArms | None:
        """Which challenger takes part in live traffic, and how; None without one."""
        return running_arms(self.newest(scenario, kinds=(*ARM_CHANGES, *MOVES)))

    def arm_pointers(self) -> dict[str, int]:
        """Scenario -> number of the event that started its arms, of all that have some: one small SELECT."""
        with self._reading() as connection:
            return dict(connection.execute(_ARM_POINTERS).tuples().all())

    def current(self, scenario: str) -> Current | None:
        """What serves now: one SELECT by primary key, cheap enough to ask twice a second."""
        with self._reading() as connection:
            row = connection.execute(_CURRENT, {"scenario": scenario}).first()
        return _current(row)

    def pointers(self) -> dict[str, int]:
        """Scenario -> number of the event that put its release there, of all that have one: one small SELECT."""
        with self._reading() as connection:
            return dict(connection.execute(_POINTERS).tuples().all())

    def previous(self, scenario: str) -> Release | None:
        """What a rollback returns to: the other model that served last, with the index that it had then. Rolling back
        twice ends where it began.

        None when no release serves now, or when none did between the last withdrawal and the current one.
        """
        served = [release_of(move) for move in takewhile(lambda move: move.kind != WITHDRAWN, self._moves(scenario))]
        return next((each for each in served if each and served[0] and each.model != served[0].model), None)

    def previous_index(self, scenario: str) -> Release | None:
        """What a rollback of the index returns to: the current release with the other version that it had last."""
        served = [release for move in self._moves(scenario) if (release := release_of(move))]
        same = takewhile(lambda each: (each.model, each.index) == (served[0].model, served[0].index), served)
        return next((each for each in same if each.index_version != served[0].index_version), None)

    def taken_back(self, scenario: str) -> Release | None:
        """What was taken out of service by the rollback that the current release came back with; None without one."""
        newest = next((move for move in self._moves(scenario) if move.kind in MOVES), None)
        return self.previous(scenario) if newest and newest.kind == ROLLED_BACK else None

    def at(self, scenario: str, when: datetime) -> Current | None:
        """What served at `when`, by the clocks of those who moved it. Raises BadInput for a time without a zone."""
        with self._reading() as connection:
            row = connection.execute(_LAST_MOVE_UNTIL, {"scenario": scenario, "until": _stamp(when)}).first()
        return _current(row)

    def events(self, scenario: str | None = None, *, kinds: Sequence[str] | None = None, after: int = 0) -> list[Event]:
        """Of one scenario or of all, oldest first; those with a number above `after`."""
        query = sa.select(EVENTS).where(EVENTS.c.number > after)
        if scenario is None:
            query = query.order_by(EVENTS.c.at, EVENTS.c.scenario, EVENTS.c.number)
        else:
            query = query.where(EVENTS.c.scenario == scenario).order_by(EVENTS.c.number)
        if kinds is not None:
            query = query.where(EVENTS.c.kind.in_(kinds))
        with self._reading() as connection:
            return [_event(row) for row in connection.execute(query)]

    def newest(self, scenario: str, *, kinds: Sequence[str]) -> Iterator[Event]:
        """Read events of a scenario, the newest first, a page at a time: who stops early has not read the others."""
        matching = sa.select(EVENTS).where(EVENTS.c.scenario == scenario, EVENTS.c.kind.in_(kinds))
        query = matching.order_by(EVENTS.c.number.desc()).limit(PAGE_EVENTS)
        page: list[Event] = []
        while True:
            with self._reading() as connection:
                older = query.where(EVENTS.c.number < page[-1].number) if page else query
                page = [_event(row) for row in connection.execute(older)]
            if not page:
                return
            yield from page

    def newest_of_each(self, scenario: str, *, kinds: Sequence[str]) -> list[Event]:
        """Read the newest event of each of these kinds that the scenario has, oldest first."""
        with self._reading() as connection:
            return [_event(row) for row in connection.execute(_NEWEST_OF_EACH, {"scenario": scenario, "kinds": kinds})]

    def lines(self, scenario: str, *, kinds: Sequence[str], since: datetime) -> list[EventLine]:
        """Read a few figures of a scenario's events since a moment, oldest first.

        The database takes them out of the payloads: these are large, and there may be many.
        """
        asked = {"scenario": scenario, "kinds": kinds, "since": _stamp(since)}
        with self._reading() as connection:
            return [EventLine(*row) for row in connection.execute(_LINES, asked)]

    def tails(self) -> dict[str, int]:
        """Scenario -> number of its newest event, of all that have one: one small SELECT, which reads an index."""
        with self._reading() as connection:
            return dict(connection.execute(_TAILS).tuples().all())

    def scenarios(self) -> list[str]:
        """Those that have events, sorted."""
        with self._reading() as connection:
            return sorted(connection.scalars(sa.select(EVENTS.c.scenario).distinct()))

    def verify(self, scenario: str | None = None) -> int:
        """Check every hash, and that each pointer stands at its last move. Returns how many events were checked.

        Raises ChainBroken for the first that is wrong. Blind to events cut off the end, unless a move was among them.
        """
        events, pointers = _EVENTS_WITH_POINTER, _POINTERS_WITHOUT_EVENTS
        if scenario is not None:
            events, pointers = (
                events.where(EVENTS.c.scenario == scenario),
                pointers.where(_POINTER_ROW.scenario == scenario),
            )
        with self._reading() as connection:
            rows = connection.execute(events).all()
            orphan = connection.scalars(pointers).first()
        if orphan is not None:
            raise ChainBroken(f"{orphan!r} has a current release in the registry, but no events: they were deleted")
        for name, chain in groupby(rows, key=lambda row: str(row.scenario)):
            _check_chain(name, list(chain))
        return len(rows)

    def restore(self, histories: Mapping[str, Sequence[Event]]) -> None:
        """Write whole histories of scenarios, as `events` gave them, with the pointers that follow from them: all of
        them or none. One that is there already, with or without newer events, stays as it is.

        Raises Conflict where a scenario has another history, ChainBroken for one that does not hold.
        """
        for scenario, events in histories.items():
            check_scenario_name(scenario)
            if broken := first_break(events):
                raise ChainBroken(f"event {broken.number} of {scenario!r} {broken.problem}")
        try:
            with self._writing() as connection:
                for scenario, events in histories.items():
                    hashes = connection.scalars(_HASHES, {"scenario": scenario}).all()
                    if not hashes and events:
                        _insert(connection, scenario, events)
                    elif [event.hash for event in events] != list(hashes[: len(events)]):
                        raise Conflict(f"the registry has another history of {scenario!r}: restore into an empty one")
        except sa.exc.IntegrityError:
            raise Conflict("another process wrote to the registry: restore into one that nobody uses") from None

    def close(self) -> None:
        """Let go of this process's database connections; the next call opens new ones."""
        opened = self._opened.pop(os.getpid(), None)
        if opened is not None:
            opened.engine.dispose()

    def _moves(self, scenario: str) -> list[Event]:
        """Read what moved the release up to the current one, newest first; nothing where none serves."""
        with self._reading() as connection:
            return [_event(row) for row in connection.execute(_MOVES_UP_TO_CURRENT, {"scenario": scenario})]

    def _write(
        self,
        scenario: str,
        payload: EventPayload,
        *,
        reason: str,
        actor: str,
        swap: Callable[[sa.Connection, int], None] = lambda connection, number: None,
    ) -> Event:
        """Add an event after the tail of its chain; once more whenever another writer took that place first."""
        if "\0" in actor + reason:
            raise BadInput("an event's actor and reason cannot hold the character NUL")
        text = canonical_json(payload.model_dump(mode="json"))
        fields = {"scenario": check_scenario_name(scenario), "kind": payload.kind, "actor": actor, "reason": reason}
        for _ in range(ATTEMPTS):
            try:
                with self._writing() as connection:
                    tail = connection.execute(_TAIL, {"scenario": scenario}).first()
                    number = tail.number + 1 if tail else 1
                    place = {
                        "number": number,
                        "at": _stamp(self._clock()),
                        "previous_hash": tail.hash if tail else GENESIS,
                    }
                    event = {**fields, **place, "payload": json.loads(text)}
                    event["hash"] = event_hash(event)
                    swap(connection, number)
                    connection.execute(EVENTS.insert().values({**event, "payload": text}))
                return Event(**event)
            except sa.exc.IntegrityError:
                continue
        raise RegistryUnavailable(
            f"{ATTEMPTS} other events of {scenario!r} came first and this one was not written: try again"
        )

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """No transaction over several statements: each sees one moment, and is written so that this is enough."""
        with explained(self._url), self._engine().connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with explained(self._url):
            engine = self._engine()
            with engine.execution_options(writes=True).begin() as connection:
                yield connection
            empty_log(engine)

    def _engine(self) -> sa.Engine:
        opened = self._opened.get(os.getpid())
        if opened is not None and opened.file is not None and not opened.file.is_in_place(self._url):
            self.close()
            opened.file.clear_remains()
            opened = None
        return (opened or self._open()).engine

    def _open(self) -> _Opened:
        """Without a lock, which a fork could leave locked for ever: of two threads here, the later one's goes."""
        engine = open_engine(self._url)
        opened = _Opened(engine, DatabaseFile.of(self._url))
        kept = self._opened.setdefault(os.getpid(), opened)
        if kept is not opened:
            engine.dispose()
        return kept


_EVENT_ROW, _POINTER_ROW, _ARMS_ROW = EVENTS.c, POINTERS.c, ARMS.c
_SCENARIO: sa.BindParameter[str] = sa.bindparam("scenario")

_TAIL = (
    sa.select(_EVENT_ROW.number, _EVENT_ROW.hash)
    .where(_EVENT_ROW.scenario == _SCENARIO)
    .order_by(_EVENT_ROW.number.desc())
    .limit(1)
)
_HASHES = sa.select(_EVENT_ROW.hash).where(_EVENT_ROW.scenario == _SCENARIO).order_by(_EVENT_ROW.number)
_TAILS = sa.select(_EVENT_ROW.scenario, sa.func.max(_EVENT_ROW.number).label("number")).group_by(_EVENT_ROW.scenario)
_POINTERS = sa.select(_POINTER_ROW.scenario, _POINTER_ROW.number)
_ARM_POINTERS = sa.select(_ARMS_ROW.scenario, _ARMS_ROW.number)
_ARM_POINTER = sa.select(_ARMS_ROW.number).where(_ARMS_ROW.scenario == _SCENARIO)
_DELETE_ARMS = ARMS.delete().where(_ARMS_ROW.scenario == _SCENARIO)
_POINTER = sa.select(_POINTER_ROW.number).where(_POINTER_ROW.scenario == _SCENARIO)
_CURRENT = (
    sa.select(EVENTS)
    .join(POINTERS, (_EVENT_ROW.scenario == _POINTER_ROW.scenario) & (_EVENT_ROW.number == _POINTER_ROW.number))
    .where(_POINTER_ROW.scenario == _SCENARIO)
)
_MOVES_UP_TO_CURRENT = (  # newest first
    sa.select(EVENTS)
    .join(POINTERS, (_EVENT_ROW.scenario == _POINTER_ROW.scenario) & (_EVENT_ROW.number <= _POINTER_ROW.number))
    .where(_POINTER_ROW.scenario == _SCENARIO, _EVENT_ROW.kind.in_(POINTER_MOVES))
    .order_by(_EVENT_ROW.number.desc())
)
_LAST_MOVE_UNTIL = (
    sa.select(EVENTS)
    .where(_EVENT_ROW.scenario == _SCENARIO, _EVENT_ROW.kind.in_(POINTER_MOVES), _EVENT_ROW.at <= sa.bindparam("until"))
    .order_by(_EVENT_ROW.number.desc())
    .limit(1)
)
_OF_KINDS = (_EVENT_ROW.scenario == _SCENARIO) & _EVENT_ROW.kind.in_(sa.bindparam("kinds", expanding=True))
_NEWEST_OF_EACH = (
    sa.select(EVENTS)
    .where(_EVENT_ROW.scenario == _SCENARIO)
    .where(_EVENT_ROW.number.in_(sa.select(sa.func.max(_EVENT_ROW.number)).where(_OF_KINDS).group_by(_EVENT_ROW.kind)))
    .order_by(_EVENT_ROW.number)
)
_PAYLOAD = sa.type_coerce(sa.cast(_EVENT_ROW.payload, PAYLOAD), sa.JSON)
_LINES = (
    sa.select(
        *(_EVENT_ROW.number, _EVENT_ROW.at, _EVENT_ROW.kind),
        sa.func.coalesce(_PAYLOAD["model"].as_string(), _PAYLOAD[("release", "model")].as_string(), ""),
        sa.func.coalesce(_PAYLOAD["cpu_seconds"].as_float(), 0.0),
        sa.func.coalesce(_PAYLOAD["arrived"].as_string(), ""),
    )
    .where(_OF_KINDS, _EVENT_ROW.at >= sa.bindparam("since"))
    .order_by(_EVENT_ROW.number)
)
_EVENTS_WITH_POINTER = (
    sa.select(EVENTS, _POINTER_ROW.number.label("pointer"), _ARMS_ROW.number.label("arms"))
    .join(POINTERS, _EVENT_ROW.scenario == _POINTER_ROW.scenario, isouter=True)
    .join(ARMS, _EVENT_ROW.scenario == _ARMS_ROW.scenario, isouter=True)
    .order_by(_EVENT_ROW.scenario, _EVENT_ROW.number)
)
_POINTERS_WITHOUT_EVENTS = sa.select(_POINTER_ROW.scenario).where(
    _POINTER_ROW.scenario.not_in(sa.select(_EVENT_ROW.scenario))
)


def _insert(connection: sa.Connection, scenario: str, events: Sequence[Event]) -> None:
    """Write a history where there is none, and its pointers."""
    rows = [{**event.as_dict(), "payload": canonical_json(event.payload)} for event in events]
    connection.execute(EVENTS.insert(), rows)
    for table, event in ((POINTERS, serving_move(events)), (ARMS, arms_start(events))):
        if event:
            connection.execute(table.insert().values(scenario=scenario, number=event.number))


def _check_moves_nothing(payload: EventPayload) -> None:
    if payload.kind in POINTER_MOVES:
        raise BadInput(f"a {payload.kind!r} event moves the release: write it with `move`, not with `append`")
    if payload.kind in ARM_CHANGES:
        raise BadInput(f"a {payload.kind!r} event changes arms: write it with `start_arms` or `end_arms`")


def _check_newest(connection: sa.Connection, scenario: str, kinds: Sequence[str], after: int) -> None:
    """An event that is written at the same moment takes the same number in the chain: one of both begins anew."""
    newer = (_EVENT_ROW.scenario == scenario) & (_EVENT_ROW.number > after) & _EVENT_ROW.kind.in_(kinds)
    if connection.scalar(sa.select(_EVENT_ROW.number).where(newer).limit(1)) is not None:
        raise StaleEvents(f"something else happened to {scenario!r} meanwhile: read it again and decide afresh")


def _swap(connection: sa.Connection, scenario: str, payload: EventPayload, expected: int | None, number: int) -> None:
    """Compare and swap the pointer, and end the arms of another model.

    The WHERE decides; the SELECT before it is for the message and the first row.
    """
    here = {"scenario": scenario}
    if connection.scalar(_POINTER, here) != expected:
        raise _stale(connection, scenario, expected)
    if payload.kind != INDEX_MOVED:
        connection.execute(_DELETE_ARMS, here)
    if expected is None:
        if payload.kind == WITHDRAWN:
            raise Conflict(f"no release of {scenario!r} serves: there is nothing to withdraw")
        connection.execute(POINTERS.insert().values(scenario=scenario, number=number))
        return
    row = (_POINTER_ROW.scenario == scenario) & (_POINTER_ROW.number == expected)
    withdraw, advance = POINTERS.delete().where(row), POINTERS.update().where(row).values(number=number)
    if connection.execute(withdraw if payload.kind == WITHDRAWN else advance).rowcount != 1:
        raise _stale(connection, scenario, expected)


def _start_arms(
    connection: sa.Connection, scenario: str, payload: ArmsStarted, expected: int | None, number: int
) -> None:
    """Compare and swap the pointer to the arms, while the champion that they name serves."""
    here = {"scenario": scenario}
    # a release that moves at the same moment takes the same number in the chain: one of both begins anew
    current = _current(connection.execute(_CURRENT, here).first())
    if current is None or current.release.model != payload.champion:
        now = current.release.model if current else "no release"
        raise StaleRelease(f"what serves {scenario!r} is now {now}, and no longer {payload.champion}: decide afresh")
    if connection.scalar(_ARM_POINTER, here) != expected:
        raise _stale_arms(scenario)
    if expected is None:
        connection.execute(ARMS.insert().values(scenario=scenario, number=number))
        return
    row = (_ARMS_ROW.scenario == scenario) & (_ARMS_ROW.number == expected)
    if connection.execute(ARMS.update().where(row).values(number=number)).rowcount != 1:
        raise _stale_arms(scenario)


def _end_arms(connection: sa.Connection, scenario: str, payload: ArmsEnded, expected: int) -> None:
    row = (_ARMS_ROW.scenario == scenario) & (_ARMS_ROW.number == expected)
    if connection.execute(ARMS.delete().where(row)).rowcount == 1:
        return
    here = {"scenario": scenario}
    current = _current(connection.execute(_CURRENT, here).first())
    serves = current is not None and current.release.model == payload.challenger
    ended_by_release = serves and connection.scalar(_ARM_POINTER, here) is None
    since = (EVENTS.c.scenario == scenario) & (EVENTS.c.kind == ARMS_ENDED) & (EVENTS.c.number > expected)
    is_told = bool(connection.scalar(sa.select(sa.func.count()).where(since)))
    if payload.outcome is not ArmsOutcome.PROMOTED or not ended_by_release or is_told:
        raise _stale_arms(scenario)


def _stale_arms(scenario: str) -> StaleArms:
    return StaleArms(f"the arms of {scenario!r} were changed meanwhile: read them again and decide afresh")


def _stale(connection: sa.Connection, scenario: str, expected: int | None) -> StaleRelease:
    current = _current(connection.execute(_CURRENT, {"scenario": scenario}).first())
    now = f"{current.release.model}, since {current.since} (event {current.number})" if current else "no release"
    seen = f"event {expected}" if expected else "no release"
    return StaleRelease(f"what serves {scenario!r} is now {now}, and no longer {seen}: read it again and decide afresh")


def _event(row: Any) -> Event:
    columns = {column.name: getattr(row, column.name) for column in EVENTS.c}
    try:
        return Event(**{**columns, "payload": json.loads(row.payload)})
    except ValueError as error:
        raise ChainBroken(f"event {row.number} of {row.scenario!r} was changed: its payload is no JSON") from error


def _current(row: Any) -> Current | None:
    move = _event(row) if row else None
    release = release_of(move) if move else None
    if move is None or release is None:
        return None
    since = move.read(IndexMoved).since if move.kind == INDEX_MOVED else move.at
    return Current(release=release, number=move.number, since=since)


def _stamp(when: datetime) -> str:
    if when.tzinfo is None:
        raise BadInput(f"the time {when.isoformat()} has no zone; expected one like {when.isoformat()}+00:00")
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def _check_chain(scenario: str, rows: Sequence[Any]) -> None:
    """Check one chain. `rows`: events in order, each with the number that the scenario's pointer names."""
    events = [_event(row) for row in rows]
    broken = first_break(events)
    if broken:
        raise ChainBroken(f"event {broken.number} of {scenario!r} {broken.problem}")
    pointers = (
        (f"the pointer of {scenario!r} names", "it", rows[0].pointer, serving_move(events)),
        (f"the arms of {scenario!r} are those of", "them", rows[0].arms, arms_start(events)),
    )
    for subject, pronoun, number, event in pointers:
        expected = event.number if event else None
        if number != expected:
            found, wanted = (f"event {each}" if each else "no event" for each in (number, expected))
            raise ChainBroken(f"{subject} {found}, but its events leave {pronoun} at {wanted}")
