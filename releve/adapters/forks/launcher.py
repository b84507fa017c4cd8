"""Run a module in a child of the fork server, and be its process for whoever waits: `python -m ... FOLDER MODULE`.

A deployment of `make up` names it as its command, in place of `python -m prefect.engine`. It becomes `python -m MODULE`
where no server answers at FOLDER, or where a child of that server would be another process than a new one.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from releve.adapters.forks.command import Command, start
from releve.adapters.forks.door import connect

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # Prefect cancels by the first


def main(folder: Path, module: str, arguments: Sequence[str]) -> NoReturn:
    """Pass signals on until the child ends, then end as it did."""
    command = Command(module, arguments, os.getcwd(), dict(os.environ), dies_with_asker=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until it is known whom to pass them to
    try:
        with connect(folder) as connection:
            process = start(connection, command, (1, 2))
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        is_gone = isinstance(error, FileNotFoundError | ConnectionRefusedError)
        why = f"no fork server answers at {folder}" if is_gone else error
        print(f"This run loads its libraries itself: {why}", file=sys.stderr, flush=True)
        os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
    for number in FORWARDED:
        signal.signal(number, lambda number, frame: process.send_signal(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    code = process.wait()
    if code < 0:
        with suppress(OSError):  # what cannot be caught has its default already
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
