from dataclasses import replace

import pytest

from releve.domain.drift.verdict import DriftState, DriftVerdict
from releve.domain.evaluation.intervals import Interval, share
from releve.domain.quality.realised import Quality, QualityState
from releve.domain.trigger.cadence import Challenged, Payoff
from releve.domain.trigger.policies import Cause, CauseKind, Evidence, History
from releve.domain.trigger.trigger import decide
from tests.tables import make_params

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

RULE = make_params(trigger={"min_new_rows": 250, "max_new_rows": 400}).trigger
STATES = (INSUFFICIENT, NO_DRIFT, DRIFT, BROKEN)
QUALITIES = tuple(QualityState)[:4]


def an_evidence(*, drifted=NO_DRIFT, kept="within tolerance", new_rows=300):
    score = None if kept == "unknown" else share(100, 100, confidence=0.95)
    return Evidence("", DriftVerdict(drifted, 300, 300), Quality(kept, "accuracy", 100, 0.9, score), new_rows)


@pytest.mark.parametrize(
    ("drifted", "kept", "retrains"),
    [
        (NO_DRIFT, "within tolerance", False),
        (NO_DRIFT, "inconclusive", False),
        (NO_DRIFT, "unknown", False),
        (NO_DRIFT, "degraded", True),
        (DRIFT, "within tolerance", False),  # labels show that the model is still valid
        (DRIFT, "inconclusive", True),
        (DRIFT, "unknown", True),
        (DRIFT, "degraded", True),
        (INSUFFICIENT, "within tolerance", False),
        (INSUFFICIENT, "inconclusive", False),
        (INSUFFICIENT, "unknown", False),
        (INSUFFICIENT, "degraded", True),
        (BROKEN, "within tolerance", False),
        (BROKEN, "inconclusive", False),
        (BROKEN, "unknown", False),
        (BROKEN, "degraded", False),  # nothing is learned from broken data
    ],
)
def test_drift_and_quality_decide_when_there_are_enough_new_rows(drifted, kept, retrains):
    decision = decide(an_evidence(drifted=drifted, kept=kept), History(), RULE)

    assert decision.retrain is retrains


@pytest.mark.parametrize(("new_rows", "retrains"), [(0, False), (249, False), (250, True), (251, True)])
def test_too_few_new_rows_hold_everything_back(new_rows, retrains):
    decision = decide(an_evidence(drifted=DRIFT, kept="degraded", new_rows=new_rows), History(), RULE)

    assert decision.retrain is retrains
    assert (decision.causes == (Cause(CauseKind.FEW_ROWS, new_rows, 250),)) != retrains


@pytest.mark.parametrize(("new_rows", "retrains"), [(399, False), (400, True), (401, True)])
def test_many_new_rows_make_a_challenge_due_without_any_drift(new_rows, retrains):
    decision = decide(an_evidence(new_rows=new_rows), History(), RULE)

    assert decision.retrain is retrains
    assert (CauseKind.MANY_ROWS in decision.kinds) == retrains


@pytest.mark.parametrize("new_rows", [0, 250, 400, 10_000])
def test_broken_data_outweigh_any_number_of_rows(new_rows):
    decision = decide(an_evidence(drifted=BROKEN, new_rows=new_rows), History(), RULE)

    assert decision.retrain is False
    assert decision.kinds == (CauseKind.BROKEN_DATA,)


@pytest.mark.parametrize("drifted", STATES)
@pytest.mark.parametrize("kept", QUALITIES)
@pytest.mark.parametrize("new_rows", [0, 250, 400])
def test_every_decision_names_its_causes_waiting_included(drifted, kept, new_rows):
    decision = decide(an_evidence(drifted=drifted, kept=kept, new_rows=new_rows), History(), RULE)

    assert decision.causes


POLICIES = ("static", "every", "schedule", "drift", "quality", "two_key", "auto")
ONE_BEFORE = History((Challenged("", True, 100), Challenged("", True, 200, batches=20)))


WIDE = {"min_new_rows": 1, "max_new_rows": 0, "every_batches": 4}


def retrains(evidence, history=ONE_BEFORE, **rule):
    """The policies that retrain on this, without a safety net."""
    wide = {**WIDE, **rule}
    decisions = {
        policy: decide(evidence, history, make_params(trigger={**wide, "policy": policy}).trigger)
        for policy in POLICIES
    }
    return {policy for policy, decision in decisions.items() if decision.retrain}


@pytest.mark.parametrize(
    ("drifted", "kept", "asking"),
    [
        (NO_DRIFT, "within tolerance", {"every"}),
        (NO_DRIFT, "inconclusive", {"every"}),
        (SUSPECTED, "unknown", {"every"}),
        (NO_DRIFT, "degraded", {"every", "quality", "two_key", "auto"}),
        (DRIFT, "within tolerance", {"every", "drift"}),
        (DRIFT, "inconclusive", {"every", "drift", "two_key", "auto"}),
        (DRIFT, "unknown", {"every", "drift", "two_key", "auto"}),
        (DRIFT, "degraded", {"every", "drift", "quality", "two_key", "auto"}),
        (BROKEN, "degraded", set()),
    ],
)
def test_each_policy_asks_what_it_is_named_after(drifted, kept, asking):
    assert retrains(an_evidence(drifted=drifted, kept=kept)) == asking


@pytest.mark.parametrize(("batches", "asking"), [(3, {"every"}), (4, {"every", "schedule", "auto"})])
def test_a_schedule_counts_batches_and_so_does_auto_before_it_knows_more(batches, asking):
    assert retrains(replace(an_evidence(), new_batches=batches)) == asking


@pytest.mark.parametrize(
    ("gain", "batches", "due"), [(0.05, 1, False), (0.05, 2, True), (0.0, 7, False), (0.0, 8, True)]
)
def test_auto_follows_what_the_last_promotion_brought(gain, batches, due):
    payoff = Payoff(Interval(gain, gain - 0.02, gain + 0.02), 300)

    assert ("auto" in retrains(replace(an_evidence(), new_batches=batches, payoff=payoff))) is due


@pytest.mark.parametrize(("change", "asked"), [((-0.2, -0.3, -0.1), True), ((-0.04, -0.06, -0.02), False)])
def test_auto_alone_asks_where_the_newest_answers_are_worse_by_more_than_is_tolerated(change, asked):
    recent = Quality(
        QualityState.INCONCLUSIVE, "accuracy", 50, 0.9, Interval(0.9 + change[0], 0.5, 0.9), Interval(*change)
    )

    assert ("auto" in retrains(replace(an_evidence(), recent=recent))) is asked
    assert "quality" not in retrains(replace(an_evidence(), recent=recent))


def test_auto_asks_nothing_beyond_its_budget():
    spent = History((Challenged("", True, 100), *[Challenged("", True, 200, batches=1)] * 3))

    assert "auto" not in retrains(an_evidence(kept="degraded"), spent)
    decision = decide(an_evidence(kept="degraded"), spent, make_params(trigger={**WIDE, "policy": "auto"}).trigger)
    assert decision.causes == (Cause(CauseKind.BUDGET_SPENT, 1, 2.5),)


def test_without_a_cooldown_a_challenge_that_is_dated_later_holds_nothing_back():
    later = History((Challenged("2026-03-02T00:00:00+00:00", True, 100),))
    evidence = replace(an_evidence(kept="degraded"), at="2026-03-01T00:00:00+00:00")

    assert "quality" in retrains(evidence, later)
    assert "quality" not in retrains(evidence, later, cooldown_hours=1.0)


def test_waiting_is_explained_by_what_the_policy_asks_for():
    decision = decide(
        an_evidence(kept="degraded"), ONE_BEFORE, make_params(trigger={**WIDE, "policy": "drift"}).trigger
    )

    assert decision.kinds == (CauseKind.NO_DRIFT,)


@pytest.mark.parametrize(("runs", "asking"), [(1, set()), (2, set()), (3, {"every"})])
def test_broken_data_are_the_new_normal_after_as_many_runs_as_the_owner_says(runs, asking):
    evidence = replace(an_evidence(drifted=BROKEN), invalid_runs=runs)

    assert retrains(evidence, max_invalid_runs=2) == asking
    assert retrains(evidence, max_invalid_runs=0) == set()
