from datetime import date, datetime, timedelta
from itertools import product

import pytest

from releve.core.errors import Conflict
from releve.core.params import GateOverride
from releve.domain.approval.answers import AnswerEffect, ApprovalChoice, answer_event, effect_of
from releve.domain.approval.approval import (
    TELLING,
    ApprovalState,
    Present,
    asked_since,
    lapse,
    newest_approval,
    refusal_of,
)
from releve.domain.approval.events import (
    AnswerWay,
    ApprovalExpired,
    ApprovalSubject,
    ApprovalUncounted,
    ApprovalVoided,
    UncountedCause,
    VoidCause,
)
from releve.domain.approval.people import Person
from releve.domain.registry.chain import APPROVALS, KINDS, MODEL_CHANGES
from releve.domain.registry.events import (
    IndexMoved,
    ModelReleased,
    ModelRolledBack,
    ModelWithdrawn,
    ScenarioArchived,
)
from releve.domain.registry.lifecycle import model_version_statuses
from releve.domain.registry.release import CHALLENGER, CHAMPION, REFUSED
from releve.reporting.messages.gate import status_reason
from tests.approvals import ANNA, BEN, EXPIRES, NOW, Story, make_request
from tests.events import make_any_release, make_challenger

CARLA = Person("carla")
DEADLINE = datetime.fromisoformat(EXPIRES)
DIGEST = "ab" * 32  # of every model here


def waiting(people=1):
    return Story(make_request(people=people))


def half_approved():
    return waiting(people=2).say(ApprovalChoice.APPROVE, ANNA)


def approved():
    return waiting().say(ApprovalChoice.APPROVE, ANNA)


def refused():
    return waiting().say(ApprovalChoice.REFUSE, ANNA, "not on a Friday")


def voided():
    story = waiting()
    return story.add(story.approval.event(ApprovalVoided, cause=VoidCause.NEWER_CHALLENGER, about="shop:v3"))


def expired():
    story = waiting()
    return story.add(story.approval.event(ApprovalExpired))


def released():
    return approved().add(ModelReleased(release=make_any_release("shop:v2")))


STORIES = {
    waiting: ApprovalState.WAITING,
    half_approved: ApprovalState.WAITING,
    approved: ApprovalState.APPROVED,
    refused: ApprovalState.REFUSED,
    voided: ApprovalState.VOIDED,
    expired: ApprovalState.EXPIRED,
    released: ApprovalState.RELEASED,
}
C, U, K, L = AnswerEffect.COUNTS, AnswerEffect.UNCOUNTED, AnswerEffect.KNOWN, AnswerEffect.LATE
EFFECTS = {  # of what the same person (anna) and another one say: approve, refuse; approve, refuse
    waiting: (C, C, C, C),
    half_approved: (U, C, C, C),
    approved: (K, L, L, L),
    refused: (L, K, L, L),
    voided: (L, L, L, L),
    expired: (L, L, L, L),
    released: (K, L, L, L),
}


def present(**changes):
    values = {"now": NOW, "champion": "shop:v1", "people": 1, "newer": None, "judged": make_challenger("shop:v2")}
    return Present(**{**values, **changes})


@pytest.mark.parametrize(("tell", "state"), STORIES.items())
def test_the_events_leave_a_request_in_one_state(tell, state):
    assert tell().approval.state is state


def test_every_state_has_its_story_and_every_story_its_effects():
    assert {*STORIES.values()} == {*ApprovalState}
    assert STORIES.keys() == EFFECTS.keys()


@pytest.mark.parametrize("tell", STORIES)
def test_what_an_answer_does_follows_from_the_state_and_from_who_gave_it(tell):
    approval = tell().approval

    found = tuple(effect_of(approval, said, person) for person, said in product((ANNA, BEN), ApprovalChoice))

    assert found == EFFECTS[tell]


def test_two_people_are_two_different_people():
    story = half_approved()

    second = answer_event(story.approval, ApprovalChoice.APPROVE, ANNA)
    story.add(second)

    assert isinstance(second, ApprovalUncounted)
    assert second.cause is UncountedCause.SAME_PERSON
    assert (story.approval.state, story.approval.missing) == (ApprovalState.WAITING, 1)
    assert story.say(ApprovalChoice.APPROVE, BEN).approval.state is ApprovalState.APPROVED
    assert story.approval.approved_by == ("anna", "ben")


def test_one_of_two_may_still_refuse_what_the_other_approved():
    story = half_approved().say(ApprovalChoice.REFUSE, BEN)

    assert (story.approval.state, story.approval.refused_by) == (ApprovalState.REFUSED, "ben")


def test_who_approved_may_refuse_while_another_person_is_waited_for():
    assert half_approved().say(ApprovalChoice.REFUSE, ANNA).approval.state is ApprovalState.REFUSED


def test_an_answer_is_bound_to_the_digests_of_its_request():
    story = waiting()

    given = answer_event(story.approval, ApprovalChoice.APPROVE, ANNA, listed_in="ef" * 20)

    assert given.subject == story.approval.request.subject == ApprovalSubject.of(make_any_release("shop:v2"))
    assert (given.request, given.way, given.by, given.listed_in) == (1, AnswerWay.TOKEN, "anna", "ef" * 20)
    assert given.figures == story.approval.request.figures


def test_only_the_newest_request_counts_and_none_after_starting_over():
    story = half_approved().add(make_request("shop:v3", people=2))

    assert (story.approval.request.subject.model, story.approval.approved_by) == ("shop:v3", ())
    assert newest_approval(story.add(ScenarioArchived(archive="a")).events) is None
    assert newest_approval([]) is None


@pytest.mark.parametrize("tell", [refused, voided, expired, released])
def test_what_is_over_stays_as_it_is(tell):
    before = tell().approval

    after = tell().add(ModelReleased(release=make_any_release("shop:v2"))).approval

    assert (after.state, after.since) == (before.state, before.since)


@pytest.mark.parametrize(
    "payload",
    [
        ModelReleased(release=make_any_release("shop:v9")),
        ModelRolledBack(release=make_any_release("shop:v2")),
        ModelWithdrawn(),
        make_challenger("shop:v3"),
    ],
)
def test_a_request_notes_what_came_after_it_and_stays_open_until_its_end_is_written(payload):
    story = approved().add(payload)

    assert (story.approval.state, story.approval.newest) == (ApprovalState.APPROVED, len(story.events))


def test_all_kinds_that_tell_of_a_request_are_kinds_of_events_and_index_moves_are_none():
    assert {*TELLING} <= {*KINDS}
    assert {*APPROVALS} < {*TELLING}
    assert IndexMoved.kind not in TELLING
    assert {*TELLING} == {*MODEL_CHANGES}


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize(
    ("now", "changes", "cause"),
    [
        (NOW, {}, None),
        (NOW, {"newer": make_challenger("shop:v3", promote=False)}, VoidCause.NEWER_CHALLENGER),
        (NOW, {"champion": "shop:v0"}, VoidCause.CHAMPION_CHANGED),
        (NOW, {"champion": ""}, VoidCause.CHAMPION_CHANGED),
    ],
)
def test_what_voids_an_open_request_voids_no_other_one(tell, now, changes, cause):
    approval = tell().approval

    ended = lapse(approval, present(people=approval.request.people, **changes))

    if cause is None or not approval.is_open:
        assert ended is None
    else:
        assert isinstance(ended, ApprovalVoided)
        assert (ended.cause, ended.subject) == (cause, approval.request.subject)


@pytest.mark.parametrize("people", [0, 1, 2])
def test_another_number_of_people_voids_it(people):
    ended = lapse(waiting(people=1).approval, present(people=people))

    assert (ended is None) == (people == 1)
    assert ended is None or ended.cause is VoidCause.OTHER_RULES


@pytest.mark.parametrize(("until", "is_void"), [(date(2026, 3, 1), True), (date(2026, 3, 2), False)])
def test_an_override_that_runs_out_voids_it_on_the_day_after_its_last(until, is_void):
    override = GateOverride(floor="latency", by="Ada", reason="a slow month", until=until)

    ended = lapse(approved().approval, present(judged=make_challenger("shop:v2", overrides=(override,))))

    assert (ended is not None) == is_void
    assert ended is None or (ended.cause, ended.about) == (VoidCause.OVERRIDE_EXPIRED, "latency")


@pytest.mark.parametrize(("seconds", "is_over"), [(-1, False), (0, True), (1, True)])
@pytest.mark.parametrize("tell", STORIES)
def test_a_request_expires_at_its_time_unless_it_was_answered_before(tell, seconds, is_over):
    approval = tell().approval

    ended = lapse(approval, present(people=approval.request.people, now=DEADLINE + timedelta(seconds=seconds)))

    assert isinstance(ended, ApprovalExpired) == (is_over and approval.state is ApprovalState.WAITING)


def test_a_request_without_a_time_never_expires():
    approval = Story(make_request(expires_at="")).approval

    assert lapse(approval, present(now=NOW + timedelta(days=9999))) is None


def voided(story, *, cause=VoidCause.NEWER_CHALLENGER, about="shop:v3"):
    return story.add(story.approval.event(ApprovalVoided, cause=cause, about=about)).approval


def test_people_know_since_the_first_of_several_requests_that_nobody_answered():
    first = voided(waiting())
    second = voided(Story(make_request("shop:v3", asked_since=first.at)), about="shop:v4")

    assert asked_since(first, "shop:v3", now=NOW, expires_hours=72.0) == first.at
    assert asked_since(second, "shop:v4", now=NOW, expires_hours=72.0) == first.at


@pytest.mark.parametrize(
    "before",
    [
        None,
        waiting().approval,
        refused().approval,
        voided(half_approved()),  # who answered has to do so again
        voided(waiting(), cause=VoidCause.CHAMPION_CHANGED),
        voided(waiting(), about="shop:another"),  # which the gate refused, as they were told
    ],
)
def test_people_hear_of_a_request_that_takes_the_place_of_none_or_of_another_than_an_unanswered_one(before):
    assert asked_since(before, "shop:v3", now=NOW, expires_hours=72.0) == ""


@pytest.mark.parametrize(("hours", "expires", "knows"), [(71, 72.0, True), (72, 72.0, False), (9999, 0.0, True)])
def test_people_hear_again_of_what_nobody_answers_once_the_time_of_a_first_request_is_over(hours, expires, knows):
    before = voided(waiting())

    since = asked_since(
        before, "shop:v3", now=datetime.fromisoformat(before.at) + timedelta(hours=hours), expires_hours=expires
    )

    assert bool(since) == knows


def test_a_refusal_is_final_for_these_files_and_for_no_others():
    story = refused().add(make_challenger("shop:v3"))

    refusal = refusal_of(story.events, DIGEST)

    assert refusal is not None
    assert (refusal.answer.by, refusal.comment) == ("anna", "not on a Friday")
    assert refusal_of(story.events, "cd" * 32) is None
    assert refusal_of(approved().events, DIGEST) is None
    assert refusal_of(story.add(ScenarioArchived(archive="a")).events, DIGEST) is None


def states_of(story):
    return {model: status.state for model, status in model_version_statuses(story.events).items()}


def challenged(*, promote=True, **changes):
    return Story(
        make_challenger("shop:v1"),
        ModelReleased(release=make_any_release("shop:v1")),
        make_challenger("shop:v2", champion="shop:v1", promote=promote, **changes),
        make_request(),
    )


def test_a_model_that_waits_is_a_challenger_and_serves_once_it_is_released():
    story = challenged()

    assert states_of(story)["shop:v2"] == CHALLENGER
    story.say(ApprovalChoice.APPROVE, ANNA).add(ModelReleased(release=make_any_release("shop:v2")))
    assert states_of(story)["shop:v2"] == CHAMPION


def test_a_model_that_people_refused_is_refused_and_says_by_whom():
    status = model_version_statuses(challenged().say(ApprovalChoice.REFUSE, BEN, "too few rows").events)["shop:v2"]

    assert (status.state, status_reason(status)) == (REFUSED, "refused by ben: too few rows")


def test_a_request_that_ended_refuses_its_model_until_people_are_asked_again():
    story = challenged()
    story.add(story.approval.event(ApprovalExpired))

    assert states_of(story)["shop:v2"] == REFUSED
    assert states_of(story.add(make_request()))["shop:v2"] == CHALLENGER


def test_people_can_be_asked_for_what_live_labels_showed_and_the_gate_did_not():
    story = challenged(promote=False, inconclusive=True)

    assert states_of(story)["shop:v2"] == CHALLENGER


def test_where_nobody_has_to_approve_any_more_what_waited_is_released_like_any():
    story = challenged()
    story.add(story.approval.event(ApprovalVoided, cause=VoidCause.OTHER_RULES))
    assert states_of(story)["shop:v2"] == REFUSED

    assert states_of(story.add(ModelReleased(release=make_any_release("shop:v2"))))["shop:v2"] == CHAMPION


def test_a_challenger_that_live_labels_let_in_serves_though_the_gate_found_no_gain():
    events = challenged(promote=False, inconclusive=True).events[:3]
    story = Story()
    story.events = list(events)

    assert states_of(story)["shop:v2"] == REFUSED
    assert states_of(story.add(ModelReleased(release=make_any_release("shop:v2"))))["shop:v2"] == CHAMPION


def test_what_the_gate_refused_for_a_floor_serves_by_no_event():
    story = Story(make_challenger("shop:v2", promote=False), ModelReleased(release=make_any_release("shop:v2")))

    with pytest.raises(Conflict, match="'refused' cannot become 'champion'"):
        states_of(story)
