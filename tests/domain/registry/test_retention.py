"""Which model versions' files may leave."""

import pytest

from releve.domain.registry.events import ModelRebuilt, RebuildPurpose
from releve.domain.registry.lifecycle import ModelVersionStatus
from releve.domain.registry.release import CHALLENGER, CHAMPION, PREVIOUS, REFUSED, RETIRED
from releve.domain.registry.retention import PROVES, may_leave, proof_for
from tests.events import make_challenger

STATES = {"shop:a": RETIRED, "shop:b": REFUSED, "shop:c": PREVIOUS, "shop:d": CHAMPION, "shop:e": CHALLENGER}


def statuses(states):
    return {
        model: ModelVersionStatus(state, "2026-05-31T12:00:00+00:00", make_challenger(model=model))
        for model, state in states.items()
    }


def rebuilt(model, purpose=RebuildPurpose.RETIRE, **fields):
    return ModelRebuilt(model=model, purpose=purpose, files={}, bytes=0, cpu_seconds=1.0, **fields)


def known(*rebuilds):
    return {each.model: each for each in rebuilds}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [(7, []), (5, []), (4, ["shop:a"]), (3, ["shop:a", "shop:b"]), (1, ["shop:a", "shop:b"]), (0, [])],
)
def test_the_oldest_beyond_the_newest_kept_leave_and_never_what_serves_waits_or_can_come_back(keep, expected):
    assert may_leave(statuses(STATES), {}, keep=keep) == expected


@pytest.mark.parametrize(
    ("purpose", "leaves"),
    [(RebuildPurpose.RETIRE, True), (RebuildPurpose.CHECK, True), (RebuildPurpose.RESTORE, False)],
)
def test_what_a_person_had_put_back_stays(purpose, leaves):
    rebuilds = {"shop:a": rebuilt("shop:a", purpose)}

    assert ("shop:a" in may_leave(statuses(STATES), rebuilds, keep=2)) == leaves


def test_what_live_traffic_tries_stays():
    assert may_leave(statuses(STATES), {}, keep=3, on_trial="shop:a") == ["shop:b"]


def test_a_rebuild_stands_for_so_many_others_that_were_made_the_same_way_and_then_for_none():
    first = rebuilt("shop:1", made_by="way")
    later = [rebuilt(f"shop:{number}", made_by="way", proof="shop:1") for number in range(2, 2 + PROVES)]

    assert proof_for("way", known(first, *later[:-1])) == "shop:1"
    assert proof_for("way", known(first, *later)) == ""
    assert proof_for("way", known(first, *later, rebuilt("shop:99", made_by="way"))) == "shop:99"


@pytest.mark.parametrize(
    "rebuilds",
    [
        pytest.param([], id="nothing was built again"),
        pytest.param([rebuilt("shop:1", made_by="another way")], id="made otherwise"),
        pytest.param([rebuilt("shop:1", made_by="way", differing=("model.onnx",))], id="came out otherwise"),
        pytest.param(
            [rebuilt("shop:1", made_by="way"), rebuilt("shop:2", made_by="way", failure="no rows")], id="one failed"
        ),
    ],
)
def test_without_a_rebuild_that_holds_a_version_has_to_be_built_again_itself(rebuilds):
    assert proof_for("way", known(*rebuilds)) == ""


def test_what_a_clock_may_have_cut_short_has_no_proof():
    assert proof_for("", known(rebuilt("shop:1", made_by=""))) == ""
