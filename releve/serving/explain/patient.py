"""A model that is asked many rows while others ask it theirs: piece by piece, with a rest after each."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.model_runtime import Model
from releve.domain.explanation.hybrids import HybridRows
from releve.domain.explanation.shapley import Floats, Masks
from releve.domain.neighbours.embedding import Arrays
from releve.serving.faults import TimedOut

PIECE_SECONDS = 0.01  # that the model is asked at a stretch
FIRST_PIECE, LARGEST_PIECE = 64, 8192  # rows
REST, LONG_REST = 1.0, 3.0  # after a piece, in times that it took; the long one while others are answered
SHORT_TURN = 0.0005  # seconds after which another thread gets its turn; Python's own are ten times as long
SURE = 0.7  # of the time that is left: other requests slow it down


@contextmanager
def short_turns() -> Iterator[None]:
    """Have Python's threads take turns more often: those that answer wait less for the one that explains."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SHORT_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@dataclass
class PatientModel:
    """Asks mixes of a row and of reference rows. One thread uses it, for one explanation."""

    model: Model
    rows: HybridRows
    seconds: float
    answered: Callable[[], int]  # counts what others were answered
    rest: float = REST
    _began: float = field(default_factory=time.monotonic)
    _piece: int = FIRST_PIECE

    def __call__(self, taken: Masks, of: NDArray[np.intp]) -> Floats:
        """Answers (n, outputs). Raises TimedOut."""
        found, start = [], 0
        while start < len(taken):
            piece = slice(start, start + self._piece)
            found.append(self._ask(self.rows.arrays(taken[piece], of[piece])))
            start = piece.stop
        return np.concatenate(found) if found else np.zeros((0, 1))

    def affordable(self) -> int:
        """Return how many more rows may be asked in the time that is left, tried on reference rows.

        Where others are answered meanwhile, the rests are long from now on.
        """
        before = self.answered()
        references, count, took = self.model.reference_arrays, len(self.model.references.rows), 0.0
        while True:
            places = np.arange(self._piece) % count
            began = time.perf_counter()
            self._ask({name: cells.take(places, axis=0) for name, cells in references.items()})
            took = (time.perf_counter() - began) / (1 + self.rest)
            if took >= PIECE_SECONDS / 2 or self._piece == LARGEST_PIECE:
                break
            self._piece *= 2
        speed = self._piece / took
        self.rest = REST if self.answered() == before else LONG_REST
        left = self.seconds - (time.monotonic() - self._began)
        return max(0, int(SURE * left * speed / (1 + self.rest)))

    def _ask(self, arrays: Arrays) -> Floats:
        began = time.monotonic()
        if began - self._began > self.seconds:
            raise TimedOut("the explanation", self.seconds)
        outputs = self.model.outputs(arrays).astype(np.float64)
        time.sleep(self.rest * (time.monotonic() - began))
        return outputs
