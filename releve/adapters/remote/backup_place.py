"""Where backups lie: a folder, or whatever fsspec reaches by a URL.

A file's content lies under its sha256, once, however many backups have it:

    objects/1a/1a2b...      a file's content
    20260131T020000Z.bundle the repository of a backup: `git clone` reads it
    20260131T020000Z.json   its manifest, written last: without it there is no such backup
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from releve.adapters.files import write_bytes, written_beside
from releve.adapters.remote.files import check_no_password
from releve.core.errors import BadInput, Conflict, NotFound, ReleveError, Unavailable, storage_error

PIECE = 1 << 20  # bytes that are read at once
PRIVATE = 0o700  # a backup has what the home has, the ledger's key too


class BackupUnavailable(Unavailable):
    """The place of the backups is away, or refuses."""

    code = "backup_unavailable"


class BackupDamaged(Conflict):
    """A file of the backup is not what the manifest says of it."""

    code = "backup_damaged"


@dataclass(frozen=True)
class Kept:
    """A file's content in the place, and whether it came just now."""

    sha256: str
    size: int  # bytes
    is_new: bool


class BackupPlace:
    """Reads and writes backups at `place`. Whatever is there stays as it is: files are added, never changed.

    Every method raises BackupUnavailable, or DiskFull and StorageRefused of a folder.
    """

    def __init__(self, place: str) -> None:
        """Raises BadInput for no place, and for a URL with a password: it comes from the environment, as the library
        documents."""
        if not place or place.startswith("~"):  # an unset variable; what a shell would have replaced
            raise BadInput(f"{place!r} is no place of backups; give the whole path of a folder, or a URL")
        check_no_password(place, of="a backup")
        self.place = place
        self._is_folder = "://" not in place
        with self._explained():
            if self._is_folder:
                from fsspec.implementations.local import LocalFileSystem

                self._files, self._root = LocalFileSystem(), str(Path(place).resolve())
            else:
                from fsspec.core import url_to_fs

                self._files, self._root = url_to_fs(place)

    def names(self) -> list[str]:
        """List the manifests and bundles; [] where nothing is there yet."""
        with self._explained():
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]

    def read(self, name: str) -> bytes:
        """Read a manifest. Raises NotFound."""
        with self._explained():
            try:
                return bytes(self._files.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                raise NotFound(f"there is no {name} in {self.place}") from None

    def write(self, name: str, content: bytes) -> None:
        """Write a manifest, whole or not at all."""
        with self._explained():
            if self._is_folder:
                write_bytes(Path(self._root) / name, content)
            else:
                self._files.pipe_file(f"{self._root}/{name}", content)

    def keep(self, source: BinaryIO) -> Kept:
        """Keep what a file holds now, unless that is there already.

        A file that grows meanwhile is kept as long as it was at the beginning.
        """
        size = os.fstat(source.fileno()).st_size
        digest = hashlib.sha256()
        for piece in _pieces(source, size):
            digest.update(piece)
        name = digest.hexdigest()
        is_new = not self.has(name, size)
        if is_new:
            source.seek(0)
            self._write_object(name, source, size)
        return Kept(name, size, is_new)

    def has(self, digest: str, size: int) -> bool:
        """Whether a file's content is there, as long as it should be: one that is half written is not."""
        with self._explained():
            try:
                return bool(self._files.info(self._object(digest))["size"] == size)
            except FileNotFoundError:
                return False

    def fetch(self, digest: str, target: Path) -> None:
        """Write a content to `target`, beside it first. Raises BackupDamaged, NotFound for one that is not there."""
        with self._explained():
            try:
                source = self._files.open(self._object(digest), "rb")
            except FileNotFoundError:
                raise BackupDamaged(f"{self.place} has lost the file {digest}; restore another backup") from None
            with source:
                copy_checked(source, target, digest, what=f"the file {digest} in {self.place}")

    def fetch_named(self, name: str, target: Path, digest: str) -> None:
        """Write a file beside the manifests to `target`. Raises BackupDamaged, NotFound."""
        with self._explained():
            try:
                source = self._files.open(f"{self._root}/{name}", "rb")
            except FileNotFoundError:
                raise NotFound(f"there is no {name} in {self.place}") from None
            with source:
                copy_checked(source, target, digest, what=f"{name} in {self.place}")

    def put_named(self, name: str, source: Path) -> None:
        """Copy a file beside the manifests."""
        with self._explained(), source.open("rb") as file:
            self._write(f"{self._root}/{name}", file, source.stat().st_size)

    def _object(self, digest: str) -> str:
        return f"{self._root}/objects/{digest[:2]}/{digest}"

    def _write_object(self, digest: str, source: BinaryIO, size: int) -> None:
        with self._explained():
            written = self._write(self._object(digest), source, size)
        if written != digest:
            raise Conflict("a file changed while it was copied to the backup; run the same again")

    def _write(self, path: str, source: BinaryIO, size: int) -> str:
        """Other places have a file once it was sent whole, or show by its size that it is not."""
        digest = hashlib.sha256()
        if not self._is_folder:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)  # nothing in a store of objects
            with self._files.open(path, "wb") as target:
                for piece in _pieces(source, size):
                    digest.update(piece)
                    target.write(piece)
            return digest.hexdigest()
        place = Path(path)
        Path(self._root).mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        place.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(place) as target:
            for piece in _pieces(source, size):
                digest.update(piece)
                target.write(piece)
        return digest.hexdigest()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ReleveError:
            raise
        except Exception as error:  # each file system has errors of its own
            if self._is_folder and (refused := storage_error(error)):
                raise refused from error
            raise BackupUnavailable(
                f"the place of the backups, {self.place}, cannot be used: {type(error).__name__}: {error}. Is it "
                "there, and are the credentials in the environment?"
            ) from None


def copy_checked(source: Any, target: Path, sha256: str, *, what: str) -> None:
    """Write a stream to `target`, beside it first. Raises BackupDamaged where it has another sha256."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(target) as file:
        while piece := source.read(PIECE):
            digest.update(piece)
            file.write(piece)
        if digest.hexdigest() != sha256:
            raise BackupDamaged(f"{what} was altered: its content gives {digest.hexdigest()}; restore another backup")


def _pieces(source: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left and (piece := source.read(min(PIECE, left))):
        left -= len(piece)
        yield piece
