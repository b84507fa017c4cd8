"""DVC's cache, file by file: what was altered in it is set aside, what a killed run left half-written is swept.

DVC trusts its cache: it links an altered file in without a word. Its layout (files/md5/<2 digits>/<the rest>) is
that of its documentation, "Structure of the cache directory"; a folder remote has the same.
"""

import hashlib
import json
import time
from pathlib import Path

OBJECTS = Path("files") / "md5"
SET_ASIDE = ".altered"
HALF_WRITTEN = "*.tmp"
DAY_SECONDS = 86400.0


class DataCache:
    """The cache, or a folder remote, at `root`."""

    def __init__(self, root: Path):
        self.root = root
        self._objects = root / OBJECTS

    def place(self, digest: str) -> Path:
        """Where the file of this md5 lies."""
        return self._objects / digest[:2] / digest[2:]

    def listed(self, version: str) -> dict[str, str]:
        """File -> md5 for the folder of a data version ("<md5>.dir")."""
        return {entry["relpath"]: entry["md5"] for entry in json.loads(self.place(version).read_text())}

    def set_list_aside(self, version: str) -> list[Path]:
        """Take the folder's list away when it is not what its name says; where it is kept."""
        stored = self.place(version)
        right = not stored.is_file() or md5(stored) == version.removesuffix(".dir")
        return [] if right else [_set_aside(stored)]

    def set_altered_aside(self, folder: Path, version: str) -> list[Path]:
        """Take files that are not what the list says out of `folder` and the cache; where they are kept."""
        wrong = {name: digest for name, digest in self.listed(version).items() if not _is(folder / name, digest)}
        for name in wrong:
            (folder / name).unlink(missing_ok=True)
        return [_set_aside(place) for place in map(self.place, wrong.values()) if place.is_file()]

    def absent(self, folder: Path, version: str) -> list[str]:
        """Files of `folder` that this place does not have, or has in another length; their list itself, if it is."""
        if not self.place(version).is_file():
            return [version]
        return [name for name, digest in self.listed(version).items() if not _same(folder / name, self.place(digest))]

    def sweep(self, *, older_seconds: float = DAY_SECONDS) -> list[Path]:
        """Remove what killed copies left; a younger file may be one that another process writes right now."""
        latest = time.time() - older_seconds
        left = [path for path in self._objects.rglob(HALF_WRITTEN) if path.stat().st_mtime < latest]
        for path in left:
            path.unlink(missing_ok=True)
        return left


def md5(path: Path) -> str:
    """md5 of a file's bytes, which names it in the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and md5(path) == digest


def _same(path: Path, stored: Path) -> bool:
    return stored.is_file() and stored.stat().st_size == path.stat().st_size


def _set_aside(stored: Path) -> Path:
    return stored.replace(stored.with_name(f"{stored.name}{SET_ASIDE}"))
