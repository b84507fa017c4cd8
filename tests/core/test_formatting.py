import pytest

from releve.core.formatting import span


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (400.0, "400.0 days"),
        (1.0, "1.0 days"),
        (0.99, "23.8 hours"),
        (1 / 24, "1.0 hours"),
        (1 / 25, "57.6 minutes"),
        (1 / 86_400, "1.0 seconds"),
        (1e-7, "0.0 seconds"),
        (0.0, "0.0 seconds"),
    ],
)
def test_a_span_is_written_in_the_largest_unit_that_fits(days, words):
    assert span(days) == words


@pytest.mark.parametrize(("days", "words"), [(1 / 1440, "1 minute"), (1.4 / 1440, "1 minute"), (2 / 1440, "2 minutes")])
def test_a_span_without_places_behind_the_point_counts_one_as_one(days, words):
    assert span(days, digits=0) == words
