"""Parts of a large table on disk, each written a frame at a time, and there under its name once it is whole."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from releve.adapters.files import ParquetAppender
from releve.core.errors import DiskFull, StorageRefused, explained_storage
from releve.domain.scoring.columns import nested
from releve.domain.scoring.manifest import Form

if TYPE_CHECKING:
    import pandas as pd


class PartFile(Protocol):
    """One part; the first frame's columns and types hold for all."""

    def append(self, frame: "pd.DataFrame") -> None: ...
    def close(self) -> None: ...
    def move(self, path: Path) -> None:
        """Flush the closed file to disk and give it its name."""

    def discard(self) -> None:
        """Leave nothing behind."""


def new_part(path: Path, form: Form) -> PartFile:
    """Begin a part, written to `path` until it is moved."""
    return ParquetAppender(path) if form is Form.PARQUET else LinesAppender(path, LINES[form])


class LinesAppender:
    """A file of lines. `render`: of a frame, and whether it is the file's first one."""

    def __init__(self, path: Path, render: Callable[["pd.DataFrame", bool], bytes]) -> None:
        self.path = path
        self._render = render
        self._file: IO[bytes] | None = None

    def append(self, frame: "pd.DataFrame") -> None:
        with explained_storage(self.path):
            is_first = self._file is None
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb")
            self._file.write(self._render(frame, is_first))

    def close(self) -> None:
        if self._file is not None:
            with explained_storage(self.path):
                self._file.close()

    def move(self, path: Path) -> None:
        if self._file is not None:
            with explained_storage(path):
                with self.path.open("rb") as file:
                    os.fsync(file.fileno())
                path.parent.mkdir(parents=True, exist_ok=True)
                self.path.replace(path)

    def discard(self) -> None:
        try:
            with suppress(DiskFull, StorageRefused):
                self.close()
        finally:
            self.path.unlink(missing_ok=True)


def _csv(frame: "pd.DataFrame", is_first: bool) -> bytes:
    import pyarrow
    import pyarrow.csv

    sink = pyarrow.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=is_first, quoting_style="needed", quoting_header="needed")
    pyarrow.csv.write_csv(pyarrow.Table.from_pandas(frame, preserve_index=False), sink, options)
    return bytes(sink.getvalue())


def _jsonl(frame: "pd.DataFrame", _: bool) -> bytes:
    import orjson

    columns: dict[str, list[Any]] = {
        str(name): [None if cell != cell else cell for cell in frame[name].tolist()] for name in frame.columns
    }
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in nested(columns))


LINES = {Form.CSV: _csv, Form.JSONL: _jsonl}
