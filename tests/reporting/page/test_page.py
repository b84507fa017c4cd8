"""A scenario's page: with no, one, two and two hundred windows, and with text that would be markup."""

from html.parser import HTMLParser

import pytest

from releve.domain.drift.verdict import OF_ANSWERS
from releve.reporting.html import render_html
from releve.reporting.page.decisions import LISTED, entries_of
from releve.reporting.page.drift import SHOWN_COLUMNS
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.page import SECTIONS, build
from releve.reporting.page.quality import DRAWN
from tests.page_histories import (
    MODEL,
    RELEASE,
    SCENARIO,
    at,
    challenge_event,
    drift,
    look_event,
    make_backtest,
    make_evidence,
    make_window,
    old_look_event,
    release_event,
)

LARGEST = 500_000  # bytes of a page with 200 windows
YOUNGER = f"{SCENARIO}:{'2' * 12}"
NASTY = '<script>alert("x")</script><img src=x onerror=y>'
ESTIMATE = {
    "state": "within tolerance",
    "method": "calibrated probabilities",
    "rows": 200,
    "score": {"value": 0.87, "low": 0.8, "high": 0.93},
    "audit": {"rows": 60, "expected": 0.88, "realised": 0.87, "passed": True},
    "reasons": ["the estimate lies within tolerance"],
}


class Parts(HTMLParser):
    """What a browser would find: tags that are open and close in order, their attributes, the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.open, self.attributes, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def drawn(evidence):
    found = Parts(render_html(build(evidence)))
    assert found.open == []
    return found


def test_a_page_of_nothing_says_what_is_not_known():
    found = drawn(PageEvidence(SCENARIO, at(0)))

    assert "svg" not in found.tags
    assert "Not known yet: nothing serves; drift, as nobody has looked; realised quality" in found.text
    assert "Nothing was decided yet." in found.text
    assert "`make backtest SCENARIO=shop` tries them" in found.text


@pytest.mark.parametrize("windows", [1, 2, 200])
def test_every_section_is_there_whatever_the_number_of_windows(windows):
    found = drawn(make_evidence(windows, backtest=make_backtest(windows=windows)))

    assert all(title in found.text for title in SECTIONS)
    assert found.text.count("not known yet") == 0
    assert f"{windows} of {windows} windows have a score; the newest is 0.880 [0.810, 0.940], 0.900 was" in found.text


def test_a_page_of_200_windows_and_many_columns_stays_small():
    looks = tuple(
        look_event(day=number + 1.0, drift=drift("drift", columns=60, alarms=number % 50), estimate=ESTIMATE)
        for number in range(200)
    )
    evidence = make_evidence(200, events=(release_event(), *looks), backtest=make_backtest(windows=200))

    assert len(render_html(build(evidence)).encode()) < LARGEST


def test_nothing_is_loaded_from_elsewhere_and_every_picture_has_words():
    found = drawn(make_evidence(2, backtest=make_backtest()))

    assert not {"link", "script", "iframe", "img"} & set(found.tags)
    assert not {"src", "href", "onclick"} & {name for name, _ in found.attributes}
    assert found.tags.count("desc") == 2 * 4
    assert sum(name == "tabindex" for name, _ in found.attributes) == found.tags.count("table") - 2


def test_text_of_users_is_never_markup():
    columns = drift("drift", columns=1, alarms=1)
    columns["columns"][0]["name"] = NASTY
    columns["reasons"] = [NASTY]
    events = (
        challenge_event(promote=False, model=NASTY, reasons=[NASTY]),
        release_event(),
        look_event(day=1, drift=columns, decision={"retrain": True, "reasons": [NASTY]}),
        look_event(day=2, estimate=ESTIMATE | {"method": NASTY, "reasons": [NASTY], "state": NASTY}),
        look_event(day=3, drift=drift(NASTY)),
    )
    windows = (make_window(0, model=NASTY, naive_name=NASTY, metric=NASTY),)
    backtest = make_backtest(policies=("static", NASTY)) | {"recommended": {"policy": NASTY, "reason": NASTY}}

    found = drawn(make_evidence(1, events=events, windows=windows, backtest=backtest))

    assert not {"script", "img"} & set(found.tags)


def test_a_history_of_the_first_format_makes_a_page():
    events = (release_event(), old_look_event(day=1), old_look_event(day=2))

    found = drawn(make_evidence(2, events=events))

    assert "No look has estimated the quality without labels yet." in found.text
    assert "2 looks: 2 no drift." in found.text


def test_windows_without_labels_are_told_and_estimates_stand_in():
    windows = (make_window(0), make_window(1, score=None, naive=None, naive_name="", label_delay_days=None))

    found = drawn(make_evidence(2, windows=windows, events=(release_event(), look_event(day=2, estimate=ESTIMATE))))

    assert "1 of 2 windows have too few labels for a score yet." in found.text
    assert "estimated without labels" in found.text
    assert "passed: 0.880 expected, 0.870 realised on 60 rows" in found.text


def test_an_estimate_that_labels_contradicted_is_told_as_suspected_concept_drift():
    off = ESTIMATE | {"state": "audit failed", "score": None, "audit": ESTIMATE["audit"] | {"passed": False}}

    found = drawn(make_evidence(1, events=(release_event(), look_event(day=1, estimate=off))))

    assert "audit failed: labels contradicted the estimates, and so concept drift is suspected." in found.text
    assert "failed: 0.880 expected" in found.text


def test_the_newest_look_that_lacks_labels_does_not_hide_what_was_known():
    unknown = {"state": "unknown", "labelled": 3, "expected": 0.9, "score": None, "metric": "accuracy"}

    found = drawn(make_evidence(1, events=(release_event(), look_event(day=1, quality=unknown))))

    assert "too few new labels; 0.880 [0.810, 0.940] was the last known" in found.text


def test_waiting_time_and_again_is_one_entry_and_everything_else_one_each():
    events = [
        challenge_event(promote=True),
        release_event(),
        *(look_event(day=day) for day in (1, 2, 3)),
        look_event(day=4, drift=drift("drift suspected")),
        look_event(day=5, retrain=True),
        look_event(day=6, retrain=True),
        challenge_event(promote=False, day=7),
    ]

    titles = [entry.title for entry in entries_of(events)]

    assert titles == [
        f"the gate promotes {MODEL}, the first one",
        f"released {MODEL}",
        "wait, 3 looks since 2026-01-06 09:00",
        "wait",
        "retrain",
        "retrain",
        f"the gate refuses {MODEL}, the first one",
    ]


@pytest.mark.parametrize(("more", "said"), [(0, False), (1, True)])
def test_decisions_beyond_the_list_are_counted(more, said):
    events = tuple(look_event(day=day, retrain=True) for day in range(LISTED + more))

    found = drawn(make_evidence(1, events=events))

    assert ("1 older ones are left out here" in found.text) is said


@pytest.mark.parametrize(("columns", "said"), [(SHOWN_COLUMNS, False), (SHOWN_COLUMNS + 1, True)])
def test_columns_that_are_not_drawn_are_counted(columns, said):
    found = drawn(make_evidence(1, events=(release_event(), look_event(drift=drift(columns=columns)))))

    assert (f"Drawn are {SHOWN_COLUMNS} of {columns} columns" in found.text) is said


@pytest.mark.parametrize(("windows", "said"), [(DRAWN, False), (DRAWN + 1, True)])
def test_windows_and_looks_that_are_not_drawn_are_counted(windows, said):
    found = drawn(make_evidence(windows))

    assert (f"Drawn are the newest {DRAWN} of {windows} windows." in found.text) is said
    assert (f"Drawn are the newest {DRAWN} of {windows} looks." in found.text) is said


def test_costs_count_retrainings_and_say_how_much_is_not_recorded():
    events = (challenge_event(promote=True, cpu_seconds=12.5), challenge_event(promote=False, day=40))

    found = drawn(make_evidence(1, events=events))

    assert "2: 1 promoted, 1 refused" in found.text
    assert "12 s, 1 not recorded" in found.text
    assert "2026-02 1 0 not known" in found.text


@pytest.mark.parametrize(
    ("events", "said"), [((), "none yet"), ((challenge_event(promote=True),), "not known: they did not record it")]
)
def test_the_cpu_time_of_no_retraining_is_told_apart_from_one_that_was_not_recorded(events, said):
    assert f"CPU time of retrainings {said}" in drawn(make_evidence(1, events=events)).text


def test_the_backtest_shows_every_policy_and_what_it_recommends():
    found = drawn(make_evidence(1, backtest=make_backtest()))

    assert "Recommended: two keys: not distinguishable from the schedule." in found.text
    assert "every window 0.740 [0.600, 0.800] +0.040 [-0.010, +0.050] 2 2 3.0" in found.text
    assert "naive: previous label (the newest that has arrived) 0.600" in found.text


def test_of_a_loss_the_lowest_policies_are_drawn():
    names = ("static", "worst", "worse", "good", "best")
    backtest = make_backtest(policies=names) | {"sign": -1, "recommended": None}
    for place, policy in enumerate(backtest["policies"]):
        policy["score"] = {"value": 1.0 - 0.1 * place, "low": 0.0, "high": 1.0}

    found = drawn(make_evidence(1, backtest=backtest))

    assert "lines: static, best, good, previous label." in found.text


def test_a_baseline_without_a_score_is_named_and_not_drawn():
    backtest = make_backtest() | {"baselines": [{"name": "the usual value", "scores": [None] * 4, "score": None}]}

    found = drawn(make_evidence(1, backtest=backtest))

    assert "naive: the usual value" in found.text
    assert "lines: two keys, static, every window." in found.text


def test_what_serves_is_told_with_its_expected():
    found = drawn(make_evidence(1))

    assert f"model version {MODEL}" in found.text
    assert "accuracy 0.900 [0.830, 0.950] on 100 rows" in found.text
    assert RELEASE.index in found.text


def heads(evidence):
    """What the head says beside realised quality, drift and the last decision."""
    _, *seen = build(evidence).sections[0].blocks[0].tiles
    return [figure.note for figure in seen]


@pytest.mark.parametrize(
    ("since", "serving", "said"),
    [
        (1.0, MODEL, ""),
        (1.01, MODEL, f"of {'1' * 12}, before this release; nobody has looked since: "),
        (0.5, YOUNGER, f"of {'1' * 12}, before this release; nobody has looked since: "),
    ],
)
def test_what_was_seen_of_another_model_or_before_a_release_is_never_told_as_what_serves(since, serving, said):
    found = heads(make_evidence(1, release=RELEASE.model_copy(update={"model": serving}), since=at(since)))

    assert found == [
        f"{said}accuracy 0.880 [0.810, 0.940], 0.900 was expected",
        f"{said}0 of 2 columns in alarm, 2026-01-06 09:00",
        f"{said}nothing shows that the champion is worse",
    ]


def test_the_newest_drift_and_estimate_say_whose_they_are_below_as_well():
    events = (release_event(), look_event(day=1, estimate=ESTIMATE))

    found = drawn(make_evidence(1, events=events, release=RELEASE.model_copy(update={"model": YOUNGER})))

    whose = f"2026-01-06 09:00 (of {'1' * 12}, before this release; nobody has looked since)"
    assert f"Newest look, {whose}: no drift." in found.text
    assert f"Newest, {whose}: holds." in found.text


def test_what_was_seen_before_a_withdrawal_is_told_as_that_models():
    found = heads(make_evidence(1, release=None, since=""))

    assert all(note.startswith(f"of {'1' * 12}, which serves no more: ") for note in found)


@pytest.mark.parametrize(
    ("alarms", "said"),
    [(1, "1 of 2 columns in alarm, 2026"), (3, "2 of 2 columns in alarm, and the champion's answers, 2026")],
)
def test_the_champions_answers_are_no_column_of_the_table(alarms, said):
    seen = drift("drift", columns=3, alarms=alarms)
    seen["columns"][2] |= {"name": "prediction", "method": f"KS{OF_ANSWERS}"}

    assert heads(make_evidence(1, events=(release_event(), look_event(day=1, drift=seen))))[1].startswith(said)


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (None, "as no look has estimated it"),
        (
            ESTIMATE | {"state": "audit failed", "score": None},
            "as labels contradicted the estimate, which is switched off",
        ),
        (ESTIMATE | {"state": "unknown", "score": None}, "as no estimate could be made yet: see below"),
    ],
)
def test_an_estimate_without_a_figure_is_told_with_its_cause_at_the_head(estimate, said):
    found = drawn(make_evidence(1, events=(release_event(), look_event(day=1, estimate=estimate))))

    assert f"quality without labels, {said}" in found.text


def test_a_score_last_known_of_another_model_is_told_as_that_ones():
    unknown = {"state": "unknown", "labelled": 3, "expected": 0.9, "score": None, "metric": "accuracy"}
    events = (release_event(), look_event(day=1, quality=unknown, model=YOUNGER))

    quality = heads(make_evidence(1, events=events, release=RELEASE.model_copy(update={"model": YOUNGER})))[0]

    assert f"0.880 [0.810, 0.940] (of {'1' * 12}) was the last known" in quality


def test_ages_are_told_for_the_moment_of_the_page_or_with_the_look_that_told_them():
    found = drawn(make_evidence(1, made_at=at(9.5)))

    assert "last retraining 2026-01-05 09:00, 9.5 days before this page was made" in found.text
    assert "age at the look of 2026-01-06 09:00: fresh; retrained 3 days ago" in found.text


@pytest.mark.parametrize(
    ("days", "said"), [(1.0, "1 days"), (0.99, "23.8 hours"), (0.5 / 24, "30 minutes"), (1e-7, "0.00864 seconds")]
)
def test_how_late_labels_come_is_told_in_a_unit_that_fits(days, said):
    found = drawn(make_evidence(1, windows=(make_window(0, label_delay_days=days),)))

    assert f"The usual window waits {said} for its labels" in found.text


def test_a_release_does_not_repeat_what_the_gate_said():
    events = [challenge_event(promote=True, reasons=["gain +0.1"]), release_event()]

    assert [entry.reasons for entry in entries_of(events)] == [("gain +0.1",), ("for the gate's reasons",)]
