"""How far a file is read: a bar on a terminal, a line now and then elsewhere. Small files are not worth either."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from releve.core.progress import EVERY_SECONDS

SMALL = 20_000_000  # bytes; read in a second or two
MB = 1_000_000


@contextmanager
def reading(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Tell of a file of `size` bytes while it is read; what is given takes the bytes that were read so far."""
    if size < SMALL:
        yield lambda place: None
    elif sys.stderr.isatty():
        with _bar(name, size) as tell:
            yield tell
    else:
        yield _lines(name, size)


@contextmanager
def _bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(f"reading {name}", total=size)
        yield lambda place: progress.update(task, completed=place)


def _lines(name: str, size: int) -> Callable[[int], None]:
    told = time.monotonic()

    def tell(place: int) -> None:
        nonlocal told
        if time.monotonic() - told >= EVERY_SECONDS:
            told = time.monotonic()
            print(f"reading {name}: {place / MB:.0f} of {size / MB:.0f} MB", flush=True)

    return tell
