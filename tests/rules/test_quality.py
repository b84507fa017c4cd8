import numpy as np
import pytest

from releve.rules.quality import HOLDS, UNCLEAR, UNKNOWN, WORSE, assess
from releve.rules.scores import accuracy


def flags(right, rows=200):
    return np.arange(rows) < right


def assessed(right, *, rows=200, **changes):
    rule = {"promise": 0.9, "tolerance": 0.05, "min_labels": 90, "confidence": 0.95}
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


@pytest.mark.parametrize("right", range(150, 201))
def test_the_state_follows_from_where_the_whole_interval_lies(right):
    interval = accuracy(flags(right), confidence=0.95)

    found = assessed(right)

    expected = WORSE if interval.high < 0.9 else HOLDS if interval.low >= 0.85 else UNCLEAR
    assert found.state == expected


def test_all_three_states_are_reached_between_bad_and_good():
    states = [assessed(right).state for right in range(150, 201)]

    assert list(dict.fromkeys(states)) == [WORSE, UNCLEAR, HOLDS]


def test_worse_begins_where_the_top_of_the_interval_is_below_the_promise():
    top = accuracy(flags(170), confidence=0.95).high

    assert assessed(170, promise=top).state != WORSE
    assert assessed(170, promise=np.nextafter(top, 1)).state == WORSE


def test_holding_ends_where_the_bottom_of_the_interval_is_below_the_tolerance():
    bottom = accuracy(flags(190), confidence=0.95).low

    assert assessed(190, promise=bottom, tolerance=0.0).state == HOLDS
    assert assessed(190, promise=np.nextafter(bottom, 1), tolerance=0.0).state != HOLDS


def test_the_sentence_names_figures_and_verdict():
    said = str(assessed(150))

    assert "0.750" in said
    assert "200 labelled answers against 0.900 promised: worse" in said
