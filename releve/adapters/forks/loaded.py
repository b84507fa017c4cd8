"""What loaded libraries depend on: where it is another now, a fork would not be what a new process is."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[3]
# Variables that Python, the loader of programs and numeric libraries read once, when they are loaded.
READ_ONCE = ("PYTHON", "LD_", "DYLD_", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "BLIS_", "VECLIB_", "NUMEXPR_", "LC_")
READ_ONCE_NAMES = ("LANG", "TZ")


def read_once(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that libraries which are loaded already do not read again."""
    return {name: value for name, value in environ.items() if name.startswith(READ_ONCE) or name in READ_ONCE_NAMES}


def installed() -> dict[str, int]:
    """When Python, the fork server, and the folders that libraries come from were last changed, in nanoseconds."""
    folders = [path for path in sys.path[1:] if Path(path) != PROJECT]  # the first is where this process was started
    changed = {}
    for path in (sys.executable, *folders, *map(str, Path(__file__).parent.glob("*.py"))):
        with suppress(OSError):
            changed[path] = os.stat(path).st_mtime_ns
    return changed


@dataclass(frozen=True)
class Loaded:
    """Taken before anything is loaded."""

    environ: Mapping[str, str] = field(default_factory=lambda: read_once(os.environ))
    installed: Mapping[str, int] = field(default_factory=installed)

    @property
    def is_outdated(self) -> bool:
        return installed() != self.installed

    def difference(self, python: str, environ: Mapping[str, str]) -> str:
        """Why a new process would be another one than a fork; "" where it would not."""
        if self.is_outdated:
            return "packages were installed or removed since the fork server loaded its libraries"
        if python != sys.executable:
            return f"the fork server runs another Python, {sys.executable}"
        ours, theirs = self.environ, read_once(environ)
        if different := sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)):
            return f"the fork server was started with another {', '.join(different)}"
        return ""
