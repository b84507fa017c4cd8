from dataclasses import replace

import pytest

from releve.core.errors import BadInput
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.validation import check_frame
from releve.domain.training.recipes import RECIPES, Candidate
from releve.domain.training.trials import (
    DEFAULTS,
    MIN_ROWS,
    SEARCH,
    SearchData,
    Trial,
    TrialScore,
    best,
    try_candidate,
    validation_folds,
)
from tests.tables import shop_rows, shop_schema
from tests.values import priced_rows, priced_schema

LINEAR, TREES = Candidate("linear", "standard"), Candidate("extra_trees", "none", {"n_estimators": 20})


def shop_table(rows=240, *, metric="accuracy", **changes):
    schema = shop_schema()
    accepted = check_frame(schema, shop_rows(rows)).accepted.assign(_batch="a")
    return replace(SearchData(accepted, schema, validation_folds(rows, share=0.4, folds=3), metric, 7, 0), **changes)


def trial(number, score, recipe="linear", reason=""):
    return Trial(number, DEFAULTS, Candidate(recipe, "none"), TrialScore(score, reason=reason))


@pytest.mark.parametrize(
    ("rows", "share", "folds", "expected"),
    [
        (100, 0.4, 3, [(60, 73), (73, 86), (86, 100)]),
        (100, 0.4, 1, [(60, 100)]),
        (MIN_ROWS, 0.01, 3, [(17, 18), (18, 19), (19, 20)]),
    ],
)
def test_the_newest_rows_are_validated_on_in_blocks(rows, share, folds, expected):
    assert validation_folds(rows, share=share, folds=folds) == tuple(Fold(*block) for block in expected)


@pytest.mark.parametrize(("share", "folds"), [(0.999, 3), (0.4, 50)])
def test_there_are_rows_to_learn_from_before_the_first_block(share, folds):
    found = validation_folds(MIN_ROWS, share=share, folds=folds)

    assert found[0].start >= MIN_ROWS // 2
    assert all(fold.end > fold.start for fold in found)


def test_too_few_rows_for_a_search_are_rejected_with_a_way_out():
    with pytest.raises(BadInput, match=r"19 labelled rows before the newest windows.*needs 20; ingest more rows"):
        validation_folds(MIN_ROWS - 1, share=0.4, folds=3)


def test_a_candidate_is_scored_on_each_block_and_on_all_together():
    found = try_candidate(shop_table(), LINEAR)

    assert len(found.folds) == 3
    assert found.score == pytest.approx(sum(found.folds) / 3, abs=1e-6)
    assert 0.75 < found.score <= 1
    assert found.reason == ""


def test_a_value_is_scored_as_a_value():
    schema = priced_schema()
    rows = check_frame(schema, priced_rows(200)).accepted.assign(_batch="a")
    table = SearchData(rows, schema, validation_folds(200, share=0.4, folds=2), "mae", 7, 0)

    assert 0 < try_candidate(table, LINEAR).score < 3


def test_a_quantile_is_scored_as_the_gate_will_score_it():
    schema = priced_schema()
    rows = check_frame(schema, priced_rows(200)).accepted.assign(_batch="a")
    table = SearchData(rows, schema, validation_folds(200, share=0.4, folds=2), "pinball", 7, 0)

    middle, high = (try_candidate(replace(table, quantile=quantile), LINEAR).score for quantile in (0.5, 0.9))
    absolute = try_candidate(replace(table, metric="mae"), LINEAR).score

    assert middle == pytest.approx(absolute / 2, abs=1e-6)
    assert high != middle


def test_the_same_trial_gives_the_same_score():
    assert try_candidate(shop_table(), TREES) == try_candidate(shop_table(), TREES)


def test_a_trial_learns_from_its_window_only():
    table = shop_table()
    old = table.rows.assign(_batch=["old"] * 100 + ["new"] * 60 + ["newest"] * 80)
    old.loc[:99, "bought"] = ["no", "yes"] * 50

    everything, newest = (try_candidate(replace(table, rows=old, last_batches=last), TREES) for last in (0, 1))

    assert newest.score > everything.score


def test_a_block_that_the_metric_is_not_defined_on_has_no_score():
    rows = shop_rows(240)
    rows.loc[144:175, "bought"] = "no"
    table = shop_table(metric="auc")
    table = replace(table, rows=check_frame(table.schema, rows).accepted.assign(_batch="a"))

    found = try_candidate(table, LINEAR)

    assert found.folds[0] is None
    assert None not in (found.score, *found.folds[1:])


def test_a_metric_that_is_defined_nowhere_is_a_failure_with_its_reason():
    rows = shop_rows(240)
    rows.loc[144:, "bought"] = "no"
    table = shop_table(metric="auc")
    table = replace(table, rows=check_frame(table.schema, rows).accepted.assign(_batch="a"))

    found = try_candidate(table, LINEAR)

    assert found.score is None
    assert found.reason == "auc of its answers is not defined on these rows"


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Candidate("linear", "standard", {"depth": 3}), "depth, which LogisticRegression does not know"),
        (Candidate("linear", "standard", {"C": -1.0}), "InvalidParameterError: The 'C' parameter"),
        (Candidate("k_neighbors", "standard", {"n_neighbors": 500}), "ValueError: Expected n_neighbors"),
    ],
)
def test_a_candidate_that_cannot_be_fitted_fails_with_its_reason(candidate, reason):
    found = try_candidate(shop_table(), candidate)

    assert found.score is None
    assert reason in found.reason


def test_what_an_estimator_warns_of_is_kept():
    found = try_candidate(shop_table(), Candidate("linear", "none", {"max_iter": 1}))

    assert found.score is not None
    assert "failed to converge" in found.reason


@pytest.mark.parametrize(("metric", "winner"), [("accuracy", 2), ("log_loss", 1)])
def test_the_best_score_wins_whichever_way_the_metric_points(metric, winner):
    trials = [trial(1, 0.2), trial(2, 0.8), trial(3, None), trial(4, 0.5)]

    assert best(trials, metric=metric).number == winner


@pytest.mark.parametrize(
    ("searched", "winner"),
    [
        ((0.62, 0.68, 0.74), 2),  # gains of .02, .03, .04: the mean is far above its standard error
        ((0.75, 0.65, 0.66), 1),  # gains of .15, 0, -.04: it is not
        ((0.75, None, None), 2),  # one fold has no standard error
    ],
)
def test_what_was_searched_for_has_to_be_better_than_the_defaults_beyond_chance(searched, winner):
    defaults = Trial(1, DEFAULTS, Candidate("linear", "none"), TrialScore(0.65, (0.60, 0.65, 0.70)))
    found = Trial(2, SEARCH, Candidate("linear", "none", {"C": 2.0}), TrialScore(0.69, searched))

    assert best([defaults, found], metric="accuracy").number == winner


def test_of_equal_scores_the_simpler_recipe_wins_and_then_the_earlier():
    trials = [trial(1, 0.8, "svm"), trial(2, 0.8, "linear"), trial(3, 0.8, "linear"), trial(4, 0.7)]

    assert best(trials, metric="accuracy").number == 2


def test_every_recipe_has_a_place_among_the_simple_ones():
    assert {best([trial(1, 0.5, recipe)], metric="accuracy").candidate.recipe for recipe in RECIPES} == set(RECIPES)


def test_a_search_in_which_all_fail_says_why():
    with pytest.raises(BadInput, match=r"none of 2 candidates.*the first, linear unscaled: too hot"):
        best([trial(1, None, reason="too hot"), trial(2, None, reason="too cold")], metric="accuracy")
