"""The shop in its states. Each is made once in a test run, from the one before it, and copied for every test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.experiment.experiment import experiment
from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.once import made_once
from tests.s3 import CREDENTIALS, Store, running_store
from tests.tables import SHOP
from tests.tasks.shop import BETTER, BETTER_RECIPE, NAIVE, NEWER, TRAINING, Shop, make_shop, market_rows

TOLD = "told"  # what the stages of the first challenger said, beside its project


@pytest.fixture(scope="session")
def made_fresh(work_dir: Path) -> Shop:
    folder = made_once(work_dir / "shop-fresh", lambda place: make_shop(place / "project"))
    return Shop(folder / "project")


@pytest.fixture(scope="session")
def made_ingested(made_fresh: Shop, work_dir: Path) -> Shop:
    def make(shop: Shop) -> None:
        shop.receive(TRAINING[:100], "day-1.parquet")
        shop.receive(TRAINING[100:], "day-2.csv")
        ingest(shop.settings, SHOP)

    return after(made_fresh, work_dir / "shop-ingested", make)


@pytest.fixture(scope="session")
def made_challenged(made_ingested: Shop, work_dir: Path) -> Shop:
    def make(shop: Shop) -> None:
        with (shop.root.parent / TOLD).open("w") as told:
            retrain(shop.settings, SHOP, reason="the first champion", progress=lambda line: print(line, file=told))

    return after(made_ingested, work_dir / "shop-challenged", make)


@pytest.fixture(scope="session")
def made_released(made_challenged: Shop, work_dir: Path) -> Shop:
    def make(shop: Shop) -> None:
        release(shop.settings, SHOP)

    return after(made_challenged, work_dir / "shop-released", make)


@pytest.fixture(scope="session")
def made_replaced(made_released: Shop, work_dir: Path) -> Shop:
    """A better recipe and newer rows: the second champion."""

    def make(shop: Shop) -> None:
        shop.override(train=BETTER_RECIPE)
        shop.receive(NEWER, "day-3.parquet")
        ingest(shop.settings, SHOP)
        retrain(shop.settings, SHOP, reason="a better recipe")
        release(shop.settings, SHOP)

    return after(made_released, work_dir / "shop-replaced", make)


@pytest.fixture(scope="session")
def made_third(made_replaced: Shop, work_dir: Path) -> Shop:
    """Three releases; the settings keep the files of the newest one, and of what a rollback needs."""

    def make(shop: Shop) -> None:
        shop.override(storage={"keep_releases": 1})
        shop.receive(market_rows(120, seed=11), "day-4.parquet")
        ingest(shop.settings, SHOP)
        retrain(shop.settings, SHOP, reason="newer rows")
        release(shop.settings, SHOP)

    return after(made_replaced, work_dir / "shop-third", make)


@pytest.fixture(scope="session")
def made_tried(made_released: Shop, work_dir: Path) -> Shop:
    """Three experiments beside the first champion: a better recipe, the champion's own settings, the naive answer."""

    def make(shop: Shop) -> None:
        for changes in (BETTER, {}, NAIVE):
            experiment(shop.settings, SHOP, changes=changes, by="Ana")

    return after(made_released, work_dir / "shop-tried", make)


def after(before: Shop, folder: Path, make: Callable[[Shop], None]) -> Shop:
    """The shop of another state, taken further."""
    made_once(folder, lambda place: make(before.copy(place)))
    return Shop(folder / "project")


@pytest.fixture
def fresh(made_fresh: Shop, tmp_path: Path) -> Shop:
    """Nothing is ingested yet."""
    return made_fresh.copy(tmp_path)


@pytest.fixture
def ingested(made_ingested: Shop, tmp_path: Path) -> Shop:
    """Two batches of 100 rows."""
    return made_ingested.copy(tmp_path)


@pytest.fixture
def challenged(made_challenged: Shop, tmp_path: Path) -> Shop:
    """A first challenger was accepted and waits to be released."""
    return made_challenged.copy(tmp_path)


@pytest.fixture
def told_while_challenging(made_challenged: Shop) -> str:
    """What the stages of the first challenger said."""
    return (made_challenged.root.parent / TOLD).read_text()


@pytest.fixture
def released(made_released: Shop, tmp_path: Path) -> Shop:
    """The first champion serves."""
    return made_released.copy(tmp_path)


@pytest.fixture
def replaced(made_replaced: Shop, tmp_path: Path) -> Shop:
    """The second champion serves, and the first is the previous one."""
    return made_replaced.copy(tmp_path)


@pytest.fixture
def tried(made_tried: Shop, tmp_path: Path) -> Shop:
    """The first champion serves, and three experiments were made beside it."""
    return made_tried.copy(tmp_path)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An S3 service with one bucket."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with running_store() as made:
        yield made
