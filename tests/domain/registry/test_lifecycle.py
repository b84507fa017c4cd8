import pytest

from releve.core.errors import Conflict
from releve.domain.registry.chain import (
    ARCHIVED,
    CHALLENGED,
    INGESTED,
    MONITORED,
    MOVES,
    RELEASED,
    ROLLED_BACK,
    WITHDRAWN,
    Event,
)
from releve.domain.registry.events import ModelReleased, ModelRolledBack, ModelWithdrawn
from releve.domain.registry.lifecycle import MOVES_OF, model_version_statuses, taken_back
from releve.domain.registry.release import CHALLENGER, CHAMPION, PREVIOUS, REFUSED, RETIRED
from releve.reporting.messages.gate import STATUS_CHANGES, full_status_reason, gate_reasons, status_reason
from tests.events import make_any_release, make_challenger

PAYLOADS = {
    CHALLENGED: lambda model, promote: make_challenger(model, promote=promote, reasons=("better", "surely")),
    RELEASED: lambda model, promote: ModelReleased(release=make_any_release(model)),
    ROLLED_BACK: lambda model, promote: ModelRolledBack(release=make_any_release(model)),
    WITHDRAWN: lambda model, promote: ModelWithdrawn(),
}


def story(*steps):
    """Events 1, 2, ... out of (kind, model) or (kind, model, promote)."""
    return [an_event(number, *step) for number, step in enumerate(steps, start=1)]


def an_event(number, kind, model="", promote=True):
    payload = PAYLOADS[kind](model, promote).model_dump(mode="json") if kind in PAYLOADS else {}
    return Event("shop", number, f"at {number}", kind, "Ada", f"reason {number}", payload, "", "")


def accepted_and_released(*models):
    return [step for model in models for step in ((CHALLENGED, model), (RELEASED, model))]


def states_of(events):
    return {model: life.state for model, life in model_version_statuses(events).items()}


def test_nothing_happened_and_no_model_is_known():
    assert states_of([]) == {}
    assert states_of(story((INGESTED,), (MONITORED,), ("noted",))) == {}


@pytest.mark.parametrize(("promote", "state"), [(True, CHALLENGER), (False, REFUSED)])
def test_a_judged_model_is_a_challenger_or_refused(promote, state):
    assert states_of(story((CHALLENGED, "a", promote))) == {"a": state}


def test_champions_step_down_one_place_at_a_time():
    events = story(*accepted_and_released("a", "b", "c"))

    assert [states_of(events[:length]) for length in (2, 4, 6)] == [
        {"a": CHAMPION},
        {"a": PREVIOUS, "b": CHAMPION},
        {"a": RETIRED, "b": PREVIOUS, "c": CHAMPION},
    ]


def test_a_rollback_swaps_champion_and_previous_champion_and_another_one_swaps_them_back():
    events = story(*accepted_and_released("a", "b"), (ROLLED_BACK, "a"), (ROLLED_BACK, "b"))

    assert states_of(events[:5]) == {"a": CHAMPION, "b": PREVIOUS}
    assert states_of(events) == {"a": PREVIOUS, "b": CHAMPION}


def test_a_release_after_a_rollback_retires_what_was_rolled_back():
    events = story(*accepted_and_released("a", "b"), (ROLLED_BACK, "a"), *accepted_and_released("c"))

    assert states_of(events) == {"a": PREVIOUS, "b": RETIRED, "c": CHAMPION}


def test_a_withdrawal_retires_champion_and_previous_champion():
    assert states_of(story(*accepted_and_released("a", "b"), (WITHDRAWN,))) == {"a": RETIRED, "b": RETIRED}


def test_starting_over_leaves_no_challenger_that_could_be_released():
    events = story(*accepted_and_released("a"), (CHALLENGED, "b"), (WITHDRAWN,), (ARCHIVED,))

    assert states_of(events) == {"a": RETIRED, "b": REFUSED}


def test_the_same_version_made_again_after_starting_over_is_judged_and_released_like_any():
    events = story(*accepted_and_released("a"), (WITHDRAWN,), (ARCHIVED,), *accepted_and_released("a"))

    assert states_of(events) == {"a": CHAMPION}


@pytest.mark.parametrize(("promote", "state"), [(True, CHALLENGER), (False, REFUSED)])
@pytest.mark.parametrize("before", [True, False])
def test_the_newest_judgement_counts(before, promote, state):
    assert states_of(story((CHALLENGED, "a", before), (CHALLENGED, "a", promote))) == {"a": state}


@pytest.mark.parametrize("promote", [True, False])
def test_a_champion_and_its_previous_one_keep_their_places_when_judged_again(promote):
    events = story(*accepted_and_released("a", "b"), (CHALLENGED, "a", promote), (CHALLENGED, "b", promote))

    assert states_of(events) == {"a": PREVIOUS, "b": CHAMPION}


def test_a_champion_that_is_released_once_more_stays_where_it_is():
    assert states_of(story(*accepted_and_released("a", "b"), (RELEASED, "b"))) == {"a": PREVIOUS, "b": CHAMPION}


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (
            [(RELEASED, "a")],
            r"event 1 of 'shop' \(released\) moves a: 'unevaluated' cannot become",
        ),
        ([(CHALLENGED, "a", False), (RELEASED, "a")], "event 2 .* moves a: 'refused' cannot become 'champion'"),
        (
            [*accepted_and_released("a", "b", "c"), (ROLLED_BACK, "a")],
            "event 7 .* moves a: 'retired' cannot become 'champion'",
        ),
    ],
)
def test_a_move_that_the_table_forbids_is_told_with_its_event(steps, told):
    with pytest.raises(Conflict, match=told):
        model_version_statuses(story(*steps))


def test_a_life_tells_since_when_and_why_in_the_gates_words_where_the_gate_decided():
    lives = model_version_statuses(story(*accepted_and_released("a", "b"), (CHALLENGED, "c", False)))

    assert {
        model: (life.state, life.since, status_reason(life), gate_reasons(life)) for model, life in lives.items()
    } == {
        "a": (PREVIOUS, "at 4", "replaced by b", "better; surely"),
        "b": (CHAMPION, "at 4", "reason 4", "better; surely"),
        "c": (REFUSED, "at 5", "better; surely", "better; surely"),
    }


@pytest.mark.parametrize(
    ("steps", "reasons"),
    [
        ([], {"a": "replaced by b", "b": "reason 4"}),
        (
            accepted_and_released("c"),
            {"a": "replaced by b; retired when c was released", "b": "replaced by c", "c": "reason 6"},
        ),
        (
            [(ROLLED_BACK, "a")],
            {"a": "brought back by a rollback from b: reason 5", "b": "rolled back to a: reason 5"},
        ),
        (
            [(ROLLED_BACK, "a"), *accepted_and_released("c")],
            {
                "a": "replaced by c",
                "b": "rolled back to a: reason 5; retired when c was released",
                "c": "reason 7",
            },
        ),
        ([(WITHDRAWN,)], {"a": "replaced by b; withdrawn: reason 5", "b": "withdrawn: reason 5"}),
        (
            [(CHALLENGED, "c"), (WITHDRAWN,), (ARCHIVED,)],
            {
                "a": "replaced by b; withdrawn: reason 6",
                "b": "withdrawn: reason 6",
                "c": "the scenario was started over: reason 7",
            },
        ),
    ],
)
def test_each_version_is_told_by_what_became_of_it_and_never_by_its_successors_gain(steps, reasons):
    lives = model_version_statuses(story(*accepted_and_released("a", "b"), *steps))

    assert {model: status_reason(life) for model, life in lives.items()} == reasons


def test_a_life_repeats_the_gate_only_where_something_else_was_done():
    lives = model_version_statuses(story((CHALLENGED, "a"), (RELEASED, "a"), (CHALLENGED, "b", False)))

    assert full_status_reason(lives["a"]) == "reason 2; the gate had said: better; surely"
    assert full_status_reason(lives["b"]) == "better; surely"


def test_every_move_of_an_event_has_its_sentence():
    assert {kind for kind, _ in STATUS_CHANGES} == set(MOVES_OF) - {CHALLENGED}


def test_every_event_that_moves_a_release_moves_a_life():
    assert set(MOVES) <= set(MOVES_OF)


A, B, C = ((RELEASED, model) for model in "abc")
TO_A, TO_B, TO_C = ((ROLLED_BACK, model) for model in "abc")


@pytest.mark.parametrize(
    ("moves", "left"),
    [
        ([A, B], {}),
        ([A, B, TO_A], {"b": 3}),
        ([A, B, TO_A, C], {"b": 3}),
        ([A, B, TO_A, C, TO_A], {"b": 3, "c": 5}),
        ([A, B, TO_A, TO_B], {}),  # the second rollback undoes the first
        ([A, B, TO_A, C, TO_A, TO_C], {"b": 3}),
        ([A, B, TO_A, TO_B, TO_A], {"b": 5}),
        ([A, B, TO_A, B], {}),
        ([A, B, TO_A, (WITHDRAWN,), C], {"b": 3}),
    ],
)
def test_a_model_is_taken_back_by_a_rollback_to_an_older_one_until_it_serves_again(moves, left):
    assert {model: event.number for model, event in taken_back(story(*moves)).items()} == left
