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
