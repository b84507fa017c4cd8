import numpy as np
import pytest

from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.evaluation.scores import share
from releve.domain.quality.realised import HOLDS, UNCLEAR, UNKNOWN, WORSE, Promise, assess, promise_of
from releve.domain.registry.release import Release

SEED = 7
DOUBT = BootstrapConfig(confidence=0.95, resamples=400, block=0, seed=SEED)


def promised(value=0.9, rows=300):
    known = share(round(value * rows), rows, confidence=0.95)
    return Promise("accuracy", value, known.low, known.high, rows)


PROMISE = promised()


def flags(right, rows=200):
    """Labelled answers in a random order, of which some are right."""
    is_right = np.random.default_rng(SEED).permutation(rows) < right
    return ScoredPredictions(np.column_stack([~is_right, is_right]).astype(float), np.ones(rows, dtype=np.int64))


def assessed(right, *, rows=200, **changes):
    rule = {"promise": PROMISE, "tolerance": 0.05, "min_labels": 90, "bootstrap": DOUBT}
    return assess(flags(right, rows) if rows else None, **{**rule, **changes})


@pytest.mark.parametrize(("rows", "known"), [(0, False), (1, False), (89, False), (90, True), (91, True)])
def test_quality_is_unknown_below_the_least_number_of_labels(rows, known):
    found = assessed(rows, rows=rows)

    assert (found.state != UNKNOWN) is known
    assert (found.score is not None) is known
    assert found.labelled == rows


def test_no_label_at_all_is_unknown_even_where_none_is_asked_for():
    assert assessed(0, rows=0, min_labels=0).state == UNKNOWN
    assert "0 labelled answers are too few" in str(assessed(0, rows=0, min_labels=0))


@pytest.mark.parametrize("right", range(140, 201, 4))
def test_the_state_follows_from_where_the_whole_interval_of_the_change_lies(right):
    found = assessed(right)

    expected = WORSE if found.change.high < 0 else HOLDS if found.change.low >= -0.05 else UNCLEAR
    assert found.state == expected
    assert found.change.value == pytest.approx(right / 200 - 0.9)


def test_all_three_states_are_reached_between_bad_and_good():
    states = [assessed(right).state for right in range(140, 201, 4)]

    assert list(dict.fromkeys(states)) == [WORSE, UNCLEAR, HOLDS]


def test_a_promise_that_rests_on_fewer_rows_is_harder_to_break():
    assert assessed(160, promise=promised(rows=10_000)).state == WORSE
    assert assessed(160, promise=promised(rows=60)).state != WORSE


@pytest.mark.parametrize(("promised_on", "labelled"), [(134, 300), (300, 300), (300, 100)])
def test_a_champion_that_is_as_good_as_ever_is_called_worse_in_at_most_one_of_twenty_looks(promised_on, labelled):
    draws = np.random.default_rng(SEED)
    promises = draws.binomial(promised_on, 0.95, size=200) / promised_on
    realised = draws.binomial(labelled, 0.95, size=200)

    alarms = [
        assessed(right, rows=labelled, promise=promised(promise, promised_on)).state == WORSE
        for promise, right in zip(promises, realised, strict=True)
    ]

    assert np.mean(alarms) <= 0.05


def test_a_champion_that_lost_ten_points_is_nearly_always_called_worse():
    draws = np.random.default_rng(SEED)

    alarms = [assessed(right, rows=300).state == WORSE for right in draws.binomial(300, 0.8, size=200)]

    assert np.mean(alarms) >= 0.9


@pytest.mark.parametrize(("error", "state"), [(1.0, HOLDS), (2.0, WORSE)])
def test_of_values_a_larger_error_is_worse(error, state):
    truth = np.random.default_rng(SEED).normal(size=300)
    answers = truth + error * np.random.default_rng(SEED + 1).normal(size=300)
    mean = np.sqrt(2 / np.pi)

    found = assess(
        ScoredPredictions(answers, truth),
        promise=Promise("mae", mean, mean - 0.05, mean + 0.05, 300),
        tolerance=0.3,
        min_labels=90,
        bootstrap=DOUBT,
    )

    assert found.state == state
    assert ("positive is better" in str(found)) and str(found).startswith("mae ")


def test_a_metric_that_the_labels_do_not_define_is_unknown():
    found = assessed(200, promise=Promise("auc", 0.9, 0.85, 0.95, 300))

    assert found.state == UNKNOWN


def test_the_sentence_names_figures_and_verdict():
    said = str(assessed(150))

    assert "accuracy 0.750 on 200 labelled answers, 0.900 was promised" in said
    assert said.endswith(": worse")


OLD = {
    "scenario": "shop",
    "model": "shop:1",
    "model_digest": "d",
    "index": "i",
    "index_rows": 1,
    "data_version": "v",
    "revision": "r",
    "rows": 9,
    "promise": 0.9,
    "promise_rows": 300,
}


def test_a_release_made_before_there_were_other_metrics_promised_an_accuracy_with_wilsons_interval():
    assert promise_of(Release(**OLD), confidence=0.95) == PROMISE


def test_a_release_keeps_the_interval_of_its_promise():
    release = Release(**OLD, metric="mae", promise_low=0.8, promise_high=1.1)

    assert promise_of(release, confidence=0.95) == Promise("mae", 0.9, 0.8, 1.1, 300)
