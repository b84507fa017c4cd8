"""The prediction ledger: what was answered and what turned out true, in append-only JSONL segments.

Every writer owns its segments, so that writers need no lock between them. A line handed to the kernel survives the
death of the process; against a power loss answers are flushed about every second, labels before `label` returns.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from releve.adapters.prediction_ledger.cells import FoundCells, find_by_cell
from releve.adapters.prediction_ledger.reader import find_answer, find_answers
from releve.adapters.prediction_ledger.segments import (
    ANSWERS,
    LABELS,
    SEARCHES,
    SHADOWS,
    LedgerUnavailable,
    Segment,
    to_line,
)
from releve.core.errors import ReleveError
from releve.core.names import check_scenario_name
from releve.domain.arms.arms import Arm
from releve.domain.decision.policy import Decided
from releve.domain.prediction_log.hidden import NOTHING_HIDDEN
from releve.domain.prediction_log.records import (
    AnsweredRow,
    Row,
    Scalar,
    UnknownAnswer,
    check_answer,
    check_label,
    check_worker,
    day_of,
    request_id,
    timestamp,
)
from releve.domain.schema.columns import Column

SYNC_SECONDS = 1.0

log = logging.getLogger(__name__)


class LedgerSync:
    """Flushes the writers of a process to disk about every second, in one thread, however many there are; close it."""

    def __init__(self) -> None:
        self._writers: list[LedgerWriter] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._sync_regularly, name="ledger", daemon=True)
        self._starting = threading.Lock()

    def add(self, writer: "LedgerWriter") -> None:
        """Flush this one too, from now on."""
        with self._starting:
            self._writers.append(writer)
            if not self._thread.ident:
                self._thread.start()

    def close(self) -> None:
        """Flush no more; each writer flushes itself when it is closed."""
        self._closed.set()
        if self._thread.ident:
            self._thread.join()

    def _sync_regularly(self) -> None:
        while not self._closed.wait(SYNC_SECONDS):
            for writer in list(self._writers):
                writer.sync()


class LedgerWriter:
    """Writes one scenario's answers and labels. Safe to share between the threads of one process; close it.

    Opens nothing before it writes.
    """

    def __init__(
        self,
        folder: Path,
        scenario: str,
        *,
        clock: Callable[[], datetime],
        worker: str | None = None,
        sync: LedgerSync | None = None,
    ) -> None:
        """`clock` gives times with a zone; `worker` (8 hex digits, default random) must be nobody else's.

        `sync`: what flushes it; one of its own where left out.
        """
        self.folder = folder
        self._scenario = check_scenario_name(scenario)
        self._clock = clock
        self._worker = check_worker(worker or secrets.token_hex(4))
        self._lock = threading.Lock()
        self.hidden = NOTHING_HIDDEN  # which cells are written as hashes, or not at all; set by who knows the table
        self._segments: dict[str, Segment] = {}
        self._closed = threading.Event()
        self._own_sync = LedgerSync() if sync is None else None
        flushed_by = sync or self._own_sync
        assert flushed_by is not None, "one of the two"
        flushed_by.add(self)

    def answer(
        self,
        *,
        model: str,
        index: str | None,
        rows: Sequence[Row],
        labels: Sequence[Scalar],
        probabilities: Sequence[Sequence[float]] | None,
        intervals: Sequence[Sequence[float]] | None = None,
        decided: Decided | None = None,
        arm: str = Arm.CHAMPION,
        latency_ms: float | None = None,
        number: int | None = None,
    ) -> str:
        """Record one request and return its id. `latency_ms`: that the model took. `number`: of a request that may have
        to be found again (`numbered_requests`), up to 2^24; it stands in the id in the place of what is random there.

        Raises BadInput, Unavailable; then nothing is recorded.
        """
        check_answer(rows, labels, probabilities, intervals)
        return self._write(
            ANSWERS,
            None if number is None else f"{number:06x}",
            model=model,
            index=index,
            arm=arm,
            rows=self.hidden.hide(rows),
            labels=labels,
            probabilities=probabilities,
            intervals=intervals,
            latency_ms=latency_ms,
            **(vars(decided) if decided else {}),
            **({"hashed": sorted(self.hidden.hashed)} if self.hidden.hashed else {}),
        )

    def shadow(
        self,
        *,
        of: str,
        model: str,
        index: str | None,
        labels: Sequence[Scalar],
        probabilities: Sequence[Sequence[float]] | None,
        intervals: Sequence[Sequence[float]] | None = None,
        decided: Decided | None = None,
        latency_ms: float,
        error: str = "",
    ) -> str:
        """Record what a challenger answered aside to the request `of`, or why it did not, and return this line's id.

        Raises BadInput, Unavailable.
        """
        return self._write(
            SHADOWS,
            of=of,
            model=model,
            index=index,
            labels=labels,
            probabilities=probabilities,
            intervals=intervals,
            latency_ms=latency_ms,
            error=error,
            **(vars(decided) if decided else {}),
        )

    def search(
        self, *, model: str, index: str, question: object, neighbours: Sequence[object], arm: str = Arm.CHAMPION
    ) -> str:
        """Record one search and return its id; monitoring reads answers only. Raises BadInput, Unavailable.

        `question` and `neighbours` are written as JSON, dataclasses by their fields.
        """
        return self._write(SEARCHES, model=model, index=index, arm=arm, question=question, neighbours=neighbours)

    def label(self, pairs: Iterable[tuple[str, Scalar]], *, queued: bool = False) -> None:
        """Record what turned out true, as (row id, label), all or none; on disk when this returns.

        `queued`: they were asked for because champion and challenger disagreed, see `LabelLine`.
        Raises UnknownAnswer with the ids that were never answered, BadInput, Unavailable.
        """
        checked = [(row_id, check_label(label)) for row_id, label in pairs]
        if not checked:
            return
        self._check_answered([row_id for row_id, _ in checked])
        with self._lock:
            at = timestamp(self._clock())
            mark = {"queued": True} if queued else {}
            lines = [to_line({"id": row_id, "label": label, "at": at, **mark}) for row_id, label in checked]
            segment = self._segment(LABELS, day_of(at))
            segment.append(b"".join(lines))
        segment.sync()

    def find(self, row_id: str) -> AnsweredRow | None:
        """The answered row of that id, whichever writer answered it; one seek. Raises BadInput for no id at all."""
        return find_answer(self.folder, row_id)

    def find_many(self, row_ids: Iterable[str]) -> dict[str, AnsweredRow]:
        """Those of `row_ids` that were answered, by id; every request's line is read once."""
        return find_answers(self.folder, row_ids)

    def find_by_cell(self, column: Column, wanted: Collection[Any]) -> FoundCells:
        """The newest answers that carried each of `wanted` in `column`, whichever writer answered: see there."""
        return find_by_cell(self.folder, column, wanted, hidden=self.hidden)

    def sync(self) -> None:
        """Flush what was written to disk; what forbids it is logged, and tried again at the next call.

        Segments of days that are over are closed, so that they can be compacted though no request comes any more.
        """
        if not self._segments:  # of hundreds of scenarios few are asked
            return
        today = day_of(timestamp(self._clock()))
        for kind, segment in list(self._segments.items()):
            try:
                segment.sync()
                if segment.day < today:
                    self._end(kind, segment)
            except ReleveError as error:
                log.error("%s", error)

    def close(self) -> None:
        """Flush to disk and end; later answers raise LedgerUnavailable."""
        self._closed.set()
        if self._own_sync:
            self._own_sync.close()
        with self._lock:
            for segment in self._segments.values():
                segment.close()
            self._segments.clear()

    def _end(self, kind: str, segment: Segment) -> None:
        with self._lock:
            if self._segments.get(kind) is segment:
                del self._segments[kind]
                segment.close()

    def _check_answered(self, row_ids: Sequence[str]) -> None:
        answered = self.find_many(row_ids)
        unknown = [row_id for row_id in row_ids if row_id not in answered]
        if unknown:
            named = f"no answer {str(unknown[0])[:80]!r} is in the ledger of {self._scenario}"
            others = f" (and {len(unknown) - 1} more of {len(row_ids)} ids)" if len(unknown) > 1 else ""
            raise UnknownAnswer(f"{named}{others}; no label was recorded", unknown)

    def _write(self, kind: str, random: str | None = None, /, **fields: object) -> str:
        body = to_line({"scenario": self._scenario, **fields})
        with self._lock:
            at = timestamp(self._clock())
            segment = self._segment(kind, day_of(at))
            request = request_id(segment.day, self._worker, segment.size, random or secrets.token_hex(3))
            # The id holds the line's offset, known only now; the large part was made outside the lock.
            segment.append(b'{"id":"%s","at":"%s",%s' % (request.encode(), at.encode(), body[1:]))
        return request

    def _segment(self, kind: str, day: str) -> Segment:
        if self._closed.is_set():
            raise LedgerUnavailable(f"the ledger of {self._scenario} is closed: the service is stopping")
        current = self._segments.get(kind)
        if current and current.day == day and current.in_place():
            return current
        opened = Segment(self.folder / f"{kind}-{day}-{self._worker}.jsonl", day)
        self._segments[kind] = opened
        if current:
            current.close()
        return opened
