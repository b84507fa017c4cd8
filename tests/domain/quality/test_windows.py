from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import AnsweredRows
from releve.domain.quality.windows import Scoring, quality_windows
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION, Target

START = datetime(2026, 1, 1, tzinfo=UTC)
TARGETS = {
    "accuracy": Target("bought", BINARY, ("no", "yes"), "yes"),
    "log_loss": Target("kind", MULTICLASS, ("a", "b", "c")),
    "mae": Target("cnt", REGRESSION),
}


def moment(minutes):
    return (START + timedelta(minutes=minutes)).isoformat()


def answers(labels, *, models=None, first=0, metric="accuracy", every=10, intervals=None):
    """Right answers, one every ten minutes."""
    rows, target = len(labels), TARGETS[metric]
    sure = [
        [0.8 if label == other else 0.2 / (len(target.classes) - 1) for other in target.classes] for label in labels
    ]
    return AnsweredRows(
        ids=[str(first + row) for row in range(rows)],
        at=[moment(every * (first + row)) for row in range(rows)],
        models=models or ["shop:1"] * rows,
        arms=["champion"] * rows,
        predicted=list(labels),
        probabilities=sure if target.classes else [None] * rows,
        intervals=intervals or [None] * rows,
        features=pd.DataFrame(index=range(rows)),
    )


def labels_of(given, labels, *, delay=30):
    """They come half an hour later."""
    times = [(datetime.fromisoformat(at) + timedelta(minutes=delay)).isoformat() for at in given.at]
    return {name: (label, at) for name, label, at in zip(given.ids, labels, times, strict=True)}


def cut(days, labels, *, rows=50, metric="accuracy", known=()):
    how = Scoring(TARGETS[metric], metric, 0.5, rows, BootstrapConfig(0.95, 200, 0, 7))
    return list(quality_windows(days, labels, how, known=known))


def truth(metric, rows=100):
    random = np.random.default_rng(7)
    if metric == "mae":
        return random.normal(10, 2, rows).tolist()
    return random.choice(TARGETS[metric].classes, rows).tolist()


@pytest.mark.parametrize(
    ("rows", "sizes"), [(49, [49]), (50, [50]), (51, [50, 1]), (100, [50, 50]), (120, [50, 50, 20])]
)
def test_a_window_ends_when_it_is_full_and_the_last_one_is_what_is_left(rows, sizes):
    labels = truth("accuracy", rows)
    given = answers(labels)

    windows = cut([given.take(range(30)), given.take(range(30, rows))], labels_of(given, labels))

    assert [window.answered for window in windows] == sizes
    assert (windows[0].first_at, windows[-1].last_at) == (given.at[0], given.at[-1])


def test_a_new_model_begins_a_window_even_where_workers_still_answered_with_both():
    labels = truth("accuracy", 60)
    models = ["shop:1"] * 20 + ["shop:2", "shop:1"] * 5 + ["shop:2"] * 30
    given = answers(labels, models=models, every=0.05)

    windows = cut([given, answers(truth("accuracy", 10), models=["shop:2"] * 10, first=10_000)], {})

    assert [(window.model, window.answered) for window in windows] == [("shop:1", 25), ("shop:2", 45)]


def test_a_model_that_comes_back_begins_a_new_window():
    given = answers(truth("accuracy", 60), models=["shop:1"] * 20 + ["shop:2"] * 20 + ["shop:1"] * 20)

    assert [window.model for window in cut([given], {})] == ["shop:1", "shop:2", "shop:1"]


@pytest.mark.parametrize("metric", TARGETS)
def test_each_task_is_scored_beside_its_naive_answers(metric):
    labels = truth(metric)
    given = answers(labels, metric=metric)

    first, second = cut([given], labels_of(given, labels), metric=metric, known=truth(metric)[:30])

    right = {"accuracy": 1.0, "log_loss": -np.log(0.8), "mae": 0.0}[metric]
    assert first.score.value == pytest.approx(right)
    assert first.score.low <= first.score.value <= first.score.high
    assert all(abs(each.naive - right) > 0.1 for each in (first, second))
    assert first.naive_name in ("majority label", "usual value", "previous label")
    assert first.label_delay_days == pytest.approx(30 / (24 * 60))
    beside = ("accuracy", 1.0) if metric == "log_loss" else ("", None)
    assert (first.own_metric, first.own_score) == beside


def test_the_label_before_is_the_one_that_had_come_when_a_row_was_answered():
    labels = ["no"] * 50 + ["yes"] * 50
    given = answers(labels)

    late = cut([given], labels_of(given, labels, delay=205), known=["no"])
    sooner = cut([given], labels_of(given, labels, delay=5), known=["no"])

    assert (sooner[1].naive, sooner[1].naive_name) == (0.98, "previous label")
    assert late[1].naive == pytest.approx((50 - 21) / 50)


def test_a_label_that_came_after_the_window_began_is_no_part_of_its_usual_answer():
    labels = ["yes"] * 100
    given = answers(labels)

    first, second = cut([given], labels_of(given, labels, delay=499), known=["no"])

    assert (first.naive, first.naive_name) == (0.0, "majority label")
    assert second.naive == 1.0


@pytest.mark.parametrize(("labelled", "scored"), [(0, False), (9, False), (10, True), (11, True)])
def test_partial_labels_are_counted_and_few_of_them_make_no_score(labelled, scored):
    labels = truth("accuracy", 50)
    given = answers(labels)
    some = dict(list(labels_of(given, labels).items())[:labelled])

    (window,) = cut([given], some, known=["no"])

    assert (window.answered, window.labelled) == (50, labelled)
    assert (window.score is not None) is scored
    assert (window.naive is not None) is scored


def test_without_any_label_before_there_is_no_naive_answer():
    labels = truth("accuracy", 50)
    given = answers(labels)

    (window,) = cut([given], labels_of(given, labels, delay=10_000))

    assert window.score is not None
    assert (window.naive, window.naive_name) == (None, "")


def test_labels_that_the_target_no_longer_has_do_not_count():
    given = answers(truth("accuracy", 50))

    (window,) = cut([given], labels_of(given, ["maybe"] * 50), known=["no"])

    assert (window.labelled, window.score) == (0, None)


def test_each_window_says_what_share_of_its_labels_lay_inside_their_intervals():
    labels = truth("mae")
    inside = [[label - 1, label + 1] for label in labels[:40]] + [[label + 1, label + 2] for label in labels[40:50]]
    given = answers(labels, metric="mae", intervals=[*inside, *([None] * 50)])

    first, second = cut([given], labels_of(given, labels), metric="mae")

    assert (first.coverage.held.value, first.coverage.rows, first.coverage.promised) == (0.8, 50, 0.95)
    assert first.coverage.held.low < 0.8 < first.coverage.held.high < 0.95
    assert second.coverage is None


def test_a_handful_of_labels_shows_no_coverage():
    labels = truth("mae", 20)
    given = answers(labels, metric="mae", intervals=[[0, 100]] * 20)
    few = dict(list(labels_of(given, labels).items())[:9])

    (window,) = cut([given], few, metric="mae")

    assert (window.labelled, window.score, window.coverage) == (9, None, None)
