"""How a command ends: an error that a person can fix becomes one line on stderr, and the exit code."""

import os
import sys
from collections.abc import Callable

from releve.core.errors import ReleveError, storage_error


def run_command(command: Callable[[], object], *, name: str = "error") -> int:
    """Run it and return the exit code. `name` begins the line that an error becomes."""
    try:
        command()
        sys.stdout.flush()
    except BrokenPipeError:  # `releve history | head` is no error
        _let_go_of_stdout()
    except ReleveError as error:
        return _tell(error, name)
    except Exception as error:
        if refused := storage_error(error):
            return _tell(refused, name)
        raise
    return 0


def tell(line: str) -> None:
    """Say how far a command is, or what it goes by, beside its output."""
    print(line, file=sys.stderr, flush=True)


def _tell(error: ReleveError, name: str) -> int:
    try:
        sys.stdout.flush()
    except OSError:  # it is the very file that has no room
        _let_go_of_stdout()
    print(f"{name}: {error}", file=sys.stderr)
    return error.exit_code


def _let_go_of_stdout() -> None:
    """What Python still wants to write at exit goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
