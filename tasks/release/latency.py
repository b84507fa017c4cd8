"""How long one answer takes: CPU time of one thread, so that other work on the machine hardly lengthens it.

With more threads the time that they spin, waiting for a core or for each other, would count too: on a busy machine ten
times that of the answer. A worker of the service is one core as well.
"""

import math
import time
from collections.abc import Sequence

from releve.adapters.models.model_runtime import Model
from releve.domain.schema.arrays import arrays_of_rows

WARM_UP, TIMES, ROUNDS = 5, 40, 3
SLOW_SHARE = 0.95  # the answer that 95 of 100 are faster than


def answer_milliseconds(model: Model) -> float:
    """Of the model's first golden row, from cells to answer; the best of some rounds, in steps of two digits."""
    from threadpoolctl import threadpool_limits

    row = model.description.golden.rows[:1]
    with threadpool_limits(limits=1):
        _rounds(model, row, WARM_UP)
        best = min(_rounds(model, row, TIMES) for _ in range(ROUNDS))
    return float(f"{best:.2g}")


def _rounds(model: Model, row: Sequence[dict[str, object]], times: int) -> float:
    return sorted(_once(model, row) for _ in range(times))[math.ceil(SLOW_SHARE * times) - 1]


def _once(model: Model, row: Sequence[dict[str, object]]) -> float:
    started = time.process_time()
    model.answer(arrays_of_rows(model.schema, row))
    return (time.process_time() - started) * 1000
