"""Parquet, a part of a row group at a time."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from releve.adapters.tables.chunks import (
    CHARACTERS_PER_CHUNK,
    Chunk,
    TableChunks,
    chunk_rows,
    guarded,
    read_errors,
    row_numbers,
)
from releve.domain.schema.cells import trimmed

KIND = "PARQUET"
UNNAMED_INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls it in a file


def open_parquet(path: Path, **_: object) -> TableChunks:
    """Open the rows of a Parquet file with the types that it gives them."""
    import pyarrow.parquet

    with read_errors(path, KIND):
        file = pyarrow.parquet.ParquetFile(path)
    reading = _ParquetReader(file, path.stat().st_size)
    return TableChunks(guarded(reading.chunks(), path, KIND), "parquet", place=reading.place)


class _ParquetReader:
    """One pass over a file; its place is the share of its rows that were read."""

    def __init__(self, file: Any, size: int):
        self._file, self._size, self._read = file, size, 0

    def place(self) -> int:
        return int(self._size * self._read / max(self._file.metadata.num_rows, 1))

    def chunks(self) -> Iterator[Chunk]:
        known = self._file.metadata
        size = sum(known.row_group(number).total_byte_size for number in range(known.num_row_groups))
        most = min(chunk_rows(known.num_columns), max(1, int(CHARACTERS_PER_CHUNK * known.num_rows / max(size, 1))))
        with self._file:
            for batch in self._file.iter_batches(batch_size=most):
                # The unnamed index of a pandas frame is left out; pandas would hide a named one, a column like any.
                kept = [at for at, name in enumerate(batch.schema.names) if not UNNAMED_INDEX.fullmatch(name)]
                batch.validate(full=True)  # texts that are not UTF-8 would fail later, where a cell is read
                frame = _as_frame(batch.select(kept))
                frame.columns = [*map(trimmed, frame.columns)]
                yield Chunk(frame, row_numbers(range(self._read + 1, self._read + len(frame) + 1)))
                self._read += len(frame)


def _as_frame(batch: Any) -> Any:
    """Convert to a frame. pandas makes floats, which end at 2^53, of integers beside a missing cell; these become its
    nullable integers."""
    import pandas as pd
    import pyarrow
    from pyarrow.types import is_dictionary, is_integer

    columns = [each.dictionary_decode() if is_dictionary(each.type) else each for each in batch.columns]
    frame = pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pandas(ignore_metadata=True)
    for place, column in enumerate(columns):
        if is_integer(column.type) and column.null_count:
            nullable = pd.api.types.pandas_dtype(str(column.type).replace("int", "Int").replace("uI", "UI"))
            frame.isetitem(place, column.to_pandas(types_mapper={column.type: nullable}.get))
    return frame
