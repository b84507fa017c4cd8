"""The list of a backup: each file by its sha256, and what the whole amounts to. It is written last."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from releve.core.documents import DocumentPart

HOME, DATA, EVENTS = "home", "data", "events"  # begin the paths of a backup's files
SHA256 = re.compile(r"[0-9a-f]{64}")
MANIFEST = re.compile(r"\d{8}T\d{6}Z\.json")


def _checked_path(path: str) -> str:
    """A path becomes one below the home or the remote: it must not lead out of there."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or "\0" in path or ".." in parts or str(PurePosixPath(path)) != path or len(parts) < 2:
        raise ValueError(f"{path!r} is no path below a folder")
    return path


def _checked_digest(digest: str) -> str:
    if not SHA256.fullmatch(digest):
        raise ValueError(f"{digest!r} is no sha256")
    return digest


Digest = Annotated[str, AfterValidator(_checked_digest)]


class SavedFile(DocumentPart):
    """A file, and where it belongs: `home/...`, `data/<scenario>/<md5>` of a DVC remote, `events/<scenario>`."""

    path: Annotated[str, AfterValidator(_checked_path)]
    sha256: Digest
    size: int = Field(ge=0)  # bytes
    mode: int = Field(ge=0, le=0o777)
    modified: int  # nanoseconds since 1970

    @property
    def place(self) -> str:
        """The first part of the path: which of the three it belongs to."""
        return self.path.partition("/")[0]

    @property
    def below(self) -> str:
        """The rest of it."""
        return self.path.partition("/")[2]


class SavedScenario(DocumentPart):
    """What a scenario amounts to; all of it is counted again once it is restored."""

    events: int
    newest_hash: str  # of its chain; "" without an event
    champion: str  # the model that serves; "" for none
    index_version: int
    batches: int
    rows: int  # of all batches


class BackupManifest(DocumentPart):
    """One backup."""

    format: Literal[1] = 1
    made_at: str  # ISO 8601, UTC
    version: str  # of Relève, which wrote it
    head: str  # the user's commit: code, params.yaml, scenarios/
    bundle: Digest  # of the git bundle beside it
    branches: dict[str, str]  # refs of scenarios -> revision
    scenarios: dict[str, SavedScenario]
    files: tuple[SavedFile, ...]

    def of(self, place: str) -> list[SavedFile]:
        """List the files of one of the three places."""
        return [file for file in self.files if file.place == place]

    @property
    def size(self) -> int:
        """Bytes of all files, each content once."""
        return sum({file.sha256: file.size for file in self.files}.values())


def newest_manifest(names: Iterable[str]) -> str:
    """Name the newest backup among the files of a place; "" without one."""
    return max((name for name in names if MANIFEST.fullmatch(name)), default="")
