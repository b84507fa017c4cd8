"""Following the segments of a ledger while they are written: what is new since the last look."""

from collections.abc import Iterator
from pathlib import Path

from releve.adapters.prediction_ledger.segments import refusal, segments_of

MOST_BYTES = 2**25  # of one segment that one look reads, the newest: who is further behind has missed lines anyway


class SegmentFollower:
    """Reads each whole line once, of all writers' segments of one kind."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._read: dict[str, int] = {}  # bytes of each segment, by name

    def new_lines(self, *, first_day: str) -> Iterator[bytes]:
        """Yield the lines that were written since the last look, of segments from that day (YYYYMMDD) on.

        Raises Unavailable.
        """
        for path in segments_of(self._folder, self._kind, first_day):
            if path.suffix != ".jsonl":  # a day that is finished
                continue
            try:
                yield from self._lines_of(path)
            except FileNotFoundError:  # archived meanwhile
                continue
            except OSError as error:
                raise refusal(path, error) from None

    def _lines_of(self, path: Path) -> list[bytes]:
        start, size = self._read.get(path.name, 0), path.stat().st_size
        if size <= start:
            return []
        first = max(start, size - MOST_BYTES)
        with path.open("rb") as segment:
            segment.seek(first)
            data = segment.read(size - first)
        begun = data.find(b"\n") + 1 if first > start else 0  # its first line began before
        ended = data.rfind(b"\n") + 1  # its last one may still be written
        if begun < ended:
            self._read[path.name] = first + ended
        return data[begun:ended].splitlines(keepends=True)
