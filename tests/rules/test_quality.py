import numpy as np
import pytest

from releve.rules.quality import HOLDS, UNCLEAR, UNKNOWN, WORSE, Promise, assess

PROMISE = Promise(0.9, 300)
SEED = 7


def flags(right, rows=200):
    return np.arange(rows) < right


def assessed(right, *, rows=200, **changes):
    rule = {"promise": PROMISE, "tolerance": 0.05, "min_labels": 90, "confidence": 0.95}
    return assess(flags(right, rows), **{**rule, **changes})


@pytest.mark.parametrize(("rows", "known"), [(0, False), (1, False), (89, False), (90, True), (91, True)])
def test_quality_is_unknown_below_the_least_number_of_labels(rows, known):
    found = assessed(rows, rows=rows)

    assert (found.state != UNKNOWN) is known
    assert (found.score is not None) is known
    assert found.labelled == rows


def test_no_label_at_all_is_unknown_even_where_none_is_asked_for():
    assert assessed(0, rows=0, min_labels=0).state == UNKNOWN
    assert "0 labelled answers are too few" in str(assessed(0, rows=0, min_labels=0))


@pytest.mark.parametrize("right", range(140, 201))
def test_the_state_follows_from_where_the_whole_interval_of_the_change_lies(right):
    found = assessed(right)

    expected = WORSE if found.change.high < 0 else HOLDS if found.change.low >= -0.05 else UNCLEAR
    assert found.state == expected
    assert found.change.value == pytest.approx(right / 200 - 0.9)


def test_all_three_states_are_reached_between_bad_and_good():
    states = [assessed(right).state for right in range(140, 201)]

    assert list(dict.fromkeys(states)) == [WORSE, UNCLEAR, HOLDS]


def test_a_promise_that_rests_on_fewer_rows_is_harder_to_break():
    assert assessed(165, promise=Promise(0.9, 10_000)).state == WORSE
    assert assessed(165, promise=Promise(0.9, 60)).state != WORSE


@pytest.mark.parametrize(("promised_on", "labelled"), [(134, 300), (300, 300), (300, 100)])
def test_a_champion_that_is_as_good_as_ever_is_called_worse_in_at_most_one_of_twenty_looks(promised_on, labelled):
    draws = np.random.default_rng(SEED)
    promises = draws.binomial(promised_on, 0.95, size=400) / promised_on
    realised = draws.binomial(labelled, 0.95, size=400)

    alarms = [
        assessed(right, rows=labelled, promise=Promise(promise, promised_on)).state == WORSE
        for promise, right in zip(promises, realised, strict=True)
    ]

    assert np.mean(alarms) <= 0.05


def test_a_champion_that_lost_ten_points_is_nearly_always_called_worse():
    draws = np.random.default_rng(SEED)

    alarms = [assessed(right, rows=300).state == WORSE for right in draws.binomial(300, 0.8, size=400)]

    assert np.mean(alarms) >= 0.9


def test_the_sentence_names_figures_and_verdict():
    said = str(assessed(150))

    assert "accuracy 0.750 on 200 labelled answers, 0.900 was promised" in said
    assert said.endswith(": worse")
