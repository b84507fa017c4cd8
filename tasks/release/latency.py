"""How long one answer takes: CPU time of one thread, so that other work on the machine hardly lengthens it.

The median, since every answer is to the same row: what is slower in the tail is the machine's noise, not the model's.

With more threads the time that they spin, waiting for a core or for each other, would count too: on a busy machine ten
times that of the answer. A worker of the service is one core as well.
"""

import time
from statistics import median

from releve.adapters.models.model_runtime import Model
from releve.domain.schema.arrays import arrays_of_rows

WARM_UP, TIMES, ROUNDS = 5, 40, 3


def answer_milliseconds(model: Model) -> float:
    """Of the model's first golden row, from cells to answer; the best round's median, in steps of two digits."""
    from threadpoolctl import threadpool_limits

    row = model.description.golden.rows[:1]

    def round_of(times: int) -> float:
        answers = []
        for _ in range(times):
            started = time.process_time()
            model.answer(arrays_of_rows(model.schema, row))
            answers.append((time.process_time() - started) * 1000)
        return median(answers)

    with threadpool_limits(limits=1):
        round_of(WARM_UP)
        best = min(round_of(TIMES) for _ in range(ROUNDS))
    return float(f"{best:.2g}")
