"""Features that nobody sends, at predict: the service computes them from all that it knows of their columns.

It knows what travels with the model, what was ingested since, and what was answered and labelled today and yesterday,
whichever worker did that: labels of older answers come by ingestion.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from releve.adapters.known_values import read_known_values
from releve.adapters.models.model_runtime import Model
from releve.adapters.prediction_ledger.follower import SegmentFollower
from releve.adapters.prediction_ledger.segments import ANSWERS, LABELS, from_line
from releve.core.errors import ReleveError
from releve.domain.features.clock import UNKNOWN, Ticks
from releve.domain.features.completion import complete_rows, sent_values, ticks_of_rows
from releve.domain.features.history import LagHistory, values_of
from releve.domain.features.known import MOST_VALUES, KnownValues
from releve.domain.prediction_log.records import AnswerLine, LabelLine, day_of, timestamp

FOLLOW_SECONDS = 0.2  # between two looks at files that others write
FOLLOWED = timedelta(days=1)
LINES_TOGETHER = 500  # each addition copies all that is known
MOST_UNLABELLED = 200_000  # answered rows that a label is waited for, the newest
log = logging.getLogger("releve.serving")


def _now() -> datetime:
    return datetime.now(UTC)


class FeatureSource:
    """Completes the rows that one model is asked. Safe to call from several threads."""

    def __init__(self, model: Model, *, ingested: Path, ledger: Path, clock: Callable[[], datetime] = _now) -> None:
        """`ingested`: what `ingest` writes of the scenario; `ledger`: the scenario's folder."""
        self._tag, self._schema, self._came_with = (
            model.tag,
            model.schema,
            model.known,
        )  # not the model: it may be let go
        self._ingested, self._folder, self._clock = ingested, ledger, clock
        self._guard = threading.Lock()
        self._looked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None  # of the file that was read last
        self._begin(None)

    def complete(self, rows: Sequence[Any]) -> list[Any]:
        """Add what nobody sent to rows as a request brings them; see `complete_rows`. Raises Unavailable."""
        return complete_rows(self._schema, rows, self.known())

    def known(self) -> LagHistory:
        """Return what is known now. Raises Unavailable where the ledger cannot be read."""
        with self._guard:
            if self._history.series and time.monotonic() - self._looked >= FOLLOW_SECONDS:
                self._look()
                self._looked = time.monotonic()
            return self._history.copy()

    def _begin(self, ingested: KnownValues | None) -> None:
        """Start anew, from what is left: rows that were erased are gone."""
        self._history = LagHistory(self._schema)
        self._unlabelled: dict[str, int] = {}  # ticks by the id of the row
        self._answers = SegmentFollower(self._folder, ANSWERS)
        self._labels = SegmentFollower(self._folder, LABELS)
        for known in (self._came_with, ingested):
            if known is not None:
                known.add_to(self._history)

    def _look(self) -> None:
        stamp = self._stamp_of_file()
        if stamp != self._stamp:
            self._stamp = stamp
            self._begin(self._read() if stamp else None)
        first_day = day_of(timestamp(self._clock() - FOLLOWED))
        for lines in _together(self._answers.new_lines(first_day=first_day)):
            self._note([each for line in lines if (each := AnswerLine.parse(from_line(line))) is not None])
        if self._schema.target.name in self._history.series:
            for lines in _together(self._labels.new_lines(first_day=first_day)):
                self._note_labels([label for line in lines if (label := LabelLine.parse(from_line(line))) is not None])
        self._history.keep_newest(MOST_VALUES)

    def _note(self, lines: Sequence[AnswerLine]) -> None:
        by_id: dict[str, Any] = {}
        for line in lines:
            features = line.features
            by_id |= {f"{line.id}.{place}": features[place] for place in line.left}
        rows = [*by_id.values()]
        ticks = ticks_of_rows(self._schema, rows)
        self._history.add(ticks, sent_values(self._schema, rows))
        if self._schema.target.name in self._history.series:
            for row_id, tick in zip(by_id, ticks.tolist(), strict=True):
                if tick != UNKNOWN:
                    self._unlabelled[row_id] = tick
            while len(self._unlabelled) > MOST_UNLABELLED:
                del self._unlabelled[next(iter(self._unlabelled))]

    def _note_labels(self, lines: Sequence[LabelLine]) -> None:
        target = self._schema.target
        told = [(self._unlabelled.get(line.id), target.parse(line.label)) for line in lines]
        known = [(tick, label) for tick, label in told if tick is not None and label is not None]
        ticks: Ticks = np.array([tick for tick, _ in known], dtype=np.int64)
        self._history.add(ticks, {target.name: values_of(self._schema, target.name, [label for _, label in known])})

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


def _together(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while piece := [*islice(lines, LINES_TOGETHER)]:
        yield piece
