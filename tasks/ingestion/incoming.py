"""What lies in the incoming folder: files to be ingested, and what cannot be read, which stops none of them."""

import os
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import file_digest
from tasks.ingestion.batches import as_text


@dataclass(frozen=True)
class IncomingFile:
    """A file that is to be ingested, its sha256 and its bytes; or, of what cannot be read, why not."""

    path: Path
    digest: str = ""
    size: int = 0
    problem: str = ""


def inspect_file(path: Path) -> IncomingFile:
    """Read a file once. Whatever else stands there is not opened: a pipe would wait for its writer for ever."""
    name = as_text(path.name)
    try:
        if problem := _no_file(path):
            return IncomingFile(path, problem=f"{name} {problem}")
        return IncomingFile(path, file_digest(path), path.stat().st_size)
    except OSError as error:
        told = f"{name} cannot be read: {error.strerror}; see whether whoever runs the ingestion may read it"
        return IncomingFile(path, problem=told)


def _no_file(path: Path) -> str:
    """What stands there instead of a file, and what to do; "" for a file."""
    if path.is_file():
        return ""
    if not os.path.lexists(path):
        return "was taken away before it could be read; send it again"
    if path.is_dir():
        return "is a folder; put the files that are in it into the incoming folder one by one"
    if path.is_symlink():
        return f"is a link to {as_text(os.readlink(path))}, where no file is; send the file itself"
    return "is a pipe, a socket or a device; send a file"
