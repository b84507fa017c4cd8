"""What old releases leave behind, taken away once it was made again."""

import signal
import subprocess
import sys

import pytest

from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.git_dvc.remakable import outputs
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.domain.registry.chain import REBUILT
from releve.domain.registry.events import ModelRebuilt, RebuildPurpose
from releve.reporting.markdown import render_markdown
from tasks.history import last_challenger
from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.release.tidy import tidy
from tasks.reporting.model_card import card_of, write_card
from tasks.retraining.rebuild import made_by, rebuild
from tasks.retraining.retrain import retrain
from tests.repositories import write
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.slow


@pytest.fixture
def third(made_third, tmp_path) -> Shop:
    return made_third.copy(tmp_path)


def models(shop) -> list[str]:
    return list(dict.fromkeys(event.payload["model"] for event in shop.registry.events(SHOP, kinds=["challenged"])))


def stored(shop) -> set[str]:
    return ModelStore(shop.settings.home).tags(SHOP)


def bento(shop, model):
    return shop.settings.home / "bentoml" / "bentos" / "releve" / model.partition(":")[2]


def objects(shop) -> set[str]:
    root = DataCache(shop.root / ".dvc" / "cache").root / "files" / "md5"
    return {"".join(path.relative_to(root).parts) for path in root.rglob("*") if path.is_file()}


def made(shop, model) -> dict[str, str]:
    """The outputs of a refresh, by the end of their path."""
    revision = last_challenger(shop.registry, SHOP, model=model).revision
    lock = git(shop.root, "show", f"{revision}:scenarios/{SHOP}/dvc.lock")
    return {path.partition("/build/")[2]: digest for path, digest in outputs(lock).items()}


def test_the_oldest_release_leaves_once_it_was_built_again_and_comes_back_byte_for_byte(third):
    first, second, newest = models(third)
    digest = ModelStore(third.settings.home).get(first).digest
    served = third.registry.current(SHOP)
    card = write_card(third.settings, first)[-1]

    done = tidy(third.settings, SHOP)

    assert done.left == (first,)
    assert (done.differing, done.untried) == ((), 0)
    assert done.bytes > done.tried[0].bytes > 0
    assert stored(third) == {second, newest}
    assert not bento(third, first).exists()
    assert not card.exists()
    assert bento(third, newest).is_dir()
    assert made(third, first)["model"] not in objects(third)
    assert third.registry.current(SHOP) == served
    event = third.registry.events(SHOP, kinds=[REBUILT])[-1]
    assert "byte for byte" in event.reason
    written = render_markdown(card_of(third.settings, first))
    assert "its files" in written
    assert "MISSING" not in written.partition("## Recipe")[2].partition("##")[0]
    history = DataHistory(third.root, SHOP)
    assert [len(history.read(version)) for version in history.versions()] == [100, 200, 320, 440]

    again = rebuild(third.settings, first)

    assert (again.restored, again.record.same) == (True, True)
    assert ModelStore(third.settings.home).get(first).digest == digest
    assert tidy(third.settings, SHOP).left == ()  # a person wanted it
    assert first in stored(third)


def test_a_model_that_does_not_come_out_again_stays_and_is_reported(third):
    first = models(third)[0]
    record(third, first, differing=("model.onnx",))

    done = tidy(third.settings, SHOP)

    assert (done.left, done.tried, [each.model for each in done.differing]) == ((), (), [first])
    assert first in stored(third)


def test_what_was_made_the_way_of_a_model_that_came_out_again_leaves_without_a_fit_and_comes_back(third):
    _, second, _ = models(third)
    third.receive(market_rows(120, seed=12), "day-5.parquet")
    ingest(third.settings, SHOP)
    retrain(third.settings, SHOP, reason="newer rows")
    release(third.settings, SHOP)
    first_way, second_way, newest_way, _ = (way(third, model) for model in models(third))
    assert first_way != second_way == newest_way  # a first model is made otherwise
    record(third, models(third)[0])
    record(third, "shop:earlier", made_by=second_way)

    done = tidy(third.settings, SHOP)

    assert (done.tried, done.untried) == ((), 0)
    assert second in done.left
    event = third.registry.events(SHOP, kinds=[REBUILT])[-1]
    assert event.read(ModelRebuilt).proof == "shop:earlier"
    assert "shop:earlier, which was built again byte for byte" in event.reason
    again = rebuild(third.settings, second)
    assert (again.restored, again.record.same) == (True, True)


@pytest.mark.parametrize("at", ["releve.adapters.models.bento_builds.remove", "tasks.release.tidy.drop"])
def test_a_tidying_that_was_killed_goes_on_with_the_next_run(third, at):
    first, second, newest = models(third)
    record(third, first)
    module, _, name = at.rpartition(".")
    killed = (
        "import os, signal; from pathlib import Path; from releve.core.settings import Settings;"
        f"import {module} as module; from tasks.release.tidy import tidy;"
        f"module.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL);"
        f"tidy(Settings(project=Path({str(third.root)!r}), home=Path({str(third.settings.home)!r}),"
        f" registry_url={third.settings.registry_url!r}, milvus_uri='unused.db'), {SHOP!r})"
    )

    ended = subprocess.run([sys.executable, "-c", killed], cwd=third.root, check=False)

    assert ended.returncode == -signal.SIGKILL
    assert ModelStore(third.settings.home).load(first)
    assert tidy(third.settings, SHOP).left == (first,)
    assert stored(third) == {second, newest}
    assert tidy(third.settings, SHOP).left == ()


def test_what_serves_can_be_rolled_back_after_a_tidying(third):
    first, second, _ = models(third)
    record(third, first)
    tidy(third.settings, SHOP)

    assert rollback(third.settings, SHOP, reason="a test").release.model == second


def test_files_of_old_monitoring_runs_leave_and_the_newest_stay(third, monkeypatch):
    monkeypatch.setattr("tasks.release.tidy.KEPT_REPORTS", 2)
    names = [f"202601{day:02d}T120000.000000Z" for day in range(1, 5)]
    for name in (*names, "mine"):
        write(third.state.reports / name / "evidently.json", "{}")
    record(third, models(third)[0])

    tidy(third.settings, SHOP)

    assert sorted(path.name for path in third.state.reports.iterdir()) == [*names[2:], "mine"]


def way(shop, model):
    challenger = last_challenger(shop.registry, SHOP, model=model)
    return made_by(shop.settings, ModelStore(shop.settings.home), challenger)


def record(shop, model, *, differing=(), made_by=""):
    """The registry says that a model was built again."""
    trial = ModelRebuilt(
        model=model,
        purpose=RebuildPurpose.RETIRE,
        files={},
        bytes=1,
        differing=differing,
        cpu_seconds=1.0,
        made_by=made_by,
    )
    shop.registry.append(SHOP, trial, reason="a trial", actor="test")
