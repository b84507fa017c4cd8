"""Figures over windows, drawn."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releve.domain.evaluation.intervals import Interval
from releve.reporting.blocks import ChartBand, ChartMark, ChartPoint, ChartSeries, MarkKind, SeriesStyle, TimelineChart
from releve.reporting.charts.timeline import CLASSES, DRAWN, LANES, SIGNS, draw_timeline, timeline_legend


def chart(*series, windows=3, **more):
    times = tuple(f"2026-01-{day + 1:02d}T09:00:00Z" for day in range(windows))
    return TimelineChart("a title", "in words", times, series, **more)


def drawn(*series, width=900, **more):
    return draw_timeline(chart(*series, **more), width).__html__()


def legend(*series, **more):
    return [name for _, name in timeline_legend(chart(*series, **more))]


def heights(markup, tag="circle", name="cy"):
    return [float(found) for found in re.findall(rf'<{tag}[^>]* {name}="([0-9.]+)"', markup)]


def scores(*values, ends=None):
    points = tuple(ChartPoint(x, value, ends) for x, value in enumerate(values) if value is not None)
    return ChartSeries("s", SeriesStyle.SCORES, points)


@pytest.mark.parametrize("style", SeriesStyle)
@pytest.mark.parametrize("values", [(), (0.0,), (5.0, 5.0), (-1.0, 0.0, 1e9)])
def test_any_figures_can_be_drawn(style, values):
    found = drawn(ChartSeries("s", style, tuple(ChartPoint(x, value) for x, value in enumerate(values))))

    assert "nan" not in found
    assert "inf" not in found


def test_every_style_and_every_kind_of_mark_has_a_way_to_be_drawn():
    assert set(DRAWN) == set(SeriesStyle)
    assert set(SIGNS) == set(LANES) == set(CLASSES) == set(MarkKind)


def test_a_better_score_is_higher():
    worse, better = heights(drawn(scores(0.7, 0.9)))

    assert better < worse


def test_a_window_without_a_score_breaks_the_line():
    assert drawn(scores(0.7, 0.8, 0.9), windows=3).count("<polyline") == 1
    assert drawn(scores(0.7, None, 0.9), windows=3).count("<polyline") == 0
    assert drawn(scores(0.7, 0.8, None, 0.9, 0.8), windows=5).count("<polyline") == 2


def test_an_interval_of_a_few_rows_does_not_squeeze_the_others():
    points = (ChartPoint(0, 0.7, (0.65, 0.75)), ChartPoint(1, 0.9, (0.85, 0.95)), ChartPoint(2, 0.8, (-50.0, 50.0)))
    plain = heights(drawn(scores(0.7, 0.9)))

    wide = heights(drawn(ChartSeries("s", SeriesStyle.SCORES, points)))

    assert (wide[0] - wide[1]) > 0.3 * (plain[0] - plain[1])


def test_the_interval_of_a_lone_window_is_shown_whole():
    band = ChartBand(-0.5, 0.5, Interval(0.955, 0.951, 0.959), "expected")
    one = ChartSeries("s", SeriesStyle.SCORES, (ChartPoint(0, 0.95, (0.909, 0.976)),))

    found = drawn(one, windows=1, bands=(band,))

    ((low, high),) = re.findall(r'<line class="c0"[^>]* y1="([0-9.]+)"[^>]* y2="([0-9.]+)"', found)
    ((value, _),) = re.findall(r'<circle class="f0"[^>]* cy="([0-9.]+)"(.)', found)
    share = (float(low) - float(value)) / (float(low) - float(high))
    assert share == pytest.approx((0.95 - 0.909) / (0.976 - 0.909), abs=0.01)


def test_intervals_of_many_windows_are_one_area_for_each_unbroken_run():
    few = drawn(scores(*[0.5] * 40, ends=(0.4, 0.6)), windows=40)
    many = drawn(scores(*[0.5] * 100, None, *[0.5] * 99, ends=(0.4, 0.6)), windows=200)

    assert (few.count('<line class="c0"'), few.count(" interval")) == (40, 0)
    assert (many.count('<line class="c0"'), many.count(" interval")) == (0, 2)


@pytest.mark.parametrize("width", [350, 1100])
@pytest.mark.parametrize("windows", [1, 2, 200, 400])
def test_a_chart_fills_the_width_and_nothing_lies_outside(windows, width):
    found = drawn(scores(*[0.5] * windows), windows=windows, width=width)

    places = heights(found, name="cx") + heights(found, tag="text", name="x")
    assert f'width="{width}"' in found
    assert 0 <= min(places) < max(places) <= width


@pytest.mark.parametrize("width", [350, 1100])
@pytest.mark.parametrize("seconds", [1, 40, 3600, 86_400])
def test_no_two_labels_of_moments_are_the_same(seconds, width):
    start = datetime(2026, 1, 1, 13, 32, tzinfo=UTC)
    times = tuple((start + timedelta(seconds=seconds * n)).isoformat(timespec="microseconds") for n in range(30))

    found = draw_timeline(replace(chart(scores(*[0.5] * 30)), times=times), width).__html__()

    labels = re.findall(r'text-anchor="middle">([^<]*)', found)
    assert 2 <= len(labels) == len(set(labels))


def test_marks_of_one_day_do_not_cover_each_other_and_are_named():
    marks = (
        ChartMark(0.5, MarkKind.RELEASE, "went in"),
        ChartMark(0.5, MarkKind.ROLLBACK, "went out"),
        ChartMark(0.5, MarkKind.REFUSAL, "stayed out"),
    )

    found = drawn(scores(0.7, 0.9), marks=marks)

    assert all(f"<title>{mark.note}</title>" in found for mark in marks)
    assert len(set(LANES.values())) == len(LANES)
    assert [*MarkKind] == legend(scores(0.7, 0.9), marks=marks)[1:]


def test_the_expected_figure_is_a_band_over_its_windows():
    found = drawn(scores(0.7, 0.9), windows=2, bands=(ChartBand(-0.5, 0.5, Interval(0.8, 0.7, 0.9), "expected"),))

    (width,) = re.findall(r'<rect class="band"[^>]* width="([0-9.]+)"[^>]*><title>expected', found)
    (line_end,) = {float(end) for end in re.findall(r'class="axis"[^>]* x2="([0-9.]+)"', found)}
    assert float(width) == pytest.approx((line_end - 52) / 2, abs=0.2)


def test_one_series_alone_needs_no_legend():
    assert legend(scores(0.7)) == []
    assert legend(scores(0.7), ChartSeries("t", SeriesStyle.LINE, (ChartPoint(0, 0.6),))) == ["s", "t"]


def test_bars_stand_on_zero():
    series = ChartSeries("days", SeriesStyle.BARS, (ChartPoint(0, 2.0), ChartPoint(1, 4.0)))

    small, large = heights(drawn(series, windows=2, from_zero=True), tag="rect", name="height")

    assert large == pytest.approx(2 * small, abs=0.2)


@pytest.mark.parametrize(("windows", "labels"), [(1, 1), (2, 0)])
def test_beside_a_single_window_a_mark_has_a_label(windows, labels):
    found = drawn(scores(0.5), windows=windows, marks=(ChartMark(-0.5, MarkKind.RELEASE, "a note"),))

    assert found.count(">release</text>") == labels
