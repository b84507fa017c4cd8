"""How long one answer takes: CPU time of one thread, so that other work on the machine hardly lengthens it.

The median, since every answer is to the same row: what is slower in the tail is the machine's noise, not the model's.

With more threads the time that they spin, waiting for a core or for each other, would count too: on a busy machine ten
times that of the answer. A worker of the service is one core as well.
"""

import time
from collections.abc import Callable
from statistics import median

WARM_UP, TIMES, ROUNDS = 5, 40, 3


def median_milliseconds(ask: Callable[[], object]) -> float:
    """Time a question; the best round's median, in steps of two digits."""
    from threadpoolctl import threadpool_limits

    def round_of(times: int) -> float:
        answers = []
        for _ in range(times):
            started = time.process_time()
            ask()
            answers.append((time.process_time() - started) * 1000)
        return median(answers)

    with threadpool_limits(limits=1):
        round_of(WARM_UP)
        best = min(round_of(TIMES) for _ in range(ROUNDS))
    return float(f"{best:.2g}")
