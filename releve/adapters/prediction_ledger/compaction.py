"""Compaction: the segments of a finished day become one Parquet file, whole, before they leave.

The file is written beside, held against every line of the segments, and renamed; only then the segments are removed. A
run that is killed, or finds the disk full, leaves the segments, or the day twice, which readers know: the next run
completes it. A segment that a writer still holds open stays until it is closed, and is merged then.
"""

import fcntl
import heapq
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, zip_longest
from pathlib import Path
from typing import IO

import orjson

from releve.adapters.prediction_ledger.days import KINDS, StoredDay, StoredLine, write_day
from releve.adapters.prediction_ledger.lines import segment_lines
from releve.adapters.prediction_ledger.segments import LedgerUnavailable, day_in, is_finished, segments_of
from releve.core.errors import explained_storage
from releve.domain.prediction_log.records import day_of, timestamp

GRACE = timedelta(hours=1)  # after a day's end: clocks of machines that share a ledger differ a little
Change = Callable[[StoredLine], StoredLine | None]  # None: it leaves


@dataclass(frozen=True)
class TidiedLedger:
    """What became of the days that are over."""

    days: tuple[str, ...] = ()  # YYYYMMDD
    bytes_before: int = 0
    bytes_after: int = 0
    held: int = 0  # segments of finished days that a writer still has open
    freed: int = 0  # bytes of days that are older than ledger.keep_days
    pushed: tuple[str, ...] = ()  # files that went to the data remote
    dropped: tuple[str, ...] = ()  # files that left it


def compact(folder: Path, *, now: datetime, progress: Callable[[str], None] = lambda line: None) -> TidiedLedger:
    """Turn the segments of all days that have ended into a file per day and kind. Raises DiskFull, StorageRefused.

    One run per folder at a time.
    """
    last_day = day_of(timestamp(now - GRACE - timedelta(days=1)))
    days, before, after, held = dict[str, None](), 0, 0, 0
    for left in folder.glob(".*.parquet.tmp"):  # of a killed run
        left.unlink(missing_ok=True)
    for kind in KINDS:
        for day, paths in groupby(segments_of(folder, kind, last_day=last_day), key=day_in):
            segments = [path for path in paths if not is_finished(path)]
            with explained_storage(folder), ExitStack() as stack:
                closed = [(path, file) for path in segments if (file := taken(path, stack))]
                held += len(segments) - len(closed)
                if closed:
                    progress(f"compacting {kind} of {day}")
                    before += sum(os.fstat(file.fileno()).st_size for _, file in closed)
                    after += compact_day(folder / f"{kind}-{day}.parquet", kind, day, closed)
                    days[day] = None
    return TidiedLedger(tuple(days), before, after, held)


def drop_days(folder: Path, *, before: str) -> int:
    """Remove what was written before a day (YYYYMMDD) and is in no writer's hands; returns the bytes freed."""
    freed = 0
    for kind in KINDS:
        for path in segments_of(folder, kind):
            if day_in(path) < before:
                with explained_storage(path), ExitStack() as stack:
                    if is_finished(path) or taken(path, stack):
                        freed += path.stat().st_size
                        path.unlink()
    return freed


def taken(path: Path, stack: ExitStack) -> IO[bytes] | None:
    """Open a segment and keep its writer out of it; None where one has it open."""
    try:
        file = stack.enter_context(path.open("rb+"))  # NFS locks what may be written
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return None
    return file


def compact_day(
    place: Path, kind: str, day: str, segments: list[tuple[Path, IO[bytes]]], *, change: Change | None = None
) -> int:
    """Merge segments into the day's file, and remove them; returns the bytes that the file has more than before.

    `change`: what becomes of each line, those included that the day's file has; one line stays at least.
    """
    beside = place.with_name(f".{place.name}.tmp")
    known = place.stat().st_size if place.exists() else 0
    with ExitStack() as stack:
        stored = stack.enter_context(StoredDay(place)) if known else None
        fresh = [(path, file) for path, file in segments if not (stored and stored.holds(path))]
        if fresh or change:
            sizes = {path.name: os.fstat(file.fileno()).st_size for path, file in fresh}

            def lines() -> Iterator[StoredLine]:
                lines = merged(stored, fresh)
                return lines if change is None else filter(None, map(change, lines))

            try:
                write_day(beside, kind, day, lines, segments={**(stored.segments if stored else {}), **sizes})
                _check_same(lines(), beside)
                beside.replace(place)
            except BaseException:
                with suppress(OSError):
                    beside.unlink(missing_ok=True)
                raise
            _sync_folder(place.parent)
    for path, _ in segments:
        path.unlink()
    return place.stat().st_size - known


def merged(stored: StoredDay | None, segments: list[tuple[Path, IO[bytes]]]) -> Iterator[StoredLine]:
    """All lines in the order of the segments' names."""
    sources = [_without_blanks(path, file) for path, file in segments]
    if stored:
        sources.append(line._replace(raw=line.raw or orjson.dumps(line.value)) for line in stored.lines())
    return heapq.merge(*sources, key=lambda line: line.worker)


def _without_blanks(path: Path, file: IO[bytes]) -> Iterator[StoredLine]:
    """Read a segment, without the empty lines that end a torn one."""
    file.seek(0)
    return (line for line in segment_lines(file, path.stem.split("-")[2]) if line.raw != b"\n")


def _check_same(lines: Iterator[StoredLine], path: Path) -> None:
    """Raise LedgerUnavailable where the file does not give every line back, in its place and to the letter."""
    with StoredDay(path) as written:
        for line, again in zip_longest(lines, written.lines()):
            if line is None or again is None or not _is_same(line, again):
                where = line or again
                raise LedgerUnavailable(
                    f"{path.parent.name}: the line at byte {where.offset} of writer {where.worker} came back otherwise "
                    "from Parquet than it was written; its segment stays as it is. Please report this with that line"
                )


def _is_same(line: StoredLine, again: StoredLine) -> bool:
    same = line.raw == again.raw if again.raw is not None else orjson.dumps(line.value) == orjson.dumps(again.value)
    return same and (line.worker, line.offset) == (again.worker, again.offset)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
