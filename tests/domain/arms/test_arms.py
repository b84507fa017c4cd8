from itertools import pairwise

import pytest
from pydantic import ValidationError

from releve.domain.arms.arms import Arm, ArmMode
from tests.events import make_arms_started

KEYS = [f"customer {number}".encode() for number in range(2000)]


def make_arms(share, **changes):
    return make_arms_started(**{"mode": ArmMode.AB, "share": share, **changes})


def challenged(arms):
    return {key for key in KEYS if arms.arm_of(key) is Arm.CHALLENGER}


def test_the_challenger_gets_its_share_of_the_keys():
    assert 150 < len(challenged(make_arms(0.1))) < 250
    assert 900 < len(challenged(make_arms(0.5))) < 1100


def test_a_key_stays_with_the_challenger_as_the_share_grows():
    shares = [make_arms(0.01, mode=ArmMode.CANARY), make_arms(0.1), make_arms(0.5), make_arms(0.9)]

    for smaller, larger in pairwise(shares):
        assert challenged(smaller) < challenged(larger)


def test_another_pair_draws_other_keys():
    one, other = challenged(make_arms(0.5)), challenged(make_arms(0.5, champion="digits:v0"))

    assert 400 < len(one & other) < 600


def test_a_shadow_answers_nobody():
    assert challenged(make_arms_started()) == set()


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": ArmMode.SHADOW, "share": 0.1},
        {"mode": ArmMode.CANARY, "share": 0.0},
        {"mode": ArmMode.AB, "share": 1.0},
        {"mode": ArmMode.AB, "share": -0.1},
        {"champion": "digits:v2"},
    ],
)
def test_arms_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        make_arms_started(**wrong)
