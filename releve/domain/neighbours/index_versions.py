"""Versions of one collection: newer rows come in beside those that serve, and nothing is copied for them.

A version sees the rows that began `since` it or earlier, and did not end `until` it: rows of the next one are written
while this one serves, and a release moves from one to the other with its pointer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SINCE, UNTIL = "since", "until"  # the first version that sees a row, and the first that sees it no more
OPEN = 2**62  # `until` of a row that the newest version sees
ID_BITS = 32  # ids begin with the version that wrote the row, so that no version's row takes another's place

RowKey = tuple[str, int, str]  # batch, row, and the correction that counts (see Entries): names the cells of a row


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows as a collection holds them."""

    ids: Mapping[RowKey, int]
    vectors: Mapping[int, NDArray[np.float32]]  # by id


@dataclass(frozen=True, eq=False)
class RowChanges:
    """What makes the rows that are wanted of those that are stored."""

    ids: NDArray[np.int64]  # of the wanted rows, those of new ones included
    is_new: NDArray[np.bool_]  # per wanted row: it is still to be written
    gone: tuple[int, ...]  # ids of rows that are not wanted any more

    def since(self, version: int) -> int:
        """Count the wanted rows that are newer than what `version` sees; a killed writer may have written some."""
        return int((self.ids >= (version + 1) << ID_BITS).sum())


def changes_to(wanted: Sequence[RowKey], stored: StoredRows, *, version: int) -> RowChanges:
    """Compare rows by their keys; `version` will write those that are not stored.

    A writer that was killed has left some of them: these are stored, and the others get ids after theirs.
    """
    first = max([version << ID_BITS, *(id_ + 1 for id_ in stored.ids.values())])
    ids = np.array([stored.ids.get(key, -1) for key in wanted], dtype=np.int64)
    is_new = ids < 0
    ids[is_new] = first + np.arange(is_new.sum())
    named = set(wanted)
    gone = tuple(id_ for key, id_ in stored.ids.items() if key not in named)
    return RowChanges(ids, is_new, gone)
