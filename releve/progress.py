"""What goes on, and since when: one line that counts on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 10.0

Tell = Callable[[str], None]


@contextmanager
def waiting() -> Iterator[Tell]:
    """Give what is to be told, as often as one likes, what is waited for; it adds the seconds. Writes to stderr."""
    if sys.stderr.isatty():
        with _counting() as tell:
            yield tell
    else:
        yield _now_and_then(lambda line: print(line, file=sys.stderr, flush=True))


@contextmanager
def _counting() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what: progress.update(task, description=what)


def _now_and_then(write: Tell) -> Tell:
    """Whatever is new at once, and what lasts every EVERY_SECONDS."""
    began, told, last = time.monotonic(), 0.0, ""

    def tell(what: str) -> None:
        nonlocal told, last
        now = time.monotonic()
        if what != last or now - told >= EVERY_SECONDS:
            write(f"{what} ({now - began:.0f} s)")
            told, last = now, what

    return tell
