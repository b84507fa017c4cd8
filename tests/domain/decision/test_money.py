import numpy as np
import pandas as pd
import pytest

from releve.domain.decision.money import (
    AnsweredPart,
    MoneyInputs,
    compare_tables,
    evaluate_money,
    forward_choices,
    known_labels,
)
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from tests.domain.decision.tables import COSTS, PRICES, a_rule, answered, churn, demand, make_table
from tests.tables import make_params

CLASSES = churn().target.classes
BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=500, block=0, seed=7)
ROWS = 60  # of a window


def parts(windows=6, *, twist=1.0, seed=7, sound=()):
    outputs, truth = answered(windows * ROWS, seed=seed, twist=twist)
    pieces = zip(np.split(outputs, windows), np.split(truth, windows), strict=True)
    return [AnsweredPart(one, true, number not in sound) for number, (one, true) in enumerate(pieces)]


def make_inputs(table=None, *, challenger=None, champion=None, rows=None, **changes):
    challenger = challenger or parts()
    labels, known = np.array([0] * 50 + [1] * 50), [np.full(ROWS, 100) for _ in challenger]
    frame = pd.DataFrame({"amount": np.arange(len(challenger) * ROWS, dtype=float)}) if rows is None else rows
    values = dict(table=table or make_table(), schema=churn(), earlier=(), challenger=challenger, champion=champion)
    values["served_earlier"] = ()
    return MoneyInputs(**{**values, "labels": labels, "known": known, "rows": frame, "bootstrap": BOOTSTRAP, **changes})


def test_no_window_is_decided_by_thresholds_that_were_chosen_on_it():
    table, windows = make_table(), parts(twist=3)
    other = [*windows[:3], AnsweredPart(windows[3].outputs, 1 - windows[3].truth), *windows[4:]]

    before, after = (forward_choices(table, (), each).expected.reshape(6, ROWS) for each in (windows, other))

    assert (before[:4] == after[:4]).all()
    assert (before[4:] != after[4:]).any(axis=1).all()


def test_windows_whose_labels_are_in_doubt_choose_no_threshold():
    table = make_table()

    doubted = forward_choices(table, (), parts(twist=3, sound={0, 1, 2, 3, 4, 5}))

    plain = table.fit(*(each[:0] for each in answered(1))).choose(
        np.concatenate([each.outputs for each in parts(twist=3)])
    )
    assert (doubted.places == plain.places).all()


def test_costs_stand_beside_the_best_constant_decision_and_what_did_serve():
    money = evaluate_money(make_inputs(champion=parts(seed=99)))

    assert money.rows == 360
    assert money.cost.low < money.cost.value < money.cost.high
    assert money.constant.gain.low > 0
    assert money.constant.score == pytest.approx(money.cost.value + money.constant.gain.value)
    assert money.expected == pytest.approx(money.cost.value, rel=0.3)
    assert money.champion.score > money.cost.value  # it answered other rows
    assert sum(money.decided.values()) == 360
    assert money.rules is None


@pytest.mark.parametrize(
    ("delay", "known"),
    [(0, [100, 100, 100, 100]), (1, [100, 101, 102, 103]), (3, [100, 100, 100, 101]), (90, [100, 100, 100, 100])],
)
def test_the_naive_decision_knows_the_labels_that_have_come(delay, known):
    assert known_labels(Fold(100, 104), delay).tolist() == known


def test_the_naive_decision_is_made_anew_fifty_times_in_a_window_at_most():
    assert len({*known_labels(Fold(100, 1100), 1).tolist()}) == 50


def test_a_naive_decision_that_hears_of_labels_sooner_costs_less():
    truth = np.array([0] * 30 + [1] * 30)
    window = [AnsweredPart(np.tile([0.5, 0.5], (ROWS, 1)), truth)]
    labels = np.concatenate([np.zeros(40, dtype=int), truth])

    late, soon = (
        evaluate_money(make_inputs(challenger=window, labels=labels, known=[known_labels(Fold(40, 100), delay)]))
        for delay in (0, 1)
    )

    assert soon.constant.score < late.constant.score


def test_what_did_serve_is_decided_by_as_many_windows_as_the_challenger():
    windows = parts(12, twist=3)
    before, judged = windows[:6], windows[6:]

    money = evaluate_money(make_inputs(earlier=before, served_earlier=before, challenger=judged, champion=judged))

    assert money.champion.gain.value == money.champion.rows_won == money.champion.rows_lost == 0


def test_what_rules_cost_is_told_beside_how_often_each_fired():
    table = make_table(rules=[a_rule(operator="<", value=90, decision="keep", reason="small amounts")])

    money = evaluate_money(make_inputs(table))

    assert money.fired == {"small amounts": 90}
    assert money.rules.value > 10
    plain = evaluate_money(make_inputs())
    assert money.cost.value == pytest.approx(plain.cost.value + money.rules.value)


def test_new_costs_are_compared_with_those_that_serve_at_the_new_prices():
    dear = {**COSTS, "keep": {"stays": 0, "leaves": 2000}, "review": 300}

    found = compare_tables(make_inputs(make_table(costs=dear)), make_table())
    same = compare_tables(make_inputs(), make_table(unit="USD"))

    assert found.gain.low > 0
    assert same.gain.value == same.rows_won == same.rows_lost == 0


def test_costs_that_serve_and_decide_what_has_no_price_any_more_are_not_compared():
    gone = {name: costs for name, costs in COSTS.items() if name != "review"}

    assert compare_tables(make_inputs(make_table(costs=gone)), make_table()) is None
    assert compare_tables(make_inputs(), make_table(costs=PRICES, schema=demand())) is None


def test_a_regression_is_charged_for_the_numbers_that_were_acted_upon():
    random = np.random.default_rng(7)
    truth = random.normal(100, 10, 600)
    answers = truth + random.normal(0, 3, 600)
    windows = [AnsweredPart(*each) for each in zip(np.split(answers, 6), np.split(truth, 6), strict=True)]
    labels, known = random.normal(100, 10, 300), [np.full(100, 300) for _ in windows]

    money = evaluate_money(
        make_inputs(
            make_table(costs=PRICES, schema=demand()),
            challenger=windows,
            schema=demand(),
            labels=labels,
            known=known,
            rows=pd.DataFrame({"price": truth}),
        )
    )

    assert money.decided == {"a number": 600}
    assert money.constant.gain.low > 0
    assert money.cost.value < np.where(truth > answers, 3 * (truth - answers), answers - truth).mean()


def test_what_is_evaluated_is_priced_window_by_window():
    windows, before = parts(), [0, 1] * 100
    truth = np.concatenate([each.truth for each in windows])
    labels = [CLASSES[place] for place in (*before, *truth)]
    rows = pd.DataFrame({"churn": labels, "amount": np.arange(len(labels), dtype=float)})
    folds = tuple(Fold(200 + number * ROWS, 200 + (number + 1) * ROWS) for number in range(6))
    scored = ScoredPredictions(np.concatenate([each.outputs for each in windows]), truth)
    gate = make_params().gate
    evaluated = EvaluationInputs(rows, folds, scored, scored, churn(), gate, BOOTSTRAP, doubted=folds[:1])

    money = evaluate_money(MoneyInputs.of(make_table(), evaluated))

    doubted = parts(sound={0})
    known = [np.full(ROWS, 200 + number * ROWS) for number in range(6)]
    every = np.array([*before, *truth])
    beside = make_inputs(challenger=doubted, champion=doubted, labels=every, known=known, rows=rows.iloc[200:])
    assert money == evaluate_money(beside)
    assert money.champion.gain.value == 0
