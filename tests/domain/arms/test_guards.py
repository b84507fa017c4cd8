import pytest

from releve.domain.arms.arms import GuardKind
from releve.domain.arms.guards import MIN_FAILURES, MIN_LATENCIES, REMEMBERED, GuardedRequests, fired_guard
from tests.factories import make_arm_limits


def fired(failed=(), latencies=(), **limits) -> GuardKind | None:
    guard = fired_guard(list(failed), list(latencies), make_arm_limits(**limits))
    return guard and guard.kind


@pytest.mark.parametrize(
    ("failures", "requests", "fires"),
    [
        (MIN_FAILURES - 1, MIN_FAILURES - 1, False),  # too few to tell
        (MIN_FAILURES, MIN_FAILURES, True),
        (5, 100, False),  # not above the limit
        (6, 100, True),
        (0, 500, False),
    ],
)
def test_a_challenger_that_fails_too_often_ends_the_arms(failures, requests, fires):
    failed = [True] * failures + [False] * (requests - failures)

    assert fired(failed, max_error_rate=0.05) == (GuardKind.ERROR_RATE if fires else None)


@pytest.mark.parametrize(
    ("slow", "requests", "limit", "fires"),
    [
        (3, MIN_LATENCIES, 10.0, True),
        (1, MIN_LATENCIES, 10.0, False),  # less than one of a hundred
        (MIN_LATENCIES - 1, MIN_LATENCIES - 1, 10.0, False),  # too few to tell
        (MIN_LATENCIES, MIN_LATENCIES, 0.0, False),  # no limit is set
        (MIN_LATENCIES, MIN_LATENCIES, 20.0, False),  # not above it
    ],
)
def test_a_champion_that_became_slow_ends_the_arms(slow, requests, limit, fires):
    latencies = [20.0] * slow + [1.0] * (requests - slow)

    assert fired(latencies=latencies, max_p99_ms=limit) == (GuardKind.P99_MS if fires else None)


def test_only_the_newest_requests_count():
    requests, params = GuardedRequests(), make_arm_limits(max_error_rate=0.05)
    for _ in range(REMEMBERED // 10):
        requests.note_challenger(failed=True)
    guard = requests.fired(params)
    assert (guard.value, guard.limit, guard.requests) == (1.0, 0.05, REMEMBERED // 10)

    for _ in range(REMEMBERED):
        requests.note_challenger(failed=False)

    assert requests.fired(params) is None
