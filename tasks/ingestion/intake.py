"""One incoming file, judged while it streams: accepted rows to one Parquet file, rejected rows to another.

Nothing is kept of a file that is refused, and a file may be larger than memory.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from releve.adapters.files import ParquetAppender
from releve.adapters.tables.chunks import Chunk, Line
from releve.adapters.tables.file_types import CsvOptions, open_table
from releve.core.config_hint import ConfigHint, params_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted
from releve.core.params import Ingest, Params
from releve.domain.ingestion.batch_checks import BatchChecks, BatchProfile
from releve.domain.ingestion.cell_formats import CellFormats, MarkerCounts, describe_markers, read_cells
from releve.domain.ingestion.numerals import advice
from releve.domain.schema.columns import NUMBER
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import Problem, check_columns, check_frame
from tasks.ingestion.quarantine import REJECTION_COLUMNS, Quarantine

ENOUGH_STRANGE = 1000  # cells, to see how a file writes its numbers
RESERVED = "_answer_id"  # names the answer that a harvested row was; no feature
OWN = [RESERVED, *REJECTION_COLUMNS]  # columns of ours beside a table's
AS_A_WHOLE = (
    "row_count",
    "missing",
    "new_categories",
    "out_of_range",
    "duplicate_rows",
    "time_back",
)  # checks (batch)
Progress = Callable[[int], None]  # is told how many bytes of the file were read


@dataclass(frozen=True, eq=False)
class Intake:
    """A file that can be used: `accepted` + `quarantine.rows` are the rows that it holds."""

    accepted: int
    rows: ParquetAppender
    quarantine: Quarantine
    read_as: str
    warnings: tuple[str, ...]
    profile: BatchProfile


def take_in(
    path: Path,
    schema: Schema,
    *,
    params: Params,
    room: Path,
    earlier: BatchProfile = BatchProfile(),  # noqa: B008
    progress: Progress = lambda place: None,
) -> Intake:
    """Read a file and judge its rows; both halves wait below `room` until they are kept or discarded.

    earlier: of the batches before. Raises BadInput when the file cannot be used as a whole.
    """
    rows, quarantine = ParquetAppender(room / "accepted.parquet"), Quarantine(room / "rejected.parquet")
    try:
        return _judged(path, schema, params, rows, quarantine, earlier, progress)
    except BaseException:
        rows.discard()
        quarantine.discard()
        raise


def _judged(
    path: Path,
    schema: Schema,
    params: Params,
    rows: ParquetAppender,
    quarantine: Quarantine,
    earlier: BatchProfile,
    progress: Progress,
) -> Intake:
    strange: list[str] = []
    marked: MarkerCounts = Counter()
    reading = CellFormats.of(params.ingest)
    table = open_table(path, names=[*schema.names, schema.target.name], options=csv_options(params.ingest))
    with closing(table.chunks):  # type: ignore[type-var]  # all of them are generators
        is_resubmitted, chunks = _is_resubmitted(table.chunks)
        params = for_resubmitted(params) if is_resubmitted else params
        watch = BatchChecks(schema, earlier, params.batch)
        for chunk in _chunks(chunks, schema, path.name):
            read = read_cells(chunk.frame, schema, reading, is_text=table.is_text)
            marked += read.marked
            checked = check_frame(schema, read.frame)
            quarantine.add(chunk, checked.problems, checked.rejected_rows)
            if table.is_text and len(strange) < ENOUGH_STRANGE:
                strange += _no_numbers(checked.problems, schema)
            if len(checked.accepted):
                rows.append(checked.accepted)
                watch.add(checked.accepted)
            progress(table.place())
    accepted, total = watch.profile.rows, watch.profile.rows + quarantine.rows
    if not total:
        raise BadInput(f"{path.name} has no rows; put a file with at least one row in its place")
    check_share(
        quarantine.rows,
        rows=total,
        allowed=params.ingest.max_rejected_share,
        source=path.name,
        reasons=quarantine.reasons,
        first=quarantine.first,
        cure=advice(strange),
    )
    warnings = (
        *_warnings(watch, total, source=path.name),
        *describe_markers(marked),
        *filter(None, [advice(strange)]),
        *map(str, table.notes()),
    )
    return Intake(accepted, rows, quarantine, table.read_as, warnings, watch.profile)


def csv_options(params: Ingest, *, say: ConfigHint = params_hint) -> CsvOptions:
    """What params say of CSV files and sheets, and where a person does."""
    return CsvOptions(params.csv_encoding, params.csv_delimiter, params.header_line, params.sheet, say)


def for_resubmitted(params: Params) -> Params:
    """What is asked of rows that were rejected and mended: a handful, of an old batch, that need not look like one.

    Those that still do not fit go to quarantine again, with new reasons, and do not take the others along.
    """
    asked = params.batch
    ignored = {"ignore": (*asked.ignore, *AS_A_WHOLE), "refuse": tuple({*asked.refuse} - {*AS_A_WHOLE})}
    ingest = params.ingest.model_copy(update={"max_rejected_share": 1.0})
    return params.model_copy(update={"batch": asked.model_copy(update=ignored), "ingest": ingest})


def _is_resubmitted(chunks: Iterator[Chunk]) -> tuple[bool, Iterator[Chunk]]:
    """Whether these are resubmitted rows, as the columns beside them tell, and the same chunks."""
    first = list(islice(chunks, 1))
    is_resubmitted = any(set(REJECTION_COLUMNS) & set(chunk.frame.columns) for chunk in first)
    return is_resubmitted, chain(iter(first), chunks)  # an iterator lets go of what it has given


def _chunks(chunks: Iterator[Chunk], schema: Schema, source: str) -> Iterator[Chunk]:
    """The same chunks without our own columns, each with the columns that the schema describes."""
    names: list[Any] = []
    for chunk in chunks:
        lines = tuple(_without_own(line, list(chunk.frame.columns)) for line in chunk.lines)
        chunk = Chunk(chunk.frame, chunk.rows, lines)
        frame = chunk.frame.drop(columns=OWN, errors="ignore")
        if list(frame.columns) != names:
            if len(frame) or not chunk.lines or len(frame.columns):
                check_columns(schema, list(frame.columns), source=source)
            names = list(frame.columns)
        yield Chunk(frame, chunk.rows, chunk.lines) if len(frame) else _without_rows(chunk, schema)


def _without_own(line: Line, columns: list[Any]) -> Line:
    """A line that is no row, without the cells of our own columns before the table's."""
    own = next((place for place, name in enumerate(columns) if name not in OWN), 0)
    return replace(line, cells=line.cells[own:]) if isinstance(line.cells, list) else line


def _without_rows(chunk: Chunk, schema: Schema) -> Chunk:
    """A chunk in which no line is a row: its frame has the schema's columns, and nothing in them."""
    empty = chunk.frame.reindex(columns=[*schema.names, schema.target.name])
    return Chunk(empty, chunk.rows, chunk.lines)


def _number_columns(schema: Schema) -> set[str]:
    numbers = {column.name for column in schema.columns if column.type == NUMBER}
    return numbers | ({schema.target.name} if schema.target.is_number else set())


def _no_numbers(problems: Iterable[Problem], schema: Schema) -> list[str]:
    """The texts that were rejected in columns of numbers."""
    numbers = _number_columns(schema)
    return [found.value for found in problems if found.column in numbers and isinstance(found.value, str)]


def check_share(
    rejected: int, *, rows: int, allowed: float, source: str, reasons: Counter[str], first: str = "", cure: str = ""
) -> None:
    """Raises BadInput, with the commonest reasons, when too many rows of a file were rejected."""
    if rejected <= allowed * rows and rejected < rows:
        return
    common = "; ".join(f"{reason} ({count} x)" for reason, count in reasons.most_common(3))
    if rejected == rows:
        what = f"none of {counted(rows, 'row')} fits the schema"
    else:
        what = (
            f"{rejected:,} of {counted(rows, 'row')} do not fit the schema, more than a share of {allowed:g} "
            "(params.yaml: ingest.max_rejected_share)"
        )
    raise BadInput(
        f"{source}: {what}, so the file is refused whole. Most frequent: {common}. "
        f"The first: {first}{cure and '. '}{cure}"
    )


def _warnings(watch: BatchChecks, rows: int, *, source: str) -> tuple[str, ...]:
    """What is odd about the file. Raises BadInput when params say that it is to be refused for it."""
    findings = watch.findings(rows)
    if refusals := [finding.text for finding in findings if finding.refuse]:
        raise BadInput(f"{source} is refused as a batch: {'; '.join(refusals)}")
    return tuple(finding.text for finding in findings)
