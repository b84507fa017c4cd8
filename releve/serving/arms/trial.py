"""A challenger that takes part in a scenario's traffic, as one worker sees it."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from releve.core.params import ArmLimits
from releve.domain.arms.arms import Arm, ArmMode, FiredGuard, RunningArms
from releve.domain.arms.guards import GuardedRequests
from releve.domain.features.completion import sent_rows
from releve.domain.neighbours.embedding import Arrays
from releve.domain.prediction_log.records import Row
from releve.serving.prediction import Prediction, predict
from releve.serving.served import Served

Challenged = tuple[Served, Sequence[Row], Prediction]  # who answered, rows as it knows them, and what
CheckedRows = Callable[[Served, Sequence[Row]], tuple[Sequence[Row], Arrays]]
KEY_BYTES = 8  # of a request that has no key: it is drawn


@dataclass
class LiveTrial:
    """What the registry says of the arms, the challenger where it is loaded, and what guards watch."""

    running: RunningArms
    params: ArmLimits
    seen: GuardedRequests = field(default_factory=GuardedRequests)
    challenger: Served | None = None  # set by who loads it
    unusable: bool = False  # it could not be loaded: each request that it should answer counts as a failure
    retry_at: float = 0.0  # then, as time.monotonic says it
    size: int = 0  # bytes in memory

    def goes_on_as(self, running: RunningArms, params: ArmLimits) -> "LiveTrial":
        """Return what the registry says now; the same pair keeps its loaded challenger, and what was seen of it."""
        before = self.running.started
        if not running.started.same_pair(before):
            return LiveTrial(running, params)
        if running.started.challenger.index != before.challenger.index:
            return LiveTrial(running, params, self.seen)
        return replace(self, running=running, params=params)

    @property
    def answers(self) -> bool:
        """Whether the challenger answers in the champion's place: a shadow is another process's work."""
        return self.running.started.mode is not ArmMode.SHADOW

    def takes(self, champion: Served, key: str, rows: Sequence[Row]) -> bool:
        """Whether a request is the challenger's: by its key, else by the id of its first row, else at random."""
        if not self.answers:
            return False
        identity = champion.schema.id
        cell = None if key or not identity or not rows else rows[0].get(identity)
        text = key or ("" if cell is None else str(cell))
        drawn = text.encode() if text else random.randbytes(KEY_BYTES)
        return self.running.started.arm_of(drawn) is Arm.CHALLENGER

    def predict(
        self, champion: Served, rows: Sequence[Row], arrays: Arrays, *, checked: CheckedRows
    ) -> Challenged | None:
        """Answer rows that the champion's schema lets pass, in `arrays`; None where the challenger cannot.

        `checked`: makes arrays of rows as they were sent.
        """
        challenger = self.challenger
        if challenger is None:
            return None
        try:
            if challenger.schema != champion.schema:
                rows, arrays = checked(challenger, sent_rows(champion.schema, rows))
            return challenger, rows, predict(challenger.model, arrays, rows)
        except Exception:  # whatever is wrong with a challenger, the champion answers
            return None

    def note_challenger(self, challenged: Challenged | None) -> None:
        """Count what came of a request that was the challenger's; nothing while it is being loaded."""
        if challenged is not None:
            _, _, prediction = challenged
            self.seen.note_challenger(failed=prediction.latency_ms > self.params.deadline_ms)
        elif self.challenger is not None or self.unusable:
            self.seen.note_challenger(failed=True)

    def is_due(self) -> bool:
        """Whether it is time to load the challenger."""
        return self.answers and self.challenger is None and time.monotonic() >= self.retry_at

    def loaded(self, challenger: Served, size: int) -> None:
        """Answer with it from now on."""
        self.challenger, self.size, self.unusable = challenger, size, False

    def let_go(self) -> None:
        """Take the challenger out of memory, until the champion is back there."""
        self.challenger, self.size = None, 0

    def fired(self) -> FiredGuard | None:
        """Return the guard that ends the arms now."""
        return self.seen.fired(self.params)
