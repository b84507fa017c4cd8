"""Which alerts follow from a history of monitoring runs, judgements and moves."""

from dataclasses import replace

import pytest

from releve.core.params import Alerts
from releve.domain.alerting.alert_state import AlertKind, AlertState, advance, first_state
from releve.domain.alerting.signals import LEVELS, SUBJECTS
from releve.domain.quality.late import LateQuality
from releve.domain.quality.staleness import ExceededLimit
from releve.domain.registry.chain import (
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_VOIDED,
    ARCHIVED,
    CHALLENGED,
    RELEASED,
    ROLLED_BACK,
    SILENT,
)
from releve.domain.registry.events import ModelReleased, ModelRolledBack, MonitoringSilent
from releve.domain.trigger.rollback import RollbackDecision
from tests.events import make_challenger
from tests.page_histories import (
    MODEL,
    RELEASE,
    at,
    drift,
    make_estimate,
    make_event,
    make_money,
    make_quality,
    make_staleness,
    monitored_event,
)
from tests.tables import make_params

RAISED, REPEATED, ENDED = AlertKind
OTHER = f"{MODEL[:-1]}2"


def params(**changes) -> Alerts:
    return make_params(alerts=changes).alerts


def numbered(*events):
    return [replace(event, number=number) for number, event in enumerate(events, start=1)]


def alerts_of(*events, **changes):
    """The alerts of all of them, one at a time as production reads them."""
    made, state = [], AlertState()
    for count in range(1, len(events) + 1):
        state, new = advance(state, numbered(*events[:count]), params(**changes))
        state = delivered(state)
        made += new
    return made


def delivered(state):
    return state.model_copy(update={"waiting": ()})


def shown(made):
    return [(alert.subject, alert.state, alert.kind) for alert in made]


LATE = "shop:000000000000"  # a release of before
IDLE = ExceededLimit("max_idle_days", 31.0, 30.0)
CASES = [  # a run in an alarm, and one where it is over
    ("data", "broken", "sound", {"drift": drift("broken data")}, {"drift": drift("no drift")}),
    ("drift", "drift", "none", {"drift": drift("drift")}, {"drift": drift("no drift")}),
    ("quality", "degraded", "within_tolerance", {"quality": make_quality("degraded")}, {"quality": make_quality()}),
    ("quality", "harmful", "within_tolerance", {"rollback": RollbackDecision(True)}, {"quality": make_quality()}),
    ("cost", "dear", "as_promised", {"money": make_money(14.0)}, {"money": make_money(10.0)}),
    *(
        (
            "estimate",
            state.replace(" ", "_"),
            "within_tolerance",
            {"estimate": make_estimate(state)},
            {"estimate": make_estimate("within tolerance")},
        )
        for state in ("degraded", "audit failed")
    ),
    ("age", "due", "fresh", {"staleness": make_staleness(IDLE)}, {"staleness": make_staleness()}),
    ("retraining", "due", "waits", {"search": True}, {"refresh": True}),
]


@pytest.mark.parametrize(("subject", "state", "calm", "alarm", "over"), CASES)
def test_a_change_is_reported_once_and_so_is_its_end(subject, state, calm, alarm, over):
    runs = [monitored_event(day=0, **over), *(monitored_event(day=day, **alarm) for day in (0.1, 0.2, 0.3))]
    after = [monitored_event(day=day, **over) for day in (0.4, 0.5)]

    made = alerts_of(*runs, *after)

    assert shown(made) == [(subject, state, RAISED), (subject, calm, ENDED)]
    assert made[0].since == made[0].at == made[1].since == runs[1].at


@pytest.mark.parametrize(("subject", "state", "alarm"), [(case[0], case[1], case[3]) for case in CASES])
def test_an_alarm_ends_where_its_scenario_is_archived_and_is_none_of_the_new_one(subject, state, alarm):
    archived = make_event(ARCHIVED, {"archive": "shop-1"}, day=0.1, reason="a demo")

    made = alerts_of(
        monitored_event(day=0, **alarm), archived, monitored_event(day=9), monitored_event(day=9.1, **alarm)
    )

    assert shown(made) == [(subject, state, RAISED), (subject, "archived", ENDED), (subject, state, RAISED)]


def test_every_subject_can_be_muted_and_has_a_case_here():
    assert params(muted=list(SUBJECTS)).muted == SUBJECTS
    tried = {(subject, state) for subject, *states, _, _ in CASES for state in states}
    others = {subject for subject, state in set(LEVELS) - tried if state != ARCHIVED}
    assert others == {"files", "retraining", "approval", "monitoring"}


@pytest.mark.parametrize(
    "unsure",
    [
        {"drift": drift("insufficient data"), "quality": make_quality("unknown")},
        {
            "drift": drift("drift suspected"),
            "quality": make_quality("inconclusive"),
            "estimate": make_estimate("unknown"),
        },
    ],
)
def test_a_run_that_cannot_tell_neither_ends_an_alarm_nor_repeats_it(unsure):
    alarm = {"drift": drift("drift"), "quality": make_quality("degraded")}

    made = alerts_of(monitored_event(**alarm), monitored_event(day=2, **unsure), repeat_hours=24.0, silence_hours=0.0)

    assert shown(made) == [("drift", "drift", RAISED), ("quality", "degraded", RAISED)]


@pytest.mark.parametrize(
    ("own", "late", "alarms"),
    [
        ("unknown", "degraded", [("quality", "degraded", LATE)]),
        ("inconclusive", "degraded", [("quality", "degraded", LATE)]),
        ("within tolerance", "degraded", []),
        ("degraded", "within tolerance", [("quality", "degraded", MODEL)]),
        ("degraded", "degraded", [("quality", "degraded", MODEL)]),
        ("unknown", "inconclusive", []),
    ],
)
def test_late_labels_raise_an_alarm_about_the_release_that_gave_the_answers(own, late, alarms):
    judged = LateQuality(make_quality(late), (LATE,), at(0))

    made = alerts_of(monitored_event(), monitored_event(day=0.1, quality=make_quality(own), late=judged))

    assert [(alert.subject, alert.state, alert.about) for alert in made] == alarms


def test_late_labels_within_tolerance_end_an_alarm_where_nothing_newer_is_known():
    fine = LateQuality(make_quality(), (LATE,), at(0))
    alarm = monitored_event(quality=make_quality("degraded"))

    over = alerts_of(alarm, monitored_event(day=0.1, quality=make_quality("unknown"), late=fine))
    unsure = alerts_of(alarm, monitored_event(day=0.1, quality=make_quality("inconclusive"), late=fine))

    assert shown(over)[1:] == [("quality", "within_tolerance", ENDED)]
    assert shown(unsure)[1:] == []


def test_an_alarm_of_late_labels_ends_once_the_model_itself_is_known_to_be_as_good_as_expected():
    late = LateQuality(make_quality("degraded"), (LATE,), at(0))
    alarm = monitored_event(quality=make_quality("unknown"), late=late)

    made = alerts_of(alarm, monitored_event(day=0.1, quality=make_quality(), late=late))

    assert shown(made) == [("quality", "degraded", RAISED), ("quality", "within_tolerance", ENDED)]


@pytest.mark.parametrize(("hours", "count"), [(23.9, 1), (24, 2), (24.1, 2)])
def test_an_alarm_that_lasts_is_repeated_after_the_hours_that_were_asked_for(hours, count):
    runs = [monitored_event(drift=drift("drift"), day=day) for day in (0, hours / 24)]

    made = alerts_of(*runs, repeat_hours=24.0, silence_hours=0.0)

    assert shown(made) == [("drift", "drift", RAISED), ("drift", "drift", REPEATED)][:count]
    assert made[-1].since == runs[0].at


def test_repeats_count_from_the_last_message_and_can_be_switched_off():
    runs = [monitored_event(drift=drift("drift"), day=day) for day in (0, 0.9, 1.8, 2.7)]

    assert len(alerts_of(*runs, repeat_hours=24.0, silence_hours=0.0)) == 2
    assert len(alerts_of(*runs, repeat_hours=0.0, silence_hours=0.0)) == 1


def test_a_repeat_is_held_back_while_a_message_of_its_subject_waits():
    runs = numbered(*(monitored_event(drift=drift("drift"), day=day) for day in (0, 2)))
    state, _ = advance(AlertState(), runs[:1], params(silence_hours=0.0))

    later, made = advance(state, runs, params(silence_hours=0.0))

    assert made == ()
    assert [alert.kind for alert in later.waiting] == [RAISED]


def test_more_repeats_wanted_from_today_bring_none_of_the_past():
    runs = numbered(*(monitored_event(drift=drift("drift"), day=day) for day in range(5)))
    state, _ = advance(AlertState(), runs[:1], params())

    _, made = advance(delivered(state), runs, params(repeat_hours=1.0))

    assert shown(made) == [("drift", "drift", REPEATED)]


def test_the_same_alarm_of_another_model_is_a_change():
    runs = [
        monitored_event(quality=make_quality("degraded"), day=day, model=model)
        for day, model in ((0, MODEL), (0.1, OTHER))
    ]

    made = alerts_of(*runs)

    assert [alert.about for alert in made] == [MODEL, OTHER]


def test_another_limit_of_age_that_is_passed_is_a_change():
    old = ExceededLimit("max_model_days", 91.0, 90.0)
    stale = (make_staleness(IDLE), make_staleness(replace(IDLE, value=32.0)), make_staleness(IDLE, old))

    made = alerts_of(*(monitored_event(day=day / 10, staleness=each) for day, each in enumerate(stale)))

    assert [alert.about for alert in made] == ["max_idle_days", "max_idle_days, max_model_days"]


def test_each_judgement_and_move_is_news_reported_once():
    refused = make_challenger(OTHER, champion=MODEL, promote=False, reasons=("no gain",)).model_dump(mode="json")
    accepted = {**refused, "promote": True}
    release = {"release": RELEASE.model_dump(mode="json"), "change": "first"}
    events = [
        monitored_event(search=True),
        make_event(CHALLENGED, refused, day=0.1),
        monitored_event(day=0.2),
        make_event(CHALLENGED, accepted, day=0.3),
        make_event(RELEASED, release, day=0.4, reason="gain +0.1"),
        monitored_event(day=0.5),
        make_event(ROLLED_BACK, ModelRolledBack(release=RELEASE).model_dump(mode="json"), day=0.6, reason="too slow"),
    ]

    made = alerts_of(*events)

    assert [(alert.state, alert.about) for alert in made] == [
        ("due", ""),
        ("refused", OTHER),
        ("promoted", MODEL),
        ("rolled_back", MODEL),
    ]


def test_new_weights_that_were_refused_are_no_news():
    refused = make_challenger(OTHER, promote=False, rows=960, learned=900).model_dump(mode="json")

    assert [alert.state for alert in alerts_of(make_event(CHALLENGED, refused, day=0.1))] == []


def released(change, *, day, model=MODEL):
    release = RELEASE.model_copy(update={"model": model})
    return make_event(RELEASED, ModelReleased(release=release, change=change).model_dump(mode="json"), day=day)


def test_of_the_releases_people_hear_of_the_first_of_a_changed_pool_and_of_the_naive_answer():
    events = [
        released("first", day=0),
        *(released("refresh", day=day) for day in (0.1, 0.2, 0.3)),
        released("search", day=0.4, model=OTHER),
        released("refresh", day=0.5),
        released("naive", day=0.6),
        released("naive", day=0.7, model=OTHER),
        released("refresh", day=0.8, model=OTHER),
        released("refresh", day=0.9),
    ]

    assert [(alert.state, alert.kind, alert.about) for alert in alerts_of(*events)] == [
        ("promoted", RAISED, MODEL),
        ("promoted", RAISED, OTHER),
        ("naive", RAISED, ""),
        ("refreshed", ENDED, OTHER),
    ]


def test_nightly_runs_repeat_a_lasting_alarm_every_night_though_one_comes_a_little_sooner():
    nights = [monitored_event(day=day, drift=drift("drift")) for day in (0, 0.9999, 2.0001, 2.9999)]

    assert [alert.kind for alert in alerts_of(*nights)] == [RAISED, REPEATED, REPEATED, REPEATED]


def test_silence_is_reported_while_it_lasts_and_the_run_that_ends_it_too():
    silences = [
        make_event(SILENT, MonitoringSilent(since=at(0), hours=hours).model_dump(mode="json"), day=hours / 24)
        for hours in (26, 50)
    ]
    runs = [monitored_event(day=0), *silences, monitored_event(day=3), monitored_event(day=6)]

    made = alerts_of(*runs, repeat_hours=23.0)

    kinds = [("silent", RAISED), ("silent", REPEATED), ("regular", ENDED)]
    assert shown(made) == [("monitoring", *each) for each in kinds]
    assert alerts_of(*runs, muted=["monitoring"]) == []


def test_what_was_never_read_is_reported_later_in_order_with_the_same_ids():
    """A process killed after the run, or after sending: nothing was written down, so it is all made again."""
    runs = numbered(monitored_event(drift=drift("drift")), monitored_event(day=0.1), monitored_event(day=0.2))

    state, made = advance(AlertState(), runs, params())
    _, once_more = advance(AlertState(), runs, params())

    assert shown(made) == [("drift", "drift", RAISED), ("drift", "none", ENDED)]
    assert made == once_more == state.waiting
    assert [alert.id for alert in made] == ["shop/1/drift", "shop/2/drift"]
    assert advance(state, runs, params())[1] == ()


def test_a_scenario_with_a_past_but_no_state_tells_its_newest_event_alone():
    runs = numbered(monitored_event(quality=make_quality("degraded")), monitored_event(drift=drift("drift"), day=0.1))

    _, made = advance(first_state(runs), runs, params())

    assert shown(made) == [("drift", "drift", RAISED)]
    assert advance(first_state([]), [], params()) == (AlertState(), ())


def test_a_muted_subject_is_reported_once_it_is_no_longer_muted():
    runs = numbered(*(monitored_event(drift=drift("drift"), day=day) for day in (0, 0.1)))
    state, muted = advance(AlertState(), runs[:1], params(muted=["drift"]))

    _, made = advance(state, runs, params())

    assert muted == ()
    assert shown(made) == [("drift", "drift", RAISED)]


def test_the_state_survives_its_event():
    state, _ = advance(AlertState(), numbered(monitored_event(drift=drift("drift"), search=True)), params())

    assert AlertState.model_validate(state.model_dump(mode="json")) == state


def told_of_people(kind, *, day=0.0, model=MODEL, **more):
    return make_event(kind, {"subject": {"model": model}} | more, day=day)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(APPROVAL_REQUESTED, "waits"), (APPROVAL_REFUSED, "refused"), (APPROVAL_EXPIRED, "expired")],
)
def test_a_release_that_waits_for_people_and_what_came_of_it_are_sent_once(kind, state):
    made = alerts_of(told_of_people(kind), monitored_event(day=3), told_of_people(kind, day=4))

    assert [each for each in shown(made) if each[0] == "approval"] == [("approval", state, RAISED)]


def test_each_model_that_waits_is_sent_and_what_is_out_of_date_is_not():
    requests = [told_of_people(APPROVAL_REQUESTED, day=day, model=model) for day, model in enumerate((MODEL, OTHER))]

    made = alerts_of(requests[0], told_of_people(APPROVAL_VOIDED, day=0.5), requests[1])

    assert shown(made) == [("approval", "waits", RAISED)] * 2


def test_a_request_that_takes_the_place_of_one_that_nobody_answered_is_not_sent_and_its_refusal_is():
    asked, voided = told_of_people(APPROVAL_REQUESTED), told_of_people(APPROVAL_VOIDED, day=1)
    newer = told_of_people(APPROVAL_REQUESTED, day=1.1, model=OTHER, asked_since=asked.at)

    made = alerts_of(asked, voided, newer, told_of_people(APPROVAL_REFUSED, day=2, model=OTHER))

    assert shown(made) == [("approval", "waits", RAISED), ("approval", "refused", RAISED)]


@pytest.mark.parametrize(("number", "told"), [(0, []), (7, [("approval", "waits", RAISED)])])
def test_the_release_of_what_was_approved_settles_it_and_one_that_nobody_was_asked_for_says_nothing(number, told):
    before = [told_of_people(APPROVAL_REQUESTED)] if number else []
    released = ModelReleased(release=RELEASE, approval=number).model_dump(mode="json")

    made = alerts_of(*before, make_event(RELEASED, released, day=1))

    assert [each for each in shown(made) if each[0] == "approval"] == told
