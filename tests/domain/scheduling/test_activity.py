"""What is read of a history, and how far back."""

from dataclasses import replace
from datetime import datetime

from releve.domain.approval.answers import ApprovalChoice
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, INGESTED, SILENT, WITHDRAWN
from releve.domain.scheduling.activity import KINDS, RELEASE_GRACE, read_activity
from releve.domain.scheduling.due import ScenarioEvents
from tests.approvals import ANNA, EXPIRES, Story, make_request
from tests.events import make_ingested
from tests.page_histories import MODEL, at, challenge_event, make_event, monitored_event, release_event


def ingested(*, day, rows=50):
    return make_event(INGESTED, make_ingested(rows=rows).model_dump(mode="json"), day=day)


def activity(*events):
    """Of events, oldest first; each is read back from the newest."""
    numbered = [replace(event, number=number) for number, event in enumerate(events, start=1)]
    return read_activity(reversed(numbered))


def time(day):
    return datetime.fromisoformat(at(day))


def test_a_scenario_without_events_does_nothing():
    assert activity() == ScenarioEvents()


def test_the_newest_of_each_kind_counts_and_batches_since_the_last_challenge():
    found = activity(
        ingested(day=0),
        challenge_event(day=1, promote=True),
        release_event(day=2),
        ingested(day=3, rows=30),
        monitored_event(day=4),
        monitored_event(day=5),
        ingested(day=6, rows=40),
    )

    assert found == ScenarioEvents(
        serves_since=time(2),
        monitored_at=time(5),
        monitored=6,
        challenged_at=time(1),
        newest_batch=7,
        new_batches=2,
        new_rows=70,
    )


def test_nothing_serves_once_it_was_withdrawn_or_the_scenario_started_over():
    withdrawn = make_event(WITHDRAWN, {"format": 1}, day=2)
    archived = make_event(ARCHIVED, {"format": 1, "archive": "a"}, day=2)

    assert activity(release_event(day=1), withdrawn).serves_since is None
    assert activity(release_event(day=1), monitored_event(day=1.5), archived) == ScenarioEvents()


def test_a_silence_lasts_until_the_next_run():
    silent = make_event(SILENT, {"format": 1, "since": at(0), "hours": 26.0}, day=2)

    assert activity(release_event(day=0), silent).silent_at == time(2)
    assert activity(release_event(day=0), silent, monitored_event(day=3)).silent_at is None
    assert activity(release_event(day=0), monitored_event(day=1), silent).silent_at == time(2)


def test_no_more_is_read_than_is_needed():
    def endless():
        yield replace(monitored_event(day=3), number=4)
        yield replace(release_event(day=2), number=3)
        yield replace(challenge_event(day=1, promote=True), number=2)
        raise AssertionError("it read on")

    assert read_activity(endless()).monitored == 4
    assert {CHALLENGED, INGESTED, SILENT} < {*KINDS}


def people(*said, day=2.0, **changes):
    """Events of a request, each an hour after the other."""
    story = Story(make_request(MODEL, **changes))
    for answer in said:
        story.say(answer, ANNA)
    return [replace(event, at=at(day + number / 24)) for number, event in enumerate(story.events)]


def test_a_request_for_approval_is_seen_to_when_its_time_is_over():
    found = activity(challenge_event(day=1, promote=True), *people())

    assert (found.approval, found.approval_due) == (2, datetime.fromisoformat(EXPIRES))
    without_end = activity(challenge_event(day=1, promote=True), *people(expires_at=""))
    assert (without_end.approval, without_end.approval_due) == (2, None)


def test_an_approval_is_seen_to_where_its_release_does_not_follow_at_once():
    approved = people(ApprovalChoice.APPROVE)
    found = activity(challenge_event(day=1, promote=True), *approved)

    assert (found.approval, found.approval_due) == (2, datetime.fromisoformat(approved[-1].at) + RELEASE_GRACE)
    assert activity(challenge_event(day=1, promote=True), *approved, release_event(day=3)).approval == 0


def test_what_a_person_refused_or_a_newer_challenger_has_replaced_is_not_seen_to():
    refused = activity(challenge_event(day=1, promote=True), *people(ApprovalChoice.REFUSE))
    replaced = activity(challenge_event(day=1, promote=True), *people(), challenge_event(day=3, promote=True))

    assert refused.approval == replaced.approval == 0
