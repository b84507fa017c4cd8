"""Versions of one collection: newer rows come in beside those that serve, and nothing is copied for them.

A version is a range of ids, and the rows in it that have ended. It is kept with the release, not with the rows: a row
that a search may see is never written again. A release moves from one version to the next with its pointer.
"""

from dataclasses import dataclass, field

ID_BITS = 32  # ids begin with the version that wrote the row, so that no version's row takes another's place


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


INITIAL = IndexVersion()  # of a collection that never got newer rows
