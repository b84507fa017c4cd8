"""Parquet, a part of a row group at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from releve.adapters.tables.chunks import Chunk, Table, chunk_rows, guarded, numbered, told_as

KIND = "PARQUET"


def open_parquet(path: Path) -> Table:
    """The rows of a Parquet file with the types that it gives them."""
    import pyarrow.parquet

    with told_as(path, KIND):
        file = pyarrow.parquet.ParquetFile(path)
    reading = _Reading(file, path.stat().st_size)
    return Table(guarded(reading.chunks(), path, KIND), "parquet", place=reading.place)


class _Reading:
    """One pass over a file; its place is the share of its rows that were read."""

    def __init__(self, file: Any, size: int):
        self._file, self._size, self._read = file, size, 0

    def place(self) -> int:
        return int(self._size * self._read / max(self._file.metadata.num_rows, 1))

    def chunks(self) -> Iterator[Chunk]:
        with self._file:
            for batch in self._file.iter_batches(batch_size=chunk_rows(self._file.metadata.num_columns)):
                frame = batch.to_pandas().reset_index(drop=True)
                yield Chunk(frame, numbered(range(self._read + 1, self._read + len(frame) + 1)))
                self._read += len(frame)
