"""The remote in S3, by params alone: a real server of that protocol, on this machine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from releve import api
from releve.adapters.git_dvc.data_versions import RemoteUnavailable
from releve.adapters.git_dvc.scenario_branch import git
from tasks.backup.backup import backup
from tasks.backup.restore import restore
from tasks.ingestion.ingest import ingest
from tests.repositories import commit, write
from tests.serving.process import free_port
from tests.tables import SHOP
from tests.tasks.shop import TRAINING, Shop

pytestmark = pytest.mark.slow


def clone(shop: Shop, parent: Path) -> Path:
    """The repository as another machine has it: its branches, and no cache."""
    subprocess.run(["git", "clone", "--quiet", shop.root, parent / "clone"], check=True)
    git(parent / "clone", "fetch", "--quiet", "origin", f"{shop.branch.name}:{shop.branch.name}")
    return parent / "clone"


def test_rows_go_to_s3_by_params_alone_and_come_back_in_a_clone_without_a_cache(fresh, store, tmp_path):
    fresh.override(data=store.params)
    fresh.receive(TRAINING[:100], "day-1.parquet")
    fresh.receive(TRAINING[100:], "day-2.csv")

    ingest(fresh.settings, SHOP)
    elsewhere = clone(fresh, tmp_path)
    first, _ = api.list_versions(SHOP, project=elsewhere)

    assert api.read_version(SHOP, project=elsewhere)["price"].tolist() == TRAINING["price"].tolist()
    assert not (fresh.settings.home / "dvc-remote").exists()
    assert not (elsewhere / ".dvc/cache").exists()
    assert len(api.read_version(SHOP, first.batch, project=fresh.root)) == 100


def test_the_next_ingestion_fetches_what_its_cache_lost_from_s3(fresh, store):
    fresh.override(data=store.params)
    fresh.receive(TRAINING[:100], "day-1.parquet")
    ingest(fresh.settings, SHOP)
    shutil.rmtree(fresh.root / ".dvc/cache")
    fresh.receive(TRAINING[100:], "day-2.parquet")

    ingest(fresh.settings, SHOP)

    assert len(api.read_version(SHOP, project=fresh.root)) == 200


def test_a_file_that_was_altered_in_s3_is_refused(fresh, store):
    fresh.override(data=store.params)
    fresh.receive(TRAINING[:100], "day-1.parquet")
    ingest(fresh.settings, SHOP)
    shutil.rmtree(fresh.root / ".dvc/cache")
    for key in store.files:
        if not key.endswith(".dir"):
            store.put(key, b"garbage")

    with pytest.raises(Exception, match="altered in the cache and in the remote"):
        api.read_version(SHOP, project=fresh.root)
    fresh.receive(TRAINING[100:], "day-2.parquet")
    with pytest.raises(Exception, match=r"'dvc pull scenarios/shop/batches.dvc' failed"):
        ingest(fresh.settings, SHOP)


def test_an_s3_service_that_is_away_stops_the_ingestion_and_the_same_command_completes_it(fresh, store):
    fresh.override(data=store.params | {"endpoint": f"http://127.0.0.1:{free_port()}"})
    fresh.receive(TRAINING[:100], "day-1.parquet")
    with pytest.raises(RemoteUnavailable, match="the rows could not be pushed to the DVC remote, so nothing has moved"):
        ingest(fresh.settings, SHOP)
    before = fresh.branch.tip()

    fresh.override(data=store.params)
    found = ingest(fresh.settings, SHOP)

    assert before is None
    assert [batch.rows for batch in found.batches] == [100]
    assert len(store.files) == 2


def test_what_a_folder_held_is_copied_to_s3_file_by_file(ingested, store, tmp_path):
    folder = ingested.settings.home / "dvc-remote"
    for path in folder.rglob("*"):
        if path.is_file():
            store.put(f"releve/{path.relative_to(folder)}", path.read_bytes())
    ingested.override(data=store.params)

    elsewhere = clone(ingested, tmp_path)

    versions = api.list_versions(SHOP, project=elsewhere)
    assert [len(api.read_version(SHOP, version.batch, project=elsewhere)) for version in versions] == [100, 200]


def test_a_bucket_that_was_emptied_gets_the_newest_version_again_with_the_next_push(fresh, store):
    fresh.override(data=store.params)
    fresh.receive(TRAINING[:100], "day-1.parquet")
    ingest(fresh.settings, SHOP)
    store.empty()
    fresh.receive(TRAINING[100:], "day-2.parquet")

    ingest(fresh.settings, SHOP)
    shutil.rmtree(fresh.root / ".dvc/cache")

    assert len(api.read_version(SHOP, project=fresh.root)) == 200


def test_a_backup_in_s3_of_rows_in_s3_is_restored_to_where_the_rows_were(fresh, store, tmp_path, monkeypatch):
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", store.endpoint)
    monkeypatch.setattr("fsspec.config.conf", {"s3": {"endpoint_url": store.endpoint}})  # read once, at its import
    fresh.override(data=store.params)
    fresh.receive(TRAINING[:100], "day-1.parquet")
    ingest(fresh.settings, SHOP)
    place, elsewhere = f"s3://{store.bucket}/backups", tmp_path / "elsewhere"

    done, again = backup(fresh.settings, place), backup(fresh.settings, place)
    subprocess.run(["git", "clone", "--quiet", fresh.root, elsewhere], check=True)
    for key in store.files:
        if key.startswith("releve/"):
            store.delete(key)
    restored = restore(Shop(elsewhere).settings, place)

    assert (done.new_bytes > 0, again.new_bytes) == (True, 0)
    assert restored.manifest.scenarios[SHOP].rows == 100
    assert api.read_version(SHOP, project=elsewhere)["price"].tolist() == TRAINING[:100]["price"].tolist()
    assert not (elsewhere / ".dvc/cache").exists()


def test_an_older_version_asks_the_remote_of_today_not_that_of_its_commit(ingested, tmp_path):
    shutil.rmtree(ingested.root / ".dvc/cache")
    shutil.move(ingested.settings.home / "dvc-remote", tmp_path / "moved")
    text = (ingested.root / ".dvc/config").read_text()
    write(ingested.root / ".dvc/config", text.replace("../var/dvc-remote", str(tmp_path / "moved")))
    commit(ingested.root, "the remote has moved")

    assert len(api.read_version(SHOP, project=ingested.root)) == 200
