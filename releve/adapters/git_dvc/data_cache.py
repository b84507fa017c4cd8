"""DVC's cache, file by file: what was altered in it is set aside, what a killed run left half-written is swept.

DVC trusts its cache: it links an altered file in without a word. Its layout (files/md5/<2 digits>/<the rest>) is
that of its documentation, "Structure of the cache directory"; a folder remote has the same.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from releve.adapters.files import write_bytes

DAY_SECONDS = 86400.0
READ_ONLY = 0o444  # as DVC leaves its files
LIST = ".dir"  # ends the md5 of a folder's list


class DataCache:
    """The cache, or a folder remote, at `root`."""

    def __init__(self, root: Path):
        self.root = root
        self._objects = root / "files" / "md5"

    def place(self, digest: str) -> Path:
        """Return where the file of this md5 lies."""
        return self._objects / digest[:2] / digest[2:]

    def listed(self, version: str) -> dict[str, str]:
        """Read file -> md5 for the folder of a data version ("<md5>.dir")."""
        return {entry["relpath"]: entry["md5"] for entry in json.loads(self.place(version).read_text())}

    def set_altered_aside(self, version: str) -> list[Path]:
        """Move a folder's list, or else the files that it names, aside where their md5 is not their name.

        Returns where they are kept.
        """

        def altered(digests: Iterable[str]) -> list[Path]:
            places = {self.place(digest): digest.removesuffix(LIST) for digest in digests}
            return [place for place, digest in places.items() if place.is_file() and md5(place) != digest]

        wrong = altered([version])
        if not wrong and self.place(version).is_file():
            wrong = altered(self.listed(version).values())
        return [place.replace(place.with_name(f"{place.name}.altered")) for place in wrong]

    def link(self, folder: Path, version: str) -> bool:
        """Make `folder` this version, its files linked where the disk allows it. False where some are not here."""
        files = self.listed(version) if self.place(version).is_file() else {"": version}
        if not all(self.place(digest).is_file() for digest in files.values()):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        for name, digest in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _by_first_way(self.place(digest), folder / name, os.link, os.symlink, shutil.copyfile)
        return True

    def put(self, path: Path) -> str:
        """Take a file in, linked where the disk allows it, for it never changes; returns its md5."""
        digest = md5(path)
        place = self.place(digest)
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(f"{place.name}.{os.getpid()}.tmp")
            beside.unlink(missing_ok=True)
            _by_first_way(path, beside, os.link, shutil.copyfile)
            beside.chmod(READ_ONLY)
            beside.replace(place)
        return digest

    def put_list(self, files: Mapping[str, str]) -> str:
        """Take in the list of a folder (file -> md5); returns the folder's version, as `dvc add` would name it."""
        entries = [{"md5": digest, "relpath": name} for name, digest in sorted(files.items())]
        text = json.dumps(entries, sort_keys=True).encode()
        version = hashlib.md5(text, usedforsecurity=False).hexdigest() + LIST
        if not self.place(version).is_file():
            write_bytes(self.place(version), text)
        return version

    def is_linked(self, path: Path, digest: str) -> bool:
        """Whether a file is the cache's own file of that md5, so that nothing has to be read."""
        place = self.place(digest)
        return place.is_file() and place.samefile(path)

    def remove(self, digests: Iterable[str]) -> int:
        """Delete the files of these md5s, lists of folders last, as they name the others; returns the bytes freed."""
        freed = 0
        for digest in sorted(digests, key=lambda each: each.endswith(LIST)):
            place = self.place(digest)
            if place.is_file():
                freed += place.stat().st_size
                place.unlink()
        return freed

    def forget_runs(self, digests: Iterable[str]) -> None:
        """Delete DVC's notes that a stage's outputs have these md5s: they would bring back files that are gone.

        Its run cache has a small file per run (runs/<2 digits>/<stage>/<run>).
        """
        gone = [digest.encode() for digest in digests]
        for path in (self.root / "runs").glob("??/*/*") if gone else ():
            content = path.read_bytes()
            if any(digest in content for digest in gone):
                path.unlink()
                with suppress(OSError):  # another run of the same stage is noted beside it
                    path.parent.rmdir()

    def sweep(self, *, older_seconds: float = DAY_SECONDS) -> list[Path]:
        """Remove what killed copies left; a younger file may be one that another process is writing."""
        latest, left = time.time() - older_seconds, []
        for path in self._objects.rglob("*.tmp"):
            with suppress(FileNotFoundError):  # its writer has renamed it meanwhile
                if path.stat().st_mtime < latest:
                    path.unlink()
                    left.append(path)
        return left


def md5(path: Path) -> str:
    """Return the md5 of a file's bytes, which names it in the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _by_first_way(source: Path, target: Path, *ways: Callable[[Path, Path], object]) -> None:
    """Bring a file to another place; a way fails on a disk without such links, or between two disks."""
    for way in ways:
        try:
            way(source, target)
            return
        except OSError:
            if way is ways[-1]:
                raise
