"""Each step of a command that others can see: it moves, links or deletes a file, makes a folder, or starts a program.

Python tells of them just before they happen (`sys.addaudithook`). So a run can be counted, and killed before any one.
The files of a tree that is deleted count as one, which is its renaming.
"""

from pathlib import Path

COUNTED = "boundaries"  # the file in the home that the count is written to

_HOOK = """
import os, signal, sys, atexit
def count(event, arguments, seen=[0], dies_before={dies_before}, root={root!r}):
    if event in ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "subprocess.Popen"):
        is_path = event != "subprocess.Popen" and not isinstance(arguments[0], int)
        place = os.path.abspath(os.fsdecode(arguments[0])) if is_path else root
        swept = event in ("os.remove", "os.rmdir") and arguments[1] != -1  # one of many files of a tree
        if place.startswith(root) and "__pycache__" not in place and not swept:
            seen[0] += 1
            if seen[0] == dies_before:
                os.kill(os.getpid(), signal.SIGKILL)
    elif event == "drill.end" and not dies_before:
        open({counted!r}, "w").write(str(seen[0]))
sys.addaudithook(count)
atexit.register(sys.audit, "drill.end")
"""


def counting(root: Path, home: Path) -> str:
    """Code that writes how many boundaries the run had."""
    return _HOOK.format(dies_before=0, root=str(root), counted=str(home / COUNTED))


def dying_before(number: int, root: Path) -> str:
    """Code that kills the run with SIGKILL before that boundary, which are counted from 1."""
    return _HOOK.format(dies_before=number, root=str(root), counted="")
