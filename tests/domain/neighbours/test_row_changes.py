"""The rows of a newer version: which are written, which end, and which nothing sees any more."""

from collections.abc import Sequence

import pytest

from releve.domain.neighbours import row_changes
from releve.domain.neighbours.index_versions import INITIAL, IndexVersion
from releve.domain.neighbours.row_changes import RowKey, StoredRows, changes_to

ONE, TWO = 1 << 32, 2 << 32  # the first ids of the versions 1 and 2


def key(name: str) -> RowKey:
    return ("first.csv", ord(name), "")


def stored(**ids: int) -> StoredRows:
    """Rows a, b, c ...; `a_again` holds the cells of `a` once more."""
    return StoredRows({id_: key(name[0]) for name, id_ in ids.items()}, {})


def wanted(names: str) -> Sequence[RowKey]:
    return [key(name) for name in names]


def test_only_rows_that_are_not_stored_are_written_and_others_end_without_a_touch() -> None:
    changes = changes_to(wanted("acd"), stored(a=0, b=1, c=2), number=1, kept=[INITIAL])

    assert changes.version == IndexVersion(1, ended=(1,))
    assert (changes.ids.tolist(), changes.is_new.tolist()) == ([0, 2, ONE], [False, False, True])
    assert (changes.new, changes.unseen) == (1, ())


def test_the_same_rows_again_are_no_change() -> None:
    version = IndexVersion(1, ended=(1,))

    changes = changes_to(wanted("acd"), stored(a=0, c=2, d=ONE), number=2, kept=[version])

    assert (changes.version, changes.new, changes.is_new.any()) == (IndexVersion(2), 0, False)


def test_a_row_leaves_once_no_version_that_is_kept_sees_it() -> None:
    rows, serving = stored(a=0, b=1, c=2, d=ONE), IndexVersion(1, ended=(1,))

    alone = changes_to(wanted("ad"), rows, number=2, kept=[serving])
    beside_challenger = changes_to(wanted("ad"), rows, number=2, kept=[serving, INITIAL])

    assert (alone.version.ended, alone.unseen) == ((2,), (1,))
    assert (beside_challenger.version.ended, beside_challenger.unseen) == ((1, 2), ())


def test_a_row_that_ended_and_is_still_stored_comes_back_as_it_is() -> None:
    changes = changes_to(wanted("ab"), stored(a=0, b=1), number=2, kept=[IndexVersion(1, ended=(1,)), INITIAL])

    assert (changes.version.ended, changes.new, changes.is_new.any()) == ((), 1, False)


def test_what_a_killed_writer_left_is_kept_where_it_is_wanted_and_new_ids_come_after_it() -> None:
    changes = changes_to(wanted("ace"), stored(a=0, b=ONE, c=ONE + 1), number=1, kept=[INITIAL])

    assert changes.ids.tolist() == [0, ONE + 1, ONE + 2]
    assert (changes.new, changes.unseen, changes.version.ended) == (2, (ONE,), ())


def test_after_an_index_went_back_rows_of_the_version_that_was_left_are_used_again() -> None:
    changes = changes_to(wanted("ac"), stored(a=0, b=ONE, c=ONE + 1), number=2, kept=[INITIAL])

    assert (changes.ids.tolist(), changes.new, changes.unseen) == ([0, ONE + 1], 1, (ONE,))


@pytest.mark.parametrize(("limit", "first", "ended"), [(2, 0, (1, 2)), (1, ONE, ())])
def test_all_rows_are_written_once_more_where_more_would_end_than_a_search_can_name(
    limit: int, first: int, ended: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_changes, "MAX_ENDED", limit)

    changes = changes_to(wanted("ad"), stored(a=0, b=1, c=2), number=1, kept=[INITIAL])

    assert (changes.version, changes.new, changes.unseen) == (IndexVersion(1, first, ended), 1, ())
    assert changes.ids.tolist() == ([0, ONE] if first == 0 else [ONE, ONE + 1])


def test_a_writer_that_was_killed_while_it_wrote_all_rows_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_changes, "MAX_ENDED", 1)

    changes = changes_to(wanted("ad"), stored(a=0, b=1, c=2, a_again=ONE, e=ONE + 1), number=1, kept=[INITIAL])

    assert (changes.version, changes.ids.tolist()) == (IndexVersion(1, ONE), [ONE, ONE + 2])
    assert (changes.is_new.tolist(), changes.unseen) == ([False, True], (ONE + 1,))


def test_the_version_after_sees_the_rows_that_were_written_once_more_and_the_older_ones_leave() -> None:
    rows = stored(a=0, b=1, a_again=ONE, d=ONE + 1)

    changes = changes_to(wanted("ade"), rows, number=2, kept=[IndexVersion(1, ONE)])

    assert (changes.version, changes.ids.tolist()) == (IndexVersion(2, ONE), [ONE, ONE + 1, TWO])
    assert changes.unseen == (0, 1)


def test_a_version_sees_its_range_of_ids_but_the_ended_ones() -> None:
    rows = stored(a=4, b=5, c=6, d=7, e=8, f=ONE, g=TWO - 1, h=TWO)

    assert rows.seen_by(IndexVersion(1, first=5, ended=(7,))).tolist() == [5, 6, 8, ONE, TWO - 1]
