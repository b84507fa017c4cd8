from dataclasses import replace
from datetime import date

import pytest

from releve.core.errors import BadInput
from releve.domain.evaluation.evaluation import Comparison, DecisionChange, Money, Opponent, TooGood
from releve.domain.evaluation.intervals import Interval
from releve.domain.gate.gate import (
    OF_THE_SERVED_MODEL,
    FailedCheck,
    Floor,
    GateCheck,
    GateDecision,
    Remark,
    as_judged,
    decide,
    search_gains,
)
from releve.domain.schema.target import REGRESSION
from tests.challenges import (
    CHAMPION,
    INSANE,
    MAJORITY,
    PREVIOUS_LABEL,
    TODAY,
    a_challenge,
    a_difference,
    a_gain,
    a_part,
    a_rule,
    a_slice,
    unfair,
)
from tests.evaluations import make_evaluation
from tests.tables import make_params

ROW_BEFORE, SEASONAL, USUAL_VALUE = Opponent.ROW_BEFORE, Opponent.SEASONAL, Opponent.USUAL_VALUE

EPSILON = 1e-9
NAN = float("nan")


def decided(challenge, **rule):
    return decide(challenge, a_rule(**rule), today=TODAY)


def failed(challenge, **rule):
    """The checks that the challenger failed."""
    return [one.check for one in decided(challenge, **rule).failed]


def test_a_challenger_that_beats_all_is_promoted():
    assert decided(a_challenge()) == GateDecision(True, (), (CHAMPION, MAJORITY, PREVIOUS_LABEL), ())


@pytest.mark.parametrize("margin", [0.0, 0.02])
@pytest.mark.parametrize(("step", "promoted"), [(-EPSILON, False), (0.0, True), (EPSILON, True)])
def test_a_refresh_takes_over_unless_its_whole_interval_shows_more_harm_than_is_tolerated(margin, step, promoted):
    decision = decided(a_challenge({CHAMPION: a_gain(-0.3, -margin + step)}), margin=margin)

    assert decision.promote is promoted
    assert decision.failed == (() if promoted else (FailedCheck(GateCheck.WORSE, CHAMPION),))


@pytest.mark.parametrize(("high", "promoted"), [(-2.0 - EPSILON, False), (-2.0, True), (-2.0 + EPSILON, True)])
def test_of_a_metric_without_an_upper_end_the_margin_is_a_share_of_the_champions_score(high, promoted):
    against = {CHAMPION: a_gain(-9.0, high, other=40.0), MAJORITY: None, USUAL_VALUE: a_gain(0.1)}

    decision = decided(a_challenge(against, task=REGRESSION, metric="mae", sign=-1), margin=0.05)

    assert decision.promote is promoted


@pytest.mark.parametrize(
    ("low", "high", "inconclusive"), [(0.0, 0.2, True), (EPSILON, 0.2, False), (-0.2, -EPSILON, False)]
)
@pytest.mark.parametrize("setting", ["keep", "shadow"])
def test_where_a_gain_has_to_be_shown_a_refresh_that_shows_neither_gain_nor_harm_is_inconclusive(
    setting, low, high, inconclusive
):
    decision = decided(a_challenge({CHAMPION: a_gain(low, high)}), inconclusive=setting)

    assert decision.is_inconclusive is inconclusive
    assert decision.promote is (low > 0)


def test_what_a_floor_refuses_is_not_inconclusive():
    challenge = a_challenge({CHAMPION: a_gain(-0.2, 0.2)}, sanity=INSANE)

    assert not decided(challenge, inconclusive="shadow").is_inconclusive
    assert not decided(challenge).is_inconclusive


def test_a_first_model_is_never_inconclusive():
    assert decided(a_challenge(has_champion=False), inconclusive="keep").promote


NAIVE_SCORE = 0.7  # of each baseline, and what the champion scores is beside it


@pytest.mark.parametrize("name", [MAJORITY, PREVIOUS_LABEL, SEASONAL])
@pytest.mark.parametrize(
    ("champion", "high", "promoted"),
    [
        (NAIVE_SCORE - EPSILON, -0.1, True),
        (NAIVE_SCORE, -0.1, False),
        (NAIVE_SCORE + 0.1, -EPSILON, False),
        (NAIVE_SCORE + 0.1, 0.0, True),
    ],
)
def test_a_naive_floor_refuses_only_what_the_champion_itself_reaches(name, champion, high, promoted):
    against = {CHAMPION: a_gain(-0.1, 0.1, other=champion), name: a_gain(-0.3, high, other=NAIVE_SCORE)}

    decision = decided(a_challenge(against))

    assert decision.promote is promoted
    assert (Remark.BELOW_NAIVE, name) in decision.remarks


def test_below_the_naive_baseline_the_better_of_the_two_serves():
    below = {MAJORITY: a_gain(-0.5, -0.3), CHAMPION: a_gain(0.1, other=0.4)}
    worse = {MAJORITY: a_gain(-0.5, -0.3), CHAMPION: a_gain(-0.3, -0.1, other=0.4)}

    assert decided(a_challenge(below)).promote
    assert decided(a_challenge(worse)).failed == (FailedCheck(GateCheck.WORSE, CHAMPION),)


@pytest.mark.parametrize(("task", "sign", "promoted"), [("binary", 1, True), (REGRESSION, -1, False)])
def test_whether_the_champion_reaches_a_baseline_follows_the_metrics_sign(task, sign, promoted):
    usual = {"binary": MAJORITY, REGRESSION: USUAL_VALUE}[task]
    against = {CHAMPION: a_gain(0.0, other=0.6), MAJORITY: None, usual: a_gain(-0.3, -0.1, other=0.7)}

    assert decided(a_challenge(against, task=task, sign=sign)).promote is promoted


def test_of_several_better_baselines_the_best_is_named():
    against = {MAJORITY: a_gain(-0.2, -0.1), PREVIOUS_LABEL: a_gain(-0.4, -0.3), CHAMPION: a_gain(0.1, other=0.1)}

    assert decided(a_challenge(against)).remarks == ((Remark.BELOW_NAIVE, PREVIOUS_LABEL),)


@pytest.mark.parametrize("name", [CHAMPION, MAJORITY, PREVIOUS_LABEL])
@pytest.mark.parametrize("found", [None, Comparison(score=NAN, gain=Interval(NAN, NAN, NAN), rows_won=0, rows_lost=0)])
def test_a_comparison_that_is_missing_or_no_number_refuses(name, found):
    decision = decided(a_challenge({name: found}))

    assert not decision.promote
    assert decision.failed == (FailedCheck(GateCheck.NOT_COMPARED, name),)


@pytest.mark.parametrize(
    ("low", "high", "remarks"), [(-0.1, -0.05, ((Remark.ROW_BEFORE_IS_BETTER, None),)), (0.1, 0.3, ())]
)
def test_a_baseline_that_knows_more_than_the_model_refuses_nobody_and_is_remarked_where_it_is_better(
    low, high, remarks
):
    decision = decided(a_challenge({ROW_BEFORE: a_gain(low, high, must_beat=False)}))

    assert decision.promote
    assert decision.remarks == remarks


@pytest.mark.parametrize(("rows", "promoted"), [(0, False), (89, False), (90, True), (91, True)])
def test_a_first_model_is_judged_on_enough_rows(rows, promoted):
    first = a_challenge({CHAMPION: None}, has_champion=False, rows=rows)

    assert failed(first) == ([] if promoted else [GateCheck.FEW_ROWS])


def test_a_refresh_on_few_rows_is_promoted_since_they_show_no_harm():
    assert decided(a_challenge({CHAMPION: a_gain(-0.3, 0.3)}, rows=5)).promote


@pytest.mark.parametrize(("high", "remarks"), [(0.3, ()), (-0.1, ((Remark.BELOW_NAIVE, PREVIOUS_LABEL),))])
def test_a_first_model_serves_below_a_naive_baseline_too(high, remarks):
    decision = decided(a_challenge({CHAMPION: None, PREVIOUS_LABEL: a_gain(high - 0.2, high)}, has_champion=False))

    assert decision.promote
    assert decision.remarks == remarks


def test_a_release_of_the_naive_answer_is_marked():
    evaluation = make_evaluation(naive=True, against={MAJORITY: a_gain(0.0, 0.0), PREVIOUS_LABEL: a_gain(0.1)})
    decision = decided(replace(a_challenge(has_champion=False), evaluation=evaluation))

    assert decision.promote
    assert decision.remarks == ((Remark.NAIVE, None),)


def test_the_naive_answer_is_not_below_itself_and_may_be_below_another_one():
    against = {CHAMPION: a_gain(0.1), MAJORITY: a_gain(-0.3, -0.2), PREVIOUS_LABEL: a_gain(-0.2, -0.1)}

    assert decided(a_challenge(against, naive=True)).remarks == (
        (Remark.NAIVE, None),
        (Remark.BELOW_NAIVE, PREVIOUS_LABEL),
    )
    assert decided(a_challenge(against)).remarks == ((Remark.BELOW_NAIVE, MAJORITY),)


@pytest.mark.parametrize(("low", "gains"), [(-EPSILON, False), (0.0, False), (EPSILON, True)])
def test_a_search_joins_the_pool_only_where_the_interval_shows_a_gain(low, gains):
    assert search_gains("accuracy", a_gain(low)) is gains


@pytest.mark.parametrize(
    ("metric", "score", "least"), [("accuracy", 0.5, 0.01), ("log_loss", 0.5, 0.005), ("mae", 40.0, 0.4)]
)
@pytest.mark.parametrize("pays", [True, False])
def test_a_shown_gain_that_does_not_pay_for_one_more_member_joins_nothing(metric, score, least, pays):
    gain = Interval(least * (1.01 if pays else 0.99), least / 2, least * 2)

    assert search_gains(metric, a_gain(0.1).model_copy(update={"score": score, "gain": gain})) is pays


@pytest.mark.parametrize(("wanted", "gains"), [(10, True), (11, True), (12, False)])
def test_losses_autocorrelated_over_longer_blocks_than_can_be_drawn_show_no_gain_of_a_search(wanted, gains):
    sure = a_gain(0.1).model_copy(update={"block_rows": 11, "wanted_block_rows": wanted})

    assert search_gains("accuracy", sure) is gains


@pytest.mark.parametrize(("step", "promoted"), [(-EPSILON, False), (0.0, True), (EPSILON, True)])
def test_a_slice_that_is_shown_to_lose_more_than_allowed_refuses(step, promoted):
    assert failed(a_challenge(slices=(a_slice(-0.05 + step),))) == ([] if promoted else [GateCheck.SLICE_WORSE])


@pytest.mark.parametrize(("rows", "promoted"), [(49, True), (50, False)])
def test_a_slice_of_few_rows_cannot_refuse(rows, promoted):
    assert decided(a_challenge(slices=(a_slice(-0.2, rows=rows),))).promote is promoted


def test_without_a_champion_a_slice_has_nothing_to_be_compared_with():
    first = a_challenge({CHAMPION: None}, has_champion=False, slices=(a_part(90, 0.1, None, None),))

    assert decided(first).promote


@pytest.mark.parametrize(("rows", "promoted"), [(49, True), (50, False)])
def test_a_slice_where_the_metric_is_not_defined_refuses_unless_it_is_small(rows, promoted):
    unknown = a_part(rows, None, None, None)

    assert failed(a_challenge(slices=(unknown,))) == ([] if promoted else [GateCheck.SLICE_UNDEFINED])


@pytest.mark.parametrize(
    "evidence",
    [
        {"slices": (a_part(90, NAN, 0.8, Interval(NAN, NAN, NAN)),)},
        {"fairness": (a_difference("mae difference", Interval(NAN, NAN, NAN), None),)},
        {"latency_ms": NAN},
    ],
)
def test_what_is_no_number_is_no_evidence(evidence):
    assert not decided(a_challenge(**evidence)).promote


@pytest.mark.parametrize(("low", "promoted"), [(0.2 - EPSILON, True), (0.2, True), (0.2 + EPSILON, False)])
def test_unfairness_that_is_shown_to_be_above_the_floor_refuses(low, promoted):
    assert failed(unfair(0.4, low)) == ([] if promoted else [GateCheck.UNFAIR])


@pytest.mark.parametrize(("value", "warned"), [(0.2 - EPSILON, False), (0.2, False), (0.2 + EPSILON, True)])
def test_unfairness_above_the_floor_that_may_be_chance_is_remarked_and_does_not_refuse(value, warned):
    decision = decided(unfair(value, 0.01))

    assert decision.promote
    assert [remark for remark, _ in decision.remarks] == [Remark.MAY_BE_UNFAIR] * warned


def test_groups_that_cannot_be_compared_refuse_as_missing_evidence():
    assert decided(a_challenge(unknown_groups=("sex",))).refusals == (FailedCheck(GateCheck.GROUPS_UNKNOWN, "sex"),)


@pytest.mark.parametrize(("latency", "promoted"), [(49.9, True), (50.0, True), (50.1, False), (None, False)])
def test_a_slow_answer_or_one_that_was_not_measured_refuses(latency, promoted):
    assert decided(a_challenge(latency_ms=latency)).promote is promoted


@pytest.mark.parametrize(("moved", "promoted"), [(None, True), (0.049, False), (0.05, True)])
def test_new_weights_that_hardly_move_are_worth_no_release(moved, promoted):
    assert decided(a_challenge(moved=moved)).promote is promoted


def override(**changes):
    return {"floor": "fairness", "by": "Ada", "reason": "a trial", "until": TODAY, **changes}


BROKEN = {
    "baseline": {"against": {MAJORITY: a_gain(-0.3, -0.1)}},
    "slice": {"slices": (a_slice(-0.2),)},
    "fairness": {"fairness": (a_difference("equalized odds difference", Interval(0.5, 0.4, 0.6), None),)},
    "latency": {"latency_ms": 90.0},
    "sanity": {"sanity": INSANE},
}


@pytest.mark.parametrize("floor", BROKEN)
@pytest.mark.parametrize(("until", "promoted"), [(date(2026, 1, 30), False), (TODAY, True)])
def test_a_broken_floor_can_be_overridden_until_the_end_of_a_day(floor, until, promoted):
    params = make_params(gate={"overrides": [override(floor=floor, until=until)]})

    decision = decided(a_challenge(**BROKEN[floor]), overrides=[override(floor=floor, until=until)])

    assert decision.promote is promoted
    assert decision.overrides == (params.gate.overrides if promoted else ())
    assert decision.failed[0].expired == (() if promoted else params.gate.overrides)
    assert not decided(a_challenge(**BROKEN[floor])).promote


def test_an_override_is_for_its_own_floor_alone():
    decision = decided(a_challenge(latency_ms=90.0), overrides=[override(floor="slice")])

    assert decision.failed == (FailedCheck(GateCheck.SLOW),)


@pytest.mark.parametrize("floor", Floor)
def test_every_floor_can_be_overridden_in_params_yaml(floor):
    assert make_params(gate={"overrides": [override(floor=floor)]}).gate.overrides[0].floor == floor


@pytest.mark.parametrize(
    "change", [{"floor": "champion"}, {"by": ""}, {"reason": ""}, {"until": "soon"}, {"until": None}, {"who": "Ada"}]
)
def test_an_override_needs_a_known_floor_a_name_a_reason_and_a_day(change):
    with pytest.raises(BadInput, match=r"gate\.overrides\.0\."):
        make_params(gate={"overrides": [override(**change)]})


@pytest.mark.parametrize(
    "changes",
    [
        {"has_champion": False, "rows": 5},
        {"against": {CHAMPION: a_gain(-0.3, -0.1)}},
        {"against": {MAJORITY: None}},
        {"latency_ms": None},
        {"sanity": None},
        {"unknown_groups": ("sex",)},
    ],
)
def test_nobody_overrides_harm_beside_the_champion_or_evidence_that_is_missing(changes):
    everything = [override(floor=floor, until=date(2099, 1, 1)) for floor in BROKEN]

    assert not decided(a_challenge(**changes), overrides=everything).promote


def test_a_model_that_slight_changes_of_a_row_upset_is_refused():
    assert decided(a_challenge(sanity=INSANE)).refusals == (FailedCheck(GateCheck.NOT_SANE, INSANE.broken[0]),)


@pytest.mark.parametrize(
    ("evidence", "remark"),
    [
        ({"too_good": TooGood(rows=915, baseline=MAJORITY, left=0.0)}, Remark.TOO_GOOD),
        ({"export_problem": "the export differs"}, Remark.NOT_EXPORTED),
    ],
)
def test_a_score_too_good_to_be_true_and_a_model_that_is_not_exported_are_remarked_and_refuse_nobody(evidence, remark):
    decision = decided(a_challenge(**evidence))

    assert decision.promote
    assert decision.remarks == ((remark, None),)


def test_every_failed_check_is_kept():
    against = {CHAMPION: a_gain(-0.3, -0.1), MAJORITY: None, PREVIOUS_LABEL: a_gain(-0.3, -0.1)}

    assert failed(a_challenge(against, latency_ms=90.0)) == [
        GateCheck.WORSE,
        GateCheck.NOT_COMPARED,
        GateCheck.WORSE,
        GateCheck.SLOW,
    ]


@pytest.mark.parametrize("sanity", [None, INSANE])
@pytest.mark.parametrize("latency", [None, 90.0])
def test_a_check_that_does_not_apply_refuses_nobody(latency, sanity):
    unserved = a_challenge(latency_ms=latency, sanity=sanity, not_applicable=OF_THE_SERVED_MODEL)

    assert decided(unserved).failed == ()


def in_money(champion=None, constant=None, **changes):
    """An evaluation whose decisions have a price: the gains over the champion, and over one decision for all."""
    return {
        "money": Money(
            unit="EUR",
            rows=300,
            cost=Interval(4, 3, 5),
            expected=4.1,
            constant=constant or a_gain(0.5, 1.5, other=5),
            champion=champion or a_gain(-0.5, 0.5, other=4),
            decided={"keep": 200, "offer": 100},
            fired={},
            rules=None,
        ),
        **changes,
    }


def test_money_judges_champion_and_baseline_where_the_metric_is_cost():
    worse = {name: a_gain(-0.3, -0.1) for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)}
    params = make_params(gate={"metric": "cost"}, decision={"costs": {"a": 1, "b": 2}})
    challenge = a_challenge(worse, **in_money())

    def judged(known):
        return decide(replace(known, evaluation=as_judged(known.evaluation, params)), params, today=TODAY)

    assert judged(challenge) == GateDecision(True, (), (CHAMPION, Opponent.SAME_DECISION), ())
    dearer = a_challenge(worse, **in_money(a_gain(-0.5, -0.1, other=4)))
    assert [one.of for one in judged(dearer).failed] == [CHAMPION]


@pytest.mark.parametrize(("high", "promoted"), [(-0.4 - 1e-6, False), (-0.4, True)])
def test_changed_costs_may_cost_more_than_those_that_serve_by_a_share_of_these(high, promoted):
    change = DecisionChange(served=a_gain(-1, high, other=4), alone=True)

    found = decided(replace(a_challenge(**in_money()), decision=change), margin=0.1)

    assert found.promote == promoted
    assert [one.check for one in found.failed] == ([] if promoted else [GateCheck.DEARER])
    assert not any(one.floor for one in found.failed)


def test_changed_costs_that_one_decision_for_all_beats_are_refused_and_unchanged_ones_are_not():
    challenge = a_challenge(**in_money(constant=a_gain(-1, -0.1, other=3)))

    changed = replace(challenge, decision=DecisionChange(served=None, alone=False))

    assert [(one.check, one.of) for one in decided(changed).failed] == [(GateCheck.DEARER, Opponent.SAME_DECISION)]
    assert decided(challenge).promote
