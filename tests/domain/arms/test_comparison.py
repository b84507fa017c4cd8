from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from releve.domain.arms.arms import Arm, ArmMode
from releve.domain.arms.comparison import KEPT_LOOKS, ArmAnswers, ArmPrices, compare
from releve.domain.arms.decision import ArmsAction, ArmsReason, decide, rows_to_decision
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import AnsweredRows
from releve.domain.schema.columns import NUMBER, Column
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import BINARY, REGRESSION, Target
from releve.reporting.live_comparison import describe_costs
from tests.domain.decision.tables import make_table

TARGET = Target("paid", BINARY, ("no", "yes"))
ROWS = 1200
TRUTH = np.random.default_rng(1).random(ROWS) < 0.4


def times(count=ROWS):
    return [
        f"2026-03-{1 + place // 1440:02d}T{place // 60 % 24:02d}:{place % 60:02d}:00.000000Z" for place in range(count)
    ]


def answers(wrong, *, arm, chosen=None, truth=TRUTH):
    """Rows with one answer each, which is wrong in a share of them."""
    places = range(len(truth)) if chosen is None else np.flatnonzero(chosen).tolist()
    is_wrong = np.random.default_rng(5 if arm is Arm.CHAMPION else 6).random(len(truth)) < wrong
    said = np.where(truth ^ is_wrong, "yes", "no")
    at, nothing = times(len(truth)), [None] * len(places)
    return AnsweredRows(
        ids=[f"row-{place:05d}" for place in places],
        at=[at[place] for place in places],
        models=[f"shop:{arm}"] * len(places),
        arms=[arm] * len(places),
        predicted=[str(said[place]) for place in places],
        probabilities=[[0.2, 0.8] if said[place] == "yes" else [0.8, 0.2] for place in places],
        intervals=nothing,
        features=pd.DataFrame(index=range(len(places))),
    )


def shadow(champion=0.3, challenger=0.1, truth=TRUTH, **changes):
    rows = {arm: answers(wrong, arm=arm, truth=truth) for arm, wrong in zip(Arm, (champion, challenger), strict=True)}
    values = {"mode": ArmMode.SHADOW, "since": times(1)[0], "models": {arm: f"shop:{arm}" for arm in Arm}, "rows": rows}
    return ArmAnswers(**{**values, "is_shadow": True, **changes})


def labels(rows=range(ROWS), truth=TRUTH):
    return {f"row-{row:05d}": ("yes" if truth[row] else "no", times(1)[0]) for row in rows}


def compared(arms, known, *, metric="accuracy", matured="2027", target=TARGET, **options):
    return compare(arms, known, target, metric=metric, quantile=0.5, confidence=0.95, matured=matured, **options)


def test_a_better_shadow_is_promoted_and_a_worse_one_stopped():
    better, worse = compared(shadow(), labels()), compared(shadow(champion=0.1, challenger=0.3), labels())

    assert decide(better, max_rows=4000).action == ArmsAction.PROMOTE
    assert better.decisive.rows < ROWS and better.decisive.interval.low > 0
    assert (better.champion.score, better.challenger.score) == pytest.approx((0.7, 0.9), abs=0.03)
    assert (decide(worse, max_rows=4000).action, decide(worse, max_rows=4000).reason) == ("stop", "worse")


def test_requests_that_are_too_young_wait():
    found = compared(shadow(), labels(), matured=times()[299])

    assert (found.rows, found.waiting) == (300, ROWS - 300)
    assert found.newest.at <= times()[299]


def test_labels_of_rows_on_which_a_shadow_agrees_change_nothing():
    arms = shadow(champion=0.2, challenger=0.18)
    differ = [place for place in range(ROWS) if len({arms.rows[arm].predicted[place] for arm in Arm}) == 2]

    everything, queued = compared(arms, labels()), compared(arms, labels(differ), queued=set(labels(differ)))

    assert len(differ) < ROWS / 2
    assert queued.growth == everything.growth
    assert (queued.unlabelled, queued.needless) == (0, ROWS - len(differ))
    assert everything.champion.score is not None and queued.champion.score is None


def test_half_of_the_labels_show_the_gain_of_all_of_them_with_a_wider_interval():
    half = [row for row in range(ROWS) if np.random.default_rng(row).random() < 0.5]

    everything, some = compared(shadow(), labels()).newest, compared(shadow(), labels(half)).newest

    assert some.gain == pytest.approx(everything.gain, abs=0.05)
    assert some.interval.high - some.interval.low > 1.2 * (everything.interval.high - everything.interval.low)


def test_a_metric_of_probabilities_needs_the_label_of_every_row():
    found = compared(shadow(), labels(range(500)), metric="log_loss")

    assert (found.rows, found.unlabelled, found.needless) == (500, ROWS - 500, 0)
    assert found.metric == "log_loss"


def test_a_metric_that_is_no_mean_over_rows_is_replaced_by_one_that_is():
    assert compared(shadow(), labels(), metric="auc").metric == "brier"


def test_rows_that_a_shadow_did_not_answer_are_left_out():
    arms = shadow()
    rows = {**arms.rows, Arm.CHALLENGER: arms.rows[Arm.CHALLENGER].take(range(0, ROWS, 2))}

    found = compared(shadow(rows=rows, failed=7), labels())

    assert found.rows == ROWS / 2
    assert found.challenger.failed == 7


def test_arms_of_different_rows_are_compared_too():
    theirs = np.random.default_rng(3).random(ROWS) < 0.3
    rows = {
        Arm.CHAMPION: answers(0.4, arm=Arm.CHAMPION, chosen=~theirs),
        Arm.CHALLENGER: answers(0.05, arm=Arm.CHALLENGER, chosen=theirs),
    }

    found = compared(shadow(rows=rows, mode=ArmMode.AB, is_shadow=False), labels())

    assert (found.rows, found.smaller) == (ROWS, theirs.sum())
    assert found.decisive.gain > 0


def test_a_regression_is_compared_by_its_errors():
    target, truth = Target("price", REGRESSION), np.random.default_rng(1).normal(100, 10, ROWS)
    errors = np.random.default_rng(2).normal(0, 1, ROWS)
    arms = shadow()
    rows = {
        arm: AnsweredRows(
            **{
                **{
                    name: getattr(arms.rows[arm], name)
                    for name in ("ids", "at", "models", "arms", "intervals", "features")
                },
                "predicted": (truth + size * errors).tolist(),
                "probabilities": [None] * ROWS,
            }
        )
        for arm, size in ((Arm.CHAMPION, 2.0), (Arm.CHALLENGER, 1.0))
    }
    known = {f"row-{row:05d}": (float(truth[row]), times(1)[0]) for row in range(ROWS)}

    found = compared(shadow(rows=rows), known, metric="rmse", target=target)

    assert found.metric == "squared error"
    assert (found.champion.score, found.challenger.score) == pytest.approx((4, 1), rel=0.1)
    assert decide(found, max_rows=4000).reason == ArmsReason.BETTER


def test_the_growth_that_is_kept_fits_a_chart_and_ends_with_the_newest_look():
    found = compared(shadow(champion=0.2, challenger=0.2), labels())

    assert len(found.growth) == KEPT_LOOKS
    assert found.newest.rows == ROWS


def test_no_answers_at_all_are_few_rows():
    nothing = {arm: answers(0.0, arm=arm, chosen=np.zeros(ROWS, dtype=bool)) for arm in Arm}

    found = compared(shadow(rows=nothing), {})

    assert found.newest is None
    assert (decide(found, max_rows=4000).reason, decide(found, max_rows=4000).rows_left) == (ArmsReason.FEW_ROWS, 200)


@pytest.mark.parametrize(("max_rows", "action"), [(ROWS, "stop"), (ROWS + 1, "continue")])
def test_what_is_not_told_apart_goes_on_until_its_rows_are_used_up(max_rows, action):
    found = decide(compared(shadow(champion=0.2, challenger=0.2), labels()), max_rows=max_rows)

    assert found.action == action


def test_rows_whose_deciding_labels_are_missing_are_not_used_up():
    half = [row for row in range(ROWS) if row % 2]
    none, some = (compared(shadow(champion=0.2, challenger=0.2), labels(known)) for known in ((), half))

    assert (decide(none, max_rows=ROWS).action, decide(none, max_rows=ROWS).rows_given) == ("continue", ROWS)
    assert decide(some, max_rows=ROWS).rows_given == pytest.approx(ROWS / 2, rel=0.1)


def test_arms_that_answer_alike_have_no_difference_yet():
    found = decide(compared(shadow(champion=0.0, challenger=0.0), labels()), max_rows=4000)

    assert (found.action, found.reason, found.rows_left) == ("continue", "no difference", None)


def test_the_rows_that_are_missing_are_about_those_that_decide():
    truth = np.random.default_rng(1).random(4000) < 0.4
    arms = shadow(champion=0.2, challenger=0.17, truth=truth)
    found = compared(arms, labels(range(4000), truth))
    early = next(look for look in found.growth if look.rows >= found.decisive.rows / 2)

    left = rows_to_decision(early, confidence=0.95)

    assert 0 < left < 4000
    assert rows_to_decision(found.decisive, confidence=0.95) == 0


def priced():
    """The decision follows the answer: "offer" costs 5 where nobody pays, "keep" 50 where somebody does."""
    schema = Schema((Column("x", NUMBER),), TARGET)
    table = make_table(costs={"keep": {"no": 0, "yes": 50}, "offer": {"no": 5, "yes": 0}}, schema=schema)
    arms, decisions = shadow(), {"yes": "offer", "no": "keep"}
    rows = {
        arm: replace(each, decisions=[decisions[label] for label in each.predicted]) for arm, each in arms.rows.items()
    }
    bootstrap = BootstrapConfig(confidence=0.95, resamples=200, block=0, seed=7)
    return replace(arms, rows=rows), ArmPrices(table, min_rows=90, bootstrap=bootstrap)


def test_each_arm_s_decisions_are_charged_by_the_labels_that_came():
    arms, prices = priced()

    found = compared(arms, labels(), prices=prices)

    answered = np.array(arms.rows[Arm.CHALLENGER].predicted) == "yes"
    assert found.challenger.cost.value == pytest.approx(np.where(answered == TRUTH, 0, np.where(TRUTH, 50, 5)).mean())
    assert found.champion.cost.low > found.challenger.cost.high
    assert describe_costs(found)[0].startswith("decisions have cost a labelled row: shop:champion ")


def test_no_cost_is_told_of_few_labels_of_labels_that_were_asked_for_and_without_costs():
    arms, prices = priced()

    few = compared(arms, labels(range(89)), prices=prices)
    asked_for = compared(arms, labels(), queued=set(labels()), prices=prices)

    assert [found.challenger.cost for found in (few, asked_for, compared(arms, labels()))] == [None] * 3
    assert compared(arms, labels(range(90)), prices=prices).challenger.cost
    assert describe_costs(few) == ()
