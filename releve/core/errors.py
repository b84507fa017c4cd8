"""Errors that a user can fix.

Each says what was found, what was expected and what to do, in the user's own names. The command line prints the
message and exits with `exit_code` (`run_command`), HTTP answers with `status` and `code`, a flow run fails with it.
"""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from releve.core.formatting import printable


class ReleveError(Exception):
    """Base of all errors whose message is for a person; nothing else should reach one."""

    code = "releve_error"
    status = 400
    exit_code = 1


class BadInput(ReleveError):
    """The caller's data or question is wrong; asking again unchanged will not help."""

    code = "bad_input"
    status = 400


class NotFound(ReleveError):
    """What was named does not exist."""

    code = "not_found"
    status = 404


class Conflict(ReleveError):
    """Somebody else changed or holds what this call wanted to change."""

    code = "conflict"
    status = 409


class TooLarge(ReleveError):
    """More than one request may carry."""

    code = "too_large"
    status = 413


class Unavailable(ReleveError):
    """An outside system is away; the same call may work later."""

    code = "unavailable"
    status = 503
    exit_code = 2


class DiskFull(Unavailable):
    """No space is left to write; once there is some, the same call works."""

    code = "disk_full"
    status = 507


class StorageRefused(Unavailable):
    """A disk, or the right to use it, refuses to read or write; once that is fixed, the same call works."""

    code = "storage_refused"


MOST_LETTERS = 300  # of a line that another program printed
NO_SPACE_LEFT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, largest file: what a person does is the same
REFUSALS = {
    errno.EROFS: "make that file system writable, or choose another folder (RELEVE_HOME)",
    errno.EACCES: "give this user the right to it, or choose another folder (RELEVE_HOME)",
    errno.EPERM: "give this user the right to it, or choose another folder (RELEVE_HOME)",
    errno.EMFILE: "raise the limit of open files of a process (ulimit -n)",
    errno.ENFILE: "raise the limit of open files of this machine (fs.file-max)",
    errno.EIO: "check the disk and the way to it",
    errno.ESTALE: "mount that file system again",
    errno.ENOTDIR: "move the file away that stands where a folder is expected",
    errno.EEXIST: "move away what stands in its place",
    errno.EISDIR: "move the folder away that stands where a file is expected",
    errno.ENAMETOOLONG: "use shorter names",
}  # what a person can do, by what the system answers
SQLITE = {"database or disk is full": errno.ENOSPC, "attempt to write a readonly database": errno.EROFS}
AMBIGUOUS = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG)  # of another program: no fault of the disk
DENIED = (errno.EACCES, errno.EPERM)  # networks and services print the same words: only the system's own form counts
PRINTED_BY_OTHERS = {os.strerror(code): code for code in (*NO_SPACE_LEFT, *REFUSALS) if code not in AMBIGUOUS} | SQLITE


def storage_error(error: BaseException, path: Path | None = None) -> ReleveError | None:
    """Explain an error that a disk or its rights caused, however a library wrapped it; None for any other.

    `path`: what was read or written, where the error itself does not know.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ReleveError):
        if isinstance(seen, OSError) and (seen.errno in NO_SPACE_LEFT or seen.errno in REFUSALS):
            return _refusal(seen.errno, str(path or seen.filename2 or seen.filename or ""))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def storage_refusal(printed: str) -> ReleveError | None:
    """Find the same in what another program printed before it ended; its warnings did not end it."""
    for line in (line for line in printed.splitlines() if not line.lower().lstrip().startswith("warning")):
        for words, code in PRINTED_BY_OTHERS.items():
            by_system = rf"\[errno {code}\]|\(os error {code}\)|: {re.escape(words)}[.'\"]?$"  # Python, Rust, C
            if re.search(by_system, line, re.IGNORECASE) if code in DENIED else words in line:
                return _refusal(code, "", printed=line.strip()[:MOST_LETTERS])
    return None


@contextmanager
def explained_storage(path: Path | None = None) -> Iterator[None]:
    """Raise DiskFull or StorageRefused, saying where, when a disk refuses what is done within."""
    try:
        yield
    except Exception as error:
        if refused := storage_error(error, path):
            raise refused from error
        raise


def _refusal(code: int, name: str, *, printed: str = "") -> ReleveError:
    why = printed or os.strerror(code)
    if code in NO_SPACE_LEFT:
        where = f"{Path(name).name} in {Path(name).parent}" if name else "a file"
        return DiskFull(f"no space is left for {where} ({why}); free some space on that disk, then run the same again")
    subject = f"{name} cannot be used" if name else "a file or folder cannot be used"
    return StorageRefused(f"{subject} ({why}); {REFUSALS[code]}, then run the same again")


def run_command(command: Callable[[], object]) -> int:
    """Run it and return the exit code; an error that a person can fix becomes one line on stderr."""
    try:
        command()
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # `releve history | head` is no error
        _discard_stdout()
        return 0
    except Exception as error:
        known = error if isinstance(error, ReleveError) else storage_error(error)
        if known is None:
            raise
    try:
        sys.stdout.flush()
    except OSError:  # it is the very file that has no space left
        _discard_stdout()
    print(f"error: {printable(str(known))}", file=sys.stderr)
    return known.exit_code


def _discard_stdout() -> None:
    """Send what Python still wants to write at exit nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
