"""What is scored: a file, a folder of files, or a URL of one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import file_digest
from releve.adapters.remote.files import RemoteFile, is_url, list_files
from releve.adapters.tables.file_types import FILE_TYPES
from releve.core.errors import BadInput, NotFound, explained_storage
from releve.core.formatting import listed
from releve.domain.scoring.manifest import ScoredInput
from tasks.ingestion.batches import as_text

Place = Callable[[Path], Path]  # of a file, once it is on this machine


@dataclass(frozen=True)
class InputFile:
    """A table on this machine."""

    path: Path
    described: ScoredInput
    stamp: tuple[int, int]  # before its digest was taken

    @property
    def name(self) -> str:
        return self.described.name

    @property
    def is_changed(self) -> bool:
        """Whether the file is gone, or no longer what the digest is of."""
        return not self.path.is_file() or stamp_of(self.path) != self.stamp


def stamp_of(path: Path) -> tuple[int, int]:
    """What changes when the file does."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Inputs:
    """The named tables, in order; those behind a URL are still there."""

    found: Sequence[Path | RemoteFile]
    is_folder: bool

    def fetch(self, folder: Path) -> list[InputFile]:
        """Copy what is elsewhere to `folder`, and read every file once for its digest."""
        files = []
        for each in self.found:
            path = each.fetch(folder) if isinstance(each, RemoteFile) else each
            with explained_storage(path):
                stamp = stamp_of(path)
                described = ScoredInput(name=each.name, sha256=file_digest(path), bytes=stamp[0])
            files.append(InputFile(path, described, stamp))
        return files


def find_inputs(source: str) -> Inputs:
    """Find what `--in` names; nothing is read. Raise NotFound, BadInput, Unavailable."""
    if not source:
        raise BadInput("there is no input; --in names a table, a folder of tables, or a URL")
    if is_url(source):
        remote = list_files(source)
        return Inputs(_checked(remote.files, source, folders=remote.folders), remote.is_folder)
    path = Path(source)
    if path.is_file():
        return Inputs([path], is_folder=False)
    if not path.exists():
        raise NotFound(f"there is no file or folder {source}; --in names a table, a folder of tables, or a URL")
    if not path.is_dir():
        raise BadInput(f"{source} is a pipe, a socket or a device; --in names a table, a folder of tables, or a URL")
    with explained_storage(path):
        held = sorted(each for each in path.iterdir() if not each.name.startswith((".", "_")))
    if lost := [each.name for each in held if not (each.is_file() or each.is_dir())]:
        raise BadInput(f"{source} holds {lost[0]}, a link to nothing, a pipe or a device; move it elsewhere")
    folders = [each.name for each in held if each.is_dir()]
    return Inputs(_checked(held, source, folders=folders), is_folder=True)


def _checked(files: Sequence[Path | RemoteFile], source: str, *, folders: Sequence[str]) -> Sequence[Path | RemoteFile]:
    """Raise BadInput where there is no file, or what is no table: rows are never left out without a word."""
    if folders:
        raise BadInput(f"{source} holds the folder {folders[0]}; name that one, or move it elsewhere")
    if not files:
        raise BadInput(f"{source} is an empty folder; expected files ending in {', '.join(FILE_TYPES)}")
    if unreadable := [each.name for each in files if as_text(each.name) != each.name]:
        raise BadInput(f"the name of {as_text(unreadable[0])} in {source} is not UTF-8; rename the file")
    others = [each.name for each in files if not each.name.lower().endswith(tuple(FILE_TYPES))]
    if others:
        raise BadInput(
            f"{source} holds what is no table: {listed(others)}; expected files ending in {', '.join(FILE_TYPES)}"
        )
    return files
