from datetime import date, timedelta

import pytest

from releve.core.errors import BadInput
from releve.core.params import GateOverride
from releve.domain.gate.gate import FLOORS
from releve.domain.gate.overrides import FailedCheck, override
from tests.tables import make_params

UNTIL = date(2026, 1, 31)
ADA = GateOverride(floor="fairness", by="Ada", reason="a trial of four weeks", until=UNTIL)
UNFAIR = FailedCheck("fairness", "the groups differ")


@pytest.mark.parametrize(("days", "stands"), [(-1, True), (0, True), (1, False)])
def test_an_override_stands_until_the_end_of_its_last_day(days, stands):
    found = override([UNFAIR], [ADA], today=UNTIL + timedelta(days=days))

    assert (found.in_force == (ADA,)) is stands
    assert (found.refusals == ()) is stands


def test_an_override_in_force_says_who_why_until_when_and_what_was_overridden():
    found = override([UNFAIR], [ADA], today=UNTIL)

    assert found.notes == (
        "the override of the fairness floor by Ada until 2026-01-31: a trial of four weeks (the groups differ)",
    )


def test_an_expired_one_refuses_and_says_so():
    found = override([UNFAIR], [ADA], today=UNTIL + timedelta(days=1))

    assert found.refusals == ("the groups differ; the override of the fairness floor by Ada expired on 2026-01-31",)


@pytest.mark.parametrize("floor", ["slice", ""])
def test_an_override_is_for_its_own_floor_alone(floor):
    found = override([FailedCheck(floor, "something else")], [ADA], today=UNTIL)

    assert (found.refusals, found.in_force) == (("something else",), ())


def test_what_was_not_broken_needs_no_override():
    assert override([], [ADA], today=UNTIL).in_force == ()


def written(**changes):
    return {"floor": "fairness", "by": "Ada", "reason": "a trial", "until": UNTIL, **changes}


@pytest.mark.parametrize("floor", FLOORS)
def test_every_floor_can_be_overridden_in_params_yaml(floor):
    params = make_params(gate={"overrides": [written(floor=floor)]})

    assert params.gate.overrides[0].floor == floor


@pytest.mark.parametrize(
    "change", [{"floor": "champion"}, {"by": ""}, {"reason": ""}, {"until": "soon"}, {"until": None}, {"who": "Ada"}]
)
def test_an_override_needs_a_known_floor_a_name_a_reason_and_a_day(change):
    with pytest.raises(BadInput, match=r"gate\.overrides\.0\."):
        make_params(gate={"overrides": [written(**change)]})
