"""Segments: the files of the prediction ledger, one line per request or label."""

import errno
import fcntl
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from releve.core.errors import BadInput, ReleveError, Unavailable, storage_error

ANSWERS, LABELS, SEARCHES, SHADOWS = "answers", "labels", "searches", "shadows"
FILE = re.compile(r"(answers|labels|searches|shadows)-([0-9]{8})(?:-([0-9a-f]{8})\.jsonl|\.parquet)")
FINISHED = re.compile(r"(answers|labels|searches|shadows)-([0-9]{8})\.parquet")
PROBED_BYTES = 65_536  # that have to fit on the disk
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class LedgerUnavailable(Unavailable):
    """The ledger is closed, or another writer has its file."""

    code = "ledger_unavailable"


class Segment:
    """One file with one writer. `size` is where the next line starts."""

    def __init__(self, path: Path, day: str) -> None:
        self.path = path
        self.day = day
        self._sync_lock = threading.Lock()
        self._dirty = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two writers of one name would overwrite each other
            self._inode = os.fstat(self._fd).st_ino
            if not self.in_place():  # it was compacted between the two
                os.close(self._fd)
                raise LedgerUnavailable(f"{path.name} was compacted while it was opened; ask again")
            self.size = os.lseek(self._fd, 0, os.SEEK_END)
            descriptor = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # the new file's name survives a power loss too
            finally:
                os.close(descriptor)
        except OSError as error:
            raise refusal(path, error) from None
        if self.size:
            self.append(b"\n")  # a line that was torn by a power loss ends here

    def in_place(self) -> bool:
        """Whether its path still leads to it: `archive` moves the whole folder into the archive."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except OSError:  # whatever else it is, opening anew will say so
            return False

    def append(self, data: bytes) -> None:
        """Hand `data` to the kernel in one write, or leave the file as it was. Raises Unavailable."""
        try:
            written = os.pwrite(self._fd, data, self.size)
            if written < len(data):
                os.ftruncate(self._fd, self.size)
                raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes fitted")
        except OSError as error:
            raise refusal(self.path, error) from None
        self.size += len(data)
        self._dirty = True

    def sync(self) -> None:
        """Make what was appended survive a power loss. Raises Unavailable."""
        with self._sync_lock:
            if self._fd < 0 or not self._dirty:
                return
            self._dirty = False
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._dirty = True
                raise refusal(self.path, error) from None

    def close(self) -> None:
        try:
            self.sync()
        finally:
            with self._sync_lock:
                os.close(self._fd)
                self._fd = -1


def check_writable(folder: Path) -> None:
    """Raises DiskFull, StorageRefused or LedgerUnavailable where no answer could be written below `folder` now."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBED_BYTES))
            file.flush()
    except OSError as error:
        raise refusal(folder, error) from None


def segments_of(folder: Path, kind: str, first_day: str = "", last_day: str = "9") -> list[Path]:
    """Paths of one kind, from `first_day` to `last_day` (YYYYMMDD), by name; other files are not ours.

    Finished days' files are among them. What is compacted meanwhile is there in one form at least: a day's file has
    its name before its segments leave, so these are listed first.
    """
    listed = [*folder.glob(f"{kind}-*.jsonl"), *folder.glob(f"{kind}-*.parquet")]
    matches = {match.group(): match for path in listed if (match := FILE.fullmatch(path.name))}
    return sorted(folder / name for name, match in matches.items() if first_day <= match[2] <= last_day)


def finished_days(folder: Path) -> list[Path]:
    """Paths of the files of finished days, of all kinds, by name."""
    return sorted(path for path in folder.glob("*.parquet") if FINISHED.fullmatch(path.name))


def oldest_open_day(folder: Path) -> str:
    """The oldest day (YYYYMMDD) that is not compacted yet; "" where there is none. Reads names alone."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise refusal(folder, error) from None
    found = [match[2] for name in names if name.endswith(".jsonl") and (match := FILE.fullmatch(name))]
    return min(found, default="")


def is_finished(path: Path) -> bool:
    """Whether it is a day's file, and no segment."""
    return path.suffix == ".parquet"


def day_in(path: Path) -> str:
    """The day (YYYYMMDD) that a segment, or a day's file, is of."""
    return path.stem.split("-")[1]


def to_line(record: Mapping[str, object]) -> bytes:
    """Write a line. Raises BadInput for what JSON cannot hold."""

    def plain(value: Any) -> Any:
        """Convert what orjson does not know: texts and dates of numpy and pandas."""
        if hasattr(value, "tolist"):
            return value.tolist()
        if hasattr(value, "isoformat"):
            return value.isoformat() if value == value else None  # pandas' missing time is unequal to itself
        raise TypeError

    try:
        return orjson.dumps(record, default=plain, option=OPTIONS)
    except orjson.JSONEncodeError as error:
        raise BadInput(f"the ledger cannot hold this: {error}; use texts, numbers, dates, lists and null") from None


def from_line(line: bytes) -> Any:
    """The line's value; None for a line that is torn or not JSON."""
    if not line.endswith(b"\n"):
        return None
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def refusal(path: Path, error: OSError) -> ReleveError:
    """The error of a disk as everywhere (507 where it is full, else 503); LedgerUnavailable for any other."""
    other = f"the prediction ledger {path} cannot be used: {error.strerror or error}"
    return storage_error(error, path) or LedgerUnavailable(other)
