import numpy as np
import pytest

from releve.rules.gate import CHAMPION, MAJORITY, PREVIOUS_LABEL, Challenge, Comparison, decide
from releve.rules.scores import Interval, paired_gain, wins_by_chance
from tests.tables import make_params

RULE = make_params(gate={"min_rows": 90, "margin": 0.0}).gate


def a_gain(low, high=0.3, *, wins=60, losses=10):
    return Comparison(0.7, Interval((low + high) / 2, low, high), wins, losses)


def a_challenge(*, rows=300, parity=None, has_champion=True, **gains):
    lows = {CHAMPION: 0.1, MAJORITY: 0.1, PREVIOUS_LABEL: 0.1} | {
        name.replace("_", " "): low for name, low in gains.items()
    }
    comparisons = {name: a_gain(low) for name, low in lows.items() if low is not None}
    return Challenge(rows, comparisons, parity, has_champion)


def test_a_challenger_that_beats_all_is_promoted_with_each_gain_as_a_reason():
    decision = decide(a_challenge(), RULE)

    assert decision.promote
    gain = "gain over the champion (0.700) is +0.200 [+0.100, +0.300] at 95% confidence"
    assert decision.reasons[0].startswith(f"{gain}, 60 rows won and 10 lost (p ")
    assert [reason.split(" (")[0] for reason in decision.reasons] == [
        f"gain over the {name}" for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)
    ]


def test_a_tie_keeps_the_champion():
    same = np.arange(300) < 270
    tie = Comparison(0.9, paired_gain(same, same, confidence=0.95, resamples=1000, seed=7), 0, 0)
    challenge = a_challenge()

    decision = decide(Challenge(300, {**challenge.comparisons, CHAMPION: tie}, None, True), RULE)

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


@pytest.mark.parametrize(
    ("wins", "losses", "promoted"), [(4, 0, False), (5, 0, True), (15, 6, False), (16, 6, True), (10, 10, False)]
)
def test_few_rows_won_are_luck_whatever_the_bootstrap_says(wins, losses, promoted):
    challenge = a_challenge()
    comparisons = {**challenge.comparisons, CHAMPION: a_gain(0.01, wins=wins, losses=losses)}

    decision = decide(Challenge(300, comparisons, None, True), RULE)

    assert decision.promote is promoted


@pytest.mark.parametrize("disagreements", [3, 4, 5, 6, 8, 10, 20, 50])
def test_equally_good_models_are_rarely_taken_for_better(disagreements):
    wins = np.random.default_rng(7).binomial(disagreements, 0.5, size=2000)

    promoted = [wins_by_chance(won, disagreements - won) < 0.025 for won in wins]

    assert np.mean(promoted) <= 0.05


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

    decision = decide(Challenge(300, comparisons, None, True), RULE)

    assert decision.reasons[0].startswith(verdict)
    assert decision.reasons[0].endswith("it has to exceed +0.000 at its low end, and luck (p) to stay below 0.025")


def test_every_failed_check_is_told():
    decision = decide(a_challenge(rows=5, champion=-0.1, majority_label=None, previous_label=-0.1), RULE)

    assert len(decision.reasons) == 4


def test_a_model_that_was_not_exported_may_win_and_the_reason_says_what_serves_it():
    decision = decide(a_challenge(parity="the export differs"), RULE)

    assert decision.promote
    assert decision.reasons[-1] == "it is served by scikit-learn: the export differs"
