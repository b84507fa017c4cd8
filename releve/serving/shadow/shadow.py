"""One challenger, asked what its champion was asked."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from releve.adapters.known_values import known_values_path
from releve.adapters.models.model_runtime import Model, schema_of
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.follower import SegmentFollower
from releve.adapters.prediction_ledger.segments import ANSWERS, SHADOWS, from_line
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import ReleveError
from releve.core.formatting import counted, shortened
from releve.core.params import ArmLimits
from releve.domain.arms.arms import Arm, FiredGuard, RunningArms
from releve.domain.arms.guards import GuardedRequests
from releve.domain.features.completion import sent_rows
from releve.domain.prediction_log.records import AnswerLine, day_of, parse_since, timestamp
from releve.domain.schema.schema import Schema
from releve.serving.prediction import Prediction, predict
from releve.serving.requests import check_rows
from releve.serving.scenarios.features import FeatureSource

BEHIND_SECONDS = 10.0  # that a shadow may be behind; what is older is left out, and counted
MOST_WAITING = 1000  # requests, the newest
RETRY_SECONDS = 5.0  # after a challenger that could not be loaded
LONGEST_ERROR = 200  # characters
log = logging.getLogger("releve.serving.shadow")


class Shadow:
    """Follows the ledger of one scenario. What was answered by an earlier process is not asked again."""

    def __init__(
        self, home: Path, scenario: str, running: RunningArms, params: ArmLimits, *, clock: Callable[[], datetime]
    ) -> None:
        """Loads the challenger with the first request. Raises Unavailable."""
        folder = home / "ledger" / scenario
        self.running = running
        self.dropped = 0  # requests that were left out by this process
        self._params = params
        self._clock = clock
        self._since = parse_since(running.since)
        self._models = ModelStore(home)
        self._model: Model | None = None
        self._champion: Schema | None = None  # as the model that was asked first knows the table
        self._source: FeatureSource | None = None
        self._ingested = known_values_path(home, scenario)
        self._unusable, self._retry_at = "", 0.0
        self._seen = GuardedRequests()
        self._waiting: deque[AnswerLine] = deque()
        self._answers = SegmentFollower(folder, ANSWERS)
        done = SegmentFollower(folder, SHADOWS).new_lines(first_day=self._first_day())
        self._done = {line["of"] for each in done if (line := from_line(each))}
        self._ledger = LedgerWriter(folder, scenario, clock=clock)

    @property
    def is_idle(self) -> bool:
        """Whether no request waits."""
        return not self._waiting

    def look(self) -> None:
        """Take in what the champion has answered meanwhile, and leave out what is too old."""
        earliest = timestamp(self._clock() - timedelta(seconds=BEHIND_SECONDS))
        for each in self._answers.new_lines(first_day=self._first_day()):
            line = AnswerLine.parse(from_line(each))
            if line is not None and self._is_wanted(line):
                self._seen.note_champion(line.latency_ms or 0.0)
                self._waiting.append(line)
        while self._waiting and (len(self._waiting) > MOST_WAITING or self._waiting[0].at < earliest):
            self._waiting.popleft()
            self.dropped += 1

    def answer(self, most: int) -> None:
        """Ask the challenger up to `most` requests, the oldest first. Raises Unavailable; then the request waits on."""
        for _ in range(min(most, len(self._waiting))):
            self._answer(self._waiting[0])
            self._waiting.popleft()

    def fired(self) -> FiredGuard | None:
        """Return the guard that ends the arms now."""
        return self._seen.fired(self._params)

    def close(self) -> None:
        """End; what was answered is on disk afterwards."""
        if self.dropped:
            log.warning(
                "%s was not asked %s: it was more than %g s behind",
                self.running.started.challenger.model,
                counted(self.dropped, "request"),
                BEHIND_SECONDS,
            )
        self._ledger.close()

    def _answer(self, line: AnswerLine) -> None:
        tag, index = self.running.started.challenger.model, self.running.started.challenger.index_name
        found, error = self._ask(line)
        self._ledger.shadow(
            of=line.id,
            model=tag,
            index=index,
            labels=[] if error else found.labels,
            probabilities=None if error else found.probabilities,
            intervals=None if error else found.intervals,
            decided=None if error else found.decided,
            latency_ms=found.latency_ms,
            error=error,
        )
        self._seen.note_challenger(failed=bool(error))

    def _ask(self, line: AnswerLine) -> tuple[Prediction, str]:
        """Return what the challenger answers, and why that is no answer."""
        try:
            model = self._loaded()
            rows = self._rows_for(model, line)
            found = predict(model, check_rows(rows, model.schema), rows)
        except Exception as error:  # the next request may be another one
            return Prediction([], None, None, None, 0.0), shortened(
                str(error) or type(error).__name__, most=LONGEST_ERROR
            )
        deadline = self._params.deadline_ms
        late = f"took {found.latency_ms:.3g} ms, more than {deadline:g} (params.yaml: arms.deadline_ms)"
        return found, late if found.latency_ms > deadline else ""

    def _rows_for(self, model: Model, line: AnswerLine) -> Sequence[Any]:
        """Return the rows with the features that the challenger knows; the champion may have added others."""
        if self._champion is None:
            tag = self.running.started.champion
            self._champion = schema_of(self._models.folder(tag), tag=tag)
        if self._champion.derived == model.schema.derived:
            return line.features
        rows = sent_rows(self._champion, line.features)
        if model.schema.derived is None:
            return rows
        if self._source is None:
            self._source = FeatureSource(model, ingested=self._ingested, ledger=self._ledger.folder, clock=self._clock)
        self._source.follow()
        return self._source.complete(rows)

    def _loaded(self) -> Model:
        """Raises ReleveError; the same again for some seconds, as each try reads and hashes the whole model."""
        release = self.running.started.challenger
        if self._model is None:
            if time.monotonic() < self._retry_at:
                raise ReleveError(self._unusable)
            try:
                self._model = self._models.load(release.model, digest=release.model_digest)
            except ReleveError as error:
                self._unusable, self._retry_at = str(error), time.monotonic() + RETRY_SECONDS
                raise
        return self._model

    def _is_wanted(self, line: AnswerLine) -> bool:
        is_champions = line.arm == Arm.CHAMPION and line.model == self.running.started.champion
        return is_champions and line.at >= self._since and line.id not in self._done

    def _first_day(self) -> str:
        """The segments of before midnight are still read when it is past."""
        return day_of(timestamp(self._clock() - timedelta(seconds=BEHIND_SECONDS)))
