"""Figures over windows, drawn."""

import re

import pytest

from releve.reporting.drawing.blocks import (
    BACK,
    BARS,
    ESTIMATES,
    LINE,
    REFUSAL,
    RELEASE,
    SCORES,
    Band,
    Mark,
    Point,
    Series,
    Timeline,
)
from releve.reporting.drawing.timeline import DRAWN, LANES, MARK_NAMES, SIGNS, WIDEST, timeline


def drawn(*series, windows=3, **more):
    times = tuple(f"2026-01-{day + 1:02d}T09:00:00Z" for day in range(windows))
    return timeline(Timeline("a title", "in words", times, series, **more))


def heights(markup, tag="circle", name="cy"):
    return [
        float(found) for found in re.findall(rf'<{tag}[^>]* {name}="([0-9.]+)"', markup.partition("</ul>")[2] or markup)
    ]


def scores(*values, low=None, high=None):
    return Series("s", SCORES, tuple(Point(x, value, low, high) for x, value in enumerate(values) if value is not None))


@pytest.mark.parametrize("style", [SCORES, ESTIMATES, LINE, BARS])
@pytest.mark.parametrize("values", [(), (0.0,), (5.0, 5.0), (-1.0, 0.0, 1e9)])
def test_any_figures_can_be_drawn(style, values):
    found = drawn(Series("s", style, tuple(Point(x, value) for x, value in enumerate(values))))

    assert "nan" not in found
    assert "inf" not in found


def test_every_style_and_every_kind_of_mark_has_a_way_to_be_drawn():
    assert set(DRAWN) == {SCORES, ESTIMATES, LINE, BARS}
    assert set(SIGNS) == set(LANES) == set(MARK_NAMES) == {RELEASE, BACK, REFUSAL}


def test_a_better_score_is_higher():
    worse, better = heights(drawn(scores(0.7, 0.9)))

    assert better < worse


def test_a_window_without_a_score_breaks_the_line():
    assert drawn(scores(0.7, 0.8, 0.9), windows=3).count("<polyline") == 1
    assert drawn(scores(0.7, None, 0.9), windows=3).count("<polyline") == 0
    assert drawn(scores(0.7, 0.8, None, 0.9, 0.8), windows=5).count("<polyline") == 2


def test_an_interval_of_a_few_rows_does_not_squeeze_the_others():
    plain = heights(drawn(scores(0.7, 0.9)))

    wide = heights(drawn(scores(0.7, 0.9, low=-50.0, high=50.0)))

    assert (wide[0] - wide[1]) > 0.3 * (plain[0] - plain[1])


def test_intervals_of_many_windows_are_one_area_for_each_unbroken_run():
    few = drawn(scores(*[0.5] * 40, low=0.4, high=0.6), windows=40)
    many = drawn(scores(*[0.5] * 100, None, *[0.5] * 99, low=0.4, high=0.6), windows=200)

    assert (few.count('<line class="c0"'), few.count(" doubt")) == (40, 0)
    assert (many.count('<line class="c0"'), many.count(" doubt")) == (0, 2)


@pytest.mark.parametrize("windows", [1, 2, 200, 400])
def test_a_picture_is_never_wider_than_a_page(windows):
    found = drawn(scores(*[0.5] * windows), windows=windows)

    widths = [float(width) for width in re.findall(r'<svg role="img"[^>]* width="([0-9.]+)"', found)]
    assert len(widths) == 1
    assert widths[0] <= WIDEST


def test_marks_of_one_day_do_not_cover_each_other_and_are_named():
    marks = (Mark(0.5, RELEASE, "went in"), Mark(0.5, BACK, "went out"), Mark(0.5, REFUSAL, "stayed out"))

    found = drawn(scores(0.7, 0.9), marks=marks)

    assert all(f"<title>{mark.note}</title>" in found for mark in marks)
    assert len(set(LANES.values())) == len(LANES)
    assert all(name in found for name in MARK_NAMES.values())


def test_the_promise_is_a_band_over_its_windows():
    found = drawn(scores(0.7, 0.9), windows=2, bands=(Band(-0.5, 0.5, 0.8, 0.7, 0.9, "promised"),))

    (width,) = re.findall(r'<rect class="band"[^>]* width="([0-9.]+)"[^>]*><title>promised', found)
    (line_end,) = {float(end) for end in re.findall(r'class="axis"[^>]* x2="([0-9.]+)"', found)}
    assert float(width) == pytest.approx((line_end - 62) / 2, abs=0.2)


def test_one_series_alone_needs_no_legend():
    assert 'class="legend"' not in drawn(scores(0.7))
    assert 'class="legend"' in drawn(scores(0.7), Series("t", LINE, (Point(0, 0.6),)))


def test_bars_stand_on_zero():
    series = Series("days", BARS, (Point(0, 2.0), Point(1, 4.0)))

    small, large = heights(drawn(series, windows=2, from_zero=True), tag="rect", name="height")

    assert large == pytest.approx(2 * small, abs=0.2)
