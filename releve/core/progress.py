"""What goes on, and since when: one line that counts on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 10.0

Tell = Callable[[str], None]


@contextmanager
def waiting(*, at_once: bool = True) -> Iterator[Tell]:
    """Give what is to be told of, as often as one likes; it is shown on stderr with the seconds until the end.

    `at_once`: whether it is worth a line even if it is over soon; on a terminal nothing of it stays.
    """
    if sys.stderr.isatty():
        with _counting() as tell:
            yield tell
    else:
        with _now_and_then(at_once=at_once) as tell:
            yield tell


@contextmanager
def _counting() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what: progress.update(task, description=what)


@contextmanager
def _now_and_then(*, at_once: bool) -> Iterator[Tell]:
    """What is new, and every EVERY_SECONDS what lasts."""
    began, over, now = time.monotonic(), threading.Event(), ""

    def write() -> None:
        print(f"{now} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)

    def tell(what: str) -> None:
        nonlocal now
        is_new, now = what != now, what
        if is_new and at_once:
            write()

    def repeat() -> None:
        while not over.wait(EVERY_SECONDS):
            if now:
                write()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()
