from collections import Counter

import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.numerals import (
    COMMA_FRACTION,
    COMMA_GROUPS,
    OTHERWISE,
    Numerals,
    fitting_numerals,
    numerals_hint,
)

GERMAN, INDIAN = Numerals(".", ","), Numerals(",", ".")


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("1.234,5", "1234.5"),
        ("1.234.567", "1234567"),
        ("-7,25", "-7.25"),
        (" ,5 ", ".5"),
        ("12", "12"),
        ("1,5e3", "1.5e3"),
        ("31.12.2024", "31.12.2024"),
        ("a,b", "a,b"),
        ("", ""),
    ],
)
def test_numbers_are_written_plainly_and_all_else_stays(cell: str, plain: str) -> None:
    assert GERMAN.plain(cell) == plain


def test_groups_may_be_of_two_digits_before_the_last() -> None:
    assert INDIAN.plain("12,34,567.8") == "1234567.8"


@pytest.mark.parametrize("cell", ["1.5", "12.34", "1234.567", "1.2345"])
def test_a_number_that_is_written_otherwise_is_not_read_as_another_one(cell: str) -> None:
    assert GERMAN.plain(cell) == f"{cell} {OTHERWISE}"


@pytest.mark.parametrize("written", [(".", "."), (",", ",")])
def test_one_character_cannot_mean_both(written: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match="are both"):
        Numerals(*written)


@pytest.mark.parametrize("cell", ["12\u00a0000", "12 000", "12\u202f000", "12\u2009000"])
def test_a_space_between_groups_may_be_any_kind_of_space(cell: str) -> None:
    assert Numerals(" ", ",").plain(cell) == "12000"


def test_an_apostrophe_may_be_straight_or_curled() -> None:
    assert Numerals("'", ".").plain("1'234\u2019567.5") == "1234567.5"


def test_a_number_that_begins_with_zero_has_no_groups() -> None:
    assert GERMAN.plain("0.718") == f"0.718 {OTHERWISE}"


@pytest.mark.parametrize(
    ("cells", "ways"),
    [
        (["6,718", "1,234"], [COMMA_FRACTION, COMMA_GROUPS]),
        (["6,718", "0,718"], [COMMA_FRACTION]),
        (["6,718", "12,5"], [COMMA_FRACTION]),
        (["6,718", "1,234,567"], [COMMA_GROUPS]),
        (["1.234,5"] * 19 + ["n/a"], [GERMAN]),
        (["1.234,5"] * 18 + ["n/a"] * 2, []),
        ([], []),
    ],
)
def test_the_ways_that_read_most_cells_fit(cells: list[str], ways: list[Numerals]) -> None:
    assert fitting_numerals([Counter(cells)]) == ways


def test_a_plain_column_may_rule_out_a_way() -> None:
    assert fitting_numerals([Counter(["6,718"])], [Counter(["1.5"])]) == [COMMA_GROUPS]


def test_rejected_cells_get_the_settings_that_would_read_them() -> None:
    assert numerals_hint(["abc", "1.234,5"]).endswith("set ingest.csv_thousands=. ingest.csv_decimal=, (params.yaml)")
    assert numerals_hint(["abc", "-1"]) == ""
