import math

import pytest

from releve.core.formatting import format_score
from releve.domain.evaluation.intervals import Interval, difference, format_interval, rounded, share


def test_wilsons_interval_has_the_value_of_his_formula():
    right, rows, z = 45, 50, 1.959963984540054
    part, width = right / rows, z**2 / rows
    centre = (part + width / 2) / (1 + width)
    half = z / (1 + width) * math.sqrt(part * (1 - part) / rows + z**2 / (4 * rows**2))

    found = share(45, 50, confidence=0.95)

    assert (found.value, found.low, found.high) == pytest.approx((part, centre - half, centre + half))
    assert (found.low, found.high) == pytest.approx((0.7864, 0.9565), abs=5e-5)


@pytest.mark.parametrize(("right", "rows"), [(20, 20), (0, 20), (1, 1), (0, 1)])
def test_the_interval_stays_inside_0_and_1_and_holds_its_value(right, rows):
    found = share(right, rows, confidence=0.95)

    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_the_difference_of_two_shares_is_newcombes_example():
    found = difference(share(56, 70, confidence=0.95), share(48, 80, confidence=0.95))

    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_swapping_the_two_turns_the_difference_around():
    one, other = Interval(5.0, 4.0, 7.0), Interval(3.0, 2.5, 3.1)

    forth, back = difference(one, other), difference(other, one)

    assert (forth.value, forth.low, forth.high) == pytest.approx((-back.value, -back.high, -back.low))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.9124, "0.912"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.01, "0.010"),
        (0.009991, "0.00999"),
        (0.000412, "0.000412"),
        (99_999.0, "99999.000"),
        (100_000.0, "1e+05"),
        (-4_123_456.0, "-4.12e+06"),
    ],
)
def test_a_figure_can_be_read_in_any_unit(value, expected):
    assert format_score(value) == expected


def test_a_gain_has_a_direction():
    assert format_interval(Interval(0.0, -0.00021, 0.25)) == "+0.000 [-0.00021, +0.250]"
    assert format_interval(Interval(-0.0, -0.0, 0.25)) == "+0.000 [+0.000, +0.250]"


@pytest.mark.parametrize(
    ("value", "expected"), [(0.12345678, 0.123457), (1.2345678e-9, 1.23457e-9), (1234567.8, 1234570.0)]
)
def test_a_figure_keeps_six_digits_in_any_unit(value, expected):
    assert rounded(value) == expected
