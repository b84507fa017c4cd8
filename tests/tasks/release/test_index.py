"""What an index holds beside the vectors."""

import pandas as pd
import pytest

from releve.domain.neighbours.vectors import row_ids


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["c-1", "Zoë"], ["c-1", "Zoë"]),
        ([17.0, 18.5], ["17", "18.5"]),
        ([float("nan"), 2.0], ["", "2"]),
        (["x" * 1024, "x" * 1025], ["x" * 1024, ""]),
        (["two\nlines", None], ["", ""]),
    ],
)
def test_a_row_is_called_as_its_file_calls_it(cells: list, expected: list[str]) -> None:
    assert row_ids(pd.DataFrame({"customer": cells}), "customer") == expected


@pytest.mark.parametrize("name", [None, "order"])
def test_without_such_a_column_there_are_no_names(name: str | None) -> None:
    assert row_ids(pd.DataFrame({"customer": ["a"]}), name) == []
