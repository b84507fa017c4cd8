from datetime import date, timedelta

import pytest

from releve.core.errors import BadInput
from releve.domain.gate.gate import Floor, decide
from tests.domain.gate.test_gate import a_challenge
from tests.tables import make_params

UNTIL = date(2026, 1, 31)
ADA = {"floor": "fairness", "by": "Ada", "reason": "a trial of four weeks", "until": UNTIL}
SLOW = "one answer takes 90 ms of CPU time in 95 of 100 cases"


def decided(*, today, floor="latency"):
    params = make_params(gate={"max_latency_ms": 50.0, "overrides": [ADA | {"floor": floor}]})
    return decide(a_challenge(latency_ms=90.0), params, today=today)


@pytest.mark.parametrize(("days", "in_force"), [(-1, True), (0, True), (1, False)])
def test_an_override_is_in_force_until_the_end_of_its_last_day(days, in_force):
    found = decided(today=UNTIL + timedelta(days=days))

    assert (len(found.overrides) == 1) is found.promote is in_force


def test_an_override_in_force_says_who_why_until_when_and_what_was_overridden():
    found = decided(today=UNTIL)

    start = f"the override of the latency floor by Ada until 2026-01-31: a trial of four weeks ({SLOW}"
    assert found.reasons[-1].startswith(start)


def test_an_expired_one_refuses_and_says_so():
    (reason,) = decided(today=UNTIL + timedelta(days=1)).reasons

    assert reason.startswith(SLOW) and reason.endswith(
        "; the override of the latency floor by Ada expired on 2026-01-31"
    )


def test_an_override_is_for_its_own_floor_alone():
    found = decided(today=UNTIL, floor="slice")

    assert (len(found.reasons), found.overrides) == (1, ())


def written(**changes):
    return {"floor": "fairness", "by": "Ada", "reason": "a trial", "until": UNTIL, **changes}


@pytest.mark.parametrize("floor", Floor)
def test_every_floor_can_be_overridden_in_params_yaml(floor):
    params = make_params(gate={"overrides": [written(floor=floor)]})

    assert params.gate.overrides[0].floor == floor


@pytest.mark.parametrize(
    "change", [{"floor": "champion"}, {"by": ""}, {"reason": ""}, {"until": "soon"}, {"until": None}, {"who": "Ada"}]
)
def test_an_override_needs_a_known_floor_a_name_a_reason_and_a_day(change):
    with pytest.raises(BadInput, match=r"gate\.overrides\.0\."):
        make_params(gate={"overrides": [written(**change)]})
