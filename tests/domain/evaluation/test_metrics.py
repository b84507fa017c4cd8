import numpy as np
import pytest
from sklearn import metrics as reference

from releve.core.errors import BadInput
from releve.core.params import Gate
from releve.domain.evaluation.evaluation import COST
from releve.domain.evaluation.metrics import (
    AUTO,
    METRICS,
    default_metric,
    in_units,
    metrics_of,
    resolve,
    score,
    score_or_none,
)
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION, TASKS, Target

TWO = Target("class", BINARY, ("down", "up"), "up")
THREE = Target("kind", MULTICLASS, ("a", "b", "c"))
VALUE = Target("cnt", REGRESSION)


def answers_of(target, rows=200, seed=3):
    """Answers that are right more often than not, some of them tied, and the labels."""
    random = np.random.default_rng(seed)
    if target.task == REGRESSION:
        truth = random.normal(size=rows)
        return truth + random.normal(size=rows), truth.tolist()
    places = random.integers(0, len(target.classes), rows)
    chances = random.dirichlet(np.ones(len(target.classes)), rows).round(1) + 0.4 * np.eye(len(target.classes))[places]
    chances /= chances.sum(axis=1, keepdims=True)
    return chances, [target.classes[place] for place in places]


def by_scikit_learn(name, answers, labels, target):
    classes, truth = list(target.classes), np.array(labels)
    if target.task == REGRESSION:
        return {
            "mae": lambda: reference.mean_absolute_error(truth, answers),
            "rmse": lambda: reference.root_mean_squared_error(truth, answers),
            "pinball": lambda: reference.mean_pinball_loss(truth, answers, alpha=0.8),
        }[name]()
    named = np.array(classes)[answers.argmax(axis=1)]
    binary = target.task == BINARY
    positive = answers[:, classes.index(target.positive)] if binary else answers
    f1 = {"average": "binary", "pos_label": target.positive} if binary else {"average": "macro"}
    auc = {} if binary else {"multi_class": "ovr", "labels": classes}
    brier = {"pos_label": target.positive} if binary else {"labels": classes}
    return {
        "accuracy": lambda: reference.accuracy_score(truth, named),
        "log_loss": lambda: reference.log_loss(truth, answers, labels=classes),
        "auc": lambda: reference.roc_auc_score(truth == target.positive if binary else truth, positive, **auc),
        "f1": lambda: reference.f1_score(truth, named, **f1),
        "brier": lambda: reference.brier_score_loss(truth, positive, **brier),
    }[name]()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (name, target)
        for target in (TWO, Target("class", BINARY, ("down", "up"), "down"), THREE, VALUE)
        for name in metrics_of(target.task)
    ],
)
def test_every_metric_agrees_with_scikit_learn(name, target):
    answers, labels = answers_of(target)

    found = score(name, answers, labels, target, quantile=0.8)

    assert found == pytest.approx(by_scikit_learn(name, answers, labels, target))


@pytest.mark.parametrize("name", [name for name in METRICS if name != "auc"])
def test_a_row_of_weight_two_counts_as_two_rows(name):
    target = VALUE if REGRESSION in METRICS[name].tasks else TWO
    answers, labels = answers_of(target, rows=40)
    weights = np.random.default_rng(1).integers(0, 3, 40)
    found, metric = ScoredPredictions.of(answers, labels, target), METRICS[name]

    weighted = metric.scores(metric.statistics(found), weights[None].astype(float))[0]

    assert weighted == pytest.approx(score_or_none(name, found.take(np.repeat(np.arange(40), weights))))


@pytest.mark.parametrize("target", [TWO, THREE])
def test_a_reweighted_auc_is_that_of_the_repeated_rows_but_for_little(target):
    answers, labels = answers_of(target, rows=400)
    found, metric = ScoredPredictions.of(answers, labels, target), METRICS["auc"]
    weights = np.random.default_rng(1).multinomial(400, np.full(400, 1 / 400), size=50)

    weighted = metric.scores(metric.statistics(found), weights.astype(float))
    repeated = [score_or_none("auc", found.take(np.repeat(np.arange(400), counts))) for counts in weights]

    assert np.corrcoef(weighted, repeated)[0, 1] > 0.995
    assert np.std(weighted) == pytest.approx(np.std(repeated), rel=0.05)


def test_a_sign_says_whether_more_is_better():
    perfect, label = np.array([[0.0, 1.0], [1.0, 0.0]]), ["up", "down"]

    for name in metrics_of(BINARY):
        best, worst = (score(name, answers, label, TWO) for answers in (perfect, perfect[::-1]))
        assert (best - worst) * METRICS[name].sign > 0


def test_log_loss_stays_finite_where_a_model_was_certain_and_wrong():
    assert score("log_loss", [[1.0, 0.0]], ["up"], TWO) == pytest.approx(-np.log(1e-15))


def test_an_answer_without_any_chance_is_wrong_whatever_the_label():
    assert score("accuracy", [[0.0, 0.0], [0.0, 0.0]], ["down", "up"], TWO) == 0.0


def test_an_auc_of_one_class_is_not_defined_and_the_error_says_the_way_out():
    with pytest.raises(BadInput, match=r"auc is not defined where all labels are one class.*gate.metric"):
        score("auc", [[0.5, 0.5]] * 3, ["up"] * 3, TWO)

    assert score_or_none("auc", ScoredPredictions(np.full((3, 2), 0.5), np.ones(3, dtype=int))) is None


def test_no_rows_have_no_score():
    with pytest.raises(BadInput, match="accuracy is not defined of no rows"):
        score("accuracy", np.zeros((0, 2)), [], TWO)


def test_there_is_one_answer_per_label():
    with pytest.raises(BadInput, match="2 predictions for 3 labelled rows"):
        ScoredPredictions.of([0.5, 0.5], [1.0, 2.0, 3.0], VALUE)


@pytest.mark.parametrize(("task", "metric"), [(BINARY, "log_loss"), (MULTICLASS, "log_loss"), (REGRESSION, "mae")])
def test_auto_is_the_default_of_the_task(task, metric):
    assert default_metric(task) == resolve(AUTO, task) == metric


@pytest.mark.parametrize("task", TASKS)
def test_a_metric_of_another_task_is_refused_with_those_that_fit(task):
    for name in METRICS:
        if name in metrics_of(task):
            assert resolve(name, task) == name
        else:
            with pytest.raises(
                BadInput, match=rf"'{name}', which does not fit the task {task}; .*{metrics_of(task)[0]}"
            ):
                resolve(name, task)


def test_a_threshold_is_a_share_of_the_score_where_a_metric_has_no_upper_end():
    assert in_units("auc", 0.05, 0.8) == 0.05
    assert in_units("mae", 0.05, 40.0) == 2.0


def test_params_know_exactly_these_metrics():
    assert set(Gate.model_fields["metric"].annotation.__args__) == {AUTO, COST, *METRICS}
