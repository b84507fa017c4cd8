import pandas as pd
import pytest

from releve.rules.inference.numerals import plain_numbers


@pytest.mark.parametrize(
    ("cell", "plain"),
    [("1.234,5", "1234.5"), ("-7,25", "-7.25"), ("12", "12"), ("31.12.2024", "31.12.2024"), ("a,b", "a,b"), ("", "")],
)
def test_numbers_are_written_plainly_and_all_else_stays(cell: str, plain: str) -> None:
    frame = pd.DataFrame({"x": [cell]}, dtype=object)

    assert plain_numbers(frame, thousands=".", decimal=",")["x"].tolist() == [plain]


def test_without_a_word_nothing_is_touched() -> None:
    frame = pd.DataFrame({"x": ["1,234"]}, dtype=object)

    assert plain_numbers(frame, thousands="", decimal=".") is frame
