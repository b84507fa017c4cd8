"""Looking at processes that may end while they are looked at."""

import psutil


def is_at_work(pid: int) -> bool:
    """Whether it still runs; one that ended and was not collected yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> list[str]:
    """What it was started with; nothing where it has ended, or is somebody else's."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
