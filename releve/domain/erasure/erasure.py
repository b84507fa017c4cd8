"""Which rows an erasure is about, and what the registry keeps of it: never the id itself."""

import hmac
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from releve.core.errors import BadInput
from releve.domain.prediction_log.hidden import HiddenCells
from releve.domain.prediction_log.records import EXAMPLE_ID, ROW_ID
from releve.domain.registry.chain import CHALLENGED, ERASED, Event, EventPayload
from releve.domain.registry.events import Challenger
from releve.domain.schema.cells import as_number, is_missing, names_of, trimmed
from releve.domain.schema.columns import NUMBER
from releve.domain.schema.schema import Schema


class Place(StrEnum):
    """Where rows were taken out."""

    BATCHES = "batches"
    QUARANTINE = "quarantine"
    FILES = "files"  # whole ones, as they came in
    HARVEST = "harvest"
    ANSWERS = "answers"
    SHADOWS = "shadows"  # of whole requests
    SEARCHES = "searches"
    LABELS = "labels"
    INDEX = "index"  # of all collections together


class RowsErased(EventPayload):
    """Rows are about to be erased, or were: what was found, or what was taken out."""

    kind = ERASED

    ids: tuple[str, ...]  # as `id_hash` makes them
    is_finished: bool
    rows: dict[str, tuple[int, ...]]  # batch -> positions in it, where nothing stands any more
    counts: dict[Place, int] = Field(default_factory=dict)
    open_segments: int = 0  # of the ledger, that a service still writes and that hold some of the rows


@dataclass
class Erasure:
    """What left, and what is out of reach."""

    ids: int
    counts: Counter[Place] = field(default_factory=Counter)
    open_segments: tuple[str, ...] = ()  # of the ledger, that a service still writes
    models: tuple[str, ...] = ()  # whose reference.parquet still has some of the rows
    shared: int = 0  # files of older data versions that another branch, tag or archive names
    suspects: tuple[Path, ...] = ()  # files of no known form that hold one of the ids as a text
    experiments: int = 0  # that were forgotten: they were made of the rows as they were
    archives: tuple[Path, ...] = ()  # of when the scenario was started over
    before: str = ""  # when the same ids were erased before
    is_dry_run: bool = False  # nothing left: this is what would


class ErasedIds:
    """The ids that a request for erasure names: what the table calls its rows, and row ids of answers."""

    def __init__(self, schema: Schema, ids: Sequence[str], *, key: bytes) -> None:
        """`key`: of the ledger's hashes. Raises BadInput for the id of a table that has none."""
        self.all = tuple(dict.fromkeys(trimmed(each) for each in ids))
        self.answers = frozenset(each for each in self.all if ROW_ID.fullmatch(each))
        self._texts = frozenset(self.all) - self.answers
        self.column = schema.column(schema.id) if schema.id else None
        if unreadable := [each for each in self.all if not _is_written(each)]:
            raise BadInput(f"the id {unreadable[0]!a} is no UTF-8; send it in the encoding of this terminal")
        if "" in self._texts:
            raise BadInput("an id is empty; name the row that is to be erased")
        if self._texts and self.column is None:
            raise BadInput(
                f"this table has no id column, so that no row is called {sorted(self._texts)[0]!r}: set `id` in its "
                f"params.yaml, or name a row by the id of its answer, such as {EXAMPLE_ID}"
            )
        self._typed = dict[Any, str]()
        for text in self._texts:
            cell = as_number(text) if self.column and self.column.type == NUMBER else text
            if self.column and cell is not None and not self.column.problem(cell):
                self._typed[self.column.typed(cell)] = text
        hidden = HiddenCells(key, {}, frozenset())
        self._hashes = (
            {digest: self._typed[cell] for digest, cell in hidden.hashes(self.column, self._typed).items()}
            if self.column
            else {}
        )

    def find(self, cell: Any) -> str | None:
        """Return the id that a cell of the id column holds, in whatever form it came."""
        if is_missing(cell) or self.column is None:
            return None
        if text := next((each for each in (trimmed(str(cell)), *names_of(cell)) if each in self._texts), None):
            return text
        return None if self.column.problem(cell) else self._typed.get(self.column.typed(cell))

    def find_in(self, row: Mapping[str, Any], *, hashed: bool = False) -> str | None:
        """Return the id of a row; `hashed`: as the ledger hides it."""
        cell = row.get(self.column.name) if self.column else None
        return self._hashes.get(str(cell)) if hashed else self.find(cell)

    def in_text(self, text: bytes) -> bool:
        """Whether one of the ids stands anywhere in a file, as a word of its own."""
        words = b"|".join(re.escape(each.encode()) for each in (*self.all, *self._hashes))
        return re.search(rb"(?<![\w-])(" + words + rb")(?![\w-])", text) is not None


def _is_written(text: str) -> bool:
    """Whether a file can hold a text: an argument whose bytes are no UTF-8 has halves of characters instead."""
    return text.isprintable() or text.encode(errors="ignore").decode() == text


def erased_rows(events: Iterable[Event]) -> frozenset[tuple[str, int]]:
    """Return batch and position of every row that was erased, or is about to be."""
    found = (event.read(RowsErased).rows for event in events)
    return frozenset((batch, place) for rows in found for batch, places in rows.items() for place in places)


def made_before_erasure(events: Iterable[Event]) -> frozenset[str]:
    """Return the models that were judged before rows were erased: they hold them still, or cannot be built again.

    `events`: of ONE scenario, oldest first.
    """
    judged, found = set[str](), set[str]()
    for event in events:
        if event.kind == CHALLENGED:
            judged.add(event.read(Challenger).model)
        elif event.kind == ERASED and event.read(RowsErased).rows:
            found |= judged
    return frozenset(found)


def id_hash(key: bytes, text: str) -> str:
    """Hash an id for the registry: with the key, as a plain hash of a phone number is guessed in minutes."""
    return hmac.new(key, f"erased\0{text}".encode(), "sha256").hexdigest()
