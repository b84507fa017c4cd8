"""Features that nobody sends, at predict: the service computes them from all that it knows of their columns.

It knows what travels with the model, what was ingested since, and what was answered and labelled today and yesterday,
whichever worker did that: labels of older answers come by ingestion.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from releve.adapters.known_values import read_known_values
from releve.adapters.models.model_runtime import Model
from releve.adapters.prediction_ledger.follower import SegmentFollower
from releve.adapters.prediction_ledger.segments import ANSWERS, LABELS, from_line
from releve.core.errors import ReleveError
from releve.domain.features.clock import UNKNOWN, Ticks
from releve.domain.features.completion import complete_rows, sent_values, times_of_rows
from releve.domain.features.history import LagHistory, RowTimes, values_of
from releve.domain.features.known import MOST_VALUES, KnownValues
from releve.domain.prediction_log.records import AnswerLine, LabelLine, day_of, timestamp

FOLLOW_SECONDS = 0.2  # between two looks at files that others write
FOLLOWED = timedelta(days=1)
LINES_TOGETHER = 500  # each addition copies all that is known
REST_SECONDS = 0.005  # after so many, while a ledger is read anew: for requests, which wait for the interpreter
MOST_UNLABELLED = 200_000  # answered rows that a label is waited for, the newest
log = logging.getLogger("releve.serving")


def _now() -> datetime:
    return datetime.now(UTC)


class FeatureSource:
    """Completes the rows that one model is asked. Safe to call from several threads.

    To read two days of a ledger anew takes seconds: that is `follow`'s, in a thread where nobody waits. A request takes
    in what was written since the last look, and rests on what is known while another thread looks.
    """

    def __init__(self, model: Model, *, ingested: Path, ledger: Path, clock: Callable[[], datetime] = _now) -> None:
        """`ingested`: what `ingest` writes of the scenario; `ledger`: the scenario's folder."""
        # not the model: it may be let go
        self._tag, self._schema, self._came_with = model.tag, model.schema, model.known
        self._ingested, self._folder, self._clock = ingested, ledger, clock
        self._following, self._looking = threading.Lock(), threading.Lock()
        self._looked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None  # of the file that was read last
        self._news: _LedgerNews | None = None
        self._known: LagHistory | None = None  # as the last look left it

    def complete(self, rows: Sequence[Any]) -> list[Any]:
        """Add what nobody sent to rows as a request brings them; see `complete_rows`. Raises Unavailable."""
        return complete_rows(self._schema, rows, self.known())

    def known(self) -> LagHistory:
        """Return what is known now, not to be added to. Raises Unavailable where the ledger cannot be read."""
        if self._known is None:
            self.follow()
        elif time.monotonic() - self._looked >= FOLLOW_SECONDS and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        assert self._known is not None, "followed"
        return self._known

    def follow(self) -> None:
        """Take in what was ingested and written meanwhile. May take long. Raises Unavailable."""
        with self._following:
            stamp = self._stamp_of_file()
            if self._news is None or stamp != self._stamp:  # anew, from what is left: rows that were erased are gone
                news = self._begun(self._read() if stamp else None)
                for _ in news.look():
                    time.sleep(REST_SECONDS)
                with self._looking:
                    self._news, self._stamp = news, stamp
            with self._looking:
                self._look()

    def _look(self) -> None:
        assert self._news is not None, "followed"
        for _ in self._news.look():
            pass
        self._known = self._news.history.copy()
        self._looked = time.monotonic()

    def _begun(self, ingested: KnownValues | None) -> "_LedgerNews":
        history = LagHistory(self._schema)
        for known in (self._came_with, ingested):
            if known is not None:
                known.add_to(history)
        return _LedgerNews(history, self._folder, self._clock)

    def _stamp_of_file(self) -> tuple[int, int, int] | None:
        try:
            found = self._ingested.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> KnownValues | None:
        try:
            return read_known_values(self._ingested)
        except (ReleveError, OSError) as error:  # answers rest on what the model brought
            log.warning("lags rest on what came with %s: %s", self._tag, error)
            return None


class _LedgerNews:
    """Adds to a history what today's and yesterday's segments of a ledger say. One thread at a time."""

    def __init__(self, history: LagHistory, folder: Path, clock: Callable[[], datetime]) -> None:
        self.history = history
        self._schema, self._clock = history.schema, clock
        self._unlabelled: dict[str, tuple[int, str]] = {}  # tick and entity by the id of the row
        self._answers = SegmentFollower(folder, ANSWERS)
        self._labels = SegmentFollower(folder, LABELS)

    def look(self) -> Iterator[None]:
        """Take in what was written since the last look, LINES_TOGETHER at a step. Raises Unavailable."""
        if not self.history.lagged:
            return
        first_day = day_of(timestamp(self._clock() - FOLLOWED))
        for lines in _together(self._answers.new_lines(first_day=first_day)):
            self._note([each for line in lines if (each := AnswerLine.parse(from_line(line))) is not None])
            yield
        if self._schema.target.name in self.history.lagged:
            for lines in _together(self._labels.new_lines(first_day=first_day)):
                self._note_labels([label for line in lines if (label := LabelLine.parse(from_line(line))) is not None])
                yield
        for name in self.history.keep_newest(MOST_VALUES):
            log.warning("lags of %s are missing where they reach farther than its newest %s values", name, MOST_VALUES)

    def _note(self, lines: Sequence[AnswerLine]) -> None:
        by_id: dict[str, Any] = {}
        for line in lines:
            features = line.features
            by_id |= {f"{line.id}.{place}": features[place] for place in line.left}
        rows = [*by_id.values()]
        when = times_of_rows(self._schema, rows)
        self.history.add(when, sent_values(self._schema, rows))
        if self._schema.target.name in self.history.lagged:
            entities = repeat("") if when.entities is None else when.entities
            for row_id, tick, entity in zip(by_id, when.ticks.tolist(), entities, strict=False):
                if tick != UNKNOWN:
                    self._unlabelled[row_id] = (tick, entity)
            while len(self._unlabelled) > MOST_UNLABELLED:
                del self._unlabelled[next(iter(self._unlabelled))]

    def _note_labels(self, lines: Sequence[LabelLine]) -> None:
        target = self._schema.target
        told = [(self._unlabelled.get(line.id), target.parse(line.label)) for line in lines]
        known = [(when, label) for when, label in told if when is not None and label is not None]
        ticks: Ticks = np.array([tick for (tick, _), _ in known], dtype=np.int64)
        entities = np.array([entity for (_, entity), _ in known], dtype=object)
        rows = RowTimes(ticks, entities if self._schema.derived and self._schema.derived.by else None)
        self.history.add(rows, {target.name: values_of(self._schema, target.name, [label for _, label in known])})


def _together(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while piece := [*islice(lines, LINES_TOGETHER)]:
        yield piece
