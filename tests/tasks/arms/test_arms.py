import pytest

from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, NotFound
from releve.domain.arms.arms import ArmMode, ArmsEnded, ArmsOutcome
from releve.domain.registry.chain import ARM_CHANGES, ARMS_ENDED
from tasks.arms.arms import arms_status, check_may_take_part, start_arms, stop_arms
from tasks.release.acceptance import NotAccepted
from tests.events import make_challenger
from tests.tables import SHOP


def collections(shop):
    index = VectorIndex(shop.settings.milvus_uri)
    try:
        return set(index.collections(SHOP))
    finally:
        index.close()


@pytest.mark.slow
def test_a_challenger_takes_part_prepared_as_for_a_release_until_it_is_stopped(made_third, tmp_path):
    third = made_third.copy(tmp_path)
    settings, registry = third.settings, third.registry
    first = registry.events(SHOP, kinds=["released"])[0].payload["release"]
    before = collections(third)
    assert first["index"] not in before

    running = start_arms(settings, SHOP, model=first["model"])
    again = start_arms(settings, SHOP)
    changed = start_arms(settings, SHOP, mode=ArmMode.CANARY, share=0.2, reason="it looks well")

    assert again == running
    assert running.started.challenger.model_dump(mode="json") == first
    assert (running.started.mode, running.started.champion) == (ArmMode.SHADOW, registry.current(SHOP).release.model)
    assert (changed.since, changed.started.mode, changed.started.share) == (running.since, ArmMode.CANARY, 0.2)
    events = registry.events(SHOP, kinds=ARM_CHANGES)
    assert [event.reason for event in events] == [
        f"{first['model']} is asked aside, as a shadow of {running.started.champion}",
        "it looks well",
    ]
    assert collections(third) == before | {first["index"]}
    assert arms_status(settings, SHOP).running == changed

    stop_arms(settings, SHOP, reason="enough")

    ended = registry.events(SHOP, kinds=[ARMS_ENDED])[0].read(ArmsEnded)
    assert (ended.outcome, ended.challenger) == (ArmsOutcome.STOPPED, first["model"])
    assert arms_status(settings, SHOP) is None
    assert collections(third) == before
    with pytest.raises(NotFound, match="no challenger of shop takes part in live traffic"):
        stop_arms(settings, SHOP, reason="enough")


@pytest.mark.slow
def test_a_share_that_is_none_is_refused_before_anything_is_built(replaced):
    with pytest.raises(BadInput, match="a shadow has no share"):
        start_arms(replaced.settings, SHOP, model=replaced.registry.previous(SHOP).model, share=0.1)
    with pytest.raises(BadInput, match=r"the share is 1; expected a number between 0 and 1, as \.1 for a tenth"):
        start_arms(replaced.settings, SHOP, model=replaced.registry.previous(SHOP).model, mode=ArmMode.AB, share=1)


REFUSED = make_challenger("shop:two", promote=False, reasons=("it is worse",))


@pytest.mark.parametrize(
    ("challenger", "mode", "taken_back", "refusal"),
    [
        (make_challenger("shop:one"), ArmMode.SHADOW, "", "shop:one serves already; make retrain SCENARIO=shop makes"),
        (REFUSED, ArmMode.SHADOW, "", None),
        (REFUSED, ArmMode.CANARY, "", r"the gate refused shop:two, which may answer as a shadow alone.*it is worse"),
        (make_challenger("shop:two"), ArmMode.AB, "", None),
        (make_challenger("shop:two", promote=False, inconclusive=True), ArmMode.CANARY, "", None),
        (make_challenger("shop:two"), ArmMode.AB, "shop:two", "shop:two was rolled back, and may answer as a shadow"),
        (make_challenger("shop:two"), ArmMode.SHADOW, "shop:two", None),
    ],
)
def test_what_the_gate_refused_or_labels_took_back_is_at_most_a_shadow(challenger, mode, taken_back, refusal):
    if refusal is None:
        check_may_take_part(challenger, "shop:one", mode, taken_back=taken_back)
    else:
        with pytest.raises(NotAccepted, match=refusal):
            check_may_take_part(challenger, "shop:one", mode, taken_back=taken_back)
