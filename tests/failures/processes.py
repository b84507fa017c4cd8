"""Processes of a project's runs, and their end by SIGKILL."""

import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from tests.projects import Project
from tests.serving.process import wait_until


def descendants(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def works(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def name_of(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.name().split()
    return []


def kill(process: "subprocess.Popen[str]", *, children_too: bool) -> None:
    """SIGKILL, which nobody can prepare for; all of them have ended when this returns."""
    killed = descendants(process) if children_too else []
    process.kill()
    for child in killed:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    if process.stdout:
        process.stdout.close()
    process.wait()
    wait_until(lambda: not any(map(works, killed)))


def processes_in(project: Project) -> list[list[str]]:
    """Commands of the processes that still work in the project."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(project.root):
                found.append(process.cmdline())
    return found
