"""New weights between two refreshes: the same members, the same index, one constant of the graph."""

import shutil
from functools import partial
from pathlib import Path

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
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.retraining.rebuild import rebuild
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.slow


def receive(shop: Shop, *, turned: bool = True, seed: int = 300) -> None:
    """Sixty rows come: too few for a refresh. `turned`: what was bought is not, and the other way round."""
    rows = market_rows(60, seed=seed)
    labels = rows["bought"].map({"yes": "no", "no": "yes"}) if turned else rows["bought"]
    shop.receive(rows.assign(bought=labels), f"few-{seed}.parquet")
    ingest(shop.settings, SHOP)


def newest(shop: Shop) -> Challenger:
    """What the newest retraining made."""
    return shop.registry.events(SHOP, kinds=[CHALLENGED])[-1].read(Challenger)


@pytest.fixture(scope="module")
def made_reweighed(made_released: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = made_released.copy(tmp_path_factory.mktemp("reweighed"))
    receive(shop)
    retrain(shop.settings, SHOP, reason="new labels", reweigh=True)
    return shop


@pytest.fixture
def reweighed(made_reweighed: Shop, tmp_path: Path) -> Shop:
    """Weights for sixty turned rows were accepted, and wait to be released."""
    return made_reweighed.copy(tmp_path)


@pytest.fixture(scope="module")
def made_refreshed(made_released: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = made_released.copy(tmp_path_factory.mktemp("refreshed"))
    receive(shop, turned=False, seed=299)
    retrain(shop.settings, SHOP, reason="a refresh")
    release(shop.settings, SHOP)
    return shop


@pytest.fixture
def refreshed(made_refreshed: Shop, tmp_path: Path) -> Shop:
    """The second champion serves, which has learned sixty rows more."""
    return made_refreshed.copy(tmp_path)


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


def test_a_re_weighting_is_built_again_byte_for_byte_with_the_model_before_it_or_without(reweighed: Shop) -> None:
    before, made = reweighed.registry.current(SHOP).release.model, newest(reweighed)

    with_it = rebuild(reweighed.settings, made.model).record
    shutil.rmtree(ModelStore(reweighed.settings.home).get(before).path)
    without_it = rebuild(reweighed.settings, made.model).record

    assert (with_it.differing, with_it.failure) == (without_it.differing, without_it.failure) == ((), "")


def test_weights_that_hardly_move_are_no_release_and_these_rows_are_not_looked_at_again(reweighed: Shop) -> None:
    first = release(reweighed.settings, SHOP).release

    reweighed.receive(market_rows(1, seed=7), "one.parquet")
    ingest(reweighed.settings, SHOP)
    made = retrain(reweighed.settings, SHOP, reason="one more label", reweigh=True)

    assert (made.promote, made.learned, made.rows, made.champion) == (False, 200, 261, first.model)
    assert "a release is made from 0.05 on" in made.reasons[0]
    unweighed = partial(count_unweighed_rows, ModelStore(reweighed.settings.home), first.model)
    assert unweighed(challenges_of(reweighed.registry, SHOP), rows=270) == 9


def test_the_same_rows_are_weighed_once(reweighed: Shop) -> None:
    made = newest(reweighed)

    again = retrain(reweighed.settings, SHOP, reason="again", reweigh=True)

    assert again.model == made.model
    challenges = [event.read(Challenger) for event in reweighed.registry.events(SHOP, kinds=[CHALLENGED])]
    assert [each.is_reweighting for each in challenges] == [False, True]


def test_after_a_rollback_of_new_weights_alone_the_members_are_weighed_anew(refreshed: Shop) -> None:
    members = newest(refreshed)
    receive(refreshed)
    retrain(refreshed.settings, SHOP, reason="new labels", reweigh=True)
    release(refreshed.settings, SHOP)

    rollback(refreshed.settings, SHOP, reason="the weights were better before")
    assert refreshed.registry.current(SHOP).release.model == members.model
    receive(refreshed, seed=301)
    made = retrain(refreshed.settings, SHOP, reason="new labels", reweigh=True)
    assert made.learned == members.rows


def test_members_that_serve_no_more_are_not_weighed_anew(refreshed: Shop) -> None:
    model = newest(refreshed).model
    rollback(refreshed.settings, SHOP, reason="complaints")
    receive(refreshed, seed=301)

    with pytest.raises(BadInput, match=f"the newest members, of {model}, do not serve shop: they were refused or"):
        retrain(refreshed.settings, SHOP, reason="by hand", reweigh=True)


def test_before_a_first_model_and_with_a_search_nothing_is_weighed_anew(ingested: Shop) -> None:
    with pytest.raises(BadInput, match="no members that could be weighed anew yet"):
        retrain(ingested.settings, SHOP, reason="too early", reweigh=True)
    with pytest.raises(BadInput, match="ask for one of them"):
        retrain(ingested.settings, SHOP, reason="both", reweigh=True, search="by hand")
