"""Projects whose models are released, without a pipeline: a few seconds each, made once."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from releve.adapters.files import write_document
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_runtime import HISTORY
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings, sqlite_url
from releve.domain.features.completion import complete_frame
from releve.domain.features.known import KnownValues
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tasks.places import ScenarioState
from tasks.scoring.score import ScoringResult, score
from tests.domain.features.tables import PANEL, PANEL_TABLE, RIDES, RIDES_TABLE, panel, rides
from tests.factories import make_release
from tests.once import made_once
from tests.repositories import commit
from tests.serving.tables import packed
from tests.tables import (
    MESSAGES,
    MESSAGES_TABLE,
    RENTALS,
    RENTALS_TABLE,
    ROOT,
    SHOP,
    messages_rows,
    rentals_rows,
    shop_rows,
)

ORDERS_TABLE: dict[str, Any] = {
    "target": {"name": "bought", "classes": ["no", "yes"]},
    "id": "order",
    "columns": {
        "order": {"type": "category", "feature": False},
        "kind": {"type": "category", "categories": ["apple", "bread", "cheese"], "nullable": True},
        "price": {"type": "number", "min": 0, "max": 100},
        "weight": {"type": "number", "nullable": True},
    },
}


def order_rows(rows: int, *, seed: int = 7) -> pd.DataFrame:
    """Rows of the shop, each with an id of its own."""
    frame = shop_rows(rows, seed=seed)
    frame.insert(0, "order", [f"o{number}" for number in range(rows)])
    return frame


TABLES = {
    SHOP: (ORDERS_TABLE, order_rows(200)),
    RENTALS: (RENTALS_TABLE, rentals_rows(200)),
    MESSAGES: (MESSAGES_TABLE, messages_rows(200)),
    RIDES: (RIDES_TABLE, rides(200)),
    PANEL: (PANEL_TABLE, panel(200)),
}


@dataclass(frozen=True)
class Scored:
    """A project with one scenario, whose first model serves."""

    root: Path
    name: str

    @property
    def settings(self) -> Settings:
        home = self.root / "var"
        return Settings(project=self.root, home=home, registry_url=sqlite_url(home / "registry.db"), milvus_uri="")

    @property
    def state(self) -> ScenarioState:
        return ScenarioState(self.settings.home, self.name)

    @property
    def out(self) -> Path:
        return self.root / "scored"

    def put(self, name: str, frame: pd.DataFrame) -> Path:
        """Write a table in the form that its name says."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            frame.to_parquet(path, index=False)
        elif name.endswith(".jsonl"):
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_csv(path, index=False)
        return path

    def score(self, source: object, output: object = "", **asked: Any) -> ScoringResult:
        return score(self.settings, self.name, source=str(source), output=str(output or self.out), **asked)

    def release(self, version: str) -> None:
        """Have another version of the same model serve."""
        home, registry = self.settings.home, Registry(self.settings.registry_url)
        stored = ModelStore(home).save(home / "made" / self.name, scenario=self.name, version=version, labels={})
        current = registry.current(self.name)
        payload = ModelReleased(release=make_release(stored))
        registry.move(self.name, payload, expected=current.number if current else None, reason="a test", actor="tests")

    def edit(self, old: str, new: str) -> None:
        """Change the scenario's params, committed."""
        path = self.root / "scenarios" / self.name / "params.yaml"
        path.write_text(path.read_text().replace(old, new))
        git(self.root, "commit", "--quiet", "--all", "-m", "change params")


@pytest.fixture(scope="session")
def scored(work_dir: Path) -> Callable[[str, Path], Scored]:
    """Make a copy of a project whose scenario has that name."""

    def make(name: str) -> Callable[[Path], None]:
        def made(folder: Path) -> None:
            table, rows = TABLES[name]
            project = Scored(folder / "project", name)
            (project.root / "scenarios" / name).mkdir(parents=True)
            shutil.copy(ROOT / "params.yaml", project.root)
            own = {**table, "compute": {"workers": 1}, "ingest": {"missing": ["?"]}}
            (project.root / "scenarios" / name / "params.yaml").write_text(yaml.safe_dump(own))
            git(project.root, "init", "--quiet", "--initial-branch=main")
            commit(project.root, "the project")
            made, schema = project.settings.home / "made" / name, Schema.from_dict(table)
            accepted = check_frame(schema.sent, rows).accepted
            packed(made, table, complete_frame(schema, accepted.assign(_batch="one")))
            if schema.derived:
                write_document(made / HISTORY, KnownValues.of(schema, accepted))
            project.release("one")

        return made

    def copied(name: str, parent: Path) -> Scored:
        source = made_once(work_dir / f"scored-{name}", make(name)) / "project"
        shutil.copytree(source, parent / "project")
        return Scored(parent / "project", name)

    return copied


@pytest.fixture
def shop(scored: Callable[[str, Path], Scored], tmp_path: Path) -> Scored:
    return scored(SHOP, tmp_path)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 100 rows, in pieces of 100."""
    monkeypatch.setattr("releve.adapters.tables.chunks.MOST_ROWS_PER_CHUNK", 100)
    monkeypatch.setattr("tasks.scoring.parts.ROWS_PER_PART", 100)
    monkeypatch.setattr("tasks.scoring.score.ROWS_PER_PART", 100)
