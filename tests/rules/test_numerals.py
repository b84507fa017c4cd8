import pandas as pd
import pytest

from releve.errors import BadInput
from releve.rules.numerals import OTHERWISE, Numerals, mostly_numbers, plain_numbers

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


def test_only_the_columns_of_numbers_are_touched() -> None:
    frame = pd.DataFrame({"x": ["1,5"], "self": ["1,5"]}, dtype=object)

    assert plain_numbers(frame, GERMAN, is_number=lambda name: name == "self").to_dict("list") == {
        "x": ["1,5"],
        "self": ["1.5"],
    }
    assert plain_numbers(frame, Numerals(), is_number=lambda name: True) is frame


@pytest.mark.parametrize(("others", "expected"), [(1, True), (2, False)])
def test_nearly_all_filled_cells_make_numbers(others: int, expected: bool) -> None:
    cells = ["1.234,5"] * (20 - others) + ["n/a"] * others + [" "] * 50

    assert mostly_numbers(cells, GERMAN) is expected


def test_no_cell_at_all_makes_no_numbers() -> None:
    assert not mostly_numbers(["", " "], GERMAN)
