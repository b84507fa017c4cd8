import numpy as np
import pandas as pd
import pytest

from releve.domain.evaluation.baselines import (
    LabelHistory,
    baselines,
    required,
    season_of,
)
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.target import BINARY, REGRESSION

FOLDS = (Fold(4, 6), Fold(6, 9))
CLASSES = np.array([0, 1, 1, 1, 0, 0, 0, 1, 0])
VALUES = np.array([1.0, 2.0, 3.0, 10.0, 5.0, 6.0, 7.0, 8.0, 9.0])


def of_classes(metric="accuracy", **options):
    past = LabelHistory(CLASSES, FOLDS, classes=2, metric=metric, quantile=0.5)
    return baselines(past, task=BINARY, **{"label_delay_rows": 0, **options})


def of_values(metric="mae", quantile=0.5, **options):
    past = LabelHistory(VALUES, FOLDS, classes=0, metric=metric, quantile=quantile)
    return baselines(past, task=REGRESSION, **{"label_delay_rows": 0, **options})


def named(baseline):
    return baseline.outputs.argmax(axis=1).tolist()


def test_the_majority_is_that_of_the_rows_before_each_block():
    found = of_classes()[Opponent.MAJORITY_LABEL]

    assert found.outputs[0] == pytest.approx([0.25, 0.75])
    assert found.outputs[2] == pytest.approx([0.5, 0.5])
    assert len(found.outputs) == 5


@pytest.mark.parametrize(
    ("metric", "quantile", "first"), [("mae", 0.9, 2.5), ("rmse", 0.9, 4.0), ("pinball", 0.75, 4.75)]
)
def test_the_usual_value_is_the_one_that_the_metric_likes_best(metric, quantile, first):
    assert of_values(metric, quantile)[Opponent.USUAL_VALUE].outputs[0] == pytest.approx(first)


def test_without_a_delay_the_previous_label_is_the_last_one_that_the_model_knew():
    found = of_values()

    assert found[Opponent.PREVIOUS_LABEL].outputs.tolist() == [10.0, 10.0, 6.0, 6.0, 6.0]
    assert found[Opponent.PREVIOUS_LABEL].must_beat


@pytest.mark.parametrize(
    ("delay", "previous"),
    [(0, [3.0, 2.0, 3.0, 2.5, 3.0]), (1, [3.0, 2.0, 5.0, 2.5, 7.0]), (3, [3.0, 2.0, 3.0, 2.5, 5.0])],
)
def test_of_several_shops_the_previous_label_is_that_of_the_same_shop_and_of_a_new_one_the_usual_value(delay, previous):
    shops = np.array([1, 0, 1, 2, 1, 0, 1, 3, 1])
    past = LabelHistory(VALUES, (Fold(4, 9),), classes=0, metric="mae", quantile=0.5, entities=shops)

    found = baselines(past, task=REGRESSION, label_delay_rows=delay)

    assert found[Opponent.PREVIOUS_LABEL].outputs.tolist() == previous
    if not delay:
        assert found[Opponent.ROW_BEFORE].outputs.tolist() == [3.0, 2.0, 5.0, 2.5, 7.0]


def test_of_several_shops_labels_repeat_as_surely_as_they_do_in_each():
    shops, labels = np.arange(60) % 2, np.arange(60) % 2  # each shop has a label of its own
    past = LabelHistory(labels, (Fold(40, 60),), classes=2, metric="log_loss", quantile=0.5, entities=shops)

    found = baselines(past, task=BINARY, label_delay_rows=0)[Opponent.PREVIOUS_LABEL].outputs

    assert (found.argmax(axis=1) == labels[40:]).all() and found.max(axis=1).min() > 0.9


def test_the_label_of_the_row_before_is_predicted_and_need_not_be_beaten():
    found = of_values()[Opponent.ROW_BEFORE]

    assert found.outputs.tolist() == [10.0, 5.0, 6.0, 7.0, 8.0]
    assert not found.must_beat


@pytest.mark.parametrize(
    ("delay", "answers"),
    [(1, [10.0, 5.0, 6.0, 7.0, 8.0]), (2, [10.0, 10.0, 6.0, 6.0, 7.0]), (9, [10.0, 10.0, 6.0, 6.0, 6.0])],
)
def test_with_a_delay_the_newest_label_that_is_known_has_to_be_beaten(delay, answers):
    found = of_values(label_delay_rows=delay)

    assert found[Opponent.PREVIOUS_LABEL].outputs.tolist() == answers
    assert found[Opponent.PREVIOUS_LABEL].must_beat
    assert Opponent.ROW_BEFORE not in found


def test_a_repeated_class_is_certain_where_chances_do_not_count_and_as_sure_as_the_past_where_they_do():
    certain, unsure = (of_classes(metric)[Opponent.PREVIOUS_LABEL].outputs for metric in ("accuracy", "log_loss"))

    assert certain[0].tolist() == [0.0, 1.0]
    assert unsure.sum(axis=1) == pytest.approx(np.ones(5))
    assert 0.5 < unsure[0, 1] < 1


def days(rows, step):
    return pd.Series(pd.date_range("2024-01-01", periods=rows, freq=step))


@pytest.mark.parametrize(("step", "season"), [("h", "hour"), ("D", "weekday"), ("7D", "month")])
def test_what_repeats_itself_follows_from_the_dates(step, season):
    assert season_of(days(60, step)) == season


def test_a_seasonal_answer_is_the_usual_one_of_the_same_season_before():
    times = days(9, "D")
    times[4] = times[1]  # the weekday of the second row
    times[7] = times[0]

    found = of_values(times=times)[Opponent.SEASONAL]

    assert found.must_beat
    assert found.outputs[0] == 2.0  # the same weekday
    assert found.outputs[1] == 2.5  # a weekday that was never seen: the median of all before
    assert found.outputs[3] == 1.0


def test_a_class_that_a_season_has_not_seen_yet_is_unlikely_and_not_impossible():
    times = days(9, "D")
    times[4] = times[1]  # the weekday of the second row, which was of class 1

    found = of_classes("log_loss", times=times)[Opponent.SEASONAL]

    assert found.outputs[0] == pytest.approx([(0 + 0.25) / 2, (1 + 0.75) / 2])  # all rows before count as one more
    assert found.outputs.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("metric", "positive", "is_there"), [("f1", 1, True), ("f1", None, False), ("accuracy", 1, False)]
)
def test_by_f1_the_positive_class_every_time_has_to_be_beaten(metric, positive, is_there):
    past = LabelHistory(CLASSES, FOLDS, classes=2, metric=metric, quantile=0.5, positive=positive)

    found = baselines(past, task=BINARY, label_delay_rows=0)

    assert (Opponent.POSITIVE_LABEL in found) is is_there
    assert not is_there or (
        found[Opponent.POSITIVE_LABEL].must_beat and named(found[Opponent.POSITIVE_LABEL]) == [1] * 5
    )


def test_a_row_without_a_date_still_has_an_answer():
    times = days(9, "D")
    times[[0, 8]] = pd.NaT

    found = of_classes(times=times)[Opponent.SEASONAL]

    assert named(found)[4] == 0
    assert np.isfinite(found.outputs).all()


@pytest.mark.parametrize(("task", "found"), [(BINARY, of_classes), (REGRESSION, of_values)])
def test_what_no_judgement_goes_without_is_always_there(task, found):
    assert set(required(task)) <= found().keys()
    assert Opponent.SEASONAL not in found()
