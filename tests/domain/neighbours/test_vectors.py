import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.neighbours.vectors import (
    Entries,
    as_queries,
    check_limit,
    check_text,
)


def make_entries(**changes) -> Entries:
    columns = {
        "ids": np.array([1, 2], dtype=np.int64),
        "vectors": np.array([[0, 0], [3, 4]], dtype=np.float32),
        "labels": ["a", "b"],
        "batches": ["f", "f"],
        "rows": np.array([0, 1], dtype=np.int64),
    }
    return Entries(**{**columns, **changes})


def test_entries_know_their_size():
    entries = make_entries()

    assert (len(entries), entries.dimension) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": np.array([1, 1])}, "unique"),
        ({"labels": ["a"]}, "one length"),
        ({"labels": ["a", 2]}, "text"),
        ({"labels": ["a", "tab\t"]}, "control characters"),
        ({"batches": ["f", "x" * 1025]}, "1025 bytes"),
        ({"vectors": np.zeros((2, 0), dtype=np.float32)}, "rows x dimensions"),
        ({"vectors": np.zeros(2, dtype=np.float32)}, "rows x dimensions"),
        ({"vectors": np.array([[0, np.nan], [0, np.inf]], dtype=np.float32)}, "2 of 2 vectors"),
    ],
)
def test_entries_that_no_index_should_hold_are_refused(changes, message):
    with pytest.raises(BadInput, match=message):
        make_entries(**changes)


def test_an_index_without_rows_is_refused():
    with pytest.raises(BadInput, match="rows x dimensions"):
        make_entries(
            ids=np.array([]), vectors=np.zeros((0, 2), dtype=np.float32), labels=[], batches=[], rows=np.array([])
        )


def test_one_vector_becomes_one_query():
    assert as_queries([1, 2], dimension=2).shape == (1, 2)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([1, 2, 3], "vectors of 2 numbers; found 3"),
        ([[1, 2], [1]], "not numbers"),
        (["a", "b"], "not numbers"),
        ([], "vectors of 2 numbers; found 0"),
        (5, "vectors of 2 numbers; found 1"),
        (None, "vectors of 2 numbers; found 1"),
        (np.zeros((0, 2)), "1 to 1000 vectors; found 0"),
        (np.zeros((1001, 2)), "1 to 1000 vectors; found 1001"),
        (np.zeros((1, 1, 2)), "vectors of 2 numbers"),
        ([1, np.nan], "not finite"),
        ([1, np.inf], "not finite"),
        ([1, 1e39], "not finite, or too large"),
        ([1, 1e20], "not finite, or too large"),
    ],
)
def test_a_bad_search_vector_is_refused_with_what_was_found(vectors, message):
    with pytest.raises(BadInput, match=message):
        as_queries(vectors, dimension=2)


@pytest.mark.parametrize("limit", [1, 2, 999, 1000])
def test_a_limit_within_the_range_is_kept(limit):
    assert check_limit(limit) == limit


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9, 1.0, True, "1", None])
def test_any_other_limit_is_refused(limit):
    with pytest.raises(BadInput, match="between 1 and 1000"):
        check_limit(limit)


def test_a_label_of_the_longest_size_is_kept():
    assert check_text("é" * 512) == "é" * 512


@pytest.mark.parametrize("text", ["é" * 512 + "x", "line\n", "\x00", "\ud800", None, 3])
def test_a_label_that_cannot_be_asked_for_is_refused(text):
    with pytest.raises(BadInput):
        check_text(text)
