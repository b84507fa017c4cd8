import pytest

from releve.rules import drift, quality
from releve.rules.drift import Verdict
from releve.rules.quality import Quality
from releve.rules.scores import share
from releve.rules.trigger import Evidence, History, decide
from tests.tables import make_params

RULE = make_params(trigger={"min_new_rows": 250, "max_new_rows": 400}).trigger
STATES = (drift.INSUFFICIENT, drift.NO_DRIFT, drift.DRIFT, drift.BROKEN)
QUALITIES = (quality.UNKNOWN, quality.HOLDS, quality.UNCLEAR, quality.WORSE)


def an_evidence(*, drifted=drift.NO_DRIFT, kept=quality.HOLDS, new_rows=300):
    score = None if kept == quality.UNKNOWN else share(100, 100, confidence=0.95)
    return Evidence("", Verdict(drifted, ("what the table says",), 300, 300), Quality(kept, 100, 0.9, score), new_rows)


@pytest.mark.parametrize(
    ("drifted", "kept", "retrains"),
    [
        (drift.NO_DRIFT, quality.HOLDS, False),
        (drift.NO_DRIFT, quality.UNCLEAR, False),
        (drift.NO_DRIFT, quality.UNKNOWN, False),
        (drift.NO_DRIFT, quality.WORSE, True),
        (drift.DRIFT, quality.HOLDS, False),  # the champion copes, and the labels show it
        (drift.DRIFT, quality.UNCLEAR, True),
        (drift.DRIFT, quality.UNKNOWN, True),
        (drift.DRIFT, quality.WORSE, True),
        (drift.INSUFFICIENT, quality.HOLDS, False),
        (drift.INSUFFICIENT, quality.UNCLEAR, False),
        (drift.INSUFFICIENT, quality.UNKNOWN, False),
        (drift.INSUFFICIENT, quality.WORSE, True),
        (drift.BROKEN, quality.HOLDS, False),
        (drift.BROKEN, quality.UNCLEAR, False),
        (drift.BROKEN, quality.UNKNOWN, False),
        (drift.BROKEN, quality.WORSE, False),  # nothing is learned from broken data
    ],
)
def test_drift_and_quality_decide_when_there_are_enough_new_rows(drifted, kept, retrains):
    decision = decide(an_evidence(drifted=drifted, kept=kept), History(), RULE)

    assert decision.retrain is retrains


@pytest.mark.parametrize(("new_rows", "retrains"), [(0, False), (249, False), (250, True), (251, True)])
def test_too_few_new_rows_hold_everything_back(new_rows, retrains):
    decision = decide(an_evidence(drifted=drift.DRIFT, kept=quality.WORSE, new_rows=new_rows), History(), RULE)

    assert decision.retrain is retrains
    assert any("250 are needed (params.yaml: trigger.min_new_rows)" in each for each in decision.reasons) != retrains


@pytest.mark.parametrize(("new_rows", "retrains"), [(399, False), (400, True), (401, True)])
def test_many_new_rows_make_a_challenge_due_without_any_drift(new_rows, retrains):
    decision = decide(an_evidence(new_rows=new_rows), History(), RULE)

    assert decision.retrain is retrains
    assert any("trigger.max_new_rows" in each for each in decision.reasons) == retrains


@pytest.mark.parametrize("new_rows", [0, 250, 400, 10_000])
def test_broken_data_outweigh_any_number_of_rows(new_rows):
    decision = decide(an_evidence(drifted=drift.BROKEN, new_rows=new_rows), History(), RULE)

    assert decision.retrain is False
    assert decision.reasons == ("the data look broken, and a model must not learn that", "what the table says")


@pytest.mark.parametrize("drifted", STATES)
@pytest.mark.parametrize("kept", QUALITIES)
@pytest.mark.parametrize("new_rows", [0, 250, 400])
def test_every_decision_gives_its_reasons_waiting_included(drifted, kept, new_rows):
    decision = decide(an_evidence(drifted=drifted, kept=kept, new_rows=new_rows), History(), RULE)

    assert decision.reasons
    assert any("what the table says" in each for each in decision.reasons)
