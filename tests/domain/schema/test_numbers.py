"""Columns of texts become numbers as single cells do, whoever parses them."""

import numpy as np
import pandas as pd
import pytest

from releve.domain.schema.validation import all_numbers, numbers_of

CELLS = [
    *("1", "-2.50", "+3", ".5", "5.", "1e5", "1E-3", "-0", "00012", "1e400", "4.9e-324", "9007199254740993"),
    *("0.30000000000000004", "123456789012345678901234567890", "nan", "NaN", "inf", "-Infinity", "1_0", " 4", "4 "),
    *("0x10", "1,5", "\u0663", "--1", "+-3", "1e", ".", "-", "e1", "1f", "true"),
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("others", [[], ["7"], ["", "7"]])
def test_a_column_that_arrow_holds_gives_the_same_numbers_to_the_bit(cell: str, others: list[str]) -> None:
    found, expected = numbers_of(pd.Series([cell, *others], dtype="str")), all_numbers([cell, *others])

    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.tobytes() == expected.astype(np.float64).tobytes()


def test_a_column_of_objects_is_parsed_cell_by_cell() -> None:
    assert numbers_of(pd.Series(["1", ""], dtype=object)).tolist()[0] == 1.0
    assert numbers_of(pd.Series(["1", None], dtype=object)) is None
