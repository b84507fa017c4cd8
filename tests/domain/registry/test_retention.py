"""Which model versions' files may leave."""

import pytest

from releve.domain.registry.events import ModelRebuilt, RebuildPurpose
from releve.domain.registry.lifecycle import ModelVersionStatus
from releve.domain.registry.release import CHALLENGER, CHAMPION, PREVIOUS, REFUSED, RETIRED
from releve.domain.registry.retention import may_leave
from tests.events import make_challenger

STATES = {"shop:a": RETIRED, "shop:b": REFUSED, "shop:c": PREVIOUS, "shop:d": CHAMPION, "shop:e": CHALLENGER}


def statuses(states):
    return {
        model: ModelVersionStatus(state, "2026-05-31T12:00:00+00:00", make_challenger(model=model))
        for model, state in states.items()
    }


def rebuilt(model, purpose):
    return ModelRebuilt(model=model, purpose=purpose, files={}, bytes=0, cpu_seconds=1.0)


@pytest.mark.parametrize(
    ("keep", "expected"), [(5, []), (4, ["shop:a"]), (3, ["shop:a", "shop:b"]), (1, ["shop:a", "shop:b"]), (0, [])]
)
def test_the_oldest_beyond_the_newest_kept_leave_and_never_what_serves_waits_or_can_come_back(keep, expected):
    assert may_leave(statuses(STATES), {}, keep=keep) == expected


@pytest.mark.parametrize(("purpose", "leaves"), [(RebuildPurpose.RETIRE, True), (RebuildPurpose.RESTORE, False)])
def test_what_a_person_had_put_back_stays(purpose, leaves):
    rebuilds = {"shop:a": rebuilt("shop:a", purpose)}

    assert ("shop:a" in may_leave(statuses(STATES), rebuilds, keep=2)) == leaves
