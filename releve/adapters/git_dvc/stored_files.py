"""DVC's files of one git revision, read without a checkout: from the cache, or from the remote."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

from releve.adapters.git_dvc.data_versions import PipelineFailed, RemoteUnavailable
from releve.adapters.git_dvc.dvc_configuration import as_nested, configuration
from releve.core.params import Data

CACHE_NOWHERE = "nowhere"  # a cache folder that does not exist, so that DVC asks the remote


class StoredFiles:
    """Reads files that DVC tracks in `revision`; `what` is what messages call them."""

    def __init__(self, project: Path, revision: str, *, remote: Data | None, what: str) -> None:
        config = configuration(project, remote)  # the cache, or the remote where a file is not in it
        from_remote = config | {"cache": config["cache"] | {"dir": str(project / ".dvc" / CACHE_NOWHERE)}}
        self._sources = [_Source(project, revision, as_nested(each), what) for each in (config, from_remote)]
        self._what = what

    def names(self, folder: str) -> list[str]:
        """List the files of a folder. Raise RemoteUnavailable where the remote is needed and away."""
        return self._sources[0].names(folder)

    def read(self, path: str) -> bytes:
        """Read a file's bytes from the first source that has it as it was.

        Raise PipelineFailed for one that neither has so, RemoteUnavailable where the remote is needed and away.
        """
        for source in self._sources:
            content, digest = source.fetch(path)
            if hashlib.md5(content, usedforsecurity=False).hexdigest() == digest:
                return content
        raise PipelineFailed(
            f"{path} of {self._what} was altered in the cache and in the remote; push it from a clone that has it whole"
        )


class _Source:
    """DVC's view of a revision, opened when the first file is asked for."""

    def __init__(self, project: Path, revision: str, config: dict[str, dict[str, object]], what: str) -> None:
        self._project, self._revision, self._config, self._what = project, revision, config, what

    @cached_property
    def _system(self) -> Any:
        from dvc.api import DVCFileSystem

        return DVCFileSystem(str(self._project), rev=self._revision, config=self._config)

    def names(self, folder: str) -> list[str]:
        try:
            return [str(path).rpartition("/")[2] for path in self._system.find(f"/{folder}")]
        except Exception as error:  # each kind of remote raises its own
            raise self._away(folder, error) from error

    def fetch(self, path: str) -> tuple[bytes, str]:
        """Return the bytes that DVC gives for a file, and the md5 that they should have."""
        try:
            return self._system.read_bytes(f"/{path}"), str(self._system.info(f"/{path}")["md5"])
        except Exception as error:
            raise self._away(path, error) from error

    def _away(self, path: str, error: Exception) -> RemoteUnavailable:
        return RemoteUnavailable(
            f"{path} of {self._what} is not in the cache, and the remote does not give it: {type(error).__name__}: "
            f"{error}. Is the remote there (docs/ingest.md), and was this version pushed from the machine that made it?"
        )
