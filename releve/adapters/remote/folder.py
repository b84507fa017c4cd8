"""A folder behind a URL, by fsspec: files are put there whole, listed and deleted."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from releve.adapters.remote.files import check_no_password, open_url, why
from releve.core.errors import BadInput, ReleveError, Unavailable, storage_error

READ_ONLY = ("http", "https", "data", "github")
WITHOUT_FOLDERS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss")  # which would make a bucket instead


class RemoteFolder:
    """Every method raises Unavailable, or StorageRefused where this machine's disk is what refuses."""

    def __init__(self, url: str) -> None:
        """Raises BadInput for a URL that names no single folder, or holds what may be a secret."""
        check_no_password(url, of="an output")
        scheme, _, path = url.partition("://")
        if "::" in url or "?" in url or "#" in url:  # a part of it may be a secret: it is not shown
            raise BadInput(
                "the URL of an output is chained (::), or has options (? or #); expected scheme://folder/name"
            )
        if {"", ".", ".."} & {*path.rstrip("/").split("/")[1:]}:
            raise BadInput(f"{url} has an empty part, a . or a ..; write the place itself")
        if scheme in READ_ONLY:
            raise BadInput(f"{scheme}:// takes no files; name a folder, or a URL such as s3://bucket/scored")
        self.url = url.rstrip("/")
        self._scheme = scheme
        self._files, root = open_url(url, of="an output")
        self._root = root.rstrip("/")

    def names(self) -> set[str]:
        """Name all files below it; none where there is no such folder."""
        with self._explained("listed"):
            self._files.invalidate_cache()
            try:
                found = self._files.find(self._root)
            except FileNotFoundError:
                return set()
        return {str(path).removeprefix(self._root).strip("/") for path in found}

    def read(self, name: str) -> bytes:
        """Read a file; b"" where there is none."""
        with self._explained("read"):
            try:
                return bytes(self._files.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                return b""

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""
        with self._explained("written"):
            self._make_folder_of(name)
            self._files.pipe_file(f"{self._root}/{name}", content)

    def put(self, name: str, source: Path) -> None:
        """Copy a file of this machine there."""
        with self._explained("written"):
            self._make_folder_of(name)
            self._files.put_file(str(source), f"{self._root}/{name}")

    def delete(self, names: Collection[str]) -> None:
        """Delete files; somebody else may have done so."""
        with self._explained("written"):
            for name in names:
                with suppress(FileNotFoundError):
                    self._files.rm_file(f"{self._root}/{name}")

    def is_apart(self, url: str) -> bool:
        """Whether neither lies in the other."""
        files, path = open_url(url, of="an input")
        here, there = f"{self._root}/", f"{path.rstrip('/')}/"
        return type(files) is not type(self._files) or not (here.startswith(there) or there.startswith(here))

    def _make_folder_of(self, name: str) -> None:
        if self._scheme not in WITHOUT_FOLDERS:
            self._files.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except ReleveError:
            raise
        except Exception as error:  # each file system has errors of its own
            if refused := storage_error(error):
                raise refused from error
            raise Unavailable(
                f"{self.url} cannot be {done}: {why(error)}; check the address, and your right to it. What is finished "
                "is kept, and the same command goes on from there"
            ) from error
