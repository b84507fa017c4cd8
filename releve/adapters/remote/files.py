"""Files behind a URL, by fsspec: file://, memory://, s3:// and what else is installed."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releve.core.errors import BadInput, NotFound, Unavailable, explained_storage, storage_error

SECRET_IN_URL = re.compile(r"//[^/@]*:[^/@]*@")
BLOCK = 2**22  # bytes that are copied at a time
EXTRAS = {"s3": "releve[s3]", "s3a": "releve[s3]"}


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched."""

    name: str
    path: str  # in its file system
    system: Any

    def fetch(self, folder: Path) -> Path:
        """Copy it into a folder. Raise Unavailable, DiskFull, StorageRefused."""
        place = folder / self.name
        with explained_storage(place):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                with self.system.open(self.path, "rb") as remote, place.open("wb") as file:
                    shutil.copyfileobj(remote, file, BLOCK)
            except Exception as error:
                if storage_error(error):
                    raise
                raise Unavailable(f"{self.path} cannot be fetched: {why(error)}") from error
        return place


def is_url(text: str) -> bool:
    """Whether it names no path of this machine by itself."""
    return "://" in text


def check_no_password(url: str, *, of: str) -> None:
    """Raise BadInput where a URL holds a password, before another message shows it. `of`: as of `open_url`."""
    if SECRET_IN_URL.search(url):
        raise BadInput(f"the URL of {of} holds a password; give it by the environment, where fsspec reads it")


@dataclass(frozen=True)
class RemoteListing:
    """What a URL names."""

    files: list[RemoteFile]  # by name
    folders: list[str]  # beside them
    is_folder: bool


def open_url(url: str, *, of: str) -> tuple[Any, str]:
    """Return the file system of a URL, and its path there. `of`: what it is the URL of, such as "an input".

    Raise BadInput, Unavailable.
    """
    from fsspec import available_protocols
    from fsspec.core import url_to_fs

    scheme = url.partition("://")[0]
    check_no_password(url, of=of)
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        what = f"install {extra}" if extra else f"{error}"
        raise BadInput(f"{scheme}:// cannot be used here: {what}, or name a place of this machine") from None
    except Exception as error:  # some connect at once, and each has errors of its own
        if isinstance(error, ValueError) and scheme.rpartition("::")[2] not in available_protocols():
            raise BadInput(
                f"{url} has the unknown scheme '{scheme}'; expected a path, or a URL that begins with file:// or s3://"
            ) from None
        raise _unavailable(url, error) from error
    return system, path


def list_files(url: str) -> RemoteListing:
    """List the file of a URL, or what its folder holds, but for names with . or _. Raise BadInput, NotFound,
    Unavailable."""
    system, path = open_url(url, of="an input")
    try:
        if not system.exists(path):
            raise NotFound(f"there is nothing at {url}; check the URL")
        if not system.isdir(path):
            return RemoteListing([RemoteFile(path.rstrip("/").rpartition("/")[2], path, system)], [], is_folder=False)
        found = system.ls(path, detail=True)
    except (NotFound, BadInput):
        raise
    except Exception as error:
        raise _unavailable(url, error) from error
    # a store of objects may list the folder itself
    paths = {each["name"].rstrip("/"): each for each in found if each["name"].rstrip("/") != path.rstrip("/")}
    named = {each.rpartition("/")[2]: paths[each] for each in sorted(paths)}
    held = {name: each for name, each in named.items() if not name.startswith((".", "_"))}
    files = [RemoteFile(name, each["name"], system) for name, each in held.items() if each["type"] == "file"]
    return RemoteListing(files, [name for name, each in held.items() if each["type"] != "file"], is_folder=True)


def _unavailable(url: str, error: Exception) -> Unavailable:
    return Unavailable(f"{url} cannot be read: {why(error)}; check the address, and your right to it")


def why(error: Exception) -> str:
    """Say in a line what a file system says."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
