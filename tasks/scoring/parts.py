"""The work of a scoring: pieces of the inputs are answered side by side, and become parts in their order.

A part's lines of the ledger and its rejected rows come before it, and its line of the manifest after it. So whoever is
killed leaves finished parts, and one that is done again: its files are replaced, its lines of the ledger found.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from releve.adapters.compute import Function, Outcome, cores, open_workers
from releve.adapters.part_files import new_part
from releve.adapters.tables.chunks import Piece
from releve.adapters.tables.file_types import open_table
from releve.core.errors import BadInput, Unavailable
from releve.core.params import Params
from releve.domain.features.clock import UNKNOWN
from releve.domain.features.history import LagHistory
from releve.domain.schema.schema import Schema
from releve.domain.scoring.columns import ANSWER, SOURCE
from releve.domain.scoring.manifest import PartScored, ScoringManifest
from tasks.ingestion.intake import csv_options, raise_as_shown
from tasks.ingestion.quarantine import Quarantine
from tasks.scoring.answers import PieceHistory, PieceToScore, ScoredPiece, Scorer, loaded, read_history, score_piece
from tasks.scoring.inputs import InputFile
from tasks.scoring.ledger import ScoringLedger
from tasks.scoring.output import ScoringOutput, rejected_name

ROWS_PER_PART = 50_000  # at least, but for the last of a file: what a kill costs
IMPORT_SECONDS = 2.0  # of a first piece, which imports what it needs: one that takes longer says how long all take
WORTH_SECONDS = 6.0  # of work that is left: other processes halve them, and take two or three to start


@dataclass(frozen=True)
class ScoringProgress:
    """How far it is."""

    done: int  # bytes of the inputs
    of: int
    rows: int  # answered or rejected


Progress = Callable[[ScoringProgress], None]


def write_parts(
    out: ScoringOutput,
    manifest: ScoringManifest,
    files: Sequence[InputFile],
    *,
    is_folder: bool,
    schema: Schema,
    params: Params,
    scorer: Scorer,
    ledger: ScoringLedger | None,
    progress: Progress,
) -> ScoringManifest:
    """Write the parts that the manifest does not have; return it with all of them.

    `is_folder`: whether rows name their file. Raise BadInput, Unavailable, DiskFull, StorageRefused.
    """
    of = sum(each.described.bytes for each in files)
    rows, part = manifest.rows, None
    pieces = partial(_pieces, files, schema=schema, params=params)
    done = partial(_done, of=of, scorer=scorer, schema=schema, params=params)
    try:
        for item, scored in done(score_piece, _with_history(pieces, manifest, done, schema)):
            if part is not None and part.source is not files[item.source]:
                manifest = part.finish(manifest)
                part = None
            part = part or _Part(
                out,
                manifest,
                files[item.source],
                is_folder=is_folder,
                ledger=ledger,
                hides_lines=bool(schema.personal),
            )
            part.add(scored)
            rows += scored.rows
            progress(ScoringProgress(item.place, of, rows))
            if part.rows >= ROWS_PER_PART:
                manifest = part.finish(manifest)
                part = None
        return manifest if part is None else part.finish(manifest)
    except BaseException as error:
        if part is not None:
            part.discard()
        raise_as_shown(error, schema)
        raise


def _pieces(
    files: Sequence[InputFile], manifest: ScoringManifest, schema: Schema, params: Params
) -> Iterator[PieceToScore]:
    """Yield the pieces of the inputs that are in no finished part. Raise BadInput for a file without rows, or one that
    changed meanwhile."""
    before = 0
    for number, file in enumerate(files):
        done, found = manifest.pieces_of(file.name), 0
        names = [column.name for column in schema.asked]
        table = open_table(file.path, names=names, options=csv_options(params.ingest))
        pieces: Iterator[Piece] = table.chunks if table.pieces is None else table.pieces
        with closing(pieces):  # type: ignore[type-var]  # all of them are generators
            for found, piece in enumerate(pieces, start=1):
                if found > done:
                    place = before + min(table.place(), file.described.bytes)
                    yield PieceToScore(number, file.name, piece, table.is_text, place, found)
        if not found:
            raise BadInput(f"{file.name} has no rows; put a file with at least one row in its place")
        if file.is_changed:
            raise BadInput(f"{file.name} changed while it was read; leave it as it is, and give --again to start over")
        before += file.described.bytes


@dataclass(frozen=True)
class _Span:
    """The rows of a piece: between which ticks they are, and of which entities."""

    oldest: int
    newest: int
    entities: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _InputHistory:
    """What all inputs say of columns whose lags are features, and what rows each piece has."""

    history: LagHistory
    spans: Mapping[tuple[int, int], _Span]  # by the places of the input and of the piece

    @classmethod
    def of(cls, read: Iterable[tuple[PieceToScore, PieceHistory]], schema: Schema) -> "_InputHistory":
        """Put together what pieces say, in their order."""
        history, spans, found = LagHistory(schema), {}, list[PieceHistory]()
        for item, piece in read:
            known = piece.rows.ticks[piece.rows.ticks != UNKNOWN]
            if len(known):
                entities = tuple(sys.intern(name) for name, _ in piece.rows.by_entity())  # many pieces have the same
                spans[item.source, item.number] = _Span(int(known.min()), int(known.max()), entities)
                found.append(piece)
        if found:
            joined = PieceHistory.joined(found)
            history.add(joined.rows, joined.values)
        return cls(history, spans)

    def given_to(self, item: PieceToScore) -> PieceToScore:
        """Return a piece with what its rows look up."""
        span = self.spans.get((item.source, item.number))
        if span is None:
            return item
        return replace(item, reached=self.history.reached(span.oldest, span.newest, span.entities))


def _with_history(
    pieces: Callable[[ScoringManifest], Iterator[PieceToScore]],
    manifest: ScoringManifest,
    done: Callable[[Function, Iterator[PieceToScore]], Iterator[tuple[PieceToScore, Any]]],
    schema: Schema,
) -> Iterator[PieceToScore]:
    """Yield the pieces that are left, with what the rows of all inputs say: lags end at no piece, and at no kill."""
    lagged = schema.derived.lagged if schema.derived else ()
    if {*lagged} <= {schema.target.name}:  # which is not read
        return pieces(manifest)
    history = _InputHistory.of(done(read_history, pieces(ScoringManifest(manifest.begun))), schema)
    return map(history.given_to, pieces(manifest))


def _done(
    function: Function, pieces: Iterator[PieceToScore], *, of: int, scorer: Scorer, schema: Schema, params: Params
) -> Iterator[tuple[PieceToScore, Any]]:
    """Do pieces in their order where `compute` says; the first ones here, which is all of a table that takes little
    time. `of`: bytes of all inputs. Raise Unavailable where a piece ended its process."""
    compute = params.compute
    several = compute.address or (compute.workers or cores()) > 1

    def first() -> Iterator[PieceToScore]:
        """Whoever asks for the next piece has done the one before, by a model that is loaded."""
        loaded(scorer)
        at, began = 0, time.monotonic()
        for item in pieces:
            yield item
            now = time.monotonic()
            is_known = several and item.place > at and (at or now - began > IMPORT_SECONDS)
            if is_known and (now - began) / (item.place - at) * (of - item.place) >= WORTH_SECONDS:
                return
            at, began = (at, began) if at else (item.place, now)

    sees = [scorer.images] if schema.images and scorer.images.is_dir() else []
    where = partial(open_workers, function, scorer, address=compute.address, workers=compute.workers, sees=sees)
    if not compute.address:
        with where(here=True) as here:
            yield from map(_checked_outcome, here.stream(first()))
    following = next(pieces, None)
    if following is not None:
        with where() as workers:
            yield from map(_checked_outcome, workers.stream(chain([following], pieces)))


def _checked_outcome(done: tuple[PieceToScore, Outcome]) -> tuple[PieceToScore, Any]:
    item, outcome = done
    if outcome.problem:
        raise Unavailable(f"{outcome.problem}; what is finished is kept, and the same command goes on from there")
    return item, outcome.value


class _Part:
    """A part that is being written."""

    def __init__(
        self,
        out: ScoringOutput,
        manifest: ScoringManifest,
        source: InputFile,
        *,
        is_folder: bool,
        ledger: ScoringLedger | None,
        hides_lines: bool,
    ) -> None:
        self.source = source
        self._out, self._is_folder, self._ledger = out, is_folder, ledger
        self._name = out.part_name(len(manifest.parts))
        self._file = new_part(out.work / self._name, out.form)
        self._quarantine = Quarantine(out.work / "rejected.parquet", hides_lines=hides_lines)
        self._pieces = self._answered = self._requests = 0
        self._unknown: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        return self._answered + self._quarantine.rows

    def add(self, scored: ScoredPiece) -> None:
        """Write the rows of a piece."""
        frame = scored.answers
        if self._is_folder:
            frame.insert(0, SOURCE, self.source.name)
        if self._ledger is not None:
            frame[ANSWER] = self._ledger.write(scored.requests)
        if len(frame):
            self._file.append(frame)
        self._quarantine.add(scored.rejected, scored.problems, list(range(len(scored.rejected.frame))))
        self._pieces += 1
        self._answered += len(frame)
        self._requests += len(scored.requests)
        self._unknown += scored.unknown

    def discard(self) -> None:
        """Close its files, also where their ends do not fit on the disk."""
        self._file.discard()
        self._quarantine.discard()

    def finish(self, manifest: ScoringManifest) -> ScoringManifest:
        """Give it its name, and write it into the manifest."""
        if self._ledger is not None:
            self._ledger.sync()
        self._file.close()
        self._quarantine.keep(self._out.folder / rejected_name(self._name))
        self._file.move(self._out.folder / self._name)
        self._out.send(rejected_name(self._name), self._name)
        part = PartScored(
            name=self._name,
            source=self.source.name,
            pieces=self._pieces,
            rows=self.rows,
            answered=self._answered,
            rejected=self._quarantine.rows,
            requests=self._requests,
            unknown_lags=dict(self._unknown),
            most_rejected=self._quarantine.most_rejected,
        )
        self._out.note(part)
        return replace(manifest, parts=(*manifest.parts, part))
