import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from releve.adapters.models.model_runtime import ModelAltered
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.rollback import NothingToRollBackTo
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import NotFound
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.chain import ROLLED_BACK
from releve.domain.registry.events import ShownHarm
from tasks.ingestion.ingest import ingest
from tasks.release.acceptance import NotAccepted
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.retraining.inputs import NewestRollback, newest_rollback
from tasks.retraining.retrain import retrain
from tests.serving.process import free_port
from tests.tables import ROOT, SHOP
from tests.tasks.shop import market_rows, moved

pytestmark = pytest.mark.slow


def serving(shop):
    return shop.registry.current(SHOP).release


def test_model_and_index_go_back_together(replaced):
    second, first = serving(replaced), replaced.registry.previous(SHOP)

    done = rollback(replaced.settings, SHOP, reason="complaints")

    assert done.release == serving(replaced) == first
    assert (first.model, first.index) != (second.model, second.index)
    assert done.index.rows == first.index_rows == 200
    assert done.answers_at == ""  # no service runs


def test_who_rolled_back_and_why_is_in_the_registry(replaced):
    rollback(replaced.settings, SHOP, reason="complaints", actor="Ada")

    event = replaced.registry.events(SHOP)[-1]
    assert (event.kind, event.reason, event.actor) == (ROLLED_BACK, "complaints", "Ada")


def test_rolling_back_twice_ends_where_it_began(replaced):
    before = serving(replaced)

    rollback(replaced.settings, SHOP, reason="there")
    rollback(replaced.settings, SHOP, reason="and back")

    assert serving(replaced) == before


def test_a_rollback_that_is_tried_again_after_it_moved_moves_nothing(replaced):
    left, first = serving(replaced), replaced.registry.previous(SHOP)

    done = [rollback(replaced.settings, SHOP, seen=left.model, reason="complaints") for _ in range(2)]

    assert serving(replaced) == first
    assert [(each.release, each.left) for each in done] == [(first, left.model)] * 2
    assert len(replaced.registry.events(SHOP, kinds=[ROLLED_BACK])) == 1


def test_what_was_rolled_back_is_not_released_again_by_a_refresh_of_the_same_rows(replaced):
    rollback(replaced.settings, SHOP, reason="complaints")
    first = serving(replaced)
    again = retrain(replaced.settings, SHOP, reason="a nightly refresh")

    with pytest.raises(NotAccepted, match=f"{again.model} was rolled back; a refresh of newer rows makes another"):
        release(replaced.settings, SHOP, model=again.model)

    assert serving(replaced) == first


def refresh(shop, rows, name):
    shop.receive(rows, name)
    ingest(shop.settings, SHOP)
    return retrain(shop.settings, SHOP, reason="a nightly refresh")


@pytest.fixture(scope="module")
def worsened(made_released, tmp_path_factory):
    """The second champion learned labels that were the wrong way round."""
    shop = made_released.copy(tmp_path_factory.mktemp("worsened"))
    rows = market_rows(400, seed=21)
    refresh(shop, rows.assign(bought=rows["bought"].map({"yes": "no", "no": "yes"})), "day-3.parquet")
    release(shop.settings, SHOP)
    return shop


@pytest.mark.parametrize("by_hand", [True, False])
def test_after_a_rollback_by_hand_what_the_rejected_model_answers_to_newer_rows_is_evidence(
    by_hand, worsened, tmp_path
):
    shop = worsened.copy(tmp_path)
    bad = serving(shop).model
    harm = ShownHarm(model=bad, gain=Interval(-0.3, -0.4, -0.2), answers=200, promotions=1)
    back = rollback(shop.settings, SHOP, reason="complaints", harm=None if by_hand else harm).release

    again = refresh(shop, market_rows(1000, seed=22), "day-4.parquet")

    assert again.champion == back.model != bad
    assert again.promote is not by_hand
    start = "shown to be worse than the champion: gain" if by_hand else "it cannot be told apart from the champion"
    assert again.reasons[0].startswith(start)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_rollback_that_undoes_another_one_rejects_nothing(by_hand, replaced):
    second = serving(replaced).model
    harm = None if by_hand else ShownHarm(model=second, gain=Interval(-0.3, -0.4, -0.2), answers=200, promotions=1)

    rollback(replaced.settings, SHOP, reason="complaints", harm=harm)
    taken = newest_rollback(replaced.registry, SHOP)
    rollback(replaced.settings, SHOP, reason="it was a mistake")

    assert (taken.rejected, taken.taken_back) == ((second, "") if by_hand else ("", second))
    assert (serving(replaced).model, newest_rollback(replaced.registry, SHOP)) == (second, NewestRollback())


def test_an_index_that_was_lost_is_built_again_on_the_way_back(replaced):
    first = replaced.registry.previous(SHOP)
    index = VectorIndex(replaced.settings.milvus_uri)
    index.drop(first.index)
    index.close()

    done = rollback(replaced.settings, SHOP, reason="complaints")

    assert done.index.rows == 200
    assert done.index.recall >= 0.99


def test_the_first_release_has_nothing_before_it(released):
    with pytest.raises(NothingToRollBackTo, match="is the first release of shop; there is none before it"):
        rollback(released.settings, SHOP, reason="complaints")

    assert serving(released)


def test_without_any_release_there_is_nothing_to_roll_back(challenged):
    with pytest.raises(NotFound, match="shop has no release yet; run make retrain SCENARIO=shop"):
        rollback(challenged.settings, SHOP, reason="complaints")


@pytest.mark.parametrize("damage", ["altered", "gone"])
def test_a_previous_model_that_is_not_what_it_was_does_not_come_back(damage, replaced):
    before, previous = serving(replaced), replaced.registry.previous(SHOP)
    path = ModelStore(replaced.settings.home).get(previous.model).path
    if damage == "altered":
        (path / "reference.parquet").write_bytes(b"other rows")
    else:
        shutil.rmtree(path)

    with pytest.raises(ModelAltered if damage == "altered" else NotFound):
        rollback(replaced.settings, SHOP, reason="complaints")

    assert serving(replaced) == before


def test_a_rollback_does_not_wait_for_a_training(replaced):
    first = replaced.registry.previous(SHOP)

    with holding_the_lock(replaced.settings.home):
        done = rollback(replaced.settings, SHOP, reason="complaints")

    assert done.release == serving(replaced) == first


def test_a_rollback_does_not_need_the_vector_store(replaced):
    first = replaced.registry.previous(SHOP)
    away = moved(replaced.settings, milvus_uri=f"http://127.0.0.1:{free_port()}")

    done = rollback(away, SHOP, reason="complaints")

    assert serving(replaced) == first
    assert done.index is None
    assert done.note.startswith("searches wait for Milvus")


@contextmanager
def holding_the_lock(home):
    """Another process holds the scenario, as a training does."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom releve.adapters.scenario_lock import scenario_lock\n"
        "with scenario_lock(Path(sys.argv[1]), 'shop', holder='retrain'):\n"
        "    print('held', flush=True)\n    time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        yield
        other.kill()
