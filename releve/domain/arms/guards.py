"""Guards: what ends arms at once, whatever their comparison says."""

from collections import deque
from collections.abc import Sequence

from releve.core.params import ArmLimits
from releve.domain.arms.arms import FiredGuard, GuardKind

REMEMBERED = 500  # newest requests of each arm
MIN_FAILURES = 5  # of the challenger: one or two tell nothing of their rate
MIN_LATENCIES = 200  # of the champion: two of them are above the 99th percentile


class GuardedRequests:
    """The newest requests of both arms that one process has seen. Safe to call from several threads."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=REMEMBERED)
        self._latencies: deque[float] = deque(maxlen=REMEMBERED)

    def note_challenger(self, *, failed: bool) -> None:
        """Note a request that the challenger answered, or should have: no answer, none that is finite, or one too late
        is a failure."""
        self._failed.append(failed)

    def note_champion(self, latency_ms: float) -> None:
        """Note how long the champion took."""
        self._latencies.append(latency_ms)

    def fired(self, params: ArmLimits) -> FiredGuard | None:
        """Return the guard that ends the arms now; None for none."""
        return fired_guard(self._failed.copy(), self._latencies.copy(), params)


def fired_guard(failed: Sequence[bool], latencies: Sequence[float], params: ArmLimits) -> FiredGuard | None:
    """Judge the newest requests: whether the challenger failed, and the milliseconds that the champion took."""
    failures = sum(failed)
    if failures >= MIN_FAILURES and failures > params.max_error_rate * len(failed):
        return FiredGuard(
            kind=GuardKind.ERROR_RATE,
            value=failures / len(failed),
            limit=params.max_error_rate,
            requests=len(failed),
        )
    if params.max_p99_ms and len(latencies) >= MIN_LATENCIES:
        p99 = sorted(latencies)[int(0.99 * len(latencies))]
        if p99 > params.max_p99_ms:
            return FiredGuard(kind=GuardKind.P99_MS, value=p99, limit=params.max_p99_ms, requests=len(latencies))
    return None
