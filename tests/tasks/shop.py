"""A small real project: this repository's code with one scenario, a shop of two numbers and one category."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from releve.adapters.files import write_parquet
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.yaml_files import pipeline_text
from releve.core.settings import Settings
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.release import Release
from tests.projects import Clone
from tests.repositories import commit, pack, write
from tests.tables import ROOT, SHOP, SHOP_TABLE, shop_rows

CODE = ("releve", "tasks")
FILES = (
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "params.yaml",
    "dvc.yaml",
    "service.py",
    "bentofile.yaml",
    "requirements.lock",
)
LOCKS = ("requirements-service.lock", "requirements-service-native.lock")
BETTER_RECIPE = {"recipe": "extra_trees", "options": {"n_estimators": 20}}
BETTER = {f"train.{key}": value for key, value in BETTER_RECIPE.items()}  # as an experiment sets it
NAIVE = {"train.recipe": "constant"}
TRAINING_ROWS, NEWER_ROWS = 200, 120


def market_rows(rows: int, *, seed: int) -> pd.DataFrame:
    """What is cheap or luxurious is bought: a line cannot say that, a tree can."""
    frame = shop_rows(rows, seed=seed)
    wanted = (frame["price"] < 40) | (frame["price"] > 85)
    surprise = np.random.default_rng(seed + 5000).random(rows) < 0.05
    return frame.assign(bought=np.where(wanted ^ surprise, "yes", "no").astype(object))


TRAINING, NEWER = market_rows(TRAINING_ROWS, seed=2), market_rows(NEWER_ROWS, seed=102)


@dataclass(frozen=True)
class Shop(Clone):
    """A project of a small table, whose scenario was made from it."""

    name: str = SHOP

    def copy(self, parent: Path) -> "Shop":
        """The same project and state elsewhere."""
        shutil.copytree(self.root, parent / "project", symlinks=True)
        return Shop(parent / "project")

    def receive(self, frame: pd.DataFrame, name: str = "today.parquet") -> Path:
        """A table arrives in the incoming folder, in the form that its name says."""
        path = self.state.incoming / name
        if path.suffix == ".parquet":
            write_parquet(path, frame)
        else:
            write(path, frame.to_csv(index=False))
        return path

    def receive_text(self, text: str, name: str = "today.csv") -> Path:
        return write(self.state.incoming / name, text)

    def override(self, **sections: dict[str, Any] | str) -> str:
        """The owner changes the scenario's params and commits; returns the revision."""
        path = self.files.folder / "params.yaml"
        values = yaml.safe_load(path.read_text())
        for section, changes in sections.items():
            values[section] = values.get(section, {}) | changes if isinstance(changes, dict) else changes
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return commit(self.root, "change the scenario")

    def replace_champion(self) -> Release:
        """A newer release comes, whose model is a copy of this one's; returns the release before it."""
        current = self.registry.current(self.name)
        assert current is not None
        before, store = current.release, ModelStore(self.settings.home)
        newer = store.save(store.folder(before.model), scenario=self.name, version="newer", labels={})
        payload = ModelReleased(release=before.model_copy(update={"model": newer.tag, "model_digest": newer.digest}))
        self.registry.move(self.name, payload, expected=current.number, reason="newer", actor="a test")
        return before

    def answer(
        self,
        frame: pd.DataFrame,
        *,
        predicted: list[Any],
        labels: list[Any] | None = None,
        probabilities: list[list[float]] | None = None,
    ) -> str:
        """The champion answers these rows, and labels come in for the first of them; returns the request's id."""
        current = self.registry.current(SHOP)
        model = current.release.model if current else "shop:none"
        rows = frame.drop(columns="bought").astype(object).where(frame.notna(), None).to_dict("records")
        with written_ledger(self) as ledger:
            request = ledger.answer(model=model, index=None, rows=rows, labels=predicted, probabilities=probabilities)
        self.label(request, labels or [])
        return request

    def label(self, request: str, labels: list[Any]) -> None:
        """Labels come in for the first rows of a request."""
        with written_ledger(self) as ledger:
            ledger.label((f"{request}.{position}", label) for position, label in enumerate(labels))

    def branch_text(self, path: str) -> str:
        return git(self.root, "show", f"{self.branch.name}:{path}")


class written_ledger:
    """The shop's ledger, closed in the end."""

    def __init__(self, shop: Shop) -> None:
        from datetime import UTC, datetime

        self._writer = LedgerWriter(shop.state.ledger, SHOP, clock=lambda: datetime.now(UTC))

    def __enter__(self) -> LedgerWriter:
        return self._writer

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def make_shop(root: Path) -> Shop:
    """The project in one commit; nothing is ingested yet."""
    for name in CODE:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES + LOCKS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    shop = Shop(root)
    bundled = (ROOT / "scenarios/digits/dvc.yaml").read_text()
    write(shop.files.folder / "dvc.yaml", pipeline_text(bundled, scenario=SHOP))
    write(
        shop.files.folder / "params.yaml",
        yaml.safe_dump({**SHOP_TABLE, "gate": {"metric": "accuracy"}}, sort_keys=False),
    )
    write(shop.files.inputs, 'rows: "seed"\nchampion: ""\nmemory: ".gitignore"\n')
    write(shop.files.folder / ".gitignore", "/seed\n/batches\n/build\n/memory\n/brought\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, "the project")
    pack(root)
    return shop


def moved(settings: Settings, **changes: Any) -> Settings:
    """The same project with another outside system."""
    return replace(settings, **changes)
