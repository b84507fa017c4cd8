import hashlib
import math
from dataclasses import fields, replace
from datetime import date

import pytest

from releve.core.errors import BadInput
from releve.core.params import GateOverride
from releve.domain.registry.chain import CHALLENGED, GENESIS, Break, Event, canonical_json, event_hash, first_break
from tests.events import make_challenger


def fields_of(**changes):
    return {
        "scenario": "digits",
        "number": 1,
        "at": "2026-05-31T12:00:00.000000+00:00",
        "kind": "ingested",
        "actor": "flow",
        "reason": "batch 1",
        "payload": {"rows": 100},
        "previous_hash": GENESIS,
        **changes,
    }


def an_event(**changes):
    return Event(**fields_of(**changes), hash=event_hash(fields_of(**changes)))


def a_chain(length):
    events = []
    for number in range(1, length + 1):
        previous_hash = events[-1].hash if events else GENESIS
        events.append(an_event(number=number, reason=f"batch {number}", previous_hash=previous_hash))
    return events


def test_the_hash_is_sha256_of_the_canonical_text_so_anybody_can_check_it():
    text = (
        '{"actor":"flow","at":"2026-05-31T12:00:00.000000+00:00","kind":"ingested","number":1,"payload":{"rows":100},'
        f'"previous_hash":"{"0" * 64}","reason":"batch 1","scenario":"digits"}}'
    )

    assert event_hash(fields_of()) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", [field.name for field in fields(Event) if field.name != "hash"])
def test_everything_an_event_holds_is_in_its_hash(name):
    other = {"number": 2, "payload": {"rows": 101}}.get(name, "other")

    assert event_hash(fields_of(**{name: other})) != event_hash(fields_of())


def test_the_order_of_keys_does_not_change_the_text():
    assert canonical_json({"b": 1, "a": {"d": 1, "c": 2}}) == canonical_json({"a": {"c": 2, "d": 1}, "b": 1})


def test_text_is_kept_readable():
    assert canonical_json({"raison": "dérive"}) == '{"raison":"dérive"}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1, 2}, object(), b"bytes", "\ud800", {"a": 1, 2: 3}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(BadInput, match="only hold JSON values"):
        canonical_json({"value": value})


def test_what_contains_itself_is_refused():
    endless = {}
    endless["again"] = endless

    with pytest.raises(BadInput, match="only hold JSON values"):
        canonical_json(endless)


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_a_chain_as_it_was_written_holds(length):
    assert first_break(a_chain(length)) is None


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    "change",
    [{"reason": "other"}, {"actor": "other"}, {"payload": {"rows": 1}}, {"kind": "other"}, {"at": "2020-01-01"}],
)
def test_a_changed_event_is_found(number, change):
    events = a_chain(3)
    events[number - 1] = replace(events[number - 1], **change)

    found = first_break(events)

    assert found.number == number
    assert "was changed after it was written" in found.problem


def test_a_changed_event_with_a_fresh_hash_is_found_at_the_one_after_it():
    events = a_chain(3)
    events[1] = an_event(number=2, reason="other", previous_hash=events[0].hash)

    found = first_break(events)

    assert found.number == 3
    assert events[1].hash in found.problem


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_event_is_named(number):
    events = a_chain(3)
    del events[number - 1]

    assert first_break(events) == Break(number, f"is missing: number {number + 1} stands in its place")


def test_swapped_events_are_found():
    first, second, third = a_chain(3)

    assert first_break([first, third, second]).number == 2


def test_a_number_that_was_never_accepted_is_a_break_and_no_crash():
    events = a_chain(2)
    events[0] = replace(events[0], payload={"score": math.nan})

    assert first_break(events).number == 1


def test_an_event_given_twice_is_found():
    first, second = a_chain(2)

    assert first_break([first, first, second]).number == 2


def test_a_payload_is_read_as_it_was_written_dates_included():
    override = GateOverride(floor="fairness", by="Ana", reason="a pilot", until=date(2026, 6, 1))
    challenger = make_challenger(overrides=(override,))
    event = Event("digits", 1, "", CHALLENGED, "", "", challenger.model_dump(mode="json"), "", "")

    assert event.read(type(challenger)) == challenger
