from dataclasses import replace

import numpy as np

from releve.domain.evaluation import paired
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.revisions import JudgedRevision, best_naive, compare_revisions
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.schema import Schema
from tests.evaluations import make_comparison, make_evaluation
from tests.tables import SHOP_TABLE

TARGET = Schema.from_dict(SHOP_TABLE).target
BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=500, block=1, seed=7)
TRUTH = np.arange(200) % 2


def judged(*, right: int, start: int = 100, rows: int = 200, **changes) -> JudgedRevision:
    """Answers to rows from `start` on, of which the first `right` are right."""
    truth = TRUTH[(start + np.arange(rows)) % len(TRUTH)]
    certain = np.where(np.arange(rows) < right, 0.9, 0.2)
    outputs = np.where(truth[:, None] == [0, 1], certain[:, None], 1 - certain[:, None])
    evaluation = make_evaluation(task="binary", metric="accuracy")
    return replace(JudgedRevision(evaluation, ScoredPredictions(outputs, truth), start, TARGET, BOOTSTRAP), **changes)


def test_the_difference_is_the_one_that_the_gate_would_have_found():
    before, after = judged(right=100), judged(right=160)

    found = compare_revisions(before, after)

    expected = paired.compare("accuracy", after.answers, before.answers, BOOTSTRAP)
    assert (found.rows, found.is_same) == (200, False)
    assert next(iter(found.by_metric.items())) == ("accuracy", expected)
    assert {"log_loss", "auc"} <= found.by_metric.keys()


def test_the_same_answers_are_the_same_and_one_other_answer_is_a_change():
    assert compare_revisions(judged(right=100), judged(right=100)).is_same
    assert not compare_revisions(judged(right=100), judged(right=101)).is_same


def test_the_same_answers_with_another_evaluation_are_a_change():
    before = judged(right=100)

    assert not compare_revisions(before, replace(before, evaluation=make_evaluation(rows=321))).is_same


def test_only_rows_that_both_answered_are_compared():
    """The earlier commit answers rows 100 to 300, the later one rows 150 to 350: 150 rows are shared."""
    before, after = judged(right=200), judged(right=150, start=150)

    found = compare_revisions(before, after)

    assert found.rows == 150
    assert found.by_metric["accuracy"].gain.value == 0


def test_commits_that_share_no_row_or_differ_in_the_labels_or_the_question_are_not_compared():
    before = judged(right=100)
    other_labels = replace(before.answers, y_true=1 - before.answers.y_true)

    for after in (
        judged(right=100, start=300),
        replace(before, answers=other_labels),
        replace(before, target=replace(TARGET, positive="no")),
    ):
        assert compare_revisions(before, after).by_metric == {}
    assert compare_revisions(before, judged(right=100, start=299)).rows == 1


def test_of_a_loss_the_lowest_baseline_is_the_best_and_the_champion_is_none():
    against = {
        Opponent.CHAMPION: make_comparison(0.1),
        Opponent.MAJORITY_LABEL: make_comparison(0.6),
        Opponent.PREVIOUS_LABEL: make_comparison(0.5),
        Opponent.ROW_BEFORE: make_comparison(0.2, must_beat=False),
    }

    assert best_naive(make_evaluation(metric="log_loss", sign=-1, against=against))[0] == Opponent.PREVIOUS_LABEL
    assert best_naive(make_evaluation(against=against))[0] == Opponent.MAJORITY_LABEL
    assert best_naive(make_evaluation(against={})) is None
