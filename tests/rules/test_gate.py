import numpy as np
import pytest

from releve.rules.gate import CHAMPION, MAJORITY, PREVIOUS_LABEL, Challenge, Comparison, decide
from releve.rules.scores import Interval, paired_gain
from tests.tables import make_params

RULE = make_params(gate={"min_rows": 90, "margin": 0.0}).gate


def a_gain(low, high=0.3):
    return Comparison(0.7, Interval((low + high) / 2, low, high))


def a_challenge(*, rows=300, parity=None, has_champion=True, **gains):
    lows = {CHAMPION: 0.1, MAJORITY: 0.1, PREVIOUS_LABEL: 0.1} | {
        name.replace("_", " "): low for name, low in gains.items()
    }
    comparisons = {name: a_gain(low) for name, low in lows.items() if low is not None}
    return Challenge(rows, Interval(0.9, 0.85, 0.95), comparisons, parity, has_champion)


def test_a_challenger_that_beats_all_is_promoted_with_each_gain_as_a_reason():
    decision = decide(a_challenge(), RULE)

    assert decision.promote
    assert decision.reasons[0] == "gain over the champion (0.700) is +0.200 [+0.100, +0.300] at 95% confidence"
    assert [reason.split(" (")[0] for reason in decision.reasons] == [
        f"gain over the {name}" for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)
    ]


def test_a_tie_keeps_the_champion():
    same = np.arange(300) < 270
    tie = Comparison(0.9, paired_gain(same, same, confidence=0.95, resamples=1000, seed=7))
    challenge = a_challenge()

    decision = decide(Challenge(300, challenge.accuracy, {**challenge.comparisons, CHAMPION: tie}, None, True), RULE)

    assert not decision.promote
    assert "not shown to be better than the champion" in decision.reasons[0]


@pytest.mark.parametrize(
    ("low", "margin", "promoted"),
    [
        (-1e-9, 0.0, False),
        (0.0, 0.0, False),
        (1e-9, 0.0, True),
        (0.02 - 1e-9, 0.02, False),
        (0.02, 0.02, False),
        (0.02 + 1e-9, 0.02, True),
    ],
)
def test_the_low_end_of_the_gain_has_to_exceed_the_margin(low, margin, promoted):
    decision = decide(a_challenge(champion=low), make_params(gate={"margin": margin}).gate)

    assert decision.promote is promoted


@pytest.mark.parametrize("name", ["majority_label", "previous_label"])
@pytest.mark.parametrize(("low", "promoted"), [(0.0, False), (1e-9, True), (0.05, True)])
def test_the_margin_is_for_the_champion_alone_and_a_baseline_has_only_to_be_beaten(name, low, promoted):
    decision = decide(a_challenge(**{name: low}), make_params(gate={"margin": 0.05}).gate)

    assert decision.promote is promoted


@pytest.mark.parametrize("name", [CHAMPION, MAJORITY, PREVIOUS_LABEL])
def test_a_comparison_that_is_missing_refuses(name):
    decision = decide(a_challenge(**{name.replace(" ", "_"): None}), RULE)

    assert not decision.promote
    assert decision.reasons == (f"there is no comparison with the {name}; evaluate again",)


@pytest.mark.parametrize(("rows", "promoted"), [(0, False), (89, False), (90, True), (91, True)])
def test_a_small_holdout_promotes_nobody(rows, promoted):
    decision = decide(a_challenge(rows=rows), RULE)

    assert decision.promote is promoted
    assert any("(params.yaml: gate.min_rows)" in reason for reason in decision.reasons) != promoted


@pytest.mark.parametrize(("low", "promoted"), [(0.1, True), (-0.1, False)])
def test_a_first_champion_has_only_the_baselines_to_beat(low, promoted):
    decision = decide(a_challenge(has_champion=False, champion=None, majority_label=low), RULE)

    assert decision.promote is promoted
    assert not any("the champion (" in reason for reason in decision.reasons)


@pytest.mark.parametrize(
    ("high", "verdict"), [(-1e-9, "worse than"), (0.0, "not shown to be better than"), (0.1, "not shown to be better")]
)
def test_worse_is_said_only_where_the_whole_interval_is_below_zero(high, verdict):
    challenge = a_challenge()
    comparisons = {**challenge.comparisons, CHAMPION: a_gain(-0.2, high)}

    decision = decide(Challenge(300, challenge.accuracy, comparisons, None, True), RULE)

    assert decision.reasons[0].startswith(verdict)
    assert decision.reasons[0].endswith("more than +0.000 is needed at its low end")


def test_every_failed_check_is_told():
    decision = decide(a_challenge(rows=5, champion=-0.1, majority_label=None, previous_label=-0.1), RULE)

    assert len(decision.reasons) == 4


def test_a_model_that_was_not_exported_may_win_and_the_reason_says_what_serves_it():
    decision = decide(a_challenge(parity="the export differs"), RULE)

    assert decision.promote
    assert decision.reasons[-1] == "it is served by scikit-learn: the export differs"
