"""A finished day of the ledger as one Parquet file: a row per answered row, and every line given back as it was.

Columns have the type that all of a day's values have: truth values, whole numbers, numbers, texts, lists of numbers;
values of several types are JSON texts. What a type cannot say stands beside it: `shape` holds the keys of each line and
of its row in their order, `whole` the numbers that were written without a point, `raw` a line that fits no column.

Rows are in the order of the segments, so that `worker` and `offset` are sorted: their statistics say which group of
rows an id is in.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, repeat
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from releve.adapters.prediction_ledger.segments import ANSWERS, LABELS, SEARCHES, SHADOWS, from_line

GROUP_ROWS = 8192  # an id costs the reading of one group: more rows make a smaller file, and a dearer search
GROUP_BYTES = 2**24  # of lines, so that rows with images do not fill the memory
LARGEST_EXACT, LARGEST_INT = 2**53, 2**63 - 1  # whole numbers up to it have a float of their own, an int64
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z")
REQUEST = re.compile(r"[0-9]{8}-[0-9a-f]{8}\.[0-9a-f]{1,12}\.[0-9a-f]{6}")
ABOUT = b"releve"  # the file's own metadata
ENCODED = {  # what grows from row to row is written as differences
    "id": "DELTA_BYTE_ARRAY",
    "of": "DELTA_BYTE_ARRAY",
    "at": "DELTA_BINARY_PACKED",
    "offset": "DELTA_BINARY_PACKED",
}
BOOL, INT, NUMBER, TEXT, NUMBERS, JSON = "bool", "int", "float", "str", "list", "json"  # the first five: Python's names
TIMESTAMP, BYTES = "timestamp", "bytes"
INEXACT, HUGE, MIXED = "inexact", "huge", "mixed"  # numbers without a float or an int64 of their own; lists of others
PLACE = ("worker", "offset", "shape", "whole", "raw")  # columns about the line, behind the line's own


@dataclass(frozen=True)
class LineKind:
    """What of a line stands once for each of its rows: lists, by the column that one of their items is in, and ids."""

    lists: Mapping[str, str]
    ids: tuple[str, ...] = ()


ANSWER_LISTS = {
    "labels": "label",
    "probabilities": "probabilities",
    "intervals": "interval",
    "decisions": "decision",
    "expected_costs": "expected_cost",
    "rules": "rule",
}
KINDS = {
    ANSWERS: LineKind({"rows": "features"} | ANSWER_LISTS, ("id",)),
    SHADOWS: LineKind(ANSWER_LISTS, ("id", "of")),
    LABELS: LineKind({}),
    SEARCHES: LineKind({}),
}


class StoredLine(NamedTuple):
    """A line where it stood in its segment; `value` is its JSON, `raw` its bytes where it fits no column."""

    worker: str
    offset: int
    value: Any
    raw: bytes | None = None

    @property
    def torn(self) -> bool:
        return self.value is None and self.raw != b"\n"


class StoredDay:
    """Reads a day's file. Raises FileNotFoundError where there is none."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet

        self._file = pyarrow.parquet.ParquetFile(path, memory_map=True)
        about = orjson.loads(self._file.metadata.metadata[ABOUT])
        self.segments: Mapping[str, int] = about["segments"]  # bytes of each that is in it, by name
        self._kind, self._json = KINDS[about["kind"]], frozenset(about["json"])
        paths = [self._file.metadata.schema.column(number).path for number in range(len(self._file.metadata.schema))]
        self._numbers = {name: paths.index(name) for name in ("worker", "offset", "at")}

    def __enter__(self) -> "StoredDay":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def holds(self, segment: Path) -> bool:
        """Whether these very lines are in it. Raises FileNotFoundError."""
        return self.segments.get(segment.name) == segment.stat().st_size

    def lines(self, *, features: Collection[str] | None = None) -> Iterator[StoredLine]:
        """Read all lines, in the order of the segments. `features`: the cells of these alone, None for all."""
        for group in range(self._file.num_row_groups):
            yield from self.group(group, features=features)

    def group(self, group: int, *, features: Collection[str] | None = None) -> Iterator[StoredLine]:
        """Read the lines of one group of rows."""
        yield from self._decode(self._file.read_row_group(group, columns=self._columns(features)))

    def groups(self) -> list[tuple[str, int, int]]:
        """List the groups of rows: when the newest line of each was written, its bytes, and its number."""
        metadata = self._file.metadata
        groups = []
        for number in range(metadata.num_row_groups):
            at = self._bounds(number, "at")
            newest = f"{at[1]:%Y-%m-%dT%H:%M:%S.%fZ}" if at else ""
            groups.append((newest, metadata.row_group(number).total_byte_size, number))
        return groups

    def find(self, worker: str, offsets: Collection[int]) -> Iterator[StoredLine]:
        """Read the lines that began at these offsets of a worker's segment; of the groups that may have them alone."""
        import pyarrow
        import pyarrow.compute as compute

        wanted = pyarrow.array(sorted(offsets), pyarrow.int64())
        for group in range(self._file.num_row_groups):
            workers, places = self._bounds(group, "worker"), self._bounds(group, "offset")
            if not workers or not places or not workers[0] <= worker <= workers[1]:
                continue
            if workers[0] == workers[1] and not any(places[0] <= offset <= places[1] for offset in offsets):
                continue
            here = self._file.read_row_group(group, columns=["worker", "offset"])
            is_wanted = compute.and_(
                compute.equal(here["worker"], worker), compute.is_in(here["offset"], value_set=wanted)
            )
            if compute.any(is_wanted).as_py():
                yield from self._decode(self._file.read_row_group(group).filter(is_wanted))

    def _bounds(self, group: int, name: str) -> tuple[Any, Any] | None:
        statistics = self._file.metadata.row_group(group).column(self._numbers[name]).statistics
        return (statistics.min, statistics.max) if statistics and statistics.has_min_max else None

    def _columns(self, features: Collection[str] | None) -> list[str] | None:
        if features is None:
            return None
        own = [name for name in self._file.schema_arrow.names if name != "features"]
        return [*own, *(f"features.{name}" for name in features)]

    def _decode(self, table: Any) -> Iterator[StoredLine]:
        columns = {name: table[name] for name in table.column_names if name != "features"}
        if "features" in table.column_names:
            cells = table["features"].combine_chunks()
            names = [field.name for field in cells.type]
            columns |= {f"features.{name}": cells.field(number) for number, name in enumerate(names)}
        values = {name: _values(column, is_json=name in self._json) for name, column in columns.items()}
        for row, names in enumerate(values["whole"]):
            for name in orjson.loads(names) if names else ():
                if name in values:
                    values[name][row] = int(values[name][row])
        shapes: dict[str, _Shape] = {}
        workers, offsets, raw = values["worker"], values["offset"], values["raw"]
        for (worker, offset), rows in groupby(range(table.num_rows), key=lambda row: (workers[row], offsets[row])):
            first, *others = rows
            if raw[first] is not None:
                yield StoredLine(worker, offset, from_line(raw[first]), raw[first])
                continue
            for row in (first, *others):
                text = values["shape"][row]
                if text not in shapes:
                    shapes[text] = _Shape(*orjson.loads(text))
            yield StoredLine(worker, offset, self._line(values, shapes, [first, *others]))

    def _line(self, values: Mapping[str, list[Any]], shapes: Mapping[str, "_Shape"], rows: list[int]) -> dict[str, Any]:
        first, line = rows[0], dict[str, Any]()
        shape = shapes[values["shape"][first]]
        for key in shape.keys:
            if key in shape.null:
                line[key] = None
            elif key == "rows" and key in self._kind.lists:
                cells = (shapes[values["shape"][row]].cells for row in rows)
                line[key] = [
                    {name: values[path][row] for name in names if (path := f"features.{name}") in values}
                    for row, names in zip(rows, cells, strict=True)
                ]
            elif key in self._kind.lists:
                line[key] = [] if shape.empty else [values[self._kind.lists[key]][row] for row in rows]
            elif key in self._kind.ids:
                line[key] = values[key][first].rpartition(".")[0]
            else:
                line[key] = values[key][first]
        return line


class _Shape(NamedTuple):
    """What of a line and one of its rows the columns do not say."""

    keys: Sequence[str]  # of the line, in its order
    null: Sequence[str]  # its lists that are null
    empty: bool  # whether its lists have no item
    cells: Sequence[str]  # keys of the row


def _values(column: Any, *, is_json: bool) -> list[Any]:
    import pyarrow
    import pyarrow.compute as compute

    if pyarrow.types.is_timestamp(column.type):
        texts = column.cast(pyarrow.string())
        return list(compute.replace_substring(texts, " ", "T", max_replacements=1).to_pylist())
    values = column.to_pylist()
    return [None if value is None else orjson.loads(value) for value in values] if is_json else list(values)


def write_day(
    path: Path, kind: str, day: str, read: Callable[[], Iterable[StoredLine]], *, segments: Mapping[str, int]
) -> None:
    """Write the lines that `read` gives, the same ones twice, as a day's file, and flush it to disk.

    Takes the memory of one group of rows. `segments`: those that are in it, with their bytes.
    """
    import pyarrow.parquet

    layout = _Layout(KINDS[kind], day)
    for block in layout.blocks(read()):
        layout.note(block)
    schema = layout.schema({"format": 1, "kind": kind, "day": day, "segments": dict(segments)})
    encoded = {name: encoding for name, encoding in ENCODED.items() if name in schema.names}
    with path.open("wb") as file:
        with pyarrow.parquet.ParquetWriter(
            file, schema, compression="zstd", use_dictionary=layout.repetitive(), column_encoding=encoded
        ) as writer:
            for block in layout.blocks(read()):
                writer.write_table(layout.table(block, schema), row_group_size=block.rows)
        file.flush()
        os.fsync(file.fileno())


@dataclass
class _Block:
    """Lines that become one group of rows; `counts` has the rows of each."""

    lines: list[StoredLine] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    rows: int = 0

    def repeated(self, values: Iterable[Any]) -> list[Any]:
        """Give each line's value to each of its rows."""
        return list(chain.from_iterable(map(repeat, values, self.counts)))


class _Layout:
    """Which columns a day has, and of what type: noted block by block, then applied to each."""

    def __init__(self, kind: LineKind, day: str) -> None:
        self._kind, self._day = kind, day
        self._date = f"{day[:4]}-{day[4:6]}-{day[6:]}T"
        self._taken = {*PLACE, "features", *kind.lists.values()} - {*kind.lists}
        self._types: dict[str, set[str]] = {}  # by column: what its values are, besides null
        self._shapes: dict[tuple[Any, ...], str] = {}

    def blocks(self, lines: Iterable[StoredLine]) -> Iterator[_Block]:
        """Cut lines into groups of rows; none is torn apart."""
        block, size = _Block(), 0
        for line in lines:
            rows = self._rows_of(line) if line.value is not None else 0
            block.lines.append(line if rows else line._replace(value=None))
            block.counts.append(rows or 1)
            block.rows += rows or 1
            size += len(line.raw or b"")
            if block.rows >= GROUP_ROWS or size >= GROUP_BYTES:
                yield block
                block, size = _Block(), 0
        if block.lines:
            yield block

    def note(self, block: _Block) -> None:
        """Learn what values the columns have."""
        for name, values in self._columns(block).items():
            self._types.setdefault(name, set()).update(_types_of(values))

    def schema(self, about: Mapping[str, Any]) -> Any:
        """Name and type the columns."""
        import pyarrow as pa

        self._forms = {name: _form(types) for name, types in self._types.items()}
        types = {
            BOOL: pa.bool_(),
            INT: pa.int64(),
            NUMBER: pa.float64(),
            NUMBERS: pa.list_(pa.float64()),
            TEXT: pa.string(),
            JSON: pa.string(),
            TIMESTAMP: pa.timestamp("us", "UTC"),
            BYTES: pa.binary(),
        }
        self._forms |= {"at": TIMESTAMP, "worker": TEXT, "offset": INT, "shape": TEXT, "whole": TEXT, "raw": BYTES}
        cells = [(name.partition(".")[2], types[form]) for name, form in self._forms.items() if "." in name]
        fields = [(name, types[form]) for name, form in self._forms.items() if "." not in name and name not in PLACE]
        fields += [("features", pa.struct(cells))] if cells else []
        fields += [(name, types[self._forms[name]]) for name in PLACE]
        json = sorted(name for name, form in self._forms.items() if form == JSON)
        return pa.schema(fields, metadata={ABOUT: orjson.dumps({**about, "json": json})})

    def repetitive(self) -> list[str]:
        """List the columns that a dictionary makes smaller."""
        return [name for name, form in self._forms.items() if name not in (*ENCODED, "raw") and form != NUMBERS]

    def table(self, block: _Block, schema: Any) -> Any:
        """Put a block into the columns."""
        import pyarrow as pa

        columns = self._columns(block)
        columns |= {
            "worker": block.repeated(line.worker for line in block.lines),
            "offset": block.repeated(line.offset for line in block.lines),
            "shape": self._shape_column(block),
            "whole": self._whole_column(block, columns),
            "raw": block.repeated(line.raw if line.value is None else None for line in block.lines),
        }

        def array(name: str, type_: Any) -> Any:
            values = columns.get(name) or [None] * block.rows
            if self._forms[name] == JSON:
                values = [None if value is None else orjson.dumps(value).decode() for value in values]
            if self._forms[name] == TIMESTAMP:
                return pa.array(values, pa.string()).cast(type_)
            return pa.array(values, type_)

        arrays = []
        for column in schema:
            if column.name == "features":
                cells = [array(f"features.{cell.name}", cell.type) for cell in column.type]
                arrays.append(pa.StructArray.from_arrays(cells, fields=list(column.type)))
            else:
                arrays.append(array(column.name, column.type))
        return pa.table(arrays, schema=schema)

    def _rows_of(self, line: StoredLine) -> int:
        """Count the rows that the columns have for a line; 0 where it does not fit them."""
        value, kind = line.value, self._kind
        if not isinstance(value, dict) or not self._taken.isdisjoint(value):
            return 0
        at = value.get("at")
        if not (isinstance(at, str) and at.startswith(self._date) and TIME.fullmatch(at, len(self._date))):
            return 0
        for name in kind.ids:
            if not isinstance(value.get(name), str) or not REQUEST.fullmatch(value[name]):
                return 0
        if kind.ids and not value["id"].startswith(f"{self._day}-{line.worker}.{line.offset:x}."):
            return 0
        sizes = set()
        for name in kind.lists:
            items = value.get(name)
            if items is not None and not isinstance(items, list):
                return 0
            if items is not None:
                sizes.add(len(items))
        if len(sizes) > 1:
            return 0
        if "rows" in kind.lists and (not value.get("rows") or {*map(type, value["rows"])} != {dict}):
            return 0
        return max([1, *sizes])

    def _columns(self, block: _Block) -> dict[str, list[Any]]:
        """Take the values of each column, but for those of PLACE."""
        values = [line.value or {} for line in block.lines]
        lists, ids = self._kind.lists, self._kind.ids
        columns = {}
        for key in dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, values)))):
            if key in ids:
                numbered = zip((value.get(key) for value in values), block.counts, strict=True)
                columns[key] = [
                    None if name is None else f"{name}.{row}" for name, count in numbered for row in range(count)
                ]
            elif key not in lists:
                columns[key] = block.repeated(value.get(key) for value in values)
            elif key != "rows":
                pairs = zip(values, block.counts, strict=True)
                items = (value.get(key) or repeat(None, count) for value, count in pairs)
                columns[lists[key]] = list(chain.from_iterable(items))
        rows = self._rows(block)
        for name in dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, rows)))):
            columns[f"features.{name}"] = [row.get(name) for row in rows]
        return columns

    def _rows(self, block: _Block) -> list[Mapping[str, Any]]:
        if "rows" not in self._kind.lists:
            return [{}] * block.rows
        return [row for line in block.lines for row in (line.value["rows"] if line.value else ({},))]

    def _shape_column(self, block: _Block) -> list[str | None]:
        shapes, rows = [], iter(self._rows(block))
        for line, count in zip(block.lines, block.counts, strict=True):
            value = line.value or {}
            lists = [key for key in self._kind.lists if key in value]
            null = tuple(key for key in lists if value[key] is None)
            empty = any(value[key] == [] for key in lists)
            for _ in range(count):
                key = (tuple(value), null, empty, tuple(next(rows)))
                if key not in self._shapes:
                    self._shapes[key] = orjson.dumps(key).decode()
                shapes.append(self._shapes[key] if line.value is not None else None)
        return shapes

    def _whole_column(self, block: _Block, columns: Mapping[str, list[Any]]) -> list[str | None]:
        mixed = [name for name in columns if self._forms[name] == NUMBER and INT in self._types[name]]
        if not mixed:
            return [None] * block.rows
        cells = zip(*(columns[name] for name in mixed), strict=True)
        written = ([name for name, cell in zip(mixed, row, strict=True) if type(cell) is int] for row in cells)
        return [orjson.dumps(names).decode() if names else None for names in written]


def _types_of(values: list[Any]) -> set[str]:
    """Name what values are, besides null."""
    types = {each.__name__ for each in set(map(type, values)) if each is not type(None)}
    if INT in types:
        largest = max(abs(value) for value in values if type(value) is int)
        types |= {name for name, most in ((INEXACT, LARGEST_EXACT), (HUGE, LARGEST_INT)) if largest > most}
    if NUMBERS in types:
        items = set(map(type, chain.from_iterable(value for value in values if type(value) is list)))
        types |= {MIXED} if items - {float} else set()
    return types


def _form(types: set[str]) -> str:
    """Choose the column's type: the one that all values have, else JSON."""
    if types == {NUMBER, INT}:
        return NUMBER
    if types in ({INT}, {INT, INEXACT}):
        return INT
    if len(types) > 1:
        return JSON
    only = next(iter(types), TEXT)
    return only if only in (BOOL, NUMBER, TEXT, NUMBERS) else JSON
