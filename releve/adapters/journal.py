"""A journal: a file of lines with one writer, in which a line is on disk when `append` returns.

The kernel frees it when its writer ends, however that ends.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from releve.core.errors import Conflict, explained_storage


class JournalBusy(Conflict):
    """Another process writes it."""

    code = "journal_busy"


class LineJournal:
    """Use it in a `with` block. Raises JournalBusy where another process has it, DiskFull, StorageRefused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with explained_storage(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise JournalBusy(f"another process is writing {path}") from None

    def __enter__(self) -> "LineJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def lines(self) -> list[bytes]:
        """Read the whole lines. One that was torn by a kill or a power loss is cut off."""
        with explained_storage(self.path):
            content = self.path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.ftruncate(self._fd, whole)
        return content[:whole].splitlines()

    def append(self, line: str) -> None:
        """Write a line, which holds no line break itself."""
        with explained_storage(self.path):
            data = f"{line}\n".encode()
            size = os.fstat(self._fd).st_size
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
                os.fsync(self._fd)
            except OSError:
                os.ftruncate(self._fd, size)
                raise

    def clear(self) -> None:
        """Forget all lines."""
        with explained_storage(self.path):
            os.ftruncate(self._fd, 0)
            os.fsync(self._fd)
