"""What live labels say of two arms, in words."""

import pytest

from releve.domain.arms.decision import ArmsReason
from releve.reporting.live_comparison import describe_decision, describe_missing
from tests.live_comparisons import make_compared


def test_a_decision_names_both_models_the_gain_and_after_how_many_rows() -> None:
    compared = make_compared(gain=0.06, rows=1500, seed=4)

    assert describe_decision(compared).startswith("shop:v2 is shown to be better than shop:v1: gain +0.")
    assert describe_decision(compared).endswith("in accuracy after 810 rows, each end at 95% confidence at all looks")
    assert describe_missing(compared) == ()


def test_a_comparison_without_a_decision_lists_what_is_missing() -> None:
    compared = make_compared(gain=0.03, rows=900, seed=10, unlabelled=37, waiting=1)

    assert describe_decision(compared).startswith("shop:v2 is not told apart from shop:v1 yet: gain +0.033 [-0.0")
    more, labels, time = describe_missing(compared)
    assert more.startswith("about 960 more rows, if the gain stays as it is; it ends undecided after 3,100 more rows")
    assert labels == "the labels of 37 rows that are old enough to have them"
    assert time.startswith("time: 1 row is younger than the label delay")


def test_the_rows_until_a_first_interval_are_counted() -> None:
    compared = make_compared(rows=150)

    assert describe_decision(compared) == "shop:v2 is not told apart from shop:v1 yet"
    assert describe_missing(compared)[0].startswith("50 more rows of the arm that has fewer, for a first interval")


def test_arms_that_answer_alike_are_told_that_no_row_tells_them_apart() -> None:
    compared = make_compared(gain=0.19, error=0.0)

    assert compared.decision.reason == ArmsReason.NO_DIFFERENCE
    assert describe_missing(compared)[0].startswith("rows on which the arms differ: no labelled one tells them apart")


@pytest.mark.parametrize("max_rows", [900, 600])
def test_what_is_not_told_apart_by_all_its_rows_leaves_the_champion(max_rows: int) -> None:
    compared = make_compared(gain=0.03, rows=900, seed=10, max_rows=max_rows)

    assert "are not told apart by 900 rows (params.yaml: arms.max_rows), so that the champion stays" in (
        describe_decision(compared)
    )
    assert describe_missing(compared) == ()
