"""Environments for packages that cannot live beside ours: one folder each, below var/compat."""

import subprocess
import sys
from pathlib import Path

from tests.factories import PROJECT


def environment(name: str, *requirements: str) -> Path:
    """Return the Python of an environment with exactly these requirements; it is made where it is not there."""
    folder = PROJECT / "var" / "compat" / name
    python, stamp, wanted = folder / "bin" / "python", folder / "requirements.txt", "\n".join(requirements)
    if not stamp.is_file() or stamp.read_text() != wanted:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *requirements], check=True)
        stamp.write_text(wanted)  # last: what was interrupted is begun again
    return python
