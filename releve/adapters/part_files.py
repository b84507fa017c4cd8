"""Parts of a large table on disk, each written a frame at a time, and there under its name once it is whole."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.files import AppendedFile, ParquetAppender
from releve.core.errors import explained_storage
from releve.domain.scoring.columns import nested
from releve.domain.scoring.manifest import Form

if TYPE_CHECKING:
    import pandas as pd


def new_part(path: Path, form: Form) -> AppendedFile:
    """Begin a part, written to `path` until it is moved."""
    return ParquetAppender(path) if form is Form.PARQUET else LinesAppender(path, LINES[form])


class LinesAppender(AppendedFile):
    """A file of lines. `render`: of a frame, and whether it is the file's first one."""

    def __init__(self, path: Path, render: Callable[["pd.DataFrame", bool], bytes]) -> None:
        super().__init__(path)
        self._render = render

    def append(self, frame: "pd.DataFrame") -> None:
        with explained_storage(self.path):
            is_first = self._writer is None
            if is_first:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = self.path.open("wb")
            self._writer.write(self._render(frame, is_first))


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
