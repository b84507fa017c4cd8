from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality import estimate as estimates
from releve.domain.quality.cbpe import calibrate, calibrated, expected_losses
from releve.domain.quality.estimate import audit, estimate, fit
from releve.domain.quality.realised import QualityState, ScoredAnswers
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION
from tests.tables import make_params

SEED = 7
STATISTICS = make_params().statistics
BOOTSTRAP = BootstrapConfig.of(STATISTICS, resamples=estimates.RESAMPLES)
COLUMNS = {"x": {"type": "number"}, "kind": {"type": "category"}, "note": {"type": "text"}}
SCHEMAS = {
    BINARY: Schema.from_dict({"target": {"name": "y", "classes": [0, 1]}, "columns": COLUMNS}),
    MULTICLASS: Schema.from_dict({"target": {"name": "y", "classes": [0, 1, 2]}, "columns": COLUMNS}),
    REGRESSION: Schema.from_dict({"target": {"name": "y", "task": REGRESSION}, "columns": COLUMNS}),
}
HARD = {BINARY: -2.0, MULTICLASS: -2.0, REGRESSION: 2.0}  # shifts of x that make the question harder


def answered(task, rows=300, *, seed=SEED, shift=0.0, concept=False):
    """Answers of a model that is too sure of itself, to a question that is harder for some x than for others; with
    `concept` x no longer means what it meant."""
    random = np.random.default_rng([seed, rows])
    x = random.normal(size=rows) + shift
    features = pd.DataFrame({"x": x, "kind": random.choice(["a", "b"], rows), "note": "a note"})
    if task == REGRESSION:
        spread = np.exp(x / 2) * (2 if concept else 1)
        return ScoredAnswers(ScoredPredictions(3 * x, 3 * x + spread * random.normal(size=rows)), features)
    odds = random.normal(size=(rows, 3 if task == MULTICLASS else 2)) * np.exp(x / 2)[:, None]
    chances = softmax(odds * (0.2 if concept else 1))
    truth = (random.random((rows, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return ScoredAnswers(ScoredPredictions(softmax(2 * odds), truth), features)


def softmax(odds):
    powers = np.exp(odds - odds.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def task_of(metric):
    return METRICS[metric].tasks[0]


EVERY = [
    *((name, task_of(name)) for name in METRICS),
    ("accuracy", MULTICLASS),
    ("auc", MULTICLASS),
    ("f1", MULTICLASS),
]


def expected_performance(metric, task, better=0.0):
    """What the model scores on many rows like the holdout, or better by that share."""
    value = compute_score(metric, answered(task, 5000, seed=1).scored) * (1 + METRICS[metric].sign * better)
    return ExpectedPerformance(metric, Interval(value, value - 0.01, value + 0.01), 300)


def estimated(metric="accuracy", task=BINARY, *, holdout=300, window=None, labelled=None, expected=None):
    return estimate(
        answered(task, holdout, seed=2) if holdout else None,
        answered(task, seed=3) if window is None else window,
        labelled,
        schema=SCHEMAS[task],
        expected=expected or expected_performance(metric, task),
        tolerance=0.15,
        min_rows=STATISTICS.min_rows,
        bootstrap=BOOTSTRAP,
    )


@pytest.mark.parametrize(("metric", "task"), EVERY)
def test_the_realised_score_lies_in_the_interval_where_rows_are_alike_and_where_they_became_harder(metric, task):
    fitted = fit(metric, answered(task, 500, seed=4), SCHEMAS[task], BOOTSTRAP)

    for shift in (0.0, HARD[task]):
        if task == REGRESSION and shift:
            continue  # no tree knows rows that it has never seen: see the test of the audit
        many = answered(task, 1500, seed=5, shift=shift)
        interval = estimates.interval(fitted, many, replace(BOOTSTRAP, confidence=0.995))  # one seed is no coverage
        assert interval.low <= compute_score(metric, many.scored) <= interval.high


@pytest.mark.parametrize("metric", METRICS)
def test_the_estimate_follows_rows_that_became_harder(metric):
    task = task_of(metric)
    window = answered(task, seed=3, shift=HARD[task] / 2)

    result, before = estimated(metric, task, window=window), estimated(metric, task)

    assert METRICS[metric].sign * (result.score.value - before.score.value) < -0.01


@pytest.mark.parametrize("metric", METRICS)
def test_an_audit_fails_where_answers_no_longer_mean_what_they_meant(metric):
    task = task_of(metric)

    result = estimated(metric, task, labelled=answered(task, seed=6, concept=True))

    assert (result.state, result.score, result.change) == (QualityState.AUDIT_FAILED, None, None)
    assert result.concept_drift_suspected
    assert result.audit.gap.high < 0


@pytest.mark.parametrize(("metric", "shift"), [("accuracy", 0.0), ("log_loss", -1.0), ("mae", 0.0)])
def test_audits_fail_in_at_most_one_of_twenty_runs_where_only_the_rows_changed(metric, shift):
    task, bootstrap = task_of(metric), BootstrapConfig(0.95, 100, 0, SEED)
    runs = 40

    failed = [
        not audit(
            fit(metric, answered(task, seed=100 + run), SCHEMAS[task], bootstrap),
            answered(task, seed=1000 + run, shift=shift),
            STATISTICS.min_rows,
            bootstrap,
        ).passed
        for run in range(runs)
    ]

    assert sum(failed) <= 0.05 * runs


@pytest.mark.parametrize(("wrong", "passed"), [(0, True), (1, True), (4, True), (20, False)])
@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
def test_an_audit_believes_that_rare_errors_are_missing_by_luck_and_not_that_many_are(metric, wrong, passed):
    def sure(rows, wrong):
        certain = np.random.default_rng(SEED).uniform(0.985, 0.9999, rows)
        truth = np.arange(rows) % 2
        outputs = np.where(truth[:, None] == [0, 1], certain[:, None], 1 - certain[:, None])
        places = np.linspace(0, rows - 1, wrong).astype(int)
        outputs[places] = outputs[places, ::-1]
        return ScoredAnswers(ScoredPredictions(outputs, truth), pd.DataFrame({"x": certain}))

    fitted = fit(metric, sure(800, 5), SCHEMAS[BINARY], BOOTSTRAP)

    assert audit(fitted, sure(260, wrong), STATISTICS.min_rows, BOOTSTRAP).passed is passed


@pytest.mark.parametrize(("better", "states"), [(0.0, ("within tolerance", "inconclusive")), (0.4, ("degraded",))])
@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_the_estimate_is_judged_against_the_expected_performance(metric, better, states):
    result = estimated(metric, task_of(metric), expected=expected_performance(metric, task_of(metric), better))

    assert result.state in states


@pytest.mark.parametrize(("rows", "known"), [(0, False), (89, False), (90, True), (91, True)])
def test_an_estimate_needs_answers_to_the_holdout_and_answers_to_be_estimated(rows, known):
    few_kept = estimated(holdout=rows)
    few_asked = estimated(window=answered(BINARY, rows)) if rows else estimated(holdout=None)

    assert (few_kept.state != QualityState.UNKNOWN) is known
    assert (few_asked.state != QualityState.UNKNOWN) is known
    assert (few_kept.score is not None) is known
    assert (few_kept.missing is None) is (few_asked.missing is None) is known


@pytest.mark.parametrize(("rows", "audited"), [(0, False), (89, False), (90, True), (91, True)])
def test_few_labels_audit_nothing(rows, audited):
    result = estimated(labelled=answered(BINARY, rows, seed=6) if rows else None)

    assert (result.audit is not None) is audited


def test_a_gap_that_is_tolerated_switches_nothing_off():
    labelled = answered(BINARY, seed=6, concept=True)

    fitted = fit("accuracy", answered(BINARY, seed=2), SCHEMAS[BINARY], BOOTSTRAP)

    assert not audit(fitted, labelled, STATISTICS.min_rows, BOOTSTRAP, tolerance=0.02).passed
    assert audit(fitted, labelled, STATISTICS.min_rows, BOOTSTRAP, tolerance=0.5).passed


def test_answers_that_are_all_of_one_class_have_no_audit_by_auc():
    labelled = answered(BINARY, seed=6)
    one_class = ScoredAnswers(
        ScoredPredictions(labelled.scored.outputs, np.ones(len(labelled), dtype=int)), labelled.features
    )

    assert estimated("auc", labelled=one_class).audit is None


def test_calibration_takes_back_what_a_model_is_too_sure_of():
    result = answered(BINARY, 4000).scored

    chances = calibrated(result.outputs, calibrate(result, np.ones((1, len(result))))[0])

    sure = chances.max(axis=1)
    assert (
        abs(sure.mean() - result.is_correct.mean())
        < 0.01
        < abs(result.outputs.max(axis=1).mean() - result.is_correct.mean())
    )
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(result)))


def test_a_class_without_rows_stays_as_the_model_has_it():
    result = answered(MULTICLASS, 300).scored
    seldom = ScoredPredictions(
        np.column_stack([result.outputs[:, :2] * 0.995, np.full(300, 0.005)]), np.minimum(result.y_true, 1)
    )

    chances = calibrated(seldom.outputs, calibrate(seldom, np.ones((1, 300)))[0])

    assert 0 < chances[:, 2].mean() < 0.01


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier"])
def test_expected_losses_weigh_each_label_by_its_chance(metric):
    asked = ScoredPredictions(np.array([[0.3, 0.7]]), np.array([0]))
    losses = [METRICS[metric].losses(ScoredPredictions(asked.outputs, np.array([label])))[0] for label in (0, 1)]

    result = expected_losses(metric, asked, np.array([[0.4, 0.6]]))

    assert result == pytest.approx([0.4 * losses[0] + 0.6 * losses[1]])


def test_a_model_without_any_loss_has_an_estimate_of_nothing():
    result = answered(REGRESSION)
    perfect = ScoredAnswers(ScoredPredictions(result.scored.outputs, result.scored.outputs), result.features)

    fitted = fit("mae", perfect, SCHEMAS[REGRESSION], BOOTSTRAP)

    assert fitted.value(result) == pytest.approx(0, abs=1e-9)


def test_columns_that_are_gone_and_categories_never_seen_are_no_error():
    holdout, window = answered(REGRESSION), answered(REGRESSION, seed=3)
    changed = ScoredAnswers(window.scored, window.features.drop(columns="note").assign(kind="new"))

    fitted = fit("mae", holdout, SCHEMAS[REGRESSION], BOOTSTRAP)

    assert np.isfinite(fitted.value(changed))


def test_the_same_rows_and_seed_give_the_same_estimate():
    assert estimated("f1") == estimated("f1")
