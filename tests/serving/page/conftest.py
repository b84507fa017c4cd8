"""Handwritten digits, served to people who hold a token, with a release to go back to."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import pytest
import yaml

from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.events import make_challenger
from tests.factories import PROJECT, make_release
from tests.serving.conftest import registry_of
from tests.serving.process import free_port, milvus_serving
from tests.serving.tables import packed, table_served

DIGITS = "digits"
READ, OPERATE = "a-token-to-read-with", "a-token-to-operate-with"
TOKENS = {"RELEVE_TOKEN_READ": READ, "RELEVE_TOKEN_OPERATE": OPERATE}
ROWS = 500


@dataclass(frozen=True)
class Site:
    """A service that people look at."""

    address: str
    registry: Registry


def digits_table() -> tuple[dict, pd.DataFrame]:
    """The bundled scenario's columns and target, and its first rows."""
    from sklearn.datasets import load_digits

    described = yaml.safe_load((PROJECT / "scenarios" / DIGITS / "params.yaml").read_text())
    table = {key: described[key] for key in ("target", "columns")}
    data = load_digits()
    return table, pd.DataFrame(data.data[:ROWS], columns=list(table["columns"])).assign(digit=data.target[:ROWS])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home, port = tmp_path_factory.mktemp("page"), free_port()
    table, rows = digits_table()
    with (
        milvus_serving(home / "milvus", port),
        table_served(home, DIGITS, table, rows, milvus=port, **TOKENS) as running,
    ):
        registry = registry_of(home)
        frame = check_frame(Schema.from_dict(table), rows[:300]).accepted
        folder = packed(home / "made" / "two" / DIGITS, table, frame)
        stored = ModelStore(home).save(folder, scenario=DIGITS, version="two", labels={})
        reasons = ("better than the champion: <b>gain</b> +0.020 [+0.004, +0.036]",)
        challenger = make_challenger(model=stored.tag, reasons=reasons)
        registry.append(DIGITS, challenger, reason="a test", actor="tests")
        first = registry.current(DIGITS)
        assert first is not None
        second = make_release(stored, index=first.release.index)
        registry.move(DIGITS, ModelReleased(release=second), expected=first.number, reason="", actor="tests")
        yield Site(str(running.client.base_url).rstrip("/"), registry)
        registry.close()
