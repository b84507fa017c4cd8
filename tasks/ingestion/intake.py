"""One incoming file, judged while it streams: accepted rows to one Parquet file, rejected rows to another.

Nothing is kept of a file that is refused, and a file may be larger than memory.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.files import ParquetAppender
from releve.adapters.tables.chunks import Chunk, UnreadableFile
from releve.adapters.tables.csv_file import CsvOptions
from releve.adapters.tables.file_types import open_table
from releve.adapters.tables.image_files import read_images
from releve.core.config_hint import ConfigHint, params_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted
from releve.core.params import Ingest, Params
from releve.domain.ingestion.batch_checks import BatchInspector, BatchProfile
from releve.domain.ingestion.cell_formats import CellFormats, MarkerCounts, describe_markers, read_cells
from releve.domain.ingestion.numerals import numerals_hint
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.schema.columns import IMAGE, NUMBER
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import Checked, Problem, check_columns, check_frame, with_columns
from tasks.ingestion.quarantine import REJECTION_COLUMNS, Quarantine

if TYPE_CHECKING:
    import pandas as pd

ROWS_WITH_IMAGES = 200  # that are read together
MOST_UNREAD = 1000  # rejected texts that show how a file writes its numbers
LABELLED_AT = "_labelled_at"  # of a harvested row; a label that is taken back makes another file than the first
DROPPED_COLUMNS = [LABELLED_AT, *REJECTION_COLUMNS]  # beside a table's, like ANSWER_ID, which is kept
CHECKS_OF_WHOLE_BATCHES = ("row_count", "missing", "new_categories", "out_of_range", "duplicate_rows", "time_back")
Progress = Callable[[int], None]  # gets the bytes of the file that were read so far


@dataclass(frozen=True, eq=False)
class Intake:
    """A file that can be used: `accepted` + `quarantine.rows` are the rows that it holds."""

    accepted: int
    rows: ParquetAppender
    quarantine: Quarantine
    read_as: str
    delimiter: str
    warnings: tuple[str, ...]
    profile: BatchProfile
    holds_answers: bool  # of the service, harvested with their labels

    def discard(self) -> None:
        self.rows.discard()
        self.quarantine.discard()


def take_in(
    path: Path,
    schema: Schema,
    *,
    params: Params,
    work_dir: Path,
    images: Path | None = None,
    earlier: BatchProfile = BatchProfile(),  # noqa: B008
    progress: Progress = lambda place: None,
) -> Intake:
    """Read a file and judge its rows; both halves wait below `work_dir` until they are kept or discarded.

    images: the folder that paths of images are relative to; the file's own where left out. earlier: of the batches
    before. Raise BadInput when the file cannot be used as a whole.
    """
    formats, marked, unread = CellFormats.of(params.ingest), MarkerCounts(), list[str]()
    rows = ParquetAppender(work_dir / "accepted.parquet")
    quarantine = Quarantine(work_dir / "rejected.parquet", hides_lines=bool(schema.personal))
    try:
        table = open_table(path, names=[*schema.names, schema.target.name], options=csv_options(params.ingest))
        with closing(table.chunks):  # type: ignore[type-var]  # all of them are generators
            first = list(islice(table.chunks, 1))
            columns = {name for chunk in first for name in chunk.frame.columns}
            params, holds_answers = _relaxed(params, columns), ANSWER_ID in columns
            chunks = chain(iter(first), table.chunks)  # an iterator lets go of what it has given
            inspector = BatchInspector(schema, earlier, params.batch)
            for chunk in small_enough(without_own_columns(chunks, schema, path.name), schema):
                read = read_cells(chunk.frame, schema, formats, is_text=table.is_text)
                marked += read.marked
                frame = read_images(read.frame, schema, images or path.parent)
                checked = check_frame(schema, frame)
                quarantine.add(chunk, checked.problems, checked.rejected_rows)
                if table.is_text and len(unread) < MOST_UNREAD:
                    unread += _texts_among_numbers(checked.problems, schema)
                if len(checked.accepted):
                    rows.append(_with_answer_ids(checked, frame) if holds_answers else checked.accepted)
                    inspector.add(checked.accepted)
                progress(table.place())
        hint = numerals_hint(unread)
        findings = _check_whole(path.name, inspector, quarantine, params, hint=hint)
        return Intake(
            inspector.profile.rows,
            rows,
            quarantine,
            table.read_as,
            table.delimiter,
            (*findings, *describe_markers(marked), *filter(None, [hint]), *map(str, table.notes())),
            inspector.profile,
            holds_answers,
        )
    except BaseException as error:
        rows.discard()
        quarantine.discard()
        raise_as_shown(error, schema)
        raise


def raise_as_shown(error: BaseException, schema: Schema) -> None:
    """Raise what a reader said of a file without the parts of the file that it repeats, for a table with personal
    columns."""
    if isinstance(error, UnreadableFile) and schema.personal:
        raise BadInput(error.without_cells) from None


def csv_options(params: Ingest, *, say: ConfigHint = params_hint) -> CsvOptions:
    """Collect what params say of CSV files and sheets, and where a person says it."""
    return CsvOptions(params.csv_encoding, params.csv_delimiter, params.header_line, params.sheet, say)


def _relaxed(params: Params, columns: Set[str]) -> Params:
    """Relax params for rows that were here before: rejected ones, which were fixed, and answers with their labels."""
    if not columns.isdisjoint(REJECTION_COLUMNS):
        params = for_resubmitted(params)
    if ANSWER_ID in columns:  # labels come late, and corrected ones later still
        params = without_checks(params, "time_back")
    return params


def for_resubmitted(params: Params) -> Params:
    """Relax params for rows that were rejected and fixed: a handful, of an old batch, that need not be like one.

    Those that still do not fit go to quarantine again, with new reasons, and the others are ingested.
    """
    ingest = params.ingest.model_copy(update={"max_rejected_share": 1.0})
    return without_checks(params.model_copy(update={"ingest": ingest}), *CHECKS_OF_WHOLE_BATCHES)


def without_checks(params: Params, *names: str) -> Params:
    """Ignore some checks of `batch`, those too that would refuse."""
    asked = params.batch
    ignored = {"ignore": (*asked.ignore, *names), "refuse": tuple({*asked.refuse} - {*names})}
    return params.model_copy(update={"batch": asked.model_copy(update=ignored)})


def without_own_columns(
    chunks: Iterable[Chunk], schema: Schema, source: str, *, labelled: bool = True
) -> Iterator[Chunk]:
    """Yield the same chunks without DROPPED_COLUMNS, each with the columns that the schema describes."""
    checked: list[Any] = []
    for chunk in chunks:
        columns = list(chunk.frame.columns)
        own = next((place for place, name in enumerate(columns) if name not in DROPPED_COLUMNS), 0)
        lines = tuple(
            replace(line, cells=line.cells[own:]) if isinstance(line.cells, list) else line for line in chunk.lines
        )
        frame = chunk.frame.drop(columns=DROPPED_COLUMNS, errors="ignore")
        names = [name for name in frame.columns if name != ANSWER_ID]
        if names != checked:
            if len(frame) or not lines or names:
                check_columns(schema, names, source=source, labelled=labelled)
            checked = names
        if not len(frame):  # no line is a row
            frame = frame.reindex(columns=[*schema.names, schema.target.name])
        yield Chunk(frame, chunk.rows, lines)


def small_enough(chunks: Iterable[Chunk], schema: Schema) -> Iterator[Chunk]:
    """Cut chunks whose paths of images become whole files; other tables stay as they are."""
    if all(column.type != IMAGE for column in schema.columns):
        yield from chunks
        return
    for chunk in chunks:
        yield Chunk(chunk.frame[:ROWS_WITH_IMAGES], chunk.rows[:ROWS_WITH_IMAGES], chunk.lines)
        for start in range(ROWS_WITH_IMAGES, len(chunk.frame), ROWS_WITH_IMAGES):
            piece = slice(start, start + ROWS_WITH_IMAGES)
            yield Chunk(chunk.frame[piece].reset_index(drop=True), chunk.rows[piece])


def _with_answer_ids(checked: Checked, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the accepted rows of `frame`, each with the id of the answer that it was."""
    kept = frame[ANSWER_ID].fillna("").astype(str).drop(index=frame.index[checked.rejected_rows])
    return with_columns(checked.accepted, {ANSWER_ID: kept.to_numpy()})


def _texts_among_numbers(problems: Iterable[Problem], schema: Schema) -> list[str]:
    """Return the texts that were rejected in columns of numbers."""
    numbers = {column.name for column in schema.columns if column.type == NUMBER}
    numbers |= {schema.target.name} if schema.target.is_number else set()
    numbers -= schema.personal
    return [each.value for each in problems if each.column in numbers and isinstance(each.value, str)]


def _check_whole(
    source: str, inspector: BatchInspector, quarantine: Quarantine, params: Params, *, hint: str
) -> list[str]:
    """Say what is unusual of a file as a whole. Raise BadInput where params refuse it for that."""
    rows = inspector.profile.rows + quarantine.rows
    if not rows:
        raise BadInput(f"{source} has no rows; put a file with at least one row in its place")
    check_share(quarantine, rows=rows, allowed=params.ingest.max_rejected_share, source=source, hint=hint)
    findings = inspector.findings(rows)
    if refusals := [finding.text for finding in findings if finding.refuse]:
        raise BadInput(f"{source} is refused as a batch: {'; '.join(refusals)}")
    return [finding.text for finding in findings]


def check_share(quarantine: Quarantine, *, rows: int, allowed: float, source: str, hint: str = "") -> None:
    """Raise BadInput, with the commonest reasons, when too many rows of a file were rejected."""
    rejected = quarantine.rows
    if rejected <= allowed * rows and rejected < rows:
        return
    if rejected == rows:
        what = f"none of {counted(rows, 'row')} fits the schema"
    else:
        share = f"more than a share of {allowed:g} (params.yaml: ingest.max_rejected_share)"
        what = f"{rejected:,} of {counted(rows, 'row')} do not fit the schema, {share}"
    reasons = (f"{column} {reason} ({count} x)" for (column, reason), count in quarantine.reasons.most_common(3))
    raise BadInput(
        f"{source}: {what}, so the file is refused whole. Most frequent: {'; '.join(reasons)}. The first: "
        f"{quarantine.first}{hint and '. '}{hint}"
    )
