"""Runs on SQLite; `make test-system` runs it on PostgreSQL too."""

import math
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import sqlalchemy as sa

from releve.adapters.registry import database
from releve.adapters.registry.registry import (
    ChainBroken,
    Registry,
    RegistryUnavailable,
    StaleArms,
    StaleEvents,
    StaleRelease,
)
from releve.core.errors import BadInput, Conflict
from releve.domain.arms.arms import ArmMode, ArmsEnded, ArmsOutcome
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.registry.chain import (
    ARM_CHANGES,
    CHALLENGED,
    GENESIS,
    INGESTED,
    MONITORED,
    POINTER_MOVES,
    RELEASED,
    EventPayload,
)
from releve.domain.registry.events import IndexMoved, ModelReleased, ModelRolledBack, ModelWithdrawn
from releve.domain.registry.release import IndexUpdate
from tests.events import make_any_release, make_arms_started, make_challenger, make_ingested

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
PROCESSES = 4
SECONDS = 60  # after which a process that should have answered is taken for stuck
spawning = multiprocessing.get_context("spawn")


class Clock:
    """A clock that moves one hour at each look."""

    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        now, self.now = self.now, self.now + timedelta(hours=1)
        return now


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/var/registry.db"
    server, schema = request.getfixturevalue("postgresql"), f"test_{uuid.uuid4().hex}"
    server.run(f"CREATE SCHEMA {schema}")
    return f"{server.url}?options=-csearch_path%3D{schema}"


@pytest.fixture
def open_registry():
    """`Registry`, closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(closing(Registry(url, **options)))


@pytest.fixture
def registry(url, open_registry):
    return open_registry(url, clock=Clock())


def run_sql(url, *statements):
    """What somebody with the database's password can do."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def a_release(version, scenario="digits"):
    return make_any_release(f"{scenario}:{version}")


class Note(EventPayload):
    """A payload of any kind that moves nothing."""

    kind = INGESTED
    values: dict[str, Any]


def test_a_few_figures_of_a_scenarios_events_are_read_since_a_moment(registry):
    registry.append("digits", make_challenger("digits:v1", cpu_seconds=1.0), reason="", actor="a test")
    registry.append("digits", make_ingested(arrived="2026-05-31T11:00:00+00:00"), reason="", actor="a test")
    registry.append("digits", make_challenger("digits:v2", cpu_seconds=2.5), reason="", actor="a test")
    registry.append("bikes", make_ingested(), reason="", actor="a test")
    released = ModelReleased(release=make_any_release("digits:v2"))
    registry.move("digits", released, expected=None, reason="", actor="a test")

    kinds = [INGESTED, CHALLENGED, RELEASED]
    lines = registry.lines("digits", kinds=kinds, since=NOON + timedelta(minutes=30))

    assert [(line.number, line.kind, line.model, line.cpu_seconds) for line in lines] == [
        (2, INGESTED, "", 0.0),
        (3, CHALLENGED, "digits:v2", 2.5),
        (4, RELEASED, "digits:v2", 0.0),
    ]
    assert [line.arrived for line in lines] == ["2026-05-31T11:00:00+00:00", "", ""]
    assert [line.number for line in registry.lines("digits", kinds=[CHALLENGED], since=NOON)] == [1, 3]


def test_events_are_read_from_a_number_on_and_from_the_newest_back(registry):
    for number in range(1, 41):
        append(registry, kind=INGESTED if number % 2 else CHALLENGED)
    append(registry, scenario="bikes")

    assert [event.number for event in registry.events("digits", after=38)] == [39, 40]
    newest = registry.newest("digits", kinds=[INGESTED])
    assert [event.number for event in newest] == [*range(39, 0, -2)]
    assert list(registry.newest("nothing", kinds=[INGESTED])) == []
    of_each = registry.newest_of_each("digits", kinds=[INGESTED, CHALLENGED, MONITORED])
    assert [(event.number, event.kind) for event in of_each] == [(39, INGESTED), (40, CHALLENGED)]
    assert [event.number for event in registry.newest_of_each("digits", kinds=[INGESTED])] == [39]


def note(kind, values):
    return type("Note", (Note,), {"kind": kind, "__module__": __name__})(values=values)


def append(registry, scenario="digits", kind=INGESTED, values=None, **changes):
    return registry.append(scenario, note(kind, values or {}), **{"reason": "batch", "actor": "flow", **changes})


def put(registry, version, *, scenario="digits", **changes):
    """Move to `version` from wherever the pointer stands; None withdraws."""
    current = registry.current(scenario)
    return registry.move(
        scenario,
        ModelWithdrawn() if version is None else ModelReleased(release=a_release(version, scenario)),
        **{"expected": current.number if current else None, "reason": "better", "actor": "ana", **changes},
    )


def roll_back(registry):
    payload = ModelRolledBack(release=registry.previous("digits"))
    registry.move("digits", payload, expected=registry.current("digits").number, reason="worse", actor="ana")


def move_index(registry, *, version, expected=None):
    current = registry.current("digits")
    update = IndexUpdate(version=IndexVersion(version, ended=(7,)), revision="r" * 40, data_version="d" * 32)
    release = current.release.model_copy(update={"index_update": update})
    payload = IndexMoved(release=release, since=current.since, new=90, gone=1)
    return registry.move("digits", payload, expected=expected or current.number, reason="newer rows", actor="test")


def serving(registry, scenario="digits"):
    current = registry.current(scenario)
    return current and current.release.model


@contextmanager
def started(target, *arguments_of_each):
    """One fresh process per tuple of arguments, all of them ended at the end."""
    processes = [spawning.Process(target=target, args=arguments) for arguments in arguments_of_each]
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


# --- events


def test_an_event_comes_back_as_it_was_written(registry):
    written = append(registry, reason="batch 7: 3 % dérive", actor="ana", values={"rows": 100, "share": 0.1})

    assert registry.events() == [written]
    assert (written.scenario, written.number, written.kind) == ("digits", 1, INGESTED)
    assert written.at == "2026-05-31T12:00:00.000000+00:00"
    assert written.previous_hash == GENESIS
    assert written.payload == {"format": 1, "values": {"rows": 100, "share": 0.1}}


def test_what_is_returned_is_what_is_kept_of_a_payload(registry):
    written = append(registry, values={"columns": ("a", "b"), "rows": {"7": None}})

    assert written.payload["values"] == {"columns": ["a", "b"], "rows": {"7": None}}
    assert registry.events() == [written]


def test_each_scenario_has_a_chain_of_its_own(registry):
    first, second = append(registry, "digits"), append(registry, "digits")
    other = append(registry, "bike")

    assert (second.number, second.previous_hash) == (2, first.hash)
    assert (other.number, other.previous_hash) == (1, GENESIS)


def test_times_are_kept_in_utc(url, open_registry):
    registry = open_registry(url, clock=lambda: datetime(2026, 5, 31, 14, tzinfo=timezone(timedelta(hours=2))))

    assert append(registry).at == "2026-05-31T12:00:00.000000+00:00"


def test_the_clock_of_the_machine_is_the_default(url, open_registry):
    before = datetime.now(UTC)

    event = append(open_registry(url))

    assert before <= datetime.fromisoformat(event.at) <= datetime.now(UTC)


def test_events_are_listed_oldest_first_across_scenarios(registry):
    append(registry, "digits")
    append(registry, "bike")
    append(registry, "digits")

    assert [(event.scenario, event.number) for event in registry.events()] == [
        ("digits", 1),
        ("bike", 1),
        ("digits", 2),
    ]
    assert [event.number for event in registry.events("digits")] == [1, 2]
    assert registry.events("nobody") == []


@pytest.mark.parametrize(("kinds", "numbers"), [(None, [1, 2, 3]), (["monitored"], [2]), ([], []), (["other"], [])])
def test_events_can_be_picked_by_kind(registry, kinds, numbers):
    for kind in ("ingested", "monitored", "challenged"):
        append(registry, kind=kind)

    assert [event.number for event in registry.events("digits", kinds=kinds)] == numbers


def test_scenarios_are_those_with_events(registry):
    assert registry.scenarios() == []

    for scenario in ("digits", "bike", "digits"):
        append(registry, scenario)

    assert registry.scenarios() == ["bike", "digits"]


@pytest.mark.parametrize("values", [{"score": math.nan}, {"score": -math.inf}, {"text": "\ud800"}])
def test_a_payload_that_is_no_json_is_refused_and_leaves_nothing(registry, values):
    with pytest.raises(BadInput, match="only hold JSON values"):
        append(registry, values=values)

    assert registry.events() == []


@pytest.mark.parametrize(
    "change", [{"scenario": "../etc"}, {"reason": "a\0b"}, {"actor": "a\0b"}, {"reason": "\ud800"}]
)
def test_text_that_a_database_cannot_keep_is_refused(registry, change):
    with pytest.raises(BadInput):
        append(registry, **change)

    assert registry.events() == []


@pytest.mark.parametrize("kind", POINTER_MOVES)
def test_a_move_cannot_be_written_without_moving(registry, kind):
    with pytest.raises(BadInput, match="write it with `move`"):
        append(registry, kind=kind)


# --- what serves


def test_nothing_serves_at_first(registry):
    append(registry)

    assert registry.current("digits") is None
    assert registry.previous("digits") is None
    assert registry.at("digits", NOON) is None


def test_what_was_released_serves(registry):
    append(registry)
    event = put(registry, "v1")

    current = registry.current("digits")

    assert current.release == a_release("v1")
    assert (current.number, current.since) == (event.number, event.at) == (2, "2026-05-31T13:00:00.000000+00:00")
    assert event.payload["release"] == a_release("v1").model_dump(mode="json")
    others = {name: value for name, value in event.payload.items() if name != "release"}
    assert others == {"format": 1, "change": "refresh", "approval": 0, "approved_by": [], "origin": None}
    assert registry.current("bike") is None


def test_other_events_do_not_change_what_serves(registry):
    event = put(registry, "v1")

    append(registry)

    assert registry.current("digits").number == event.number


def test_a_move_from_what_no_longer_serves_is_refused_and_says_what_does(registry):
    first = put(registry, "v1")
    put(registry, "v2")

    with pytest.raises(StaleRelease) as refusal:
        put(registry, "v3", expected=first.number)

    assert "digits:v2, since 2026-05-31T13:00:00" in str(refusal.value)
    assert "(event 2), and no longer event 1" in str(refusal.value)
    assert serving(registry) == "digits:v2"
    assert len(registry.events()) == 2


@pytest.mark.parametrize(("expected", "words"), [(None, "no longer no release"), (7, "no longer event 7")])
def test_a_first_release_needs_that_there_is_none(registry, expected, words):
    put(registry, "v1")

    with pytest.raises(StaleRelease, match=words):
        put(registry, "v2", expected=expected)


def test_a_move_from_a_release_that_was_withdrawn_is_refused(registry):
    event = put(registry, "v1")
    put(registry, None)

    with pytest.raises(StaleRelease, match="is now no release"):
        put(registry, "v2", expected=event.number)


def test_withdrawing_leaves_nothing_and_a_new_release_may_follow(registry):
    put(registry, "v1")
    withdrawn = put(registry, None)

    assert registry.current("digits") is None
    assert withdrawn.payload == {"format": 1}

    put(registry, "v2")

    assert serving(registry) == "digits:v2"
    assert registry.verify() == 3


def test_there_is_nothing_to_withdraw_when_nothing_serves(registry):
    with pytest.raises(Conflict, match="nothing to withdraw"):
        put(registry, None)

    assert registry.events() == []


def test_an_index_moves_beside_the_model_that_serves_on(registry):
    released = put(registry, "v1")
    arms = start_arms(registry)

    moved = move_index(registry, version=released.number)

    current = registry.current("digits")
    assert (current.number, current.since) == (moved.number, released.at)
    assert (current.release.model, current.release.index_name) == ("digits:v1", f"{a_release('v1').index}@1")
    assert registry.previous("digits") is None
    assert registry.arms("digits").number == arms.number
    assert registry.verify() == 3


def test_an_index_that_another_release_has_replaced_does_not_move(registry):
    seen = put(registry, "v1").number
    put(registry, "v2")

    with pytest.raises(StaleRelease, match="is now digits:v2"):
        move_index(registry, version=seen, expected=seen)


def test_a_rollback_returns_to_a_model_and_not_to_an_index_and_brings_its_newest_index(registry):
    put(registry, "v1")
    moved = move_index(registry, version=1)
    put(registry, "v2")
    move_index(registry, version=3)

    roll_back(registry)
    assert registry.current("digits").release.model_dump(mode="json") == moved.payload["release"]

    move_index(registry, version=5)
    assert registry.taken_back("digits").index_name == f"{a_release('v2').index}@3"


def test_a_release_of_another_scenario_is_refused(registry):
    payload = ModelReleased(release=a_release("v1", "bike"))

    with pytest.raises(BadInput, match="is a release of 'bike'"):
        registry.move("digits", payload, expected=None, reason="", actor="ana")

    assert registry.events() == []


def test_a_payload_of_another_format_cannot_be_read(registry):
    event = append(registry, values={"rows": 1})

    with pytest.raises(Conflict, match=r"event 1 of 'digits' \(ingested\) cannot be read: release: Field required"):
        event.read(ModelReleased)


def test_asking_what_serves_is_one_statement(registry):
    put(registry, "v1")
    statements = []
    count = lambda *arguments: statements.append(arguments[2])  # noqa: E731
    sa.event.listen(sa.Engine, "before_cursor_execute", count)

    registry.current("digits")
    sa.event.remove(sa.Engine, "before_cursor_execute", count)

    assert len(statements) == 1
    assert statements[0].startswith("SELECT")


def test_the_registry_brings_no_heavy_library():
    heavy = {"pandas", "numpy", "sklearn", "rich"}
    code = f"import sys, releve.adapters.registry.registry as _; print({heavy} & set(sys.modules))"

    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)

    assert answer.stdout.strip() == "set()"


# --- arms


def start_arms(registry, champion="v1", challenger="v2", **changes):
    running = registry.arms("digits")
    payload = make_arms_started(f"digits:{champion}", f"digits:{challenger}", **changes)
    expected = running.number if running else None
    return registry.start_arms("digits", payload, expected=expected, reason="try it", actor="ana")


def end_arms(registry, expected, outcome=ArmsOutcome.STOPPED):
    payload = ArmsEnded(outcome=outcome, champion="digits:v1", challenger="digits:v2")
    return registry.end_arms("digits", payload, expected=expected, reason="enough", actor="ana")


def test_arms_run_from_their_start_to_their_end(registry):
    put(registry, "v1")
    assert registry.arms("digits") is None

    started = start_arms(registry)

    running = registry.arms("digits")
    assert (running.number, running.since) == (started.number, started.at)
    assert running.started == make_arms_started()
    assert registry.arm_pointers() == {"digits": started.number}
    assert serving(registry) == "digits:v1"
    assert registry.verify() == 2

    end_arms(registry, running.number)

    assert registry.arms("digits") is None
    assert registry.arm_pointers() == {}
    assert registry.verify() == 3


def test_the_same_pair_goes_on_in_another_mode_and_another_pair_begins_anew(registry):
    put(registry, "v1")
    first = start_arms(registry)

    start_arms(registry, mode=ArmMode.CANARY, share=0.1)
    append(registry)
    changed = start_arms(registry, mode=ArmMode.AB, share=0.5)
    running = registry.arms("digits")
    assert (running.number, running.since, running.started.share) == (changed.number, first.at, 0.5)

    other = start_arms(registry, challenger="v3")
    assert registry.arms("digits").since == other.at
    assert registry.verify() == 6


def test_arms_that_ended_begin_anew(registry):
    put(registry, "v1")
    end_arms(registry, start_arms(registry).number)

    again = start_arms(registry)

    assert registry.arms("digits").since == again.at


@pytest.mark.parametrize("version", ["v2", "v3", None])
def test_every_move_of_the_release_ends_the_arms(registry, version):
    put(registry, "v1")
    start_arms(registry)

    put(registry, version)

    assert registry.arms("digits") is None
    assert registry.arm_pointers() == {}
    assert registry.verify() == 3


def test_why_a_challenger_was_promoted_is_written_after_its_release(registry):
    put(registry, "v1")
    started = start_arms(registry)
    put(registry, "v2")

    end_arms(registry, started.number, ArmsOutcome.PROMOTED)

    with pytest.raises(StaleArms):  # it is told once
        end_arms(registry, started.number, ArmsOutcome.PROMOTED)
    assert registry.verify() == 4
    start_arms(registry, champion="v2", challenger="v3")
    with pytest.raises(StaleArms):
        end_arms(registry, started.number, ArmsOutcome.PROMOTED)
    assert registry.verify() == 5


def test_arms_that_changed_meanwhile_are_neither_replaced_nor_ended(registry):
    put(registry, "v1")
    first = start_arms(registry)
    start_arms(registry, mode=ArmMode.CANARY, share=0.1)

    with pytest.raises(StaleArms, match="changed meanwhile"):
        end_arms(registry, first.number)
    for seen in (None, first.number):
        with pytest.raises(StaleArms):
            registry.start_arms("digits", make_arms_started(), expected=seen, reason="", actor="ana")

    assert len(registry.events()) == 3


@pytest.mark.parametrize(("version", "now"), [(None, "no release"), ("v3", "digits:v3")])
def test_no_arms_of_a_champion_that_does_not_serve(registry, version, now):
    put(registry, "v1")
    put(registry, version)

    with pytest.raises(StaleRelease, match=f"is now {now}, and no longer digits:v1"):
        start_arms(registry)


def test_a_challenger_of_another_scenario_is_refused(registry):
    put(registry, "v1")

    payload = make_arms_started(challenger="bike:v2")

    with pytest.raises(BadInput, match="bike:v2 is of 'bike'"):
        registry.start_arms("digits", payload, expected=None, reason="", actor="ana")


@pytest.mark.parametrize("kind", ARM_CHANGES)
def test_arms_are_not_changed_by_an_event_alone(registry, kind):
    with pytest.raises(BadInput, match="write it with `start_arms` or `end_arms`"):
        append(registry, kind=kind)


def test_a_registry_from_before_there_were_arms_gets_their_table(registry, url, open_registry):
    put(registry, "v1")
    registry.close()
    run_sql(url, "DROP TABLE arms")

    later = open_registry(url)

    assert later.arms("digits") is None
    assert start_arms(later).number == 2


# --- what a rollback returns to


@pytest.mark.parametrize(
    ("moves", "previous"),
    [
        ([], None),
        (["v1"], None),
        (["v1", "v2"], "digits:v1"),
        (["v1", "v2", "v3"], "digits:v2"),
        (["v1", "v2", "v2"], "digits:v1"),  # the same one again is nothing to return to
        (["v1", "v1"], None),
        (["v1", "v2", None], None),
        (["v1", "v2", None, "v3"], None),
        (["v1", None, "v2", "v3"], "digits:v2"),
    ],
)
def test_the_previous_release_is_the_other_one_that_served_last(registry, moves, previous):
    for version in moves:
        append(registry)
        put(registry, version)

    found = registry.previous("digits")

    assert (found and found.model) == previous


def test_rolling_back_twice_ends_where_it_began(registry):
    for version in ("v1", "v2", "v3"):
        put(registry, version)

    served = []
    for _ in range(4):
        roll_back(registry)
        served.append(serving(registry))

    assert served == ["digits:v2", "digits:v3", "digits:v2", "digits:v3"]


def test_what_a_rollback_took_out_of_service_is_known_until_the_next_release(registry):
    taken_back = []
    for move in (put, put, roll_back, put):
        move(registry, *([f"v{len(taken_back)}"] if move is put else []))
        taken_back.append(registry.taken_back("digits"))

    assert [each and each.model for each in taken_back] == [None, None, "digits:v1", None]


def test_the_previous_release_of_one_scenario_is_not_that_of_another(registry):
    put(registry, "v1", scenario="bike")
    put(registry, "v1")
    put(registry, "v2", scenario="bike")

    assert registry.previous("digits") is None
    assert registry.previous("bike").model == "bike:v1"


# --- what served then


@pytest.mark.parametrize(
    ("hours", "model"),
    [
        (-1, None),
        (0, "digits:v1"),
        (0.999, "digits:v1"),
        (1, "digits:v2"),
        (1.999, "digits:v2"),
        (2, None),
        (2.999, None),
        (3, "digits:v3"),
        (1000, "digits:v3"),
    ],
)
def test_the_past_tells_what_served(registry, hours, model):
    for version in ("v1", "v2", None, "v3"):  # at noon, and an hour apart
        put(registry, version)

    then = registry.at("digits", NOON + timedelta(hours=hours))

    assert (then and then.release.model) == model


def test_the_past_is_asked_in_any_zone(registry):
    put(registry, "v1")
    zone = timezone(timedelta(hours=-8))

    assert registry.at("digits", NOON.astimezone(zone)).number == 1
    assert registry.at("digits", (NOON - timedelta(microseconds=1)).astimezone(zone)) is None


def test_a_time_without_a_zone_is_refused(registry):
    with pytest.raises(BadInput, match="has no zone"):
        registry.at("digits", datetime(2026, 5, 31))


# --- tampering


def a_history(registry):
    """digits: 1 ingested, 2 released, 3 ingested, 4 released, 5 ingested; bike: 1 ingested, 2 released, 3 withdrawn."""
    for version in ("v1", "v2"):
        append(registry)
        put(registry, version)
    append(registry)
    append(registry, "bike")
    put(registry, "v1", scenario="bike")
    put(registry, None, scenario="bike")


def test_arms_that_were_changed_by_hand_show(registry, url):
    put(registry, "v1")
    start_arms(registry)

    run_sql(url, "UPDATE arms SET number = 1")
    with pytest.raises(ChainBroken, match="the arms of 'digits' are those of event 1, but its events leave them at"):
        registry.verify()

    run_sql(url, "DELETE FROM arms")
    with pytest.raises(ChainBroken, match="are those of no event, but its events leave them at event 2"):
        registry.verify()


def test_an_untouched_history_verifies(registry):
    a_history(registry)

    assert registry.verify() == 8
    assert registry.verify("digits") == 5
    assert registry.verify("nobody") == 0


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE events SET reason = 'x' WHERE scenario = 'digits' AND number = 3", "event 3 of 'digits' was changed"),
        ("UPDATE events SET actor = 'x' WHERE scenario = 'digits' AND number = 1", "event 1 of 'digits' was changed"),
        (
            "UPDATE events SET payload = '{}' WHERE scenario = 'digits' AND number = 4",
            "event 4 of 'digits' was changed",
        ),
        ("UPDATE events SET payload = '{' WHERE scenario = 'digits' AND number = 5", "event 5 of 'digits' was changed"),
        ("UPDATE events SET payload = '{\"a\":NaN}' WHERE number = 5", "event 5 of 'digits' was changed"),
        ("UPDATE events SET hash = 'x' WHERE scenario = 'digits' AND number = 5", "event 5 of 'digits' was changed"),
        ("UPDATE events SET at = '2020' WHERE scenario = 'bike' AND number = 1", "event 1 of 'bike' was changed"),
        ("UPDATE events SET number = 9 WHERE scenario = 'digits' AND number = 5", "event 5 of 'digits' is missing"),
        ("UPDATE events SET scenario = 'moons' WHERE scenario = 'bike'", "event 1 of 'moons' was changed"),
        ("DELETE FROM events WHERE scenario = 'digits' AND number = 1", "event 1 of 'digits' is missing"),
        ("DELETE FROM events WHERE scenario = 'digits' AND number = 3", "event 3 of 'digits' is missing"),
        ("DELETE FROM events WHERE scenario = 'digits' AND number >= 4", "names event 4, but .* at event 2"),
        ("DELETE FROM events WHERE scenario = 'bike' AND number = 3", "names no event, but .* at event 2"),
        ("DELETE FROM events WHERE scenario = 'digits'", "'digits' has a current release .* but no events"),
        ("UPDATE pointers SET number = 2", "names event 2, but .* at event 4"),
        ("DELETE FROM pointers", "names no event, but .* at event 4"),
        ("INSERT INTO pointers VALUES ('bike', 2)", "the pointer of 'bike' names event 2, but .* at no event"),
    ],
)
def test_a_history_that_somebody_edited_does_not_verify(registry, url, statement, words):
    a_history(registry)

    run_sql(url, statement)

    with pytest.raises(ChainBroken, match=words):
        registry.verify()


def test_only_the_scenario_asked_for_is_checked(registry, url):
    a_history(registry)
    run_sql(url, "UPDATE events SET reason = 'x' WHERE scenario = 'digits'", "UPDATE pointers SET number = 1")

    assert registry.verify("bike") == 3
    with pytest.raises(ChainBroken):
        registry.verify("digits")


# --- many at once, and in the middle of it


def saved_history(registry):
    """A release, its shadow, a rollback, another shadow; a second scenario that was withdrawn; one without a move."""
    put(registry, "v1")
    put(registry, "v2")
    registry.start_arms("digits", make_arms_started("digits:v2", "digits:v1"), expected=None, reason="", actor="ana")
    put(registry, "v1")
    registry.start_arms("digits", make_arms_started("digits:v1", "digits:v2"), expected=None, reason="", actor="ana")
    put(registry, "w1", scenario="wine")
    put(registry, None, scenario="wine")
    append(registry, scenario="birds", values={"größe": 1.5, "rows": [1, None, True, "ü"]})
    return {scenario: registry.events(scenario) for scenario in registry.scenarios()}


def test_a_history_that_is_restored_elsewhere_serves_the_same(registry, open_registry, tmp_path):
    histories = saved_history(registry)
    other = open_registry(f"sqlite:///{tmp_path}/other/registry.db")

    other.restore(histories)

    assert {scenario: other.events(scenario) for scenario in other.scenarios()} == histories
    assert other.verify() == registry.verify()
    assert (other.pointers(), other.arm_pointers()) == (registry.pointers(), registry.arm_pointers())
    assert other.current("digits") == registry.current("digits")
    assert other.previous("digits") == registry.previous("digits")
    assert other.current("wine") is None


def test_a_history_of_another_database_is_restored_into_this_one(registry, open_registry, tmp_path):
    other = open_registry(f"sqlite:///{tmp_path}/other/registry.db", clock=Clock())
    histories = saved_history(other)

    registry.restore(histories)
    put(registry, "v3")

    assert registry.current("digits").release.model == "digits:v3"
    assert registry.verify() == other.verify() + 1


def test_a_history_that_is_there_stays_as_it_is_and_its_newer_events_too(registry):
    histories = saved_history(registry)
    put(registry, "v3")

    registry.restore(histories)

    assert registry.current("digits").release.model == "digits:v3"
    assert registry.verify() == sum(map(len, histories.values())) + 1


def test_another_history_is_not_overwritten_and_nothing_else_is_restored(registry, open_registry, tmp_path):
    other = open_registry(f"sqlite:///{tmp_path}/other/registry.db", clock=Clock())
    put(other, "v7")

    with pytest.raises(Conflict, match="the registry has another history of 'digits': restore into an empty one"):
        other.restore(saved_history(registry))

    assert other.scenarios() == ["digits"]
    assert other.current("digits").release.model == "digits:v7"


def test_a_history_that_was_altered_is_not_restored(registry, open_registry, tmp_path):
    histories = saved_history(registry)
    other = open_registry(f"sqlite:///{tmp_path}/other/registry.db")
    altered = replace(histories["digits"][1], reason="worse")

    with pytest.raises(ChainBroken, match="event 2 of 'digits' was changed after it was written"):
        other.restore({**histories, "digits": [histories["digits"][0], altered, *histories["digits"][2:]]})

    assert other.scenarios() == []


def append_some(url, barrier, count):
    registry = Registry(url)
    barrier.wait(SECONDS)
    for _ in range(count):
        append(registry, actor=str(os.getpid()))


@pytest.mark.slow
def test_no_event_is_lost_when_many_processes_write(url, open_registry):
    count = 12
    barrier = spawning.Barrier(PROCESSES)

    with started(append_some, *[(url, barrier, count)] * PROCESSES) as processes:
        for process in processes:
            process.join(SECONDS)

    registry = open_registry(url)
    actors = [event.actor for event in registry.events("digits")]
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    assert {actors.count(actor) for actor in actors} == {count}
    assert registry.verify() == PROCESSES * count == len(actors)


def contend(url, barrier, expected, version, outcomes):
    registry = Registry(url)
    barrier.wait(SECONDS)
    try:
        put(registry, version, expected=expected)
        outcomes.put(version)
    except StaleRelease:
        outcomes.put(None)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["v0", None])
def test_exactly_one_of_many_contenders_moves_the_release(url, first, open_registry):
    registry = open_registry(url)
    expected = put(registry, first).number if first else None
    barrier, outcomes = spawning.Barrier(PROCESSES), spawning.Queue()

    with started(contend, *[(url, barrier, expected, f"v{n}", outcomes) for n in range(1, PROCESSES + 1)]):
        moved = [outcomes.get(timeout=SECONDS) for _ in range(PROCESSES)]

    winners = [version for version in moved if version]
    assert len(winners) == 1
    assert serving(registry) == f"digits:{winners[0]}"
    assert registry.verify() == (2 if first else 1)


def test_an_event_is_written_unless_another_one_of_those_kinds_came_first(registry):
    seen = append(registry, kind="ingested").number
    append(registry, kind="monitored")

    written = answer(registry, after=seen)

    assert written.number == 3
    with pytest.raises(StaleEvents, match="something else happened to 'digits' meanwhile"):
        answer(registry, after=seen)
    assert answer(registry, after=written.number).number == 4
    assert registry.verify() == 4


def test_other_scenarios_do_not_stand_in_the_way_of_an_event(registry):
    append(registry, scenario="bike", kind="ingested")

    assert answer(registry, after=0).number == 1


@pytest.mark.parametrize("kind", [*POINTER_MOVES, *ARM_CHANGES])
def test_no_event_that_moves_something_is_written_so(registry, kind):
    with pytest.raises(BadInput, match="write it with"):
        answer(registry, after=0, kind=kind)


def test_of_many_who_answer_at_once_one_is_heard(registry):
    def attempt(_):
        try:
            return answer(registry, after=0).number
        except StaleEvents:
            return 0

    with ThreadPoolExecutor(PROCESSES) as pool:
        numbers = list(pool.map(attempt, range(20)))

    assert sorted(numbers) == [0] * 19 + [1]
    assert registry.verify() == 1


def answer(registry, *, after, kind="ingested"):
    return registry.append_unless(
        "digits", note(kind, {}), kinds=["ingested"], after=after, reason="so be it", actor="ana"
    )


def test_threads_share_one_registry(registry):
    with ThreadPoolExecutor(PROCESSES) as pool:
        numbers = list(pool.map(lambda _: append(registry).number, range(40)))

    assert sorted(numbers) == list(range(1, 41))
    assert registry.verify() == 40


def append_forever(url, pipe):
    registry = Registry(url)
    while True:
        pipe.send(append(registry, values={"filler": "x" * 2000}).number)


def test_a_writer_killed_in_the_middle_leaves_a_history_that_verifies(url, open_registry):
    ours, theirs = spawning.Pipe(duplex=False)

    with started(append_forever, (url, theirs)) as (process,):
        while ours.poll(SECONDS) and (told := ours.recv()) < 40:
            continue
        process.kill()

    registry = open_registry(url)
    assert registry.verify() >= told == 40  # what the writer was told is written, is written
    assert append(registry).number == registry.verify()


def test_a_registry_that_was_used_before_a_fork_works_on_both_sides(registry):
    append(registry)
    process = multiprocessing.get_context("fork").Process(target=append, args=(registry,))

    process.start()
    process.join(SECONDS)
    append(registry)

    assert process.exitcode == 0
    assert registry.verify() == 3


# --- the database


def test_making_a_registry_touches_nothing(tmp_path, open_registry):
    open_registry(f"sqlite:///{tmp_path}/var/registry.db")

    assert list(tmp_path.iterdir()) == []


def test_a_second_registry_finds_what_the_first_one_wrote(registry, url, open_registry):
    put(registry, "v1")
    registry.close()

    assert serving(open_registry(url)) == "digits:v1"
    assert serving(registry) == "digits:v1"  # closing is no end


def test_a_reader_does_not_wait_for_a_writer(registry, url):
    put(registry, "v1")
    engine = sa.create_engine(url)

    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pointers SET number = 7"))

        assert serving(registry) == "digits:v1"

        connection.rollback()
    engine.dispose()


def test_sqlite_is_set_up_to_survive_a_power_cut(tmp_path, open_registry):
    registry = open_registry(f"sqlite:///{tmp_path}/registry.db")
    append(registry)

    with registry._engine().connect() as connection:
        read = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert read == ["wal", 2]  # 2 is FULL


def test_a_new_file_that_another_process_is_setting_up_is_waited_for(tmp_path, open_registry):
    with closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = Timer(0.3, other.rollback)
        release.start()

        event = append(open_registry(f"sqlite:///{tmp_path}/registry.db"))

        release.join()
    assert event.number == 1


def test_a_directory_in_the_way_is_told_to_the_person(tmp_path, open_registry):
    (tmp_path / "registry.db").mkdir()

    with pytest.raises(RegistryUnavailable, match="Is a directory"):
        open_registry(f"sqlite:///{tmp_path}/registry.db").scenarios()


def test_a_file_that_is_no_database_is_told_to_the_person(tmp_path, open_registry):
    (tmp_path / "registry.db").write_text("a shopping list, and a long one " * 40)

    with pytest.raises(RegistryUnavailable, match="file is not a database"):
        append(open_registry(f"sqlite:///{tmp_path}/registry.db"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ana:sesame@127.0.0.1:1/releve",
        "postgresql+psycopg://ana@127.0.0.1:1/releve?password=sesame",
        "unheardof://ana:sesame@127.0.0.1/releve",
    ],
)
def test_a_database_that_is_away_is_told_without_its_password(url, open_registry):
    with pytest.raises(RegistryUnavailable, match="cannot be used") as error:
        open_registry(url).current("digits")

    assert "sesame" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


@pytest.mark.system
def test_a_statement_that_postgresql_does_not_end_is_given_up(postgresql, monkeypatch, open_registry):
    monkeypatch.setattr(database, "POSTGRESQL_STATEMENT_MS", 200)
    registry = open_registry(postgresql.url)
    registry.pointers()

    engine = sa.create_engine(postgresql.url)
    with engine.begin() as holding:
        holding.exec_driver_sql("LOCK TABLE pointers IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RegistryUnavailable, match="statement timeout"):
            registry.pointers()
    engine.dispose()

    assert registry.pointers() == {}


@pytest.mark.parametrize("url", ["", "registry.db", "postgresql://ana:sesame@host:port/x"])
def test_a_url_that_is_none_is_refused_without_repeating_it(url, open_registry):
    with pytest.raises(BadInput, match="not a database URL") as error:
        open_registry(url)

    assert "sesame" not in str(error.value)


def test_the_pointers_of_all_scenarios_come_at_once(open_registry, url):
    registry = open_registry(url)
    before = registry.pointers()
    for name in ("birds", "fish"):
        payload = ModelReleased(release=make_any_release(name))
        moved = registry.move(name, payload, expected=None, reason="a test", actor="tests")
    registry.move("fish", ModelWithdrawn(), expected=moved.number, reason="a test", actor="tests")

    assert (before, registry.pointers()) == ({}, {"birds": 1})


def released(registry, name):
    payload = ModelReleased(release=make_any_release(name))
    registry.move(name, payload, expected=None, reason="a test", actor="tests")
    registry.close()


def test_a_restored_backup_is_seen_by_whoever_had_the_old_file_open(open_registry, tmp_path):
    here, backup = tmp_path / "registry.db", tmp_path / "backup.db"
    released(open_registry(f"sqlite:///{backup}"), "birds")
    registry = open_registry(f"sqlite:///{here}")
    before = registry.pointers()

    backup.replace(here)

    assert (before, registry.pointers()) == ({}, {"birds": 1})


def test_a_file_that_was_moved_away_is_not_reachable_until_it_is_back(open_registry, tmp_path):
    here, aside = tmp_path / "registry.db", tmp_path / "aside.db"
    registry = open_registry(f"sqlite:///{here}")
    released(registry, "birds")
    assert registry.pointers() == {"birds": 1}

    here.rename(aside)
    with pytest.raises(RegistryUnavailable, match="was moved away or deleted"):
        registry.pointers()
    aside.rename(here)

    assert registry.pointers() == {"birds": 1}
