"""A scenario's page: with no, one, two and two hundred windows, and with text that would be markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import releve.reporting
from releve.domain.backtest.report import BaselineResult
from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.evaluation.evaluation import OwnScores, SoundScore
from releve.domain.evaluation.intervals import Interval
from releve.domain.features.lateness import LateValues
from releve.domain.health.health import Health, HealthCause
from releve.domain.quality.late import LateQuality
from releve.domain.quality.realised import Coverage, QualityState
from releve.domain.registry.chain import INGESTED, ROLLED_BACK, WITHDRAWN
from releve.domain.registry.events import ModelRolledBack, ShownHarm
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.messages.monitoring import describe_harm
from releve.reporting.page.decisions import LISTED, entries_of
from releve.reporting.page.drift import SHOWN_COLUMNS
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.page import build
from releve.reporting.page.quality import DRAWN
from releve.reporting.page.verdict import ACTIONS, SENTENCES, TONES, HealthAction, verdict_block
from tests.evaluations import make_ensemble, make_evaluation
from tests.events import make_ingested
from tests.page_histories import (
    LIMITS,
    MODEL,
    PAGE_STATES,
    RELEASE,
    SCENARIO,
    at,
    challenge_event,
    drift,
    make_backtest,
    make_estimate,
    make_event,
    make_evidence,
    make_quality,
    make_window,
    monitored_event,
    release_event,
)

LARGEST = 500_000  # bytes of a page with 200 windows
YOUNGER = RELEASE.model_copy(update={"model": f"{SCENARIO}:{'2' * 12}"})
NASTY = '<script>alert("x")</script><img src=x onerror=y>'
UNLABELLED = make_quality(QualityState.UNKNOWN, labelled=3)
HEADINGS = ("Quality over time", "Drift", "Decisions, newest first", "Details")


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


def seen(*events, windows=1, **changes):
    """A page after the first release and these events."""
    return drawn(make_evidence(windows, events=(release_event(), *events), **changes))


# The verdict


@pytest.mark.parametrize("windows", [2, 200])
@pytest.mark.parametrize(
    ("state", "word", "command"),
    [
        ("no model", "no model", "make ingest SCENARIO=shop"),
        ("refused first model", "no model", "make ingest SCENARIO=shop\nmake retrain SCENARIO=shop"),
        ("fresh release", "watch", "make monitor SCENARIO=shop"),
        ("degraded", "degraded", "make ingest SCENARIO=shop\nmake retrain SCENARIO=shop"),
        ("watch", "watch", "make monitor SCENARIO=shop"),
        ("unknown", "unknown", "make monitor SCENARIO=shop"),
        ("healthy", "healthy", ""),
    ],
)
def test_a_page_opens_with_one_word_and_the_next_command_then_the_sections_in_order(state, windows, word, command):
    evidence = PAGE_STATES[state](windows)

    block = verdict_block(evidence)
    text = drawn(evidence).text

    assert (block.word, block.command) == (word, command)
    assert text.index(block.reason) < min(text.index(title) for title in HEADINGS)
    assert [text.index(title) for title in HEADINGS] == sorted(text.index(title) for title in HEADINGS)
    assert len(render_html(build(evidence)).encode()) < LARGEST


def test_every_word_cause_and_action_can_be_written():
    assert set(TONES) == set(Health)
    assert set(SENTENCES) == set(HealthCause)
    assert set(ACTIONS) == set(HealthAction)


def test_accuracy_stands_beside_another_score_in_the_table_of_windows():
    windows = (make_window(0, metric="log_loss", own_metric="accuracy", own_score=0.912), make_window(1, score=None))
    windows = tuple(replace(window, own_metric="accuracy") for window in windows)

    text = render_markdown(build(make_evidence(2, windows=windows)))

    assert "| naive | expected | accuracy |" in text
    assert "| 0.912 |" in text


def test_what_intervals_held_is_drawn_and_listed_per_window_beside_what_was_promised():
    low, fine = (Coverage(Interval(held, held - 0.03, held + 0.03), 180, 0.95) for held in (0.88, 0.94))
    windows = (make_window(0), make_window(1, coverage=low), make_window(2, coverage=fine))

    evidence = make_evidence(3, windows=windows)

    page, text = drawn(evidence), render_markdown(build(evidence))
    assert "Share of labels inside their interval, per window" in page.text
    assert "0.940 [0.910, 0.970] of the labels of the newest window lay inside their intervals" in page.text
    assert "0.950 was promised; 1 of 2 windows were clearly below" in page.text
    assert "| expected | labels inside their interval |" in text
    assert "| 0.880 [0.850, 0.910] |" in text


def test_a_table_without_intervals_has_no_word_of_them():
    assert "inside their interval" not in drawn(make_evidence(3)).text


def test_a_rollback_by_itself_is_told_with_its_figures():
    harm = ShownHarm(model=YOUNGER.model, gain=Interval(-0.04, -0.06, -0.02), answers=300, promotions=2)
    payload = ModelRolledBack(release=RELEASE, harm=harm).model_dump(mode="json")
    back = make_event(ROLLED_BACK, payload, day=2.0, reason=describe_harm(harm))

    text = seen(release_event(YOUNGER, day=1.0), back).text

    assert f"rolled back by itself to {MODEL}" in text
    assert "a gain of -0.040 [-0.060, -0.020] on 300 labelled answers, pooled over the newest 2 promotions" in text


def test_the_naive_answer_that_serves_is_marked_in_verdict_decisions_and_details():
    first = challenge_event(promote=True, evaluation=make_evaluation(naive=True))
    evidence = make_evidence(2, events=(first, release_event(), monitored_event(day=1.0)))

    block, text = verdict_block(evidence), drawn(evidence).text

    assert block.word == "watch"
    assert block.reason.startswith("The naive answer serves, the same to every row: no model is better yet.")
    assert block.action.startswith("Bring more labelled rows, or columns that say more")
    assert f"{MODEL}, the naive answer itself" in text
    assert f"the gate promotes {MODEL}, the naive answer itself" in text


def test_the_score_that_is_expected_stands_beside_the_tasks_own():
    metrics = {"log_loss": 0.31, "accuracy": 0.91}
    own = OwnScores(score=Interval(0.31, 0.28, 0.35), metrics=metrics, calibration=None)
    judged = make_evaluation(metric="log_loss", own_metric="accuracy", sign=-1, challenger=own, windows=6)
    evidence = make_evidence(2, events=(challenge_event(promote=True, evaluation=judged), release_event()))

    text = drawn(evidence).text

    assert "log_loss 0.310 [0.280, 0.350], accuracy 0.910, on the 120 rows of the newest 6 windows" in text


def test_a_degraded_champion_is_told_with_its_figures_the_expected_one_and_the_baseline():
    reason = verdict_block(PAGE_STATES["degraded"](2)).reason

    realised = "0.483 [0.410, 0.550] on 180 labelled answers, as of 2026-01-07 09:00; 0.900 was expected."
    assert f"The realised accuracy is {realised}" in reason
    assert "(majority label) reaches 0.587 on the newest 180 labelled answers (until 2026-01-07 06:36)" in reason


def test_while_nothing_is_known_of_a_fresh_champion_the_release_before_is_told_as_such():
    fine = make_evidence(3)
    fresh = replace(fine, release=YOUNGER, events=(*fine.events, release_event(YOUNGER, day=3.5)), since=at(3.5))
    worse = PAGE_STATES["degraded"](3)
    after_worse = replace(fresh, events=(*worse.events, release_event(YOUNGER, day=3.5)), windows=worse.windows)

    good, bad = verdict_block(fresh), verdict_block(after_worse)

    assert (good.word, bad.word) == ("healthy", "watch")
    unseen, before = good.reason.split(". ", 1)
    assert unseen == f"Of {'2' * 12}, which serves since 2026-01-08 21:00, nothing is known yet"
    assert before.startswith(f"Of {'1' * 12}, which served before: accuracy 0.880 on 180 labelled answers, 0.900 was")
    assert before.endswith("a change of -0.020 [-0.090, +0.040]: within tolerance.")
    assert "0.483" in bad.reason
    assert "degraded" in bad.reason


def test_what_was_known_of_the_release_before_is_forgotten_in_time_and_never_of_one_that_was_taken_back():
    before = make_evidence(3)
    events = (*before.events, release_event(YOUNGER, day=400.0))
    late = replace(before, release=YOUNGER, events=events, since=at(400), made_at=at(400.1))
    bad = monitored_event(day=3, model=YOUNGER.model, quality=make_quality(QualityState.DEGRADED))
    moves = (release_event(), release_event(YOUNGER, day=2), bad, release_event(day=3.5, kind=ROLLED_BACK))
    third = RELEASE.model_copy(update={"model": f"shop:{'3' * 12}"})
    back = make_evidence(0, events=moves, since=at(3.5), made_at=at(4))
    again = replace(back, events=(*moves, release_event(third, day=3.7)), release=third, since=at(3.7))

    blocks = [verdict_block(each) for each in (late, back, again)]

    assert [block.word for block in blocks] == ["unknown", "unknown", "unknown"]
    assert all("was not monitored yet" in block.reason for block in blocks)


def test_without_labels_the_estimate_of_the_release_before_stands_in():
    estimated = monitored_event(day=1, quality=UNLABELLED, estimate=make_estimate())
    events = (release_event(), estimated, release_event(YOUNGER, day=1.5))
    fresh = make_evidence(0, events=events, release=YOUNGER, since=at(1.5), made_at=at(1.6))

    block = verdict_block(fresh)

    assert block.word == "healthy"
    assert f"Of {'1' * 12}, which served before, accuracy was estimated at 0.870" in block.reason


def test_late_labels_that_show_a_degradation_are_watched_and_whose_answers_they_are_is_told():
    other, few = f"shop:{'0' * 12}", make_quality(QualityState.UNKNOWN, labelled=3)
    quality = make_quality(QualityState.DEGRADED, score=Interval(0.2, 0.1, 0.3), naive=0.6)
    late = LateQuality(quality, (other,), at(0.5))
    evidence = make_evidence(0, events=(release_event(), monitored_event(day=1, quality=few, late=late)))
    known = make_evidence(0, events=(*evidence.events, monitored_event(day=2, late=late)))

    block = verdict_block(evidence)

    assert (block.word, verdict_block(known).word) == ("watch", "healthy")
    assert f"answers of {other}, given before the release that serves now: accuracy 0.200" in block.reason
    assert "the usual answer reaches 0.600: wrong labels, or an abrupt change, so check some of them" in block.reason


def test_a_model_that_serves_again_keeps_its_own_figures():
    before = make_evidence(2)
    other = monitored_event(day=3, model=YOUNGER.model, quality=make_quality(QualityState.DEGRADED))
    events = (*before.events, release_event(YOUNGER, day=2.5), other, release_event(day=3.5, kind=ROLLED_BACK))

    block = verdict_block(replace(before, events=events, since=at(3.5), made_at=at(4)))

    assert block.word == "healthy"
    assert "as of 2026-01-07 09:00" in block.reason


def test_a_champion_that_never_met_its_expectation_is_rolled_back_where_another_served_before():
    bad = monitored_event(day=3, model=YOUNGER.model, quality=make_quality(QualityState.DEGRADED))
    events = (release_event(), release_event(YOUNGER, day=2), bad)
    evidence = make_evidence(1, events=events, release=YOUNGER, since=at(2))

    assert verdict_block(evidence).command == "make rollback SCENARIO=shop"


def test_rows_are_corrected_after_a_rollback_and_not_after_another_one_that_undoes_it():
    bad = monitored_event(day=4, quality=make_quality(QualityState.DEGRADED))
    moves = (release_event(), release_event(YOUNGER, day=2), release_event(day=3, kind=ROLLED_BACK))
    back = make_evidence(1, events=(*moves, bad), since=at(3))
    again = release_event(YOUNGER, day=3.5, kind=ROLLED_BACK)
    worse = monitored_event(day=4, model=YOUNGER.model, quality=make_quality(QualityState.DEGRADED))
    undone = replace(back, events=(*moves, again, worse), release=YOUNGER, since=at(3.5))

    assert "Correct the labels" in verdict_block(back).action
    assert verdict_block(undone).word == "degraded"
    assert "Correct the labels" not in verdict_block(undone).action


def test_labels_that_came_after_the_last_run_are_judged_as_a_run_would():
    events = (release_event(), monitored_event(day=1, quality=UNLABELLED))
    bad = make_window(0, score=Interval(0.48, 0.41, 0.55), naive=0.4)
    evidence = make_evidence(1, events=events, windows=(bad,), limits=replace(LIMITS, min_rows=180))
    few = replace(evidence, limits=replace(LIMITS, min_rows=181))

    assert (evidence.realised.quality.state, verdict_block(evidence).word) == (QualityState.DEGRADED, "degraded")
    assert (few.realised, verdict_block(few).word) == (None, "unknown")


GOOD, BAD = Interval(0.98, 0.95, 1.0), Interval(0.62, 0.55, 0.69)
WORSE = make_quality(QualityState.DEGRADED, score=BAD, change=Interval(-0.3, -0.35, -0.2))


@pytest.mark.parametrize(
    ("first", "since", "word"),
    [(make_quality(), BAD, "degraded"), (WORSE, GOOD, "healthy"), (WORSE, None, "degraded")],
)
def test_labels_newer_than_the_last_conclusive_run_count_more_than_it(first, since, word):
    unknown = [monitored_event(day=day, quality=UNLABELLED) for day in (2, 3, 4, 5, 6)]
    windows = (make_window(0), *(make_window(number, score=since) for number in range(1, 6)))
    evidence = make_evidence(
        6, events=(release_event(), monitored_event(day=1, quality=first), *unknown), windows=windows
    )

    block = verdict_block(evidence)

    assert block.word == word
    assert f"as of {'2026-01-11 06:36' if since else '2026-01-06 09:00'}" in block.reason


@pytest.mark.parametrize(
    ("windows", "word", "labelled"), [(1, "unknown", 0), (2, "degraded", 160), (6, "degraded", 480)]
)
def test_windows_with_few_labels_each_are_judged_together(windows, word, labelled):
    few = tuple(make_window(number, score=BAD, labelled=80, naive=0.5) for number in range(windows))
    events = (release_event(), *(monitored_event(day=day + 1.0, quality=UNLABELLED) for day in range(windows)))
    limits = replace(LIMITS, pooled_rows=480)
    evidence = make_evidence(windows, events=events, windows=few, limits=limits)

    assert verdict_block(evidence).word == word
    assert (evidence.realised.quality.labelled if evidence.realised else 0) == labelled


def test_a_handful_of_labels_decides_nothing():
    tiny = make_window(1, score=Interval(0.1, 0.0, 0.3), labelled=10, answered=10)
    only = make_evidence(1, events=(release_event(), monitored_event(quality=UNLABELLED)), windows=(tiny,))

    assert verdict_block(make_evidence(2, windows=(make_window(0), tiny))).word == "healthy"
    assert verdict_block(only).word == "unknown"


@pytest.mark.parametrize(
    ("unknown", "made", "estimate", "word"),
    [
        (0, 30.0, QualityState.UNKNOWN, "healthy"),
        (0, 300.0, QualityState.UNKNOWN, "watch"),
        (9, 11.0, QualityState.UNKNOWN, "healthy"),
        (10, 12.0, QualityState.UNKNOWN, "watch"),
        (10, 12.0, QualityState.WITHIN_TOLERANCE, "healthy"),  # an estimate stands in
        (10, 300.0, QualityState.WITHIN_TOLERANCE, "watch"),
    ],
)
def test_a_quality_of_long_ago_makes_no_model_healthy(unknown, made, estimate, word):
    later = (
        monitored_event(day=day + 2.0, quality=UNLABELLED, estimate=make_estimate(estimate)) for day in range(unknown)
    )
    evidence = make_evidence(1, events=(release_event(), monitored_event(day=1), *later), made_at=at(made))

    block = verdict_block(evidence)

    assert (block.word, block.command) == (word, "make monitor SCENARIO=shop" if word == "watch" else "")
    if word == "watch":
        assert "as of 2026-01-06 09:00" in block.reason


def test_evidence_of_any_age_counts_where_no_limit_is_set():
    limits = replace(LIMITS, max_idle_days=0.0)

    assert verdict_block(make_evidence(1, made_at=at(300), limits=limits)).word == "healthy"


def test_a_batch_with_many_rejected_rows_is_resubmitted():
    batch = make_ingested(batch="00000002-f682ea4c", rows=90, rejected=10).model_dump()

    block = verdict_block(
        make_evidence(1, events=(release_event(), monitored_event(day=1), make_event(INGESTED, batch)))
    )

    assert (block.word, block.command) == ("watch", "make resubmit SCENARIO=shop BATCH=00000002-f682ea4c")
    assert "10 of 100 rows of the newest batch (00000002-f682ea4c) were rejected." in block.reason


def test_a_withdrawal_is_told_with_its_reason():
    withdrawn = make_event(WITHDRAWN, {"release": None}, day=2, reason="wrong labels")

    block = verdict_block(make_evidence(1, events=(release_event(), withdrawn), release=None, since=""))

    assert (block.word, block.reason) == ("no model", "Nothing serves: the champion was withdrawn (wrong labels).")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"drift": drift("drift", columns=3, alarms=1)}, "The newest rows drifted: 1 of 3 columns."),
        (
            {"drift": drift("broken data")},
            "The newest rows are broken data: price: the column is missing; repair the source",
        ),
        ({"estimate": make_estimate(QualityState.AUDIT_FAILED)}, "Labels contradict the estimate of quality"),
        (
            {"estimate": make_estimate(QualityState.DEGRADED), "quality": UNLABELLED},
            "accuracy is estimated at 0.870 [0.800, 0.930], as of 2026-01-06 09:00; 0.900 was expected.",
        ),
        (
            {"quality": make_quality(QualityState.INCONCLUSIVE)},
            "0.900 was expected, and more labels are needed to tell.",
        ),
    ],
)
def test_what_asks_for_attention_is_told_in_a_sentence(run, said):
    block = verdict_block(make_evidence(1, events=(release_event(), monitored_event(day=1, **run))))

    assert block.word == "watch"
    assert said in block.reason


def test_the_champions_predictions_are_no_column_of_the_table():
    verdict = drift("drift", columns=3, alarms=3)
    verdict = replace(verdict, columns=(replace(verdict.columns[0], of_predictions=True), *verdict.columns[1:]))

    reason = verdict_block(make_evidence(1, events=(release_event(), monitored_event(day=1, drift=verdict)))).reason

    assert "The newest rows drifted: 2 of 2 columns, and the champion's predictions." in reason
    found = seen(monitored_event(day=1, drift=verdict))
    assert "'own answers' are the model's predictions" in found.text
    assert "drift 40 column 1, column 2 and own answers" in found.text
    assert "column 0" not in found.text


# The whole page


def test_a_page_of_nothing_says_what_is_not_known():
    found = drawn(PageEvidence(SCENARIO, at(0), LIMITS))

    assert "svg" not in found.tags
    assert "make retrain SCENARIO=shop" in found.text
    assert "`" not in found.text
    assert "Not known yet: drift, as no monitoring run was made; realised quality" in found.text
    assert "Nothing was decided yet." in found.text
    assert "make backtest SCENARIO=shop" in found.text


@pytest.mark.parametrize("windows", [1, 2, 200])
def test_windows_are_counted_whatever_their_number(windows):
    found = drawn(make_evidence(windows, backtest=make_backtest(windows=max(windows, 3))))

    assert "not known yet" not in found.text
    assert f"{windows} of {windows} windows have a score; the newest is 0.880 [0.810, 0.940], 0.900 was" in found.text


def test_a_page_of_200_windows_and_many_columns_stays_small():
    runs = tuple(
        monitored_event(day=n + 1.0, drift=drift("drift", columns=60, alarms=n % 50), estimate=make_estimate())
        for n in range(200)
    )
    evidence = make_evidence(200, events=(release_event(), *runs), backtest=make_backtest(windows=200))

    assert len(render_html(build(evidence)).encode()) < LARGEST


def test_nothing_is_loaded_from_elsewhere_and_every_picture_has_words():
    found = drawn(make_evidence(2, backtest=make_backtest()))

    assert not {"link", "script", "iframe", "img"} & set(found.tags)
    assert not {"src", "href", "onclick"} & {name for name, _ in found.attributes}
    named = [value for name, value in found.attributes if name == "aria-label" and value]
    assert found.tags.count("svg") - found.tags.count("li") < len(named)
    assert found.tags.count("desc") == 2 * 4  # each chart for a wide and for a narrow window


def test_text_of_users_is_never_markup():
    nasty = drift("drift", columns=1)
    nasty = replace(
        nasty,
        columns=(replace(nasty.columns[0], name=NASTY, method=NASTY),),
        notes=(DataIssue(DataIssueKind.DATES, (NASTY,)),),
    )
    events = (
        challenge_event(promote=False, model=NASTY, reasons=[NASTY]),
        release_event(),
        monitored_event(day=1, drift=nasty, refresh=True, payoff_problem=NASTY),
        monitored_event(day=2, estimate=make_estimate(method=NASTY)),
        monitored_event(
            day=3,
            drift=replace(
                drift("broken data"), problems=(DataIssue(DataIssueKind.CONSTANT, ("price",), example=NASTY),)
            ),
        ),
    )
    windows = (make_window(0, naive_name=NASTY),)
    backtest = make_backtest(policies=("never", NASTY))
    evidence = make_evidence(1, events=events, windows=windows, backtest=backtest)

    assert not {"script", "img"} & set(drawn(evidence).tags)
    assert "<script" not in render_markdown(build(evidence))


def test_windows_without_labels_are_counted_and_estimates_stand_in():
    windows = (make_window(0), make_window(1, score=None, naive=None, naive_name="", label_delay_days=None))

    found = drawn(
        make_evidence(2, windows=windows, events=(release_event(), monitored_event(day=2, estimate=make_estimate())))
    )

    assert "1 of 2 windows have too few labels for a score yet." in found.text
    assert "estimated without labels" in found.text
    assert "passed: 0.880 expected, 0.870 realised on 60 rows" in found.text


def test_an_estimate_that_labels_contradicted_is_told_as_suspected_concept_drift():
    found = seen(monitored_event(day=1, estimate=make_estimate(QualityState.AUDIT_FAILED)))

    assert "audit failed: labels contradicted the estimates, and so concept drift is suspected." in found.text
    assert "failed: 0.880 expected" in found.text
    assert "its estimate is switched off: labels contradict it" in found.text
    assert "no estimate could be made" not in found.text


@pytest.mark.parametrize(
    ("waiting", "action"),
    [(0, "put a file into var/incoming/shop/."), (1, "1 file waits in var/incoming/shop/ already.")],
)
def test_a_first_batch_is_asked_for_with_its_place(waiting, action):
    block = verdict_block(PageEvidence(SCENARIO, at(0), LIMITS, incoming="var/incoming/shop/", waiting=waiting))

    assert block.action.endswith(action)


def test_waiting_time_and_again_is_one_entry_and_everything_else_one_each():
    events = [
        challenge_event(promote=True),
        release_event(),
        *(monitored_event(day=day) for day in (1, 2, 3)),
        monitored_event(day=4, drift=drift("drift suspected")),
        monitored_event(day=5, refresh=True),
        monitored_event(day=6, refresh=True),
        challenge_event(promote=False, day=7),
    ]

    titles = [entry.title for entry in entries_of(events)]

    assert titles == [
        f"the gate promotes {MODEL}, the first one",
        f"released {MODEL}",
        "wait, 3 monitoring runs since 2026-01-06 09:00",
        "wait",
        "refresh",
        "refresh",
        f"the gate refuses {MODEL}, the first one",
    ]


def test_a_release_does_not_repeat_what_the_gate_said():
    events = [challenge_event(promote=True, reasons=["gain +0.1"]), release_event()]

    assert [entry.reasons for entry in entries_of(events)] == [("gain +0.1",), ("accepted by the gate",)]


@pytest.mark.parametrize(("more", "said"), [(0, False), (1, True)])
def test_decisions_beyond_the_list_are_counted(more, said):
    events = tuple(monitored_event(day=day, refresh=True) for day in range(LISTED + more))

    assert ("1 older ones are left out here" in drawn(make_evidence(1, events=events)).text) is said


@pytest.mark.parametrize(("columns", "said"), [(SHOWN_COLUMNS, False), (SHOWN_COLUMNS + 1, True)])
def test_columns_that_are_not_drawn_are_counted(columns, said):
    found = seen(monitored_event(drift=drift(columns=columns)))

    assert (f"Drawn are {SHOWN_COLUMNS} of {columns} columns" in found.text) is said


@pytest.mark.parametrize(("windows", "said"), [(DRAWN, False), (DRAWN + 1, True)])
def test_windows_and_runs_that_are_not_drawn_are_counted(windows, said):
    found = drawn(make_evidence(windows))

    assert (f"Drawn are the newest {DRAWN} of {windows} windows." in found.text) is said
    assert (f"Drawn are the newest {DRAWN} of {windows} runs." in found.text) is said


def test_costs_count_retrainings_and_their_cpu_time():
    events = (challenge_event(promote=True, cpu_seconds=12.5), challenge_event(promote=False, day=40, cpu_seconds=7.5))

    found = drawn(make_evidence(1, events=events))

    assert "2: 1 promoted, 1 refused" in found.text
    assert "20 s" in found.text
    assert "2026-02 1 0 8 s" in found.text


def test_without_a_retraining_there_is_no_cpu_time():
    assert "CPU time of retrainings none yet" in drawn(make_evidence(1, events=())).text


def test_the_backtest_shows_every_policy_and_what_it_recommends():
    found = drawn(make_evidence(1, backtest=make_backtest()))

    assert "Recommended: every window (beside 'never' it gains +0.020 [-0.010, +0.050]" in found.text
    assert "every window 0.740 [0.600, 0.800] +0.020 [-0.010, +0.050] +0.040 [-0.010, +0.050]" in found.text
    assert "naive: previous label (the newest that has arrived) 0.600" in found.text
    assert "every window 2, 3 3" in found.text


def test_what_ships_is_drawn_beside_the_cron_job_never_and_a_naive_answer_that_comes_near():
    names, near = (
        ("never", "cron job", "every window", "as set"),
        BaselineResult(name="previous label", scores=(0.65,) * 4, score=0.65),
    )

    found = drawn(make_evidence(1, backtest=make_backtest(policies=names, baselines=[near])))

    assert "lines: as set, cron job, never, previous label." in found.text


@pytest.mark.parametrize("score", [None, 0.1])
def test_a_baseline_without_a_score_or_far_away_is_named_and_not_drawn(score):
    baseline = BaselineResult(name="the usual value", scores=(score,) * 4, score=score)

    found = drawn(make_evidence(1, backtest=make_backtest(baselines=[baseline])))

    assert "naive: the usual value" in found.text
    assert "lines: never, cron job." in found.text


def test_what_serves_is_told_with_its_expected_performance():
    found = drawn(make_evidence(1))

    assert f"model version {MODEL}" in found.text
    assert "accuracy 0.951 [0.901, 1.001], on the 120 rows of the newest window" in found.text
    assert RELEASE.index in found.text


@pytest.mark.parametrize(
    ("ensemble", "learned"),
    [
        ({}, "320 labelled rows, data version"),
        ({"left_out": 60}, "320 labelled rows, without 60 whose labels were found to be wrong, data version"),
        ({"learned": 260}, "the oldest 260 of 320 labelled rows, and is weighed by the newest, data version"),
    ],
)
def test_rows_that_nobody_learned_do_not_count_as_learned(ensemble, learned):
    release = RELEASE.model_copy(update={"rows": 320})

    found = drawn(make_evidence(1, release=release, ensemble=make_ensemble(**{"learned": 320, **ensemble})))

    assert f"learned from {learned}" in found.text


def test_what_is_expected_leaves_out_labels_in_doubt_as_the_runs_do():
    judged = make_evaluation(sound=SoundScore(score=RELEASE.expected.score, rows=RELEASE.expected.rows))

    found = drawn(make_evidence(1, events=(challenge_event(promote=True, evaluation=judged), release_event())))

    assert "0.900 [0.830, 0.950] on 100 rows, without those whose labels are in doubt" in found.text


@pytest.mark.parametrize(
    ("changes", "whose"),
    [
        ({}, "2026-01-06 09:00"),
        ({"release": YOUNGER}, f"2026-01-06 09:00 (of {'1' * 12}, before this release; not monitored since)"),
        ({"since": at(1.01)}, "2026-01-06 09:00"),  # it served before
        ({"release": None, "since": ""}, f"2026-01-06 09:00 (of {'1' * 12}, which serves no more)"),
    ],
)
def test_the_newest_drift_and_estimate_say_whose_they_are(changes, whose):
    found = seen(monitored_event(day=1, estimate=make_estimate()), **changes)

    assert f"Newest run, {whose}: no drift." in found.text
    assert f"Newest, {whose}: within tolerance." in found.text


def test_ages_are_told_for_the_moment_of_the_page_or_with_the_run_that_told_them():
    found = drawn(make_evidence(1, made_at=at(9.5)))

    assert "last retraining 2026-01-05 09:00, 9.5 days before this page was made" in found.text
    assert "age at the run of 2026-01-06 09:00: fresh; retrained 3.0 days ago" in found.text


@pytest.mark.parametrize(
    ("days", "said"), [(1.0, "1 days"), (0.99, "23.8 hours"), (0.5 / 24, "30 minutes"), (1e-7, "0.00864 seconds")]
)
def test_how_late_labels_come_is_told_in_a_unit_that_fits(days, said):
    found = drawn(make_evidence(1, windows=(make_window(0, label_delay_days=days),)))

    assert f"The usual window waits {said} for its labels" in found.text


def test_labels_that_come_too_late_for_lags_are_told():
    late = LateValues("rented", "hour", 24, declared=True, late=0.35, usual=31.0, values=240)

    found = drawn(make_evidence(1, events=(release_event(), monitored_event(day=1, late_values=(late,)))))

    assert "Too late for lags of rented: 35% of 240 values came later than 24 hours after their row" in found.text


# Colours


def test_text_has_enough_contrast_in_light_and_in_dark():
    """WCAG 2 AA: 4.5 to 1, on every background that text of that colour stands on."""
    style = (Path(releve.reporting.__file__).parent / "templates" / "colours.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w+)", part)) for part in style.split("@media"))
    pairs = [("ink", "paper"), ("ink", "fill"), ("soft", "paper"), ("soft", "fill"), ("mark", "paper")]
    pairs += [("bad", "paper"), ("good", "good-fill"), ("bad", "bad-fill")]
    pairs += [("warn", "warn-fill"), *(("ink", f"{tone}-fill") for tone in ("good", "bad", "warn"))]

    for colours in (light, light | dark):
        for text, background in pairs:
            assert _contrast(colours[text], colours[background]) >= 4.5, (text, background)


def _contrast(one, other):
    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
