"""What needs a person, from a history of a scenario."""

from dataclasses import replace

import pytest

from releve.domain.alerting.alert_state import AlertState, SubjectState
from releve.domain.approval.answers import ApprovalChoice
from releve.domain.arms.arms import ArmsEnded, ArmsOutcome
from releve.domain.attention.needs import (
    MOST_RUNS,
    Need,
    NeedKind,
    RefusedFile,
    ScenarioFacts,
    SeenRun,
    newest_first,
    telling_runs,
    what_needs_a_person,
)
from releve.domain.evaluation.intervals import Interval
from releve.domain.health.health import HealthCause
from releve.domain.quality.late import LateQuality
from releve.domain.quality.realised import QualityState
from releve.domain.quality.staleness import UNLABELLED, ExceededLimit
from releve.domain.registry.chain import ALERTED, ARMS_ENDED, INDEX_MOVED, MONITORED, ROLLED_BACK, WITHDRAWN
from releve.domain.registry.events import IndexMoved, ModelReleased, ModelRolledBack, ReleaseChange, ShownHarm
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.rollback import RollbackDecision
from releve.reporting.messages.needs import describe_need
from tests.approvals import ANNA, Story, make_request
from tests.events import make_ingested
from tests.page_histories import (
    MODEL,
    RELEASE,
    SCENARIO,
    at,
    challenge_event,
    drift,
    make_event,
    make_money,
    make_quality,
    make_staleness,
    monitored_event,
    release_event,
)

HOUR = 1 / 24
SECOND, THIRD = f"{SCENARIO}:{'2' * 12}", f"{SCENARIO}:{'3' * 12}"
BAD = {"quality": make_quality(QualityState.DEGRADED, change=Interval(-0.2, -0.3, -0.1))}
UNKNOWN = {"quality": make_quality(QualityState.UNKNOWN)}
HARM = ShownHarm(model=SECOND, gain=Interval(-0.1, -0.2, -0.05), answers=200, promotions=1)


def payload_event(payload, *, day):
    return make_event(payload.kind, payload.model_dump(mode="json"), day=day)


def released(model=MODEL, *, day, change=ReleaseChange.REFRESH):
    return payload_event(ModelReleased(release=RELEASE.model_copy(update={"model": model}), change=change), day=day)


def facts(*events, day, serving=MODEL, since=0.0, **changes):
    """Facts at a day, of a scenario that a model serves; None: nothing serves."""
    numbered = tuple(replace(event, number=number) for number, event in enumerate(events, start=1))
    release = RELEASE.model_copy(update={"model": serving}) if serving else None
    runs = tuple(SeenRun(event, event.read(MonitoringRun)) for event in reversed(numbered) if event.kind == MONITORED)
    known = ScenarioFacts(SCENARIO, at(day), numbered, runs, release, at(since) if serving else "")
    return replace(known, **changes)


def needs(*events, **changes):
    """The kind and the day of each need."""
    found = what_needs_a_person(facts(*events, **changes))
    return [(need.kind, need.since) for need in found]


FIRST = (challenge_event(promote=True), release_event())


def test_a_model_within_tolerance_needs_nobody():
    assert needs(*FIRST, monitored_event(day=1), day=1.1) == []


def test_a_model_that_labels_show_to_be_degraded_needs_a_person_since_the_first_run_that_shows_it():
    runs = [monitored_event(day=1), monitored_event(day=2, **BAD), monitored_event(day=3, **BAD)]

    (need,) = what_needs_a_person(facts(*FIRST, *runs, day=3.1))

    assert (need.kind, need.since, need.about) == (NeedKind.DEGRADED, at(2), MODEL)
    assert need.run.quality == BAD["quality"]


def test_a_run_without_labels_leaves_a_degraded_model_degraded():
    runs = [monitored_event(day=1, **BAD), monitored_event(day=2, **UNKNOWN)]

    assert needs(*FIRST, *runs, day=2.1) == [(NeedKind.DEGRADED, at(1))]


def test_a_degraded_model_is_no_need_once_labels_show_that_it_is_good_again():
    runs = [monitored_event(day=1, **BAD), monitored_event(day=2)]

    assert needs(*FIRST, *runs, day=2.1) == []


def test_decisions_that_labels_show_to_be_dearer_than_promised_need_a_person_until_they_do_not():
    runs = [monitored_event(day=day, money=make_money(cost)) for day, cost in ((1, 10.0), (2, 14.0), (3, 14.0))]

    (need,) = what_needs_a_person(facts(*FIRST, *runs, day=3.1))

    assert (need.kind, need.since, need.about) == (NeedKind.DEAR, at(2), MODEL)
    assert describe_need(need).sentence.endswith(
        "cost more than was promised: 14.000 [13.000, 15.000] EUR a row on 180 labelled decisions, 10.000 was "
        "expected, the best constant decision 20.000; 10.000 was promised at the release, and labels show more: a "
        "change of -4.000 [-5.414, -2.586]"
    )
    assert needs(*FIRST, *runs, monitored_event(day=4, money=make_money(10.0)), day=4.1) == []


@pytest.mark.parametrize("money", [None, make_money(14.0, promised=None)])
def test_a_run_that_knows_no_cost_or_no_promise_leaves_dear_decisions_dear(money):
    runs = [monitored_event(day=1, money=make_money(14.0)), monitored_event(day=2, money=money)]

    assert needs(*FIRST, *runs, day=2.1) == [(NeedKind.DEAR, at(1))]


def test_a_refresh_has_its_chance_before_a_person_is_asked():
    events = (*FIRST, monitored_event(day=1, **BAD), released(SECOND, day=1.1))

    assert needs(*events, day=1.2, serving=SECOND) == []
    assert needs(*events, monitored_event(day=2, model=SECOND, **UNKNOWN), day=2.1, serving=SECOND) == []


def test_a_second_degraded_model_in_a_row_is_a_need_even_after_one_more_refresh():
    events = (
        *FIRST,
        monitored_event(day=1, **BAD),
        released(SECOND, day=1.1),
        monitored_event(day=2, model=SECOND, **BAD),
    )

    assert needs(*events, released(THIRD, day=2.1), day=2.2, serving=THIRD) == [(NeedKind.DEGRADED, at(1))]


def test_a_model_that_a_search_found_is_not_held_to_what_was_before():
    events = (
        *FIRST,
        monitored_event(day=1, **BAD),
        released(SECOND, day=1.1),
        monitored_event(day=2, model=SECOND, **BAD),
        released(THIRD, day=2.1, change=ReleaseChange.SEARCH),
    )

    assert needs(*events, day=2.2, serving=THIRD) == []


def test_labels_that_come_late_count_for_the_model_that_they_are_of():
    late = LateQuality(BAD["quality"], models=(MODEL,), last_at=at(1))
    run = monitored_event(day=2, model=SECOND, late=late, **UNKNOWN)
    events = (*FIRST, monitored_event(day=1, **BAD), released(SECOND, day=1.1), run)

    assert needs(*events, day=2.1, serving=SECOND) == []


def test_a_harmful_model_that_still_serves_is_harmful_and_not_degraded_beside():
    harmful = {"rollback": RollbackDecision(roll_back=True)}

    assert needs(*FIRST, monitored_event(day=1, **harmful, **BAD), day=1.1) == [(NeedKind.HARMFUL, at(1))]


def test_a_model_taken_back_by_itself_needs_a_person_until_a_challenger_learned_anew_was_judged():
    back = payload_event(ModelRolledBack(release=RELEASE, harm=HARM), day=2)
    again = challenge_event(promote=False, day=3)
    reweighed = challenge_event(promote=False, day=3, learned=10)

    assert needs(*FIRST, back, day=2.1) == [(NeedKind.TAKEN_BACK, at(2))]
    assert needs(*FIRST, back, reweighed, day=3.1) == [(NeedKind.TAKEN_BACK, at(2))]
    assert needs(*FIRST, back, again, day=3.1) == []


def test_a_rollback_by_a_person_needs_nobody():
    assert needs(*FIRST, release_event(day=2, kind=ROLLED_BACK), day=2.1) == []


def test_broken_data_are_a_need_until_a_run_finds_them_sound():
    broken, few = monitored_event(day=2, drift=drift("broken data")), drift("insufficient data")

    assert needs(*FIRST, broken, day=2.1) == [(NeedKind.BROKEN_DATA, at(2))]
    assert needs(*FIRST, broken, monitored_event(day=3, drift=few), day=3.1) == [(NeedKind.BROKEN_DATA, at(2))]
    assert needs(*FIRST, broken, monitored_event(day=3), day=3.1) == []


def test_refused_files_are_one_need_since_the_newest():
    files = (RefusedFile("b.csv", at(1)), RefusedFile("a.csv", at(2)))

    (need,) = what_needs_a_person(facts(*FIRST, day=3, refused=files))

    assert (need.kind, need.since, need.about, need.count) == (NeedKind.REFUSED_FILES, at(2), "a.csv", 2)


@pytest.mark.parametrize(
    ("events", "cause", "since", "about"),
    [
        ((), HealthCause.NOTHING_INGESTED, "", ""),
        ((payload_event(make_ingested(), day=1),), HealthCause.NOTHING_RELEASED, at(1), ""),
        ((challenge_event(promote=False, day=2),), HealthCause.REFUSED, at(2), MODEL),
        ((*FIRST, make_event(WITHDRAWN, {"format": 1}, day=4)), HealthCause.WITHDRAWN, at(4), ""),
        ((challenge_event(promote=True, day=2),), HealthCause.NOTHING_RELEASED, at(2), MODEL),
    ],
)
def test_where_nothing_serves_the_cause_is_named(events, cause, since, about):
    assert what_needs_a_person(facts(*events, day=5, serving=None)) == (
        Need(SCENARIO, NeedKind.NOTHING_SERVES, since, about, cause=cause),
    )


@pytest.mark.parametrize(("hours", "found"), [(6.0, []), (6.1, [NeedKind.UNRELEASED])])
def test_an_accepted_challenger_is_a_need_once_a_run_would_have_released_it(hours, found):
    events = (*FIRST, monitored_event(day=1), challenge_event(promote=True, day=1, model=SECOND))

    assert [kind for kind, _ in needs(*events, day=1 + hours * HOUR)] == found


def test_a_challenger_that_was_released_refused_or_stopped_on_live_traffic_is_no_need():
    accepted = challenge_event(promote=True, day=1, model=SECOND)
    stopped = ArmsEnded(outcome=ArmsOutcome.STOPPED, champion=MODEL, challenger=SECOND)

    assert needs(*FIRST, accepted, released(SECOND, day=1.1), day=3, serving=SECOND) == []
    assert needs(*FIRST, challenge_event(promote=False, day=1, model=SECOND), day=3) == []
    assert needs(*FIRST, accepted, make_event(ARMS_ENDED, stopped.model_dump(mode="json"), day=2), day=3) == []


@pytest.mark.parametrize(("hours", "found"), [(25.0, []), (25.1, [NeedKind.SILENT])])
def test_a_scenario_is_silent_when_no_run_came_for_longer_than_is_allowed(hours, found):
    assert [kind for kind, _ in needs(*FIRST, monitored_event(day=1), day=1 + hours * HOUR, silence_hours=25)] == found


def test_silence_counts_from_the_release_where_it_is_newer_and_can_be_switched_off():
    events = (*FIRST, monitored_event(day=1))

    assert needs(*events, day=3.5, since=3, silence_hours=25) == []
    assert needs(*events, day=30, silence_hours=0) == []
    assert needs(*FIRST, day=3, silence_hours=25) == [(NeedKind.SILENT, at(0))]


@pytest.mark.parametrize("key", ["max_label_days", UNLABELLED])
def test_labels_are_overdue_since_the_first_run_in_a_row_that_says_so(key):
    late = [monitored_event(day=day, staleness=make_staleness(ExceededLimit(key, 1, 0.9))) for day in (2, 3)]

    assert needs(*FIRST, monitored_event(day=1), *late, day=3.1) == [(NeedKind.LABELS_OVERDUE, at(2))]
    assert needs(*FIRST, *late, monitored_event(day=4), day=4.1) == []


def test_no_rows_are_a_need_until_a_file_comes():
    idle = monitored_event(day=31, staleness=make_staleness(ExceededLimit("max_idle_days", 31, 30)))

    assert needs(*FIRST, idle, day=31.1) == [(NeedKind.NO_ROWS, at(31))]
    assert needs(*FIRST, idle, payload_event(make_ingested(), day=31.05), day=31.1) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, [NeedKind.INDEX_BEHIND]),
        ({"superseded": 100}, []),
        ({"superseded": 100, "corrected": 1}, [NeedKind.INDEX_BEHIND]),
    ],
)
def test_an_index_is_behind_where_rows_came_after_it_moved_last(changes, found):
    batch = payload_event(make_ingested(**changes), day=1)

    assert [kind for kind, _ in needs(*FIRST, batch, day=2)] == found


def test_an_index_that_followed_or_need_not_follow_or_has_hours_left_is_not_behind():
    batch = payload_event(make_ingested(), day=1)
    moved = IndexMoved(release=RELEASE, since=at(0), new=100, gone=0)

    assert needs(*FIRST, batch, make_event(INDEX_MOVED, moved.model_dump(mode="json"), day=1.1), day=3) == []
    assert needs(*FIRST, batch, day=3, follows_index=False) == []
    assert needs(*FIRST, batch, day=1 + 6 * HOUR) == []


@pytest.mark.parametrize(
    ("moment", "found"),
    [("2026-01-13T00:00:00+00:00", []), ("2026-01-13T00:00:01+00:00", [NeedKind.LEDGER_BEHIND])],
)
def test_a_ledger_is_behind_a_week_after_its_oldest_open_day_has_ended(moment, found):
    known = replace(facts(*FIRST, monitored_event(day=5), day=5), made_at=moment, oldest_ledger_day="20260105")

    assert [need.kind for need in what_needs_a_person(known)] == found


def test_of_a_scenario_that_cannot_be_read_nothing_else_is_said():
    (need,) = what_needs_a_person(facts(day=1, problem="event 3 was changed", refused=(RefusedFile("a", at(0)),)))

    assert (need.kind, need.about) == (NeedKind.UNREADABLE, "event 3 was changed")


def test_the_newest_need_comes_first_the_graver_of_two_and_what_has_no_time_last():
    found = [
        Need("a", NeedKind.SILENT, at(1)),
        Need("b", NeedKind.NOTHING_SERVES, ""),
        Need("c", NeedKind.DEGRADED, at(1)),
        Need("d", NeedKind.LEDGER_BEHIND, at(2)),
    ]

    assert [need.scenario for need in sorted(found, key=newest_first)] == ["d", "c", "a", "b"]


def test_runs_are_read_until_one_is_calm_and_conclusive():
    calm, unknown = monitored_event(day=1), monitored_event(day=2, **UNKNOWN)
    late = monitored_event(day=2, staleness=make_staleness(ExceededLimit(UNLABELLED, 1, 0.9)))

    def taken(*events):
        return [seen.event for seen in telling_runs(iter(events))]

    assert taken(calm, calm) == [calm]
    assert taken(unknown, calm, calm) == [unknown, calm]
    assert taken(late, calm, calm) == [late, calm]
    assert taken(monitored_event(day=2, **BAD), calm, calm)[1:] == [calm]
    assert len(taken(*[unknown] * (MOST_RUNS + 5))) == MOST_RUNS


def test_the_alerts_know_the_beginning_of_what_lasts_longer_than_runs_are_read():
    told = AlertState(subjects={"data": SubjectState("broken", "", since=at(3), alerted_at=at(3))})
    broken = [monitored_event(day=10 + day, drift=drift("broken data")) for day in range(MOST_RUNS)]
    state = make_event(ALERTED, told.model_dump(mode="json"), day=60)

    assert needs(*FIRST, *broken, state, day=60) == [(NeedKind.BROKEN_DATA, at(3))]
    assert needs(*FIRST, *broken[1:], state, day=60) == [(NeedKind.BROKEN_DATA, at(11))]


def asked(*said, people=1):
    story = Story(make_request(MODEL, people=people))
    for answer, person in said:
        story.say(answer, person)
    return story.approval


def test_a_release_that_waits_for_people_needs_them_from_the_first_hour_on():
    (need,) = what_needs_a_person(facts(*FIRST, monitored_event(day=1), day=1.1, approval=asked(people=2)))

    assert (need.kind, need.about, need.count) == (NeedKind.WAITING_APPROVAL, MODEL, 2)
    assert need.since == asked().at


@pytest.mark.parametrize(
    ("said", "is_waited_for"), [([(ApprovalChoice.APPROVE, ANNA)], True), ([(ApprovalChoice.REFUSE, ANNA)], False)]
)
def test_who_was_waited_for_and_has_answered_is_waited_for_no_more(said, is_waited_for):
    known = facts(*FIRST, monitored_event(day=1), day=1.1, approval=asked(*said, people=2))

    assert [need.count for need in what_needs_a_person(known)] == ([1] if is_waited_for else [])


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ([], [NeedKind.WAITING_APPROVAL]),
        ([(ApprovalChoice.REFUSE, ANNA)], []),
        ([(ApprovalChoice.APPROVE, ANNA)], [NeedKind.UNRELEASED]),
    ],
)
def test_an_accepted_challenger_is_unreleased_unless_it_waits_for_people_or_one_of_them_refused_it(said, kinds):
    newer = challenge_event(promote=True, day=1, model=SECOND)
    known = facts(*FIRST, newer, monitored_event(day=1.5), day=2, approval=asked(*said))

    assert [need.kind for need in what_needs_a_person(known)] == kinds
