"""Lines of the ledger, whatever form they are in: segments as they are written, and finished days."""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, groupby
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from releve.adapters.prediction_ledger.days import StoredDay, StoredLine
from releve.adapters.prediction_ledger.segments import day_in, from_line, is_finished, segments_of

L = TypeVar("L")


class SegmentLines(Generic[L]):
    """The lines of segments and finished days, one day after the other, as `parse` reads them; counts those that cannot
    be read. `features`: of finished days read the cells of these alone; None for all."""

    def __init__(
        self, paths: Iterable[Path], parse: Callable[[Any], L | None], *, features: Collection[str] | None = None
    ) -> None:
        self._paths = paths
        self._parse = parse
        self._features = features
        self.torn = 0

    def __iter__(self) -> Iterator[L]:
        for _, paths in groupby(self._paths, key=day_in):
            with ExitStack() as stack:
                for line in self._merged(*_open_day(list(paths), stack)):
                    parsed = self._parse(line.value)
                    if parsed is not None:
                        yield parsed
                    elif line.raw != b"\n":
                        self.torn += 1

    def _merged(self, day: StoredDay | None, segments: list[tuple[str, IO[bytes]]]) -> Iterator[StoredLine]:
        """The lines of one day in the order of their segments' names, whichever of them are in the day's file."""
        opened = [segment_lines(file, worker) for worker, file in segments]
        if day is None:
            return chain.from_iterable(opened)
        finished = day.lines(features=self._features)
        return heapq.merge(finished, *opened, key=lambda line: line.worker) if opened else finished


def segment_lines(file: IO[bytes], worker: str) -> Iterator[StoredLine]:
    """Read a segment from its beginning."""
    offset = 0
    for raw in file:
        yield StoredLine(worker, offset, from_line(raw), raw)
        offset += len(raw)


def _open_day(paths: list[Path], stack: ExitStack) -> tuple[StoredDay | None, list[tuple[str, IO[bytes]]]]:
    """Open all files of one day at once, and each of its segments once: alone, or in the day's file."""
    folder, kind, day = paths[0].parent, paths[0].name.split("-")[0], day_in(paths[0])
    while paths:
        with ExitStack() as opening:
            try:
                finished = next((opening.enter_context(StoredDay(path)) for path in paths if is_finished(path)), None)
                segments: list[tuple[str, IO[bytes]]] = [
                    (path.stem.split("-")[2], opening.enter_context(path.open("rb")))
                    for path in paths
                    if not is_finished(path) and not (finished and finished.holds(path))
                ]
                stack.enter_context(opening.pop_all())
                return finished, segments
            except FileNotFoundError:  # it was compacted, or left, meanwhile
                paths = segments_of(folder, kind, day, day)
    return None, []
