from datetime import date

import pytest

from releve.domain.evaluation.evaluation import (
    AlterationEffect,
    ColumnShare,
    Comparison,
    GroupDifference,
    Opponent,
    Sanity,
    SliceComparison,
    TooGood,
)
from releve.domain.evaluation.intervals import Interval
from releve.domain.gate.gate import GateInputs, decide
from releve.domain.schema.target import REGRESSION
from tests.evaluations import make_evaluation
from tests.tables import make_params

CHAMPION, MAJORITY, PREVIOUS_LABEL = Opponent.CHAMPION, Opponent.MAJORITY_LABEL, Opponent.PREVIOUS_LABEL
ROW_BEFORE, SEASONAL, USUAL_VALUE = Opponent.ROW_BEFORE, Opponent.SEASONAL, Opponent.USUAL_VALUE

TODAY = date(2026, 1, 31)
EPSILON = 1e-9


def slight_change(lost):
    return AlterationEffect(
        column="note",
        what="one word more",
        lost=lost,
        most_lost=0.5,
        shift=0.1,
        cells=("'all well'", "'all well so'"),
        label="no",
        answers=(0.9, 0.2),
    )


SANE = Sanity(rows=200, tried=4, worst=(slight_change(0.1),))
INSANE = Sanity(rows=200, tried=4, worst=(slight_change(0.9),), broken=(slight_change(0.9),))


def a_rule(**changes):
    return make_params(gate={"margin": 0.0, "max_latency_ms": 50.0, **changes})


def a_gain(low, high=0.3, *, p=0.001, other=0.7, must_beat=True):
    gain = Interval((low + high) / 2, low, high)
    return Comparison(score=other, gain=gain, p=p, wins=60, losses=10, must_beat=must_beat)


def a_challenge(against=(), *, has_champion=True, parity=None, latency_ms=1.0, sanity=SANE, rows=300, **changes):
    known = {name: a_gain(0.1) for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)} | dict(against)
    known = {name: found for name, found in known.items() if found is not None}
    # Not validated: a figure that is no number must not slip through the gate either.
    evaluation = make_evaluation().model_copy(update={"holdout_rows": rows, "against": known, **changes})
    return GateInputs(evaluation, has_champion, parity, latency_ms, sanity)


def decided(challenge, **rule):
    return decide(challenge, a_rule(**rule), today=TODAY)


def test_a_challenger_that_beats_all_is_promoted_with_each_gain_as_a_reason():
    decision = decided(a_challenge())

    assert decision.promote
    assert decision.reasons[0] == (
        "gain over the champion (0.700) is +0.200 [+0.100, +0.300] at 95% confidence, 60 rows won and 10 lost (p 0.001)"
    )
    assert [reason.split(" (")[0] for reason in decision.reasons] == [
        f"gain over the {name}" for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)
    ]


def test_a_tie_keeps_the_champion():
    tie = Comparison(score=0.9, gain=Interval(0.0, 0.0, 0.0), p=0.5, wins=0, losses=0)

    decision = decided(a_challenge({CHAMPION: tie}))

    assert not decision.promote
    assert "not shown to be better than the champion" in decision.reasons[0]


@pytest.mark.parametrize("margin", [0.0, 0.02])
@pytest.mark.parametrize(("step", "promoted"), [(-EPSILON, False), (0.0, False), (EPSILON, True)])
def test_the_low_end_of_the_gain_has_to_exceed_the_margin(margin, step, promoted):
    assert decided(a_challenge({CHAMPION: a_gain(margin + step)}), margin=margin).promote is promoted


@pytest.mark.parametrize(("low", "promoted"), [(2.0 - EPSILON, False), (2.0, False), (2.0 + EPSILON, True)])
def test_of_a_metric_without_an_upper_end_the_margin_is_a_share_of_the_champions_score(low, promoted):
    against = {CHAMPION: a_gain(low, 9.0, other=40.0), MAJORITY: None, USUAL_VALUE: a_gain(0.1)}

    decision = decided(a_challenge(against, task=REGRESSION, metric="mae"), margin=0.05)

    assert decision.promote is promoted


@pytest.mark.parametrize("name", [CHAMPION, MAJORITY, PREVIOUS_LABEL])
@pytest.mark.parametrize(("p", "promoted"), [(0.025 + EPSILON, False), (0.025, False), (0.025 - EPSILON, True)])
def test_a_gain_that_may_be_luck_is_none_whatever_the_interval_says(name, p, promoted):
    assert decided(a_challenge({name: a_gain(0.01, p=p)})).promote is promoted


@pytest.mark.parametrize("name", [MAJORITY, PREVIOUS_LABEL, SEASONAL])
@pytest.mark.parametrize(("low", "promoted"), [(0.0, False), (EPSILON, True), (0.05, True)])
def test_the_margin_is_for_the_champion_alone_and_a_baseline_has_only_to_be_beaten(name, low, promoted):
    assert decided(a_challenge({name: a_gain(low)}), margin=0.05).promote is promoted


@pytest.mark.parametrize("name", [CHAMPION, MAJORITY, PREVIOUS_LABEL])
def test_a_comparison_that_is_missing_refuses(name):
    decision = decided(a_challenge({name: None}))

    assert not decision.promote
    assert decision.reasons == (f"there is no comparison with the {name}; evaluate again",)


def test_a_baseline_that_knows_more_than_the_model_is_told_and_does_not_refuse():
    above = a_gain(-0.1, -0.05, other=0.95, must_beat=False)

    decision = decided(a_challenge({ROW_BEFORE: above}))

    assert decision.promote
    assert decision.notes == (
        "repeating the label of the row before scores 0.950, above the challenger's 0.900; if labels really "
        "arrive that fast, set gate.label_delay_rows",
    )


def test_one_that_scores_below_the_challenger_is_not_worth_a_word():
    assert decided(a_challenge({ROW_BEFORE: a_gain(0.1, must_beat=False)})).notes == ()


@pytest.mark.parametrize(("rows", "promoted"), [(0, False), (89, False), (90, True), (91, True)])
def test_a_small_holdout_promotes_nobody(rows, promoted):
    decision = decided(a_challenge(rows=rows))

    assert decision.promote is promoted
    assert any("(params.yaml: statistics.min_rows)" in reason for reason in decision.reasons) != promoted


@pytest.mark.parametrize(("low", "promoted"), [(0.1, True), (-0.1, False)])
def test_a_first_champion_has_only_the_baselines_to_beat(low, promoted):
    decision = decided(a_challenge({CHAMPION: None, MAJORITY: a_gain(low)}, has_champion=False))

    assert decision.promote is promoted
    assert not any("the champion (" in reason for reason in decision.reasons)


@pytest.mark.parametrize(
    ("high", "verdict"), [(-EPSILON, "worse than"), (0.0, "not shown to be better"), (0.1, "not shown to be better")]
)
def test_worse_is_said_only_where_the_whole_interval_is_below_zero(high, verdict):
    decision = decided(a_challenge({CHAMPION: a_gain(-0.2, high)}))

    assert decision.reasons[0].startswith(verdict)
    assert decision.reasons[0].endswith("it has to exceed +0.000 at its low end, and p to stay below 0.025")


def a_part(rows, challenger, champion, gain):
    part = SliceComparison(column="kind", value="bread", rows=rows, challenger=0.0, champion=champion, gain=gain)
    return part.model_copy(update={"challenger": challenger})


def a_slice(high, *, rows=50):
    return a_part(rows, 0.7, 0.8, Interval(high - 0.1, high - 0.2, high))


@pytest.mark.parametrize(("step", "promoted"), [(-EPSILON, False), (0.0, True), (EPSILON, True)])
def test_a_slice_that_is_shown_to_lose_more_than_allowed_refuses(step, promoted):
    decision = decided(a_challenge(slices=(a_slice(-0.05 + step),)))

    assert decision.promote is promoted
    assert (
        any("where kind = bread (50 rows) it is worse than the champion" in why for why in decision.reasons) != promoted
    )


@pytest.mark.parametrize(("rows", "promoted"), [(49, True), (50, False)])
def test_a_slice_of_few_rows_cannot_refuse(rows, promoted):
    assert decided(a_challenge(slices=(a_slice(-0.2, rows=rows),))).promote is promoted


def test_without_a_champion_a_slice_has_nothing_to_be_compared_with():
    first = a_challenge({CHAMPION: None}, has_champion=False, slices=(a_part(90, 0.1, None, None),))

    assert decided(first).promote


@pytest.mark.parametrize(("rows", "promoted"), [(49, True), (50, False)])
def test_a_slice_where_the_metric_is_not_defined_refuses_unless_it_is_small(rows, promoted):
    unknown = a_part(rows, None, None, None)

    decision = decided(a_challenge(slices=(unknown,)))

    assert decision.promote is promoted
    assert promoted or "where kind = bread (50 rows) accuracy is not defined" in decision.reasons[0]


def a_difference(metric, challenger, champion):
    return GroupDifference(attribute="sex", metric=metric, challenger=challenger, champion=champion, left_out={})


NAN = float("nan")


@pytest.mark.parametrize(
    "found",
    [
        {"against": {CHAMPION: Comparison(score=NAN, gain=Interval(NAN, NAN, NAN), p=NAN, wins=0, losses=0)}},
        {"slices": (a_part(90, NAN, 0.8, Interval(NAN, NAN, NAN)),)},
        {"fairness": (a_difference("mae difference", Interval(NAN, NAN, NAN), None),)},
        {"latency_ms": NAN},
    ],
)
def test_what_is_no_number_is_no_evidence(found):
    assert not decided(a_challenge(**found)).promote


def unfair(value, low):
    return a_challenge(fairness=(a_difference("equalized odds difference", Interval(value, low, 0.6), 0.1),))


@pytest.mark.parametrize(("low", "promoted"), [(0.2 - EPSILON, True), (0.2, True), (0.2 + EPSILON, False)])
def test_unfairness_that_is_shown_to_be_above_the_floor_refuses(low, promoted):
    decision = decided(unfair(0.4, low))

    told = "the equalized odds difference between the groups of sex is 0.400 [0.200, 0.600] at 95% confidence"
    assert decision.promote is promoted
    assert any(why.startswith(f"{told} (the champion's is 0.100): even the low end") for why in decision.reasons) != (
        promoted
    )


@pytest.mark.parametrize(("value", "warned"), [(0.2 - EPSILON, False), (0.2, False), (0.2 + EPSILON, True)])
def test_unfairness_above_the_floor_that_may_be_luck_is_told_and_does_not_refuse(value, warned):
    decision = decided(unfair(value, 0.01))

    assert decision.promote
    assert any("is 0.200 [0.010, 0.600]" in why and "do not show it" in why for why in decision.notes) is warned


def test_groups_that_cannot_be_compared_refuse_as_missing_evidence():
    decision = decided(a_challenge(unknown_groups=("sex",)))

    assert not decision.promote
    assert decision.reasons[0].startswith("fairness by sex is not known")


@pytest.mark.parametrize(("latency", "promoted"), [(49.9, True), (50.0, True), (50.1, False), (None, False)])
def test_a_slow_answer_or_one_that_was_not_measured_refuses(latency, promoted):
    assert decided(a_challenge(latency_ms=latency)).promote is promoted


BROKEN = {
    "baseline": {"against": {MAJORITY: a_gain(-0.1)}},
    "slice": {"slices": (a_slice(-0.2),)},
    "fairness": {"fairness": (a_difference("equalized odds difference", Interval(0.5, 0.4, 0.6), None),)},
    "latency": {"latency_ms": 90.0},
    "sanity": {"sanity": INSANE},
}


@pytest.mark.parametrize("floor", BROKEN)
@pytest.mark.parametrize(("until", "promoted"), [(date(2026, 1, 30), False), (TODAY, True)])
def test_a_broken_floor_can_be_overridden_until_a_day_and_the_decision_says_so(floor, until, promoted):
    one = {"floor": floor, "by": "Ada", "reason": "a trial", "until": until}

    decision = decided(a_challenge(**BROKEN[floor]), overrides=[one])

    assert decision.promote is promoted
    assert (len(decision.overrides) == 1) is promoted
    assert any("by Ada" in reason for reason in decision.sentences)
    assert not decided(a_challenge(**BROKEN[floor])).promote


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 5},
        {"against": {CHAMPION: a_gain(-0.1)}},
        {"against": {MAJORITY: None}},
        {"latency_ms": None},
        {"sanity": None},
        {"unknown_groups": ("sex",)},
    ],
)
def test_nobody_overrides_a_champion_that_is_not_beaten_or_evidence_that_is_missing(changes):
    everything = [{"floor": floor, "by": "Ada", "reason": "all of it", "until": date(2099, 1, 1)} for floor in BROKEN]

    assert not decided(a_challenge(**changes), overrides=everything).promote


def test_a_model_that_slight_changes_of_a_row_upset_is_refused_with_column_and_example():
    decision = decided(a_challenge(sanity=INSANE))

    assert not decision.promote
    assert decision.reasons == (
        "slightly altered rows are answered unlike the real ones: one word more in note changes how rows rank by 90% "
        "of what another row's cell would (at most 50% is allowed), and answers by 0.1 times the mean difference "
        "between two rows (at most 4); for example, 'all well' is no with a probability of 0.9, 'all well so' 0.2",
    )


def test_a_score_that_is_too_good_to_be_true_is_noted_and_refuses_nobody():
    columns = (ColumnShare(column="closed", share=0.98),)
    found = TooGood(rows=915, baseline=MAJORITY, left=0.0, columns=columns)

    decision = decided(a_challenge(too_good=found))

    assert decision.promote
    assert decision.notes == (
        "this may be too good to be true: on 915 rows the model makes 0.00% of the error of the majority label. "
        "Check for a column that is known only after the outcome, and give it feature: false (params.yaml: columns); "
        "alone, these take away most of the error: closed (98%)",
    )


def test_every_failed_check_is_told():
    against = {CHAMPION: a_gain(-0.1), MAJORITY: None, PREVIOUS_LABEL: a_gain(-0.1)}

    assert len(decided(a_challenge(against, rows=5)).reasons) == 4


def test_a_model_that_was_not_exported_may_win_and_the_reason_says_what_serves_it():
    decision = decided(a_challenge(parity="the export differs"))

    assert decision.promote
    assert decision.notes == ("it is served by scikit-learn: the export differs",)
    assert decision.sentences[-1] == "note: it is served by scikit-learn: the export differs"


@pytest.mark.parametrize(("wanted", "promoted"), [(10, True), (11, True), (12, False)])
def test_losses_autocorrelated_over_longer_blocks_than_can_be_drawn_promote_nobody(wanted, promoted):
    sure = a_gain(0.1).model_copy(update={"block_rows": 11, "wanted_block_rows": wanted})

    decision = decided(a_challenge({CHAMPION: sure}, rows=90))

    assert decision.promote is promoted
    assert promoted or decision.reasons[0].startswith(
        "the losses are autocorrelated (block length 12), so that 90 rows"
    )


def test_a_naive_baseline_may_be_autocorrelated_over_any_rows():
    sure = a_gain(0.1).model_copy(update={"block_rows": 11, "wanted_block_rows": 80})

    assert decided(a_challenge({MAJORITY: sure})).promote


@pytest.mark.parametrize(
    ("low", "high", "better", "not_worse"),
    [
        (-0.2, -EPSILON, False, False),
        (-0.2, 0.0, False, True),
        (-0.1, 0.1, False, True),
        (0.0, 0.2, False, True),
        (EPSILON, 0.2, True, True),
    ],
)
def test_by_not_worse_a_challenger_need_not_be_shown_to_be_better_only_not_to_be_worse(low, high, better, not_worse):
    challenge = a_challenge({CHAMPION: a_gain(low, high)})

    assert decided(challenge, rule="better").promote is better
    assert decided(challenge, rule="not_worse").promote is not_worse


@pytest.mark.parametrize(
    ("low", "high", "promote"),
    [(-0.3, 0.1, False), (-0.2, 0.2, False), (-0.2, 0.2 + 2 * EPSILON, True), (0.1, 0.3, True)],
)
def test_by_not_worse_it_has_to_score_above_the_baselines(low, high, promote):
    challenge = a_challenge({CHAMPION: a_gain(-0.1, 0.1), MAJORITY: a_gain(low, high)})

    assert decided(challenge, rule="not_worse").promote is promote


def test_by_not_worse_too_a_first_champion_has_to_beat_the_baselines_for_sure():
    first = a_challenge({MAJORITY: a_gain(-0.1, 0.3)}, has_champion=False)

    assert not decided(first, rule="not_worse").promote
