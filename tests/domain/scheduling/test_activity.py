"""What is read of a history, and how far back."""

from dataclasses import replace
from datetime import datetime

from releve.domain.registry.chain import ARCHIVED, CHALLENGED, INGESTED, SILENT, WITHDRAWN
from releve.domain.scheduling.activity import KINDS, read_activity
from releve.domain.scheduling.due import ScenarioEvents
from tests.events import make_ingested
from tests.page_histories import at, challenge_event, make_event, monitored_event, release_event


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
