"""Scales, ticks and names of moments."""

import pytest

from releve.reporting.charts.svg import Drawing, Scale, shorten, spread, text, ticks, time_labels


@pytest.mark.parametrize(("value", "expected"), [(-1, 100), (0, 100), (5, 150), (10, 200), (11, 200)])
def test_a_scale_draws_what_lies_outside_at_its_edge(value, expected):
    assert Scale(0, 10, 100, 200)(value) == expected


def test_a_scale_without_a_width_has_one_place():
    assert Scale(3, 3, 0, 10)(3) == 0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0.81, 0.93, (0.825, 0.85, 0.875, 0.9, 0.925)),
        (-3.0, 3.0, (-2.0, 0.0, 2.0)),
        (0.0, 40_000.0, (0.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0)),
        (2.0, 2.0, (2.0,)),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "expected"), [(0, ()), (1, (0,)), (4, (0, 1, 2, 3)), (5, (0, 2, 4)), (9, (0, 3, 6))])
def test_never_more_places_than_there_is_room_for(count, expected):
    assert spread(count, most=4) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((), ()),
        (("2026-01-05T09:00:00+00:00",), ("2026-01-05",)),
        (("2026-01-05T09:00:00Z", "2026-01-05T17:30:00Z"), ("09:00", "17:30")),
        (("2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"), ("2026-01-05", "2026-01-06")),
        (("2026-01-05T09:00:01Z", "2026-01-05T09:00:31Z"), ("09:00:01", "09:00:31")),
        (
            ("2026-01-05T09:00:00Z", "2026-01-05T17:30:00Z", "2026-01-06T09:00:00Z"),
            ("01-05 09:00", "01-05 17:30", "01-06 09:00"),
        ),
        (("2026-01-05T09:00:00.1Z", "2026-01-05T09:00:00.2Z"), ("01-05 09:00:00",)),
        (("1", "2"), ("1", "2")),
    ],
)
def test_a_moment_is_named_by_what_tells_it_apart(times, expected):
    assert time_labels(times, range(len(times))) == dict(enumerate(expected))


@pytest.mark.parametrize(("name", "expected"), [("abcd", "abcd"), ("abcde", "abc…")])
def test_long_names_are_cut(name, expected):
    assert shorten(name, most=4) == expected


def test_a_picture_says_in_words_what_it_shows():
    drawn = Drawing(10, 20, "a < b", "c & d", (text(1, 2, "<e>"),)).__html__()

    assert "<title>a &lt; b</title><desc>c &amp; d</desc>" in drawn
    assert 'aria-label="a &lt; b. c &amp; d"' in drawn
    assert ">&lt;e&gt;</text>" in drawn
