"""python -m releve.serving.shadow: ask challengers aside, beside the service and out of its way."""

import fcntl
import logging
import os
import signal
import sys
from pathlib import Path
from threading import Event

from releve.adapters.local_stack.parts import SHADOW_READY
from releve.adapters.registry.registry import Registry
from releve.core.errors import Conflict, ReleveError
from releve.core.settings import Settings
from releve.serving.shadow.process import ShadowProcess

NICENESS = 10  # the service comes first


def main() -> None:
    """Work until SIGTERM. Raises Conflict where another one does for the same state."""
    settings = Settings.from_environ(os.environ, cwd=Path.cwd())
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    (settings.home / "run").mkdir(parents=True, exist_ok=True)
    with (settings.home / "run" / "shadow.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two would ask everything twice
        except BlockingIOError:
            raise Conflict(f"another process asks the challengers of {settings.home} already") from None
        os.nice(NICENESS)
        stopping = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        print(SHADOW_READY, flush=True)
        ShadowProcess(settings, Registry(settings.registry_url)).run(stopping)


if __name__ == "__main__":
    try:
        main()
    except ReleveError as error:
        sys.exit(str(error))
