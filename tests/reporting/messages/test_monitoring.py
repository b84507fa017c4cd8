"""The sentences that people read of a monitoring run, from its values."""

from dataclasses import replace

import pytest

from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.estimate import NoEstimate
from releve.domain.quality.late import LateQuality
from releve.domain.quality.payoff import Payoff
from releve.domain.quality.realised import Coverage
from releve.domain.quality.staleness import UNLABELLED, ExceededLimit
from releve.domain.registry.events import ShownHarm
from releve.domain.trigger.monitoring_run import AnsweredWindow
from releve.domain.trigger.policies import Cause, CauseKind
from releve.domain.trigger.rollback import RollbackDecision
from releve.domain.trigger.trigger import TriggerDecision
from releve.reporting.messages.monitoring import (
    CAUSES,
    describe_cause,
    describe_decision,
    describe_drift,
    describe_due,
    describe_estimate,
    describe_harm,
    describe_payoff,
    describe_quality,
    describe_staleness,
)
from tests.page_histories import drift, make_estimate, make_quality, make_run, make_staleness


def test_every_cause_has_its_sentence():
    assert set(CAUSES) == set(CauseKind)
    assert all(describe_cause(Cause(kind, 3, 4)) for kind in CauseKind)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (
            Cause(CauseKind.FEW_ROWS, 3, 1234567),
            "3 new labelled rows; 1,234,567 are needed (params.yaml: trigger.min_new_rows)",
        ),
        (
            Cause(CauseKind.NOT_DUE, 2, 4),
            "2 batches since the last challenge; a refresh is due after 4 (params.yaml: trigger.every_batches)",
        ),
        (
            Cause(CauseKind.SEARCHED_LATELY, 2.5, 30.0),
            "the last search was 2.5 days ago, and 30 days have to pass (params.yaml: search.min_days)",
        ),
        (
            Cause(CauseKind.SEARCH_GAINED_NOTHING, 31.0, 60.0),
            "the last search was 31.0 days ago and gained nothing, and 60 days have to pass: each such search in a row "
            "doubles the wait, to eight times search.min_days (params.yaml) at most",
        ),
    ],
)
def test_a_cause_is_described_with_its_figures(cause, sentence):
    assert describe_cause(cause) == sentence


def test_a_decision_is_described_with_what_it_rests_on():
    causes, seen = describe_decision(make_run(refresh=True))[:1], describe_decision(make_run(refresh=True))[1:]

    assert causes == ("40 new labelled rows, and the policy is to learn from each batch",)
    assert [sentence.partition(":")[0] for sentence in seen] == ["drift", "quality", "estimate", "age"]


def test_of_broken_data_only_the_data_are_described():
    held = TriggerDecision(False, (Cause(CauseKind.BROKEN_DATA, 20, 90),))

    cause, problem, *_ = describe_decision(make_run(drift=drift("broken data"), decision=held))

    assert cause.startswith("most columns look broken, and a model must not learn that; 20 labelled rows came since")
    assert problem == "price: the column is missing"


def test_beside_a_broken_column_it_is_described_how_the_others_drifted():
    verdict = replace(drift("broken data"), columns=drift("drift", columns=3, alarms=1).columns)

    problem, _, others, *_ = describe_drift(verdict)

    assert problem == "price: the column is missing"
    assert others.startswith("1 of 3 columns drifted: ")


def test_a_search_that_waits_and_columns_that_are_left_out_are_described():
    waits = TriggerDecision(
        True,
        (Cause(CauseKind.NEW_ROWS, 40),),
        search_causes=(Cause(CauseKind.DRIFT),),
        search_waits=Cause(CauseKind.FEW_ROWS_TO_SEARCH, 40, 90),
        without=("price", "weight"),
    )

    assert describe_decision(make_run(decision=waits))[1:3] == (
        "a search waits: the table drifted; 40 new labelled rows; a search needs 90 (params.yaml: statistics.min_rows)",
        "the refresh does without price, weight, which look broken",
    )


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"decision": TriggerDecision(False, ())}, "wait"),
        ({"decision": TriggerDecision(True, ())}, "refresh"),
        ({"decision": TriggerDecision(True, (), search=True)}, "refresh and search"),
        ({"decision": TriggerDecision(True, ()), "rollback": RollbackDecision(True)}, "roll back"),
    ],
)
def test_what_is_due_is_named(changes, due):
    assert describe_due(make_run(**changes)) == due


HARM = Payoff(Interval(-0.043, -0.062, -0.023), 300)


def test_what_a_promotion_brought_is_written_with_its_interval_and_what_follows():
    pooled = Payoff(Interval(-0.02, -0.031, -0.009), 1200)
    alone, waits, goes = (
        describe_payoff(make_run(payoff=HARM, rollback=rollback))
        for rollback in (
            RollbackDecision(False, HARM, 1),
            RollbackDecision(False, pooled, 3),
            RollbackDecision(True, pooled, 3),
        )
    )

    assert alone == "the last promotion gained -0.043 [-0.062, -0.023] on 300 labelled answers"
    assert waits == f"{alone}; the last 3 promotions, pooled, -0.020 [-0.031, -0.009]"
    assert goes == f"{waits}: harm is shown, and the release before comes back"


def test_where_harm_is_shown_it_is_the_first_sentence_of_the_run():
    run = make_run(payoff=HARM, rollback=RollbackDecision(True, HARM, 1))

    assert describe_decision(run)[0] == describe_payoff(run)


def test_a_rollback_by_itself_says_what_was_worse_by_how_much_on_how_many_answers():
    harm = ShownHarm(model="shop:2", gain=HARM.gain, answers=300, promotions=1)

    alone, pooled = (describe_harm(each) for each in (harm, harm.model_copy(update={"promotions": 3})))

    assert alone == (
        "shop:2 is shown to be worse than the release before it: a gain of -0.043 [-0.062, -0.023] on 300 labelled "
        "answers"
    )
    assert pooled == f"{alone}, pooled over the newest 3 promotions"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "one weak alarm; a second one in a row, or a strong one, makes it drift"),
        ({"before": DriftState.SUSPECTED}, "the second alarm in a row (the monitoring run before: drift suspected)"),
    ],
)
def test_an_alarm_is_described_with_the_columns_and_what_makes_it_drift(changes, sentence):
    sentences = describe_drift(replace(drift("drift", alarms=1), **changes))

    assert sentences[:2] == ("1 of 2 columns drifted: column 0 (KS 0.30, p 0.5)", sentence)


def test_a_strong_alarm_the_predictions_and_the_normal_changes_are_described():
    columns = drift("drift", alarms=2).columns
    verdict = replace(
        drift("drift"),
        columns=(
            replace(columns[0], strong=True, normal_effect=0.1),
            replace(columns[1], of_predictions=True, name="prediction"),
        ),
        notes=(DataIssue(DataIssueKind.DATES, ("day", "due")),),
    )

    assert describe_drift(verdict) == (
        "1 of 1 columns drifted: column 0 (KS 0.30, p 0.5)",
        "a strong alarm: column 0",
        "the champion's predictions changed (KS 0.30, p 0.5)",
        "changes of up to 0.10 (column 0) are normal between windows of this size",
        "not compared, as time always moves: day, due",
    )


def test_normal_changes_of_the_predictions_are_called_by_no_name_of_a_column():
    columns = drift("no drift").columns
    predictions = replace(columns[1], of_predictions=True, name="prediction", normal_effect=0.2)

    sentences = describe_drift(replace(drift("no drift"), columns=(columns[0], predictions)))

    assert "changes of up to 0.20 (the champion's predictions) are normal between windows of this size" in sentences


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, True),
        ({"new_rows": 0}, False),
        ({"window": AnsweredWindow(200, None, None, 1)}, False),  # labels of answers come, and are few
        ({"late": LateQuality(make_quality(), ("shop:before",), "")}, False),
    ],
)
def test_where_no_answer_was_ever_labelled_a_run_says_what_judges_the_champion(known, told):
    run = make_run(**{"quality": make_quality("unknown"), "window": AnsweredWindow(200, None, None, 0)} | known)

    assert any("only labels of its own answers (/feedback) judge" in each for each in describe_decision(run)) == told


def test_quality_is_described_beside_what_was_expected():
    known = make_quality("degraded", change=Interval(-0.2, -0.3, -0.1), answered=400)

    assert describe_quality(known) == (
        "accuracy 0.880 on 180 labelled answers (of 400 answers), 0.900 was expected, "
        "a change of -0.200 [-0.300, -0.100]: degraded"
    )
    assert "(positive is better)" in describe_quality(replace(known, metric="mae"))
    covered = replace(known, coverage=Coverage(Interval(0.91, 0.86, 0.94), 180, 0.95))
    assert describe_quality(covered) == (
        f"{describe_quality(known)}; intervals held 0.910 [0.860, 0.940] of 180 labels, 0.950 was promised"
    )
    assert describe_quality(make_quality("unknown")) == "180 labelled answers are too few to know the quality"


def test_an_estimate_is_described_with_its_audit():
    confirmed, contradicted = describe_estimate(make_estimate()), describe_estimate(make_estimate("audit failed"))

    assert confirmed[0] == (
        "accuracy 0.870 [0.800, 0.930] without labels, 0.900 was expected, a change of -0.030 [-0.100, +0.040]"
    )
    assert confirmed[1].startswith("audit passed: on 60 labelled answers accuracy 0.870 came true and 0.880 was")
    assert contradicted[0].endswith("concept drift suspected")
    assert "not audited: 60 labels, 90 are needed" in describe_estimate(make_estimate(audit=None))[1]


@pytest.mark.parametrize("missing", NoEstimate)
def test_why_there_is_no_estimate_is_described(missing):
    assert describe_estimate(make_estimate("unknown", missing=missing))[0]


def test_ages_are_described_or_the_limits_that_they_exceed():
    stale = make_staleness(ExceededLimit("max_model_days", 91.0, 90.0), ExceededLimit(UNLABELLED, 0.95, 0.9))

    assert describe_staleness(make_staleness()) == ("retrained 3.0 days ago, newest row 12.0 hours ago",)
    assert describe_staleness(replace(stale, max_label_days=7.0)) == (
        "not retrained for 91.0 days, 90 are allowed (params.yaml: age.max_model_days)",
        "95% of the answers older than 7 days have no label, 90% may (params.yaml: age.max_label_days)",
    )
