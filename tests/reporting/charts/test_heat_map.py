"""Columns x monitoring runs, drawn."""

import re

import pytest

from releve.domain.drift.verdict import DriftState
from releve.reporting.blocks import HeatCell, HeatMapChart, HeatRow
from releve.reporting.charts.heat_map import STATES, draw_heat_map, shade

CALM, ALARM = HeatCell(0.01, alarm=False), HeatCell(0.5, alarm=True)


def drawn(*rows, looks=3, state=DriftState.NO_DRIFT):
    times = tuple(f"2026-01-01T{hour % 24:02d}:00:00Z" for hour in range(looks))
    named = tuple(HeatRow(f"column {place}", cells) for place, cells in enumerate(rows))
    chart = HeatMapChart("a title", "in words", times, ((state, "said"),) * looks, named)
    return draw_heat_map(chart, 900).__html__()


def shapes(found, kind):
    """How many rectangles of a shade the columns have."""
    return sum(path.count("M") for path in re.findall(rf'<path class="{kind}" d="([^"]*)"', found))


@pytest.mark.parametrize(
    ("effect", "expected"), [(0.0, 0), (0.049, 0), (0.05, 1), (0.1, 2), (0.2, 3), (0.39, 3), (0.4, 4)]
)
def test_a_larger_effect_is_darker(effect, expected):
    assert shade(effect) == expected


def test_neighbours_that_are_alike_are_one_rectangle():
    found = drawn((CALM, CALM, ALARM), (CALM, ALARM, CALM))

    assert shapes(found, "e0") == 3
    assert shapes(found, "a4") == 2


def test_what_was_not_compared_is_left_empty():
    assert shapes(drawn((None, CALM, None)), "e0") == 1
    assert shapes(drawn((None, None, None)), "e0") == 0


def test_every_state_of_a_verdict_has_a_shade_and_a_sign_of_its_own():
    signs = [sign for _, sign in STATES.values()]

    assert {DriftState.BROKEN_DATA, DriftState.DRIFT, DriftState.INSUFFICIENT_DATA, DriftState.NO_DRIFT} <= set(STATES)
    assert len(set(signs)) == len(signs)


def test_a_state_that_nobody_knows_is_drawn_too():
    assert "<title>said</title>" in drawn(state="something new")


@pytest.mark.parametrize("looks", [0, 1, 2, 200])
def test_any_number_of_looks_can_be_drawn(looks):
    found = drawn((CALM,) * looks, looks=looks)

    assert shapes(found, "e0") == min(looks, 1)
    assert "nan" not in found


def test_the_cell_of_a_single_run_is_no_bar():
    found = drawn((ALARM,), looks=1)

    (width,) = re.findall(r'<path class="a4" d="M [0-9.]+ [0-9.]+ h ([0-9.]+)', found)
    assert float(width) < 50
