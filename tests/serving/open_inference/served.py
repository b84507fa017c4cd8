"""One service with four scenarios: texts and dates, categories and numbers, numbers alone, a regression."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import yaml

from releve.adapters.models.model_store import ModelStore, StoredModel
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.factories import PROJECT, SCENARIO, TABLE, make_release, make_table
from tests.serving.conftest import registry_of
from tests.serving.process import serving, wait_until
from tests.serving.tables import packed
from tests.tables import MESSAGES, MESSAGES_TABLE, RENTALS, RENTALS_TABLE, messages_rows, rentals_rows

NUMBERS = "numbers"
NUMBERS_TABLE: dict[str, Any] = {
    "target": {"name": "kind", "classes": ["low", "middle", "high"]},
    "columns": {
        "a": {"type": "number", "min": 0, "max": 10},
        "b": {"type": "number", "nullable": True},
        "c": {"type": "number", "min": -0.1, "max": 0.1},
    },
}
MAX_ROWS = 50


def numbers_rows(rows: int = 90) -> pd.DataFrame:
    """Good rows; the kind follows from the first number."""
    random = np.random.default_rng(7)
    a = random.uniform(0, 10, rows).round(3)
    b = np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows).round(3))
    kind = np.array(["low", "middle", "high"], dtype=object)[np.minimum(2, a // 3.4).astype(int)]
    return pd.DataFrame({"a": a, "b": b, "c": random.uniform(-0.1, 0.1, rows).round(3), "kind": kind})


def flowers_rows() -> pd.DataFrame:
    """The rows of `make_table` as a frame."""
    rows, labels = make_table()
    return pd.DataFrame(rows).assign(kind=labels)


TABLES = {
    SCENARIO: (TABLE, flowers_rows),
    NUMBERS: (NUMBERS_TABLE, numbers_rows),
    MESSAGES: (MESSAGES_TABLE, messages_rows),
    RENTALS: (RENTALS_TABLE, rentals_rows),
}


@dataclass(frozen=True)
class Service:
    """The running service, and where its state lies."""

    address: str
    client: httpx.Client
    home: Path

    def infer(self, name: str, **values: Any) -> httpx.Response:
        return self.client.post(f"/v2/models/{name}/infer", json=values)


def release_tables(home: Path) -> dict[str, tuple[StoredModel, pd.DataFrame]]:
    """Release a model of each of TABLES, and describe them in a project; returns the models and what they know."""
    project, released = home / "project", {}
    registry = registry_of(home)
    for name, (table, rows) in TABLES.items():
        frame = check_frame(Schema.from_dict(table), rows()).accepted
        folder = packed(home / "made" / name, table, frame)
        stored = ModelStore(home).save(folder, scenario=name, version="one", labels={})
        event = ModelReleased(release=make_release(stored, index=f"releve_{name}_one"))
        registry.move(name, event, expected=None, reason="a test", actor="tests")
        released[name] = stored, frame
        (project / "scenarios" / name).mkdir(parents=True)
        described = {**table, "service": {"max_rows": MAX_ROWS}}
        (project / "scenarios" / name / "params.yaml").write_text(yaml.safe_dump(described))
    registry.close()
    shutil.copy(PROJECT / "params.yaml", project)
    return released


@contextmanager
def served(home: Path) -> Iterator[Service]:
    """Serve a release of each of TABLES."""
    release_tables(home)
    with (
        serving(home, home / "project", RELEVE_SCENARIO="") as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        wait_until(lambda: all(_is_ready(client, name) for name in TABLES))
        yield Service(address, client, home)


def _is_ready(client: httpx.Client, name: str) -> bool:
    """Load it: on a busy machine what it imports takes longer than a request may."""
    return client.get(f"/v2/models/{name}/ready").status_code == 200
