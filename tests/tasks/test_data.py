"""Rows of any version from Python, as docs/ingest.md tells it."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from releve import api
from releve.adapters.git_dvc.data_versions import PipelineFailed, RemoteUnavailable
from releve.adapters.git_dvc.scenario_branch import git
from releve.core.errors import BadInput, NotFound
from tasks.ingestion.ingest import ingest
from tests.repositories import commit, snapshot
from tests.tables import ROOT, SHOP
from tests.tasks.shop import NEWER, TRAINING, Shop

PAGE = (ROOT / "docs/ingest.md").read_text()


def first_batch(shop: Shop) -> api.DataVersion:
    return api.list_versions(SHOP, project=shop.root)[0]


def cached(shop: Shop, *, ending: str = "") -> list[Path]:
    """Files of the cache that are no lists of a folder."""
    objects = (shop.root / ".dvc/cache/files/md5").rglob("*")
    return [path for path in objects if path.is_file() and path.suffix == ending]


def alter(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"garbage")


def test_every_batch_is_a_version_with_its_rows_its_hash_and_its_commit(ingested):
    first, second = api.list_versions(SHOP, project=ingested.root)

    assert (first.batch_rows, first.rows, second.batch_rows, second.rows) == (100, 100, 100, 200)
    assert [version.batch for version in (first, second)] == [batch.batch for batch in ingested.batches]
    assert second.revision == ingested.branch.tip()
    assert f"data version {first.data_version}" in git(ingested.root, "show", "--no-patch", first.revision)
    assert first.at.endswith("+00:00")


def test_the_newest_version_holds_all_rows_and_where_they_came_from(ingested):
    rows = api.read_version(SHOP, project=ingested.root)

    assert list(rows) == ["price", "weight", "kind", "bought", "_batch", "_row"]
    assert rows["price"].tolist() == TRAINING["price"].tolist()
    assert rows["_row"].tolist() == [*range(100), *range(100)]
    assert rows["_batch"].unique().tolist() == [batch.batch for batch in ingested.batches]


@pytest.mark.parametrize(
    "name",
    [
        lambda version: version.batch,
        lambda version: version.batch[:8],
        lambda version: version.data_version,
        lambda version: version.data_version[:10],
        lambda version: version.revision,
        lambda version: f"releve/{SHOP}~1",
    ],
    ids=["batch", "beginning of a batch", "data version", "beginning of one", "commit", "git's words"],
)
def test_an_earlier_version_is_found_by_any_of_its_names(name, ingested):
    rows = api.read_version(SHOP, name(first_batch(ingested)), project=ingested.root)

    assert rows["price"].tolist() == TRAINING["price"][:100].tolist()


def test_a_name_that_fits_several_versions_or_none_is_answered_with_those_there_are(ingested):
    names = ", ".join(batch.batch for batch in ingested.batches)

    with pytest.raises(BadInput, match=f"'0000' fits {names}; give more of the name"):
        api.read_version(SHOP, "0000", project=ingested.root)
    with pytest.raises(NotFound, match=f"'yesterday' is no batch, .* of shop; there are {names}"):
        api.read_version(SHOP, "yesterday", project=ingested.root)
    with pytest.raises(NotFound, match=f"'main' holds no batches of shop; there are {names}"):
        api.read_version(SHOP, "main", project=ingested.root)


def test_before_the_first_batch_there_is_nothing_to_read(fresh):
    with pytest.raises(NotFound, match=r"no branch releve/shop: nothing was ingested .* git fetch origin releve/shop:"):
        api.list_versions(SHOP, project=fresh.root)


def test_reading_changes_neither_the_users_tree_nor_the_cache(ingested):
    before, stored = snapshot(ingested.root), cached(ingested)

    api.read_version(SHOP, first_batch(ingested).batch, project=ingested.root)

    assert snapshot(ingested.root) == before
    assert cached(ingested) == stored


def test_a_version_that_the_cache_lost_comes_from_the_remote(ingested):
    shutil.rmtree(ingested.root / ".dvc/cache")

    rows = api.read_version(SHOP, project=ingested.root)

    assert len(rows) == 200


def test_a_version_that_is_nowhere_is_told(ingested):
    shutil.rmtree(ingested.root / ".dvc/cache")
    shutil.rmtree(ingested.settings.home / "dvc-remote")

    with pytest.raises(RemoteUnavailable, match=r"is not in the cache, and the remote does not give it: .* pushed"):
        api.read_version(SHOP, project=ingested.root)


def test_an_altered_file_of_the_cache_is_not_believed_and_the_remotes_is_read(ingested):
    for path in cached(ingested):
        alter(path)

    rows = api.read_version(SHOP, project=ingested.root)

    assert rows["price"].tolist() == TRAINING["price"].tolist()


def test_a_file_altered_in_the_cache_and_in_the_remote_is_told(ingested):
    for path in (*cached(ingested), *(ingested.settings.home / "dvc-remote").rglob("??????????????????????????????")):
        alter(path)

    with pytest.raises(PipelineFailed, match=r"batches/00000001-\w+\.parquet of data version \w+\.dir was altered in"):
        api.read_version(SHOP, project=ingested.root)


def test_old_versions_stay_readable_after_the_schema_has_changed(ingested):
    ingested.override(
        columns={"kind": {"type": "category", "categories": ["apple", "bread", "cheese", "dates"], "nullable": True}}
    )
    ingested.override(columns={"colour": {"type": "category", "categories": ["red", "green"], "nullable": True}})
    ingested.receive(NEWER.assign(colour="red", kind="dates"), "day-3.parquet")
    ingest(ingested.settings, SHOP)

    old = api.read_version(SHOP, first_batch(ingested).batch, project=ingested.root)
    new = api.read_version(SHOP, project=ingested.root)

    assert "colour" not in old and len(old) == 100
    assert new["colour"].isna().tolist() == [True] * 200 + [False] * 120
    assert "colour" not in api.read_schema(SHOP, first_batch(ingested).batch, project=ingested.root).names
    assert "colour" in api.read_schema(SHOP, project=ingested.root).names


def test_a_removed_column_is_still_there_in_the_versions_that_had_it(ingested):
    described = yaml.safe_load((ingested.files.folder / "params.yaml").read_text())
    del described["columns"]["weight"]
    (ingested.files.folder / "params.yaml").write_text(yaml.safe_dump(described))
    commit(ingested.root, "weight is no longer measured")
    ingested.receive(NEWER.drop(columns="weight"), "day-3.parquet")
    ingest(ingested.settings, SHOP)

    rows = api.read_version(SHOP, project=ingested.root)

    assert list(rows) == ["price", "kind", "bought", "weight", "_batch", "_row"]
    assert rows["weight"][:200].tolist() == pytest.approx(TRAINING["weight"].tolist(), nan_ok=True)
    assert rows["weight"][200:].isna().all()


def test_the_example_of_the_page_runs(ingested, monkeypatch, capsys):
    monkeypatch.chdir(ingested.root)
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1).replace('"churn"', f'"{SHOP}"')
    told: dict[str, object] = {}

    exec(example, told)

    assert capsys.readouterr().out.count("\n") == 2
    assert isinstance(told["then"], pd.DataFrame) and len(told["then"]) == 100
