"""Show what a run does or waits for: one line that counts on a terminal, a line every EVERY_SECONDS elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 10.0  # between two lines about one thing
SMALL = 20_000_000  # bytes; a file of fewer is read in a second or two, and shown by nothing
MB = 1_000_000

ShowLine = Callable[[str], None]


class Reminder:
    """Say when it is time for another line. `at_once`: the first is due now, not after EVERY_SECONDS."""

    def __init__(self, *, at_once: bool = False) -> None:
        self._began = time.monotonic()
        self._next = self._began + (0.0 if at_once else EVERY_SECONDS)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def is_due(self) -> bool:
        """Return whether a line is due, and wait for the next one if so."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + EVERY_SECONDS
        return True


@contextmanager
def show_progress(*, at_once: bool = True) -> Iterator[ShowLine]:
    """Give a function that takes what is done now, as often as one likes; stderr shows it with the seconds so far.

    `at_once`: whether it is worth a line even if it is over soon; on a terminal nothing of it stays.
    """
    if not sys.stderr.isatty():
        with _lines(at_once=at_once) as show:
            yield show
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what: progress.update(task, description=what)


@contextmanager
def break_silence(name: str, progress: ShowLine = lambda line: None) -> Iterator[ShowLine]:
    """Give `progress` back, to be called in its place: stderr gets a line where that does not happen for EVERY_SECONDS.

    `name`: of what goes on meanwhile.
    """
    began, over = time.monotonic(), threading.Event()
    last = began

    def forward(line: str) -> None:
        nonlocal last
        progress(line)
        last = time.monotonic()

    def remind() -> None:
        nonlocal last
        while not over.wait(last + EVERY_SECONDS - time.monotonic()):
            if (now := time.monotonic()) >= last + EVERY_SECONDS:
                last = now
                print(f"{name} goes on ({now - began:.0f} s)", file=sys.stderr, flush=True)

    thread = threading.Thread(target=remind, name="silence", daemon=True)
    thread.start()
    try:
        yield forward
    finally:
        over.set()
        thread.join()


@contextmanager
def show_reading(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Give a function that takes how many of a file's `size` bytes were read: a bar on a terminal, lines elsewhere."""
    if size < SMALL:
        yield lambda place: None
    elif not sys.stderr.isatty():
        reminder = Reminder()

        def show(place: int) -> None:
            if reminder.is_due():
                print(f"reading {name}: {place / MB:.0f} of {size / MB:.0f} MB", flush=True)

        yield show
    else:
        from rich import progress as bars
        from rich.console import Console

        columns = (bars.BarColumn(), bars.DownloadColumn(), bars.TransferSpeedColumn(), bars.TimeRemainingColumn())
        text = bars.TextColumn("{task.description}")
        with bars.Progress(text, *columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(f"reading {name}", total=size)
            yield lambda place: progress.update(task, completed=place)


@contextmanager
def show_rows(name: str) -> Iterator[Callable[[int, int, int], None]]:
    """Give a function that takes bytes done, of how many, and rows: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        reminder = Reminder()

        def show(done: int, of: int, rows: int) -> None:
            if reminder.is_due():
                share = done / max(of, 1)
                left = reminder.elapsed * (1 - share) / max(share, 0.001)
                print(f"{name}: {rows:,} rows, {share:.0%}, about {left:.0f} s left", file=sys.stderr, flush=True)

        yield show
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.fields[rows]:,} rows"))
    text = bars.TextColumn("{task.description}", markup=False)
    with bars.Progress(text, *columns, bars.TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=None, rows=0)
        yield lambda done, of, rows: progress.update(task, completed=done, total=of, rows=rows)


@contextmanager
def _lines(*, at_once: bool) -> Iterator[ShowLine]:
    """Write what is new, and every EVERY_SECONDS what lasts."""
    began, over, now = time.monotonic(), threading.Event(), ""
    last = began

    def write() -> None:
        nonlocal last
        last = time.monotonic()
        print(f"{now} ({last - began:.0f} s)", file=sys.stderr, flush=True)

    def show(what: str) -> None:
        nonlocal now
        is_new, now = what != now, what
        if is_new and at_once:
            write()

    def repeat() -> None:
        wait = EVERY_SECONDS
        while not over.wait(wait):
            wait = last + EVERY_SECONDS - time.monotonic()  # since something was written, or nothing was to tell
            if wait <= 0:
                wait = EVERY_SECONDS
                if now:
                    write()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield show
    finally:
        over.set()
        thread.join()
