"""Versions of one collection: newer rows come in beside those that serve, and nothing is copied for them.

A version is a range of ids, and the rows in it that have ended. It is kept with the release, not with the rows: a row
that a search may see is never written again. A release moves from one version to the next with its pointer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ID_BITS = 32  # ids begin with the version that wrote the row, so that no version's row takes another's place
MAX_ENDED = 1000  # each is named in every search: 2 ms of CPU on Milvus Lite, a quarter of a search of 10,000 rows

RowKey = tuple[str, int, str]  # batch, row, and the correction that counts (see Entries): names the cells of a row


@dataclass(frozen=True)
class IndexVersion:
    """What a release sees of its collection: the ids from `first` to before `end`, without those of `ended`."""

    number: int = 0
    first: int = 0
    ended: tuple[int, ...] = field(default=(), hash=False)  # rows that stay for an older version; hashed at each search

    @property
    def begin(self) -> int:
        """The first id that this version writes."""
        return self.number << ID_BITS

    @property
    def end(self) -> int:
        """The first id of the next version."""
        return (self.number + 1) << ID_BITS

    def sees(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Per id, whether a search finds it."""
        seen: NDArray[np.bool_] = (ids >= self.first) & (ids < self.end) & ~np.isin(ids, self.ended)
        return seen


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows as a collection holds them, of every version."""

    keys: Mapping[int, RowKey]  # by id
    vectors: Mapping[int, NDArray[np.float32]]  # by id

    @property
    def ids(self) -> NDArray[np.int64]:
        """All ids, the oldest first."""
        return np.array(sorted(self.keys), dtype=np.int64)

    def find(self, wanted: Sequence[RowKey], *, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """Per key, the oldest of these ids that holds it; -1 where none does."""
        by_key = {self.keys[id_]: id_ for id_ in among[::-1].tolist()}
        return np.array([by_key.get(key, -1) for key in wanted], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class RowChanges:
    """What makes the rows that are wanted of those that are stored."""

    version: IndexVersion  # sees the wanted rows, once they are written
    ids: NDArray[np.int64]  # of the wanted rows, those of new ones included
    is_new: NDArray[np.bool_]  # per wanted row: it is still to be written
    new: int  # wanted rows that the version to start from does not see
    unseen: tuple[int, ...]  # ids of stored rows that nothing searches, and that are not wanted


def changes_to(
    wanted: Sequence[RowKey], stored: StoredRows, *, number: int, kept: Sequence[IndexVersion]
) -> RowChanges:
    """Compare rows by their keys; the version `number` will write those that are not stored.

    `kept`: the versions that are searched meanwhile, the one to start from first. A writer that was killed has left
    rows that none of them sees: what is wanted of these is kept, and other new rows get ids after theirs. Where more
    than MAX_ENDED rows would end, the version begins with an id that no other has reached, and all rows are new.
    """
    ids = stored.ids
    is_seen = np.any([version.sees(ids) for version in kept], axis=0)
    new = int((stored.find(wanted, among=ids[kept[0].sees(ids)]) < 0).sum())

    def beginning_with(first: int) -> RowChanges:
        chosen = stored.find(wanted, among=ids[ids >= first])
        is_new = chosen < 0
        start = max([number << ID_BITS, *(ids[-1:] + 1).tolist()])
        chosen[is_new] = start + np.arange(is_new.sum())
        is_left = ~np.isin(ids, chosen)
        ended = tuple(ids[is_left & is_seen & (ids >= first)].tolist())
        unseen = tuple(ids[is_left & ~is_seen].tolist())
        return RowChanges(IndexVersion(number, first, ended), chosen, is_new, new, unseen)

    changes = beginning_with(kept[0].first)
    if len(changes.version.ended) <= MAX_ENDED:
        return changes
    return beginning_with(max(version.end for version in kept))
