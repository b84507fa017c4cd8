import pytest

from releve.domain.arms.arms import ArmMode, ArmsStatus, FiredGuard, GuardKind, RunningArms
from releve.reporting.messages.arms import describe_guard, describe_status
from tests.events import make_arms_started

SINCE = "2026-05-31T12:00:00.000000+00:00"


def status(*, own=0, **started):
    running = RunningArms(7, SINCE, make_arms_started(**started), only_shadow=not started)
    return ArmsStatus(running, champion_rows=1200, challenger_rows=own, shadow_rows=1150, failed=2)


def test_what_runs_is_said_with_what_it_answered():
    told = describe_status("digits", status())

    assert told.splitlines() == [
        "digits:v2 is asked aside, as a shadow of digits:v1; this pair began at 2026-05-31T12:00:00Z",
        "the champion answered 1,200 rows, the challenger 1,150: it has no answer to 50 rows of the champion's, and "
        "failed at 2 requests",
    ]


def test_what_a_challenger_answered_in_the_champions_place_is_no_answer_aside():
    told = describe_status("digits", status(own=300))

    assert "the challenger 1,450: it has no answer to 50 rows of the champion's" in told


@pytest.mark.parametrize(("mode", "named"), [(ArmMode.CANARY, "as a canary"), (ArmMode.AB, "in an A/B test")])
def test_a_share_is_said_where_there_is_one(mode, named):
    told = describe_status("digits", status(mode=mode, share=0.1))

    assert told.startswith(f"digits:v2 answers 0.1 of the keys in the place of digits:v1, {named}; ")
    assert told.endswith("the champion answered 1,200 rows, the challenger 1,150")


def test_where_none_runs_that_is_said():
    assert describe_status("digits", None) == (
        "no challenger of digits takes part in live traffic: .venv/bin/releve arms digits --shadow starts one"
    )


def test_a_guard_says_what_it_measured_and_which_setting_forbids_it():
    slow = FiredGuard(kind=GuardKind.P99_MS, value=31.234, limit=20.0, requests=500)

    assert describe_guard(slow) == (
        "99 of 100 answers of the champion took up to 31.2 ms, of the newest 500 requests, and at most 20 ms are "
        "allowed (params.yaml: arms.max_p99_ms)"
    )
