"""New weights between two refreshes: the same members, the same index, one constant of the graph."""

import shutil
from functools import partial

import pytest

from releve.adapters.models.model_store import ModelStore
from releve.adapters.models.onnx_merge import weights_of
from releve.core.errors import BadInput
from releve.domain.registry.chain import CHALLENGED
from releve.domain.registry.events import Challenger
from releve.domain.trigger.policies import Cause, CauseKind
from tasks.ingestion.ingest import ingest
from tasks.monitoring.challenge_history import challenges_of, count_unweighed_rows
from tasks.monitoring.monitor import monitor
from tasks.release.rebuild import rebuild
from tasks.release.release import release
from tasks.release.retrain import retrain
from tasks.release.rollback import rollback
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.slow


def receive(shop: Shop, *, turned: bool = True, seed: int = 300) -> None:
    """Sixty rows come: too few for a refresh. `turned`: what was bought is not, and the other way round."""
    rows = market_rows(60, seed=seed)
    labels = rows["bought"].map({"yes": "no", "no": "yes"}) if turned else rows["bought"]
    shop.receive(rows.assign(bought=labels), f"few-{seed}.parquet")
    ingest(shop.settings, SHOP)


def graph_of(shop: Shop, model: str) -> bytes:
    return (ModelStore(shop.settings.home).get(model).path / "model.onnx").read_bytes()


def test_a_re_weighting_releases_the_same_members_and_the_same_index(released: Shop) -> None:
    released.override(trigger={"min_new_rows": 150})
    receive(released)
    before, told = released.registry.current(SHOP).release, list[str]()

    due = monitor(released.settings, SHOP).decision
    made = retrain(released.settings, SHOP, reason="new labels", reweigh=due.reweigh, progress=told.append)
    done = release(released.settings, SHOP).release

    assert (due.refresh, due.causes) == (False, (Cause(CauseKind.NEW_LABELS, 60, 60),))
    assert (made.promote, made.learned, made.rows, made.champion) == (True, 200, 260, before.model)
    assert not [line for line in told if "rows before row" in line or "exported again" in line]
    old, new = (weights_of(graph_of(released, each)) for each in (before.model, done.model))
    assert old.keys() == new.keys()
    assert sum(abs(old[name] - new[name]) for name in old) > 0.1
    assert (done.index, done.index_rows) == (before.index, before.index_rows)
    after = monitor(released.settings, SHOP).decision
    assert after.causes == (Cause(CauseKind.FEW_ROWS, 60, 150),)  # the next refresh still has them to learn

    receive(released, seed=301)
    refreshed = retrain(released.settings, SHOP, reason="a refresh")
    assert (refreshed.learned, refreshed.rows) == (320, 320)


def test_a_re_weighting_is_built_again_byte_for_byte_with_the_model_before_it_or_without(released: Shop) -> None:
    before = released.registry.current(SHOP).release.model
    receive(released)
    made = retrain(released.settings, SHOP, reason="new labels", reweigh=True)

    with_it = rebuild(released.settings, made.model).record
    shutil.rmtree(ModelStore(released.settings.home).get(before).path)
    without_it = rebuild(released.settings, made.model).record

    assert (with_it.differing, with_it.failure) == (without_it.differing, without_it.failure) == ((), "")


def test_weights_that_hardly_move_are_no_release_and_these_rows_are_not_looked_at_again(released: Shop) -> None:
    receive(released)
    first = retrain(released.settings, SHOP, reason="new labels", reweigh=True)
    release(released.settings, SHOP)

    released.receive(market_rows(1, seed=7), "one.parquet")
    ingest(released.settings, SHOP)
    made = retrain(released.settings, SHOP, reason="one more label", reweigh=True)

    assert (made.promote, made.learned, made.rows, made.champion) == (False, 200, 261, first.model)
    assert "a release is made from 0.05 on" in made.reasons[0]
    unweighed = partial(count_unweighed_rows, ModelStore(released.settings.home), first.model)
    assert unweighed(challenges_of(released.registry, SHOP), rows=270) == 9


def test_the_same_rows_are_weighed_once(released: Shop) -> None:
    receive(released)
    made = retrain(released.settings, SHOP, reason="new labels", reweigh=True)

    again = retrain(released.settings, SHOP, reason="again", reweigh=True)

    assert again.model == made.model
    challenges = [event.read(Challenger) for event in released.registry.events(SHOP, kinds=[CHALLENGED])]
    assert [each.is_reweighting for each in challenges] == [False, True]


def test_after_a_rollback_of_new_weights_alone_the_members_are_weighed_anew(released: Shop) -> None:
    receive(released, turned=False, seed=299)
    refreshed = retrain(released.settings, SHOP, reason="a refresh")
    release(released.settings, SHOP)
    receive(released)
    retrain(released.settings, SHOP, reason="new labels", reweigh=True)
    release(released.settings, SHOP)

    rollback(released.settings, SHOP, reason="the weights were better before")
    assert released.registry.current(SHOP).release.model == refreshed.model
    receive(released, seed=301)
    reweighed = retrain(released.settings, SHOP, reason="new labels", reweigh=True)
    assert reweighed.learned == refreshed.rows


def test_members_that_serve_no_more_are_not_weighed_anew(released: Shop) -> None:
    receive(released, turned=False)
    newest = retrain(released.settings, SHOP, reason="a refresh").model
    release(released.settings, SHOP)
    rollback(released.settings, SHOP, reason="complaints")
    receive(released, seed=301)

    with pytest.raises(BadInput, match=f"the newest members, of {newest}, do not serve shop: they were refused or"):
        retrain(released.settings, SHOP, reason="by hand", reweigh=True)


def test_before_a_first_model_and_with_a_search_nothing_is_weighed_anew(ingested: Shop) -> None:
    with pytest.raises(BadInput, match="no members that could be weighed anew yet"):
        retrain(ingested.settings, SHOP, reason="too early", reweigh=True)
    with pytest.raises(BadInput, match="ask for one of them"):
        retrain(ingested.settings, SHOP, reason="both", reweigh=True, search="by hand")
