from datetime import date

import pytest

from releve.core.errors import Conflict
from releve.core.params import GateOverride
from releve.domain.registry.chain import CHALLENGED, Event
from releve.domain.registry.events import BatchIngested, Challenger
from tests.events import make_challenger


def event_of(payload):
    return Event("digits", 7, "at 7", payload.kind, "Ada", "a test", payload.model_dump(mode="json"), "", "")


def test_a_challenger_comes_back_with_its_overrides_and_its_evaluation():
    override = GateOverride(floor="fairness", by="Ada", reason="a trial", until=date(2026, 1, 31))
    challenger = make_challenger(overrides=(override,))

    assert event_of(challenger).read(Challenger) == challenger


@pytest.mark.parametrize(("change", "problem"), [({"format": 2}, "format: Input should be 1"), ({"luck": 1}, "luck: ")])
def test_a_payload_of_another_version_is_named_with_what_does_not_fit(change, problem):
    event = event_of(make_challenger())
    event.payload.update(change)

    with pytest.raises(Conflict, match=rf"event 7 of 'digits' \({CHALLENGED}\) cannot be read: {problem}"):
        event.read(Challenger)


def test_a_payload_is_read_as_its_own_kind_alone():
    with pytest.raises(Conflict, match="cannot be read"):
        event_of(make_challenger()).read(BatchIngested)


def test_neither_a_commit_nor_a_slower_machine_makes_another_judgement():
    judged = make_challenger()

    assert judged.same_judgement(make_challenger(revision="0" * 40, cpu_seconds=99.0))
    assert not judged.same_judgement(make_challenger(promote=False))
