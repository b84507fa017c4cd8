import pytest

from releve.core.errors import NotFound
from releve.domain.erasure.erasure import RowsErased
from releve.domain.promotion.promotion import NotPromotable, find_promotable, is_downgrade
from releve.domain.registry.chain import CHALLENGED, ERASED, RELEASED, ROLLED_BACK, WITHDRAWN, Event
from releve.domain.registry.events import ModelReleased, ModelRolledBack, ModelWithdrawn
from releve.domain.registry.origin import Basis
from tests.events import make_any_release, make_challenger

PAYLOADS = {
    CHALLENGED: make_challenger,
    RELEASED: lambda model: ModelReleased(release=make_any_release(model)),
    ROLLED_BACK: lambda model: ModelRolledBack(release=make_any_release(model)),
    WITHDRAWN: lambda model: ModelWithdrawn(),
    ERASED: lambda rows: RowsErased(ids=("a",), is_finished=True, rows=rows),
}


def story(*steps):
    return [
        Event(
            "shop",
            number,
            f"at {number}",
            kind,
            "Ada",
            "",
            PAYLOADS[kind](what).model_dump(mode="json"),
            "",
            f"h{number}",
        )
        for number, (kind, what) in enumerate(steps, start=1)
    ]


TWO = ((CHALLENGED, "shop:a"), (RELEASED, "shop:a"), (CHALLENGED, "shop:b"), (RELEASED, "shop:b"))


def test_what_serves_is_promoted_with_its_event_and_its_judgement():
    found = find_promotable(story(*TWO, (ROLLED_BACK, "shop:a")), "shop", environment="staging")

    assert (found.release.model, found.challenger.model, found.event.number) == ("shop:a", "shop:a", 5)
    origin = found.origin(Basis.GATE)
    assert (origin.environment, origin.number, origin.hash) == ("staging", 5, "h5")


@pytest.mark.parametrize("steps", [(), ((CHALLENGED, "shop:a"),), (*TWO, (WITHDRAWN, ""))])
def test_where_nothing_serves_nothing_is_promoted(steps):
    with pytest.raises(NotFound, match="nothing serves shop in staging"):
        find_promotable(story(*steps), "shop", environment="staging")


def test_a_model_whose_judgement_is_not_there_is_not_promoted():
    with pytest.raises(NotPromotable, match="staging has no judgement of shop:b"):
        find_promotable(story(*TWO[:2], TWO[3]), "shop", environment="staging")


@pytest.mark.parametrize(("rows", "is_refused"), [({"0001": (3,)}, True), ({}, False)])
def test_a_model_that_learned_from_rows_that_were_erased_since_stays_where_it_is(rows, is_refused):
    events = story(*TWO, (ERASED, rows))

    if is_refused:
        with pytest.raises(NotPromotable, match="before rows were erased in staging"):
            find_promotable(events, "shop", environment="staging")
    else:
        assert find_promotable(events, "shop", environment="staging").release.model == "shop:b"


@pytest.mark.parametrize(
    ("model", "champion", "expected"),
    [
        ("shop:a", "shop:b", True),
        ("shop:b", "shop:a", False),
        ("shop:b", "shop:b", False),
        ("shop:b", "", False),
        ("shop:b", "shop:of-prod-alone", False),
    ],
)
def test_an_older_model_of_the_source_is_a_downgrade(model, champion, expected):
    assert is_downgrade(story(*TWO), model, champion=champion) is expected
