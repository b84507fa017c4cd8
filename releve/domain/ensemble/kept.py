"""Older ensembles that stay members: of the very first refresh, a snapshot now and then, the last before wrong labels.

An old ensemble helps where a table returns to what it was, and a member that learned nothing since some labels were
wrong is not wrong itself. It answers every new window, and has weight once it answered all that weights rest on.
"""

from collections.abc import Mapping, Sequence

from releve.domain.ensemble.weights import BEFORE

FIRST = "first"
SNAPSHOT = "kept_"  # with the number of the refresh
SNAPSHOT_EVERY = 6  # refreshes
MOST_SNAPSHOTS = 2
MOST_MEMBERS = 3  # of an older ensemble, the heaviest: what serves has at most about twenty members


def kept_name(refresh: int) -> str:
    """Name what becomes of the ensemble of a refresh (from 1) when the next one comes; "" where it is not kept."""
    if refresh == 1:
        return FIRST
    return f"{SNAPSHOT}{refresh}" if refresh % SNAPSHOT_EVERY == 0 else ""


def before_name(refresh: int) -> str:
    """Name the ensemble of a refresh for the next one, which keeps it where its newest labels are in doubt."""
    return f"{BEFORE}{refresh}"


def still_kept(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of `names`, the oldest first, that are kept."""
    snapshots = [name for name in names if name.startswith(SNAPSHOT)][-MOST_SNAPSHOTS:]
    before = [name for name in names if name.startswith(BEFORE)][-1:]
    return tuple(name for name in names if name in (FIRST, *snapshots, *before))


def untouched(names: Sequence[str], refresh: int) -> tuple[str, ...]:
    """Return those of `names` that stay where the newest rows that refresh number `refresh` learned are left out.

    Its own ensemble has learned them; the one before it is needed no more, since no other member learns them again.
    """
    return tuple(name for name in names if name != kept_name(refresh) and not name.startswith(BEFORE))


def kept_weights(serving: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of the members that are kept of an ensemble: the heaviest, sum 1."""
    heaviest = sorted(serving.items(), key=lambda each: (-each[1], each[0]))[:MOST_MEMBERS]
    total = sum(weight for _, weight in heaviest)
    return {name: weight / total for name, weight in heaviest}
