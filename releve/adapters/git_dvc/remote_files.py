"""The files of a DVC remote, one by one: a folder, or whatever DVC reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.data_versions import RemoteUnavailable
from releve.adapters.git_dvc.dvc_configuration import as_nested, configuration, remote_folder
from releve.core.errors import ReleveError, storage_error
from releve.core.params import Data


class RemoteFiles:
    """The remote that these settings (`data` in params.yaml) lead to. Use `opened`."""

    def __init__(self, store: Any, cache: DataCache, folder: Path | None) -> None:
        self._store = store
        self._folder = DataCache(folder) if folder else None
        self.cache = cache

    @classmethod
    @contextmanager
    def opened(cls, project: Path, remote: Data | None) -> "Iterator[RemoteFiles]":
        """Raise RemoteUnavailable where it is away, DiskFull and StorageRefused of a folder."""
        from dvc.repo import Repo

        config = configuration(project, remote)
        try:
            with Repo(str(project), config=as_nested(config)) as repo:
                cache = DataCache(Path(config["cache"]["dir"]))
                yield cls(repo.cloud.get_remote_odb(), cache, remote_folder(config))
        except ReleveError:
            raise
        except Exception as error:  # each kind of remote has errors of its own
            if refused := storage_error(error):
                raise refused from None
            raise RemoteUnavailable(f"the DVC remote cannot be used: {type(error).__name__}: {error}") from None

    def digests(self) -> list[str]:
        """List what it has, by md5; a folder's list ends in .dir, and comes after the files that it names."""
        if not self._store.fs.exists(self._store.path):
            return []
        return sorted(self._store.all(), key=lambda digest: (digest.endswith(".dir"), digest))

    def has(self, digest: str) -> bool:
        """Whether it has this md5."""
        return bool(self._store.exists(digest))

    def fetch(self, digest: str, scratch: Path) -> Path:
        """Return where a file of it lies on this machine: in a folder remote where it is, else fetched to `scratch`."""
        if self._folder:
            return self._folder.place(digest)
        self._store.fs.get_file(self._store.oid_to_path(digest), str(scratch))
        return scratch

    def upload(self, source: Path, digest: str) -> None:
        """Copy a file in, whole or not at all, as `dvc push` does."""
        self._store.add(str(source), _local_files(), digest)


def _local_files() -> Any:
    from dvc.fs import LocalFileSystem

    return LocalFileSystem()
