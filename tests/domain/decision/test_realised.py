import pandas as pd
import pytest

from releve.domain.decision.realised import realised_cost
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.reporting.messages.money import describe_realised
from tests.domain.decision.tables import PRICES, a_rule, churn, demand, make_table

BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=500, block=0, seed=7)


def answered(decisions, *, expected=10.0, rules=None):
    rows = len(decisions)
    return AnsweredRows(
        ids=[str(row) for row in range(rows)],
        at=["2026-01-05T09:00:00.000000Z"] * rows,
        models=["churn:1"] * rows,
        arms=["champion"] * rows,
        predicted=["stays"] * rows,
        probabilities=[None] * rows,
        intervals=[None] * rows,
        features=pd.DataFrame(index=range(rows)),
        decisions=decisions,
        expected_costs=[None if each is None else expected for each in decisions],
        rules=rules or [None] * rows,
    )


def found(
    decisions,
    labels,
    *,
    table=None,
    schema=None,
    rows=300,
    min_rows=4,
    learned=("stays",) * 9 + ("leaves",),
    promised=None,
    **more,
):
    answers = answered(decisions, **more)
    labelled = LabelledRows(answers.take(range(len(labels))), labels, [""] * len(labels))
    schema = schema or churn()
    return realised_cost(
        answers,
        labelled,
        table or make_table(),
        schema.target,
        learned=learned,
        rows=rows,
        min_rows=min_rows,
        bootstrap=BOOTSTRAP,
        promised=promised,
    )


def test_decisions_are_charged_by_the_labels_that_came_beside_what_was_expected():
    money = found(["keep", "keep", "offer", "review", "keep"], ["stays", "leaves", "leaves", "stays"])

    assert money.cost.value == pytest.approx((0 + 200 + 60 + 30) / 4)
    assert money.cost.low < money.cost.value < money.cost.high
    assert (money.expected, money.rows, money.unit) == (10, 4, "EUR")
    assert money.constant == pytest.approx((0 + 200 + 200 + 0) / 4)  # keep costs least where one of ten leaves
    assert money.decided == {"keep": 3, "offer": 1, "review": 1}


def test_a_decision_of_a_number_is_charged_by_how_far_it_was_off():
    table = make_table(costs={**PRICES, "review": 40}, schema=demand())

    money = found(
        [10.0, 10, "review", 12.5], [12.0, 8.0, 99.0, 12.5], table=table, schema=demand(), learned=[8.0, 12.0]
    )

    assert money.cost.value == pytest.approx((6 + 2 + 40 + 0) / 4)
    assert money.decided == {"a number": 3, "review": 1}


@pytest.mark.parametrize(("labels", "known"), [(3, False), (4, True)])
def test_few_labels_tell_no_cost(labels, known):
    money = found(["keep"] * 6, ["stays"] * labels)

    assert (money.cost is not None, money.expected is not None, money.constant is not None) == (known,) * 3


@pytest.mark.parametrize(("promised", "dear"), [(20.0, True), (60.0, False), (None, False)])
def test_decisions_are_dear_where_the_whole_change_from_the_promise_is(promised, dear):
    promise = promised and Interval(promised, promised - 5, promised + 5)

    money = found(["keep"] * 200, ["stays", "leaves", "stays", "stays"] * 50, promised=promise)

    assert money.cost.value == 50
    assert money.is_dear is dear
    assert (", and labels show more: a change of -30" in describe_realised(money)) is dear


def test_answers_that_decided_nothing_or_what_has_no_price_any_more_count_for_nothing():
    money = found([None, "call", "keep", "keep", "keep", "keep"], ["leaves"] * 2 + ["stays"] * 4)

    assert (money.rows, money.cost.value) == (4, 0)
    assert found([], []).decided == {}


def test_rules_count_whether_a_label_came_or_not():
    table = make_table(rules=[a_rule(), a_rule(column="plan", operator="==", value="gold", reason="gold")])

    money = found(["review"] * 3, [], table=table, rules=["large amounts", None, "large amounts"])

    assert money.fired == {"large amounts": 2, "gold": 0}
    assert money.cost is None


def test_only_the_newest_labels_are_charged():
    assert found(["keep"] * 20, ["leaves"] * 10 + ["stays"] * 10, rows=10).cost.value == 0
