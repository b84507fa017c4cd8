"""A file in a home that says: a restore began here and has not ended yet."""

from pathlib import Path

from releve.adapters.files import read_document, write_document
from releve.core.documents import DocumentPart
from releve.core.errors import Conflict

NAME = "restoring.json"


class HalfRestored(Conflict):
    """A restore of this home was begun and not finished."""

    code = "half_restored"


class Restoring(DocumentPart):
    """Which backup is being restored."""

    place: str
    backup: str  # the name of its manifest

    @property
    def command(self) -> str:
        """What finishes it."""
        return f"releve restore --from {self.place} --backup {self.backup.removesuffix('.json')}"


def restoring(home: Path) -> Restoring | None:
    """Read which restore was begun and not finished."""
    path = home / NAME
    return read_document(path, Restoring, remedy="empty this home, and restore again") if path.is_file() else None


def check_whole(home: Path) -> None:
    """Raise HalfRestored where a restore has not ended: rows, models or the history may be missing."""
    if begun := restoring(home):
        raise HalfRestored(f"{home} is only half restored; finish it first: {begun.command}")


def begin_restoring(home: Path, begun: Restoring) -> None:
    """Mark a home."""
    write_document(home / NAME, begun)


def end_restoring(home: Path) -> None:
    """Take the mark away."""
    (home / NAME).unlink(missing_ok=True)
