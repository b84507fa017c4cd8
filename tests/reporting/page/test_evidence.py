"""What a page reads from the registry's events."""

from dataclasses import replace

import pytest

from releve.domain.registry.chain import ARCHIVED, RELEASED, ROLLED_BACK, WITHDRAWN, since_archived
from releve.domain.trigger.monitoring_run import AnsweredWindow
from releve.reporting.blocks import MarkKind
from releve.reporting.page.evidence import marks_of, place
from tests.page_histories import (
    RELEASE,
    at,
    challenge_event,
    drift,
    make_event,
    make_evidence,
    make_window,
    monitored_event,
    release_event,
)

WINDOWS = tuple(map(make_window, range(3)))  # each from a tenth of its day to nine tenths


def test_a_run_at_nothing_is_read():
    empty = drift("insufficient data", columns=0)
    unseen = AnsweredWindow(0, None, None, 0)

    (run,) = make_evidence(0, events=(monitored_event(drift=empty, window=unseen),)).runs

    assert run.drift.columns == ()
    assert run.until == at(0)


def test_only_runs_and_windows_of_the_model_version_that_serves_are_its_own():
    evidence = make_evidence(3, since=at(1.5))

    assert [run.at for run in evidence.own_runs] == [at(1), at(2), at(3)]
    assert [window.last_at for window in evidence.own_windows] == [at(0.9), at(1.9), at(2.9)]
    assert replace(evidence, release=RELEASE.model_copy(update={"model": "shop:other"})).own_runs == ()
    assert replace(evidence, release=None).own_windows == ()


def test_what_was_before_a_start_from_scratch_is_left_out():
    events = [release_event(), make_event(ARCHIVED, {}), monitored_event(day=1)]

    assert [event.kind for event in since_archived(events)] == ["monitored"]
    assert since_archived(events[:1]) == events[:1]


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-3, -0.5), (0.1, -0.5), (0.5, 0.0), (0.9, 0.5), (0.95, 0.5), (1.5, 1.0), (2.9, 2.5), (40, 2.5)],
)
def test_a_moment_has_a_place_within_a_window_or_between_two(day, expected):
    assert place(at(day), WINDOWS) == pytest.approx(expected)


def test_without_windows_every_moment_is_at_the_edge():
    assert place(at(1), ()) == -0.5


def test_releases_rollbacks_and_refusals_are_marked_and_promotions_are_not():
    events = [
        challenge_event(promote=True),
        release_event(kind=RELEASED),
        challenge_event(promote=False, day=1.5),
        release_event(kind=ROLLED_BACK, day=2),
        make_event(WITHDRAWN, {"release": None}, day=2.5, reason="wrong labels"),
    ]

    marks = marks_of(events, WINDOWS)

    assert [mark.kind for mark in marks] == [MarkKind.RELEASE, MarkKind.REFUSAL, MarkKind.ROLLBACK, MarkKind.ROLLBACK]
    assert "refused" in marks[1].note
    assert marks[3].note.endswith("withdrawn: wrong labels")
