"""A backup of a shop that is at work, and the same shop on an empty machine."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from releve import api
from releve.adapters import restore_marker
from releve.adapters.git_dvc.committed import begin_run
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.git_dvc.remote_files import RemoteFiles
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import ChainBroken
from releve.adapters.remote.backup_place import BackupDamaged
from releve.adapters.restore_marker import HalfRestored
from releve.adapters.scenario_lock import scenario_lock
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, Conflict, NotFound
from releve.domain.neighbours.vectors import Neighbour
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.target import Label
from tasks.backup.backup import backup
from tasks.backup.restore import restore
from tasks.ingestion.ingest import ingest
from tasks.release.rollback import rollback
from tests.tables import SHOP
from tests.tasks.shop import NEWER, TRAINING, Shop, market_rows

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Saved:
    """A backup, and the shop as it was then."""

    shop: Shop
    place: Path
    name: str

    def clone(self, parent: Path) -> Shop:
        """An empty machine has what the backup has: its bundle."""
        subprocess.run(["git", "clone", "--quiet", self.place / f"{self.name}.bundle", parent / "clone"], check=True)
        return Shop(parent / "clone")


@pytest.fixture(scope="module")
def saved(made_replaced: Shop, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Two releases, answers and labels, quarantined rows, and a file that waits."""
    shop = made_replaced.copy(tmp_path_factory.mktemp("saved"))
    broken = market_rows(20, seed=4).astype({"price": object})
    broken.iloc[0, broken.columns.get_loc("price")] = "free"
    shop.receive(broken, "day-5.csv")
    ingest(shop.settings, SHOP)
    shop.answer(NEWER[:3], predicted=["yes", "no", "yes"], labels=["yes", "no"])
    shop.receive(TRAINING[:7], "waits.parquet")
    place = shop.root.parent / "backups"
    return Saved(shop, place, backup(shop.settings, str(place)).name)


@pytest.fixture
def copied(saved: Saved, tmp_path: Path) -> Saved:
    """The same backup, to be spoilt."""
    return replace(saved, place=Path(shutil.copytree(saved.place, tmp_path / "backups")))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Answers:
    """What the champion answers to three rows, and what searches for them find."""

    labels: list[Label]
    neighbours: list[list[Neighbour]]

    @classmethod
    def of(cls, shop: Shop) -> "Answers":
        current = shop.registry.current(SHOP)
        assert current is not None
        release = current.release
        model = ModelStore(shop.settings.home).load(release.model, digest=release.model_digest)
        arrays = arrays_of_frame(model.schema, NEWER[:3])
        index = VectorIndex(shop.settings.milvus_uri)
        try:
            queries = model.embedder.embed(arrays, [])
            neighbours = index.search(release.index, queries, limit=5, version=release.index_version)
        finally:
            index.close()
        return cls(model.answer(arrays).labels, neighbours)


def test_an_empty_machine_is_as_the_other_one_was_and_works_on(saved: Saved, tmp_path: Path) -> None:
    shop, clone = saved.shop, saved.clone(tmp_path)

    done = restore(clone.settings, str(saved.place))
    again = backup(clone.settings, str(tmp_path / "again"))

    assert clone.registry.events(SHOP) == shop.registry.events(SHOP)
    assert clone.registry.verify() == len(shop.registry.events(SHOP))
    assert clone.registry.current(SHOP) == shop.registry.current(SHOP)
    assert Answers.of(clone) == Answers.of(shop)
    assert clone.batches == shop.batches
    assert api.read_version(SHOP, project=clone.root).equals(api.read_version(SHOP, project=shop.root))
    for here, there in zip(clone.state.folders, shop.state.folders, strict=True):
        assert files_of(here) == files_of(there)
    assert {file.path: file.sha256 for file in again.manifest.files} == {
        file.path: file.sha256 for file in done.manifest.files
    }
    assert done.indexes == 2
    assert (done.left_out, done.behind) == ((), "")
    assert restore_marker.restoring(clone.settings.home) is None

    assert [batch.source for batch in ingest(clone.settings, SHOP).batches] == ["waits.parquet"]
    back = rollback(clone.settings, SHOP, reason="a test")
    assert (back.release.model, back.note) == (shop.registry.previous(SHOP).model, "")


def test_a_second_backup_copies_what_is_new_alone(copied: Saved) -> None:
    shop = copied.shop
    before = {path.name for path in (copied.place / "objects").rglob("*")}

    done = backup(shop.settings, str(copied.place))

    after = {path.name for path in (copied.place / "objects").rglob("*")}
    assert done.new_bytes == 0
    assert after == before
    assert len(list(copied.place.glob("*.json"))) == 2


def test_a_backup_waits_for_a_run_and_names_it_when_that_takes_too_long(saved: Saved, tmp_path: Path) -> None:
    told = list[str]()
    settings = replace(saved.shop.settings, wait_seconds=0)

    def busy() -> None:
        with scenario_lock(settings.home, SHOP, holder="retrain"):
            in_a_thread(lambda: backup(settings, str(tmp_path / "backups"), progress=told.append))

    with pytest.raises(Conflict, match=r"retrain of shop .* is at work; waited 0 s"):
        busy()

    assert not list((tmp_path / "backups").glob("*.json"))


def in_a_thread(work: Callable[[], object]) -> None:
    """As an unrelated run of the same process would: without our context."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        threads.submit(work).result()


def test_a_backup_lies_outside_of_what_it_saves(saved: Saved) -> None:
    place = saved.shop.settings.home / "pages"

    with pytest.raises(BadInput, match="lies in the home that is backed up"):
        backup(saved.shop.settings, str(place))

    assert not (place / "objects").exists()


def test_where_something_is_already_nothing_is_restored(saved: Saved) -> None:
    shop = saved.shop
    before = shop.registry.events(SHOP)

    with pytest.raises(
        Conflict, match=r"but .*incoming/shop/waits.parquet is there; the registry has events of shop; .* has refs/"
    ):
        restore(shop.settings, str(saved.place))

    assert shop.registry.events(SHOP) == before
    assert restore_marker.restoring(shop.settings.home) is None


def test_a_restore_that_ended_early_stops_every_command_and_the_same_one_completes_it(
    copied: Saved, tmp_path: Path
) -> None:
    clone = copied.clone(tmp_path)
    lost = next(path for path in (copied.place / "objects").rglob("*") if path.is_file() and is_of_ledger(copied, path))
    aside = lost.rename(tmp_path / "aside")

    with pytest.raises(BackupDamaged, match=f"has lost the file {lost.name}"):
        restore(clone.settings, str(copied.place))
    with pytest.raises(
        HalfRestored, match=f"is only half restored; finish it first: releve restore --from {copied.place}"
    ):
        begin_run(clone.settings, SHOP, tell=print)
    with pytest.raises(HalfRestored):
        backup(clone.settings, str(tmp_path / "of-a-half"))
    nothing_served = clone.registry.current(SHOP)
    aside.rename(lost)
    restore(clone.settings, str(copied.place))

    assert nothing_served is None
    assert clone.registry.current(SHOP) == copied.shop.registry.current(SHOP)
    begin_run(clone.settings, SHOP, tell=print)


def is_of_ledger(saved: Saved, path: Path) -> bool:
    files = json.loads((saved.place / f"{saved.name}.json").read_text())["files"]
    return any(file["sha256"] == path.name and file["path"].startswith("home/ledger/") for file in files)


def test_an_altered_content_stops_the_restore_before_anything_serves(copied: Saved, tmp_path: Path) -> None:
    clone = copied.clone(tmp_path)
    for path in (path for path in (copied.place / "objects").rglob("*") if path.is_file()):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(BackupDamaged, match="was altered: its content gives"):
        restore(clone.settings, str(copied.place))

    assert clone.registry.scenarios() == []


def test_a_scenario_that_comes_back_otherwise_than_it_was_counted_stops_the_restore(
    copied: Saved, tmp_path: Path
) -> None:
    manifest = copied.place / f"{copied.name}.json"
    values = json.loads(manifest.read_text())
    values["scenarios"][SHOP]["rows"] += 1
    manifest.write_text(json.dumps(values))
    clone = copied.clone(tmp_path)

    with pytest.raises(
        BackupDamaged, match=r"shop is not what the backup says of it: rows \d+ instead of \d+; restore another backup"
    ):
        restore(clone.settings, str(copied.place))

    assert restore_marker.restoring(clone.settings.home) is not None


def test_an_altered_bundle_stops_the_restore(copied: Saved, tmp_path: Path) -> None:
    clone = copied.clone(tmp_path)
    bundle = copied.place / f"{copied.name}.bundle"
    bundle.write_bytes(bundle.read_bytes() + b"x")

    with pytest.raises(BackupDamaged, match=rf"{copied.name}\.bundle in .* was altered"):
        restore(clone.settings, str(copied.place))

    assert git(clone.root, "for-each-ref", "refs/heads/releve") == ""


def test_without_milvus_all_but_the_vectors_is_restored_and_the_same_command_builds_them(
    saved: Saved, tmp_path: Path
) -> None:
    clone = saved.clone(tmp_path)
    away = replace(clone.settings, milvus_uri="http://127.0.0.1:9")

    with pytest.raises(IndexUnavailable, match="Milvus at"):
        restore(away, str(saved.place))
    serving = clone.registry.current(SHOP)
    done = restore(clone.settings, str(saved.place))

    assert serving == saved.shop.registry.current(SHOP)
    assert done.indexes == 2


def test_a_backup_of_another_name_is_refused_with_the_newest_there_is(saved: Saved, tmp_path: Path) -> None:
    clone = Shop(tmp_path / "clone")

    with pytest.raises(NotFound, match=rf"there is no backup 20200101T000000Z in .*; the newest there is {saved.name}"):
        restore(clone.settings, str(saved.place), name="20200101T000000Z")


def test_a_backup_without_a_manifest_is_none(copied: Saved, tmp_path: Path) -> None:
    clone = copied.clone(tmp_path)
    (copied.place / f"{copied.name}.json").unlink()

    with pytest.raises(NotFound, match="there is no backup in"):
        restore(clone.settings, str(copied.place))

    assert restore_marker.restoring(clone.settings.home) is None


def test_a_broken_history_is_not_backed_up(released: Shop, tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(released.settings.home / "registry.db")) as database:
        database.execute("UPDATE events SET reason = 'another' WHERE number = 1")
        database.commit()

    with pytest.raises(ChainBroken, match="event 1 of 'shop' was changed"):
        backup(released.settings, str(tmp_path / "backups"))

    assert not (tmp_path / "backups").exists()


def test_rows_that_the_remote_lost_or_altered_come_from_the_cache(released: Shop, tmp_path: Path) -> None:
    remote = released.settings.home / "dvc-remote" / "files" / "md5"
    victims = [path for path in remote.rglob("*") if path.is_file()]
    for path in victims:
        path.chmod(0o644)
        path.write_bytes(b"garbage")

    done = backup(released.settings, str(tmp_path / "backups"))
    clone = Saved(released, tmp_path / "backups", done.name).clone(tmp_path)
    restore(clone.settings, str(tmp_path / "backups"))

    assert len(victims) > 0
    assert api.read_version(SHOP, project=clone.root).equals(api.read_version(SHOP, project=released.root))


def test_rows_that_another_run_deletes_meanwhile_are_no_part_of_the_backup(
    released: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, gone = RemoteFiles.digests, "0" * 32
    monkeypatch.setattr(RemoteFiles, "digests", lambda remote: [gone, *listed(remote)])

    done = backup(released.settings, str(tmp_path / "backups"))

    assert done.manifest.of("data") != []
    assert not any(gone in file.path for file in done.manifest.files)


def test_rows_that_nobody_has_whole_are_named(released: Shop, tmp_path: Path) -> None:
    remote = released.settings.home / "dvc-remote" / "files" / "md5"
    victim = next(path for path in remote.rglob("*") if path.is_file() and path.suffix != ".dir")
    for path in (victim, released.root / ".dvc" / "cache" / "files" / "md5" / victim.parent.name / victim.name):
        path.chmod(0o644)
        path.write_bytes(b"garbage")

    with pytest.raises(PipelineFailed, match=f"{victim.parent.name}{victim.name} was altered in the DVC remote, and"):
        backup(released.settings, str(tmp_path / "backups"))

    assert not list((tmp_path / "backups").glob("*.json"))
