"""Which messages follow from a history of looks, judgements and moves."""

from dataclasses import replace

import pytest

from releve.core.params import Alerts
from releve.domain.alerting.alerts import ENDED, RAISED, REPEATED, Book, first_book, look_through, read_book, told
from releve.domain.alerting.signals import SENTENCES, SUBJECTS
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, RELEASED, ROLLED_BACK
from tests.page_histories import MODEL, RELEASE, drift, look_event, make_event, old_look_event
from tests.tables import make_params

OTHER = f"{MODEL[:-1]}2"


def params(**changes) -> Alerts:
    return make_params(alerts=changes).alerts


def numbered(*events):
    return [replace(event, number=number) for number, event in enumerate(events, start=1)]


def messages(*events, book=Book(), **changes):  # noqa: B008
    """What looking through all of them, one at a time as production does, tells."""
    made = []
    for count in range(1, len(events) + 1):
        book, found = look_through(book, numbered(*events[:count]), params(**changes))
        book = replace(book, waiting=())
        made += found
    return made


def shown(made):
    return [(message.subject, message.state, message.kind) for message in made]


def quality(state):
    return {"state": state, "labelled": 120, "expected": 0.9, "score": None, "metric": "accuracy"}


def estimate(state):
    return {"state": state, "method": "", "metric": "accuracy", "rows": 200, "reasons": [f"{state}!"]}


FINE = "within tolerance"
CASES = [  # what a look says in an alarm, and when it is over
    ("data", "broken", "sound", {"drift": drift("broken data")}, {"drift": drift("no drift")}),
    ("drift", "drift", "none", {"drift": drift("drift")}, {"drift": drift("no drift")}),
    (
        "quality",
        "degraded",
        "within tolerance",
        {"quality": quality("degraded")},
        {"quality": quality("within tolerance")},
    ),
    (
        "estimate",
        "degraded",
        "within tolerance",
        {"estimate": estimate("degraded")},
        {"estimate": estimate("within tolerance")},
    ),
    (
        "estimate",
        "audit failed",
        "within tolerance",
        {"estimate": estimate("audit failed")},
        {"estimate": estimate("within tolerance")},
    ),
    ("age", "due", "fresh", {"age": {"state": "due", "reasons": ["idle"]}}, {"age": {"state": "fresh", "reasons": []}}),
    ("retraining", "due", "waits", {"retrain": True}, {"retrain": False}),
]


@pytest.mark.parametrize(("subject", "state", "calm", "alarm", "over"), CASES)
def test_a_change_is_told_once_and_so_is_its_end(subject, state, calm, alarm, over):
    looks = [look_event(day=0, **over), *(look_event(day=day, **alarm) for day in (0.1, 0.2, 0.3))]
    after = [look_event(day=day, **over) for day in (0.4, 0.5)]

    made = messages(*looks, *after)

    assert shown(made) == [(subject, state, RAISED), (subject, calm, ENDED)]
    assert made[0].since == made[0].at == made[1].since == looks[1].at
    assert made[0].text.startswith("shop: ")
    assert made[1].text.endswith("; the alarm stood since 2026-01-05 11:24 UTC")


@pytest.mark.parametrize(("subject", "state", "alarm"), [(case[0], case[1], case[3]) for case in CASES])
def test_an_alarm_ends_where_its_scenario_is_archived_and_is_none_of_the_new_one(subject, state, alarm):
    archived = make_event(ARCHIVED, {"archive": "shop-1"}, day=0.1, reason="a demo")

    made = messages(look_event(day=0, **alarm), archived, look_event(day=9), look_event(day=9.1, **alarm))

    assert shown(made) == [(subject, state, RAISED), (subject, "archived", ENDED), (subject, state, RAISED)]
    assert made[1].text == (
        f"shop: started over, which ends the alarm of {subject}; the alarm stood since 2026-01-05 09:00 UTC"
    )
    assert made[1].reasons == ("a demo",)


def test_every_subject_can_be_muted_and_has_a_case_here():
    assert params(muted=list(SUBJECTS)).muted == SUBJECTS
    tried = {(subject, state) for subject, *states, _, _ in CASES for state in states}
    others = {subject for subject, state in set(SENTENCES) - tried if state != ARCHIVED}
    assert others == {"retraining", "monitoring"}


@pytest.mark.parametrize(
    "unsure",
    [
        {"drift": drift("insufficient data"), "quality": quality("unknown")},
        {"drift": drift("drift suspected"), "quality": quality("inconclusive"), "estimate": estimate("unknown")},
    ],
)
def test_a_look_that_cannot_tell_neither_ends_an_alarm_nor_repeats_it(unsure):
    alarm = {"drift": drift("drift"), "quality": quality("degraded")}

    made = messages(look_event(**alarm), look_event(day=2, **unsure), repeat_hours=24.0, silence_hours=0.0)

    assert shown(made) == [("drift", "drift", RAISED), ("quality", "degraded", RAISED)]


@pytest.mark.parametrize(("hours", "told"), [(23.9, 1), (24, 2), (24.1, 2)])
def test_an_alarm_that_stands_is_repeated_after_the_hours_that_were_asked_for(hours, told):
    looks = [look_event(drift=drift("drift"), day=day) for day in (0, hours / 24)]

    made = messages(*looks, repeat_hours=24.0, silence_hours=0.0)

    assert shown(made) == [("drift", "drift", RAISED), ("drift", "drift", REPEATED)][:told]
    assert made[-1].since == looks[0].at
    assert told == 1 or made[-1].text.startswith("shop: still: the table drifted, since 2026-01-05 09:00 UTC (drift!)")


def test_repeats_count_from_the_last_message_and_can_be_switched_off():
    looks = [look_event(drift=drift("drift"), day=day) for day in (0, 0.9, 1.8, 2.7)]

    assert len(messages(*looks, repeat_hours=24.0, silence_hours=0.0)) == 2
    assert len(messages(*looks, repeat_hours=0.0, silence_hours=0.0)) == 1


def test_a_repeat_is_held_back_while_a_message_of_its_subject_waits():
    looks = numbered(*(look_event(drift=drift("drift"), day=day) for day in (0, 2)))
    book, _ = look_through(Book(), looks[:1], params(silence_hours=0.0))

    later, made = look_through(book, looks, params(silence_hours=0.0))

    assert made == ()
    assert [message.kind for message in later.waiting] == [RAISED]


def test_more_repeats_wanted_from_today_bring_none_of_the_past():
    looks = numbered(*(look_event(drift=drift("drift"), day=day) for day in range(5)))
    book, _ = look_through(Book(), looks[:1], params())

    _, made = look_through(replace(book, waiting=()), looks, params(repeat_hours=1.0))

    assert shown(made) == [("drift", "drift", REPEATED)]


def test_the_same_alarm_of_another_model_is_a_change():
    looks = [look_event(quality=quality("degraded"), day=day, model=model) for day, model in ((0, MODEL), (0.1, OTHER))]

    made = messages(*looks)

    assert [message.about for message in made] == [MODEL, OTHER]


def test_another_limit_of_age_that_is_passed_is_a_change():
    idle, old = "no rows since 31 days (params.yaml: age.max_idle_days)", "old (params.yaml: age.max_model_days)"
    looks = [
        look_event(day=day, age={"state": "due", "reasons": reasons})
        for day, reasons in ((0, [idle]), (0.1, [idle.replace("31", "32")]), (0.2, [idle, old]))
    ]

    made = messages(*looks)

    assert [message.about for message in made] == ["max_idle_days", "max_idle_days, max_model_days"]
    assert made[1].reasons == (idle, old)


def test_each_judgement_and_move_is_news_told_once():
    refused = {"model": OTHER, "champion": MODEL, "promote": False, "reasons": ["no gain"]}
    accepted = {**refused, "promote": True}
    release = {"release": RELEASE.as_dict()}
    events = [
        look_event(retrain=True),
        make_event(CHALLENGED, refused, day=0.1),
        look_event(day=0.2),
        make_event(CHALLENGED, accepted, day=0.3),
        make_event(RELEASED, release, day=0.4, reason="gain +0.1"),
        look_event(day=0.5),
        make_event(ROLLED_BACK, release, day=0.6, reason="too slow"),
    ]

    made = messages(*events)

    assert [message.text for message in made] == [
        "shop: a retraining is due (nothing shows that the champion is worse)",
        f"shop: the gate refused {OTHER} (no gain)",
        f"shop: {MODEL} serves now (gain +0.1)",
        f"shop: rolled back, {MODEL} serves again (too slow)",
    ]


def test_nightly_looks_tell_a_standing_alarm_every_night_though_one_comes_a_little_sooner():
    nights = [look_event(day=day, drift=drift("drift")) for day in (0, 0.9999, 2.0001, 2.9999)]

    assert [message.kind for message in messages(*nights)] == [RAISED, REPEATED, REPEATED, REPEATED]


@pytest.mark.parametrize(("hours", "state"), [(24.9, None), (25, None), (25.1, "silent")])
def test_silence_is_told_by_the_look_that_ends_it(hours, state):
    looks = [look_event(day=0), look_event(day=hours / 24), look_event(day=hours / 24 + 1)]

    made = messages(*looks, silence_hours=25.0)

    expected = [("monitoring", "silent", RAISED), ("monitoring", "regular", ENDED)] if state else []
    assert shown(made) == expected
    assert messages(*looks, silence_hours=0.0) == []


def test_what_was_never_looked_through_is_told_later_in_order_with_the_same_ids():
    """A process killed after the look, or after sending: nothing was written down, so it is all made again."""
    looks = numbered(look_event(drift=drift("drift")), look_event(day=0.1), look_event(day=0.2))

    book, made = look_through(Book(), looks, params())
    _, once_more = look_through(Book(), looks, params())

    assert shown(made) == [("drift", "drift", RAISED), ("drift", "none", ENDED)]
    assert made == once_more == book.waiting
    assert [message.id for message in made] == ["shop/1/drift", "shop/2/drift"]
    assert look_through(book, looks, params())[1] == ()


def test_a_scenario_with_a_past_but_no_book_tells_its_newest_event_alone():
    looks = numbered(look_event(quality=quality("degraded")), look_event(drift=drift("drift"), day=0.1))

    _, made = look_through(first_book(looks), looks, params())

    assert shown(made) == [("drift", "drift", RAISED)]
    assert look_through(first_book([]), [], params()) == (Book(), ())


def test_a_muted_subject_is_told_once_it_is_no_longer_muted():
    looks = numbered(*(look_event(drift=drift("drift"), day=day) for day in (0, 0.1)))
    book, muted = look_through(Book(), looks[:1], params(muted=["drift"]))

    _, made = look_through(book, looks, params())

    assert muted == ()
    assert shown(made) == [("drift", "drift", RAISED)]


def test_looks_of_the_first_format_are_understood():
    assert messages(old_look_event(), old_look_event(day=0.1)) == []


def test_a_book_survives_its_event():
    book, made = look_through(Book(), numbered(look_event(drift=drift("drift"), retrain=True)), params())

    assert read_book(book.as_json()) == book
    assert told(made) == "; ".join(message.text for message in made)
    assert told(()) == "nothing to tell"


def test_what_a_caller_sent_becomes_neither_a_link_nor_a_mention_nor_a_page_of_text():
    rude = "<!channel> @here [free](http://x.example)\n`x` WWW.x.example" + "y" * 400
    look = look_event(drift={**drift("broken data"), "reasons": [rude] * 30})

    (made,) = messages(look)

    assert not set(made.text) & set("<>@[]`\n")
    assert "://" not in made.text
    assert "www." not in made.text.lower()
    assert len(made.reasons) == 10
    assert max(len(reason) for reason in made.reasons) == 300
    assert len(made.text) < 400
