"""This project's code in a child: as the server has it, where the child's folder has the very same, else none of it.

To import it anew takes a stage of a small table as long as its work.
"""

import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

PACKAGES = ("releve", "tasks")


def is_ours(module: str) -> bool:
    """Whether a module is of this project, and needs no process of its own: importing it does nothing."""
    return module.partition(".")[0] in PACKAGES


class OwnCode:
    """What the server has imported of this project, and of which content."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}  # module -> its file below the folder, and the file's sha256

    def note(self) -> None:
        """Look at what was imported since the last call, from the folder that the server works in."""
        for name in _loaded():
            if name not in self._known:
                place = os.path.relpath(sys.modules[name].__file__ or sys.path[0], sys.path[0])
                self._known[name] = place, _digest(Path(sys.path[0], place)) or "of no file"

    def move_to(self, folder: str, *, main: str) -> None:
        """Keep it as if it came from `folder`, without the module `main` that runs; none of it where a file differs."""
        is_same = all(_digest(Path(folder, place)) == digest for place, digest in self._known.values())
        for name in _loaded():
            if name == main or not is_same or name not in self._known:
                del sys.modules[name]
                continue
            module = sys.modules[name]
            module.__file__ = os.path.join(folder, self._known[name][0])
            if hasattr(module, "__path__"):  # where its modules are found that are still to be imported
                module.__path__ = [os.path.dirname(module.__file__)]


def _loaded() -> Iterator[str]:
    return (name for name in [*sys.modules] if is_ours(name))


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
