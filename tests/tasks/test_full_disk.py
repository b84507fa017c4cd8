"""Real disks that are full or read-only: one sentence each, nothing half-written, and the same command works later."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import DiskFull, ReleveError
from releve.core.settings import Settings, sqlite_url
from tasks.ingestion.ingest import ingest
from tasks.ledger import tidy_ledger
from tasks.retraining.retrain import retrain
from tests.tables import ROOT, SHOP
from tests.tasks.scoring.conftest import order_rows, scored, small_parts  # noqa: F401 - fixtures
from tests.tasks.shop import NEWER, Shop

pytestmark = [pytest.mark.slow, pytest.mark.system]
SIZE = "16m"
REJECTED = "the batch that has rejected rows"
COMMANDS = {
    "resubmit": (SHOP, REJECTED),
    "page": (SHOP,),
    "archive": (SHOP,),
    "scenario": ("mine", "--data", "mine.csv", "--target", "bought"),
    "up": (),
    "models": (SHOP,),
}
PROGRESS = ("params and schema of commit", "starting ")  # how lines begin that are told while all is well


class Disk:
    """A file system of its own, so small that it can be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self) -> None:
        with self._filling.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self) -> None:
        self._filling.unlink()

    def forbid(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def files(self) -> set[str]:
        """What lies there, but for locks and what SQLite keeps beside its file while it is open."""
        found = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
        return {name for name in found if not name.endswith((".lock", "-wal", "-shm", "run/lock", "filling", ".log"))}


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.decode().strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def on_disk(shop: Shop, disk: Disk) -> Settings:
    """The shop's settings with its state on that disk."""
    home = disk.folder / "var"
    shop.settings.home.rename(shop.settings.home.with_name("moved"))
    subprocess.run(["cp", "-r", str(shop.root / "moved"), str(home)], check=True)
    if (home / "registry.db").is_file():  # what SQLite keeps beside it would be free space once it is opened and closed
        with closing(sqlite3.connect(home / "registry.db")) as registry:
            registry.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return replace(shop.settings, home=home, registry_url=sqlite_url(home / "registry.db"))


def run(settings: Settings, *command: str) -> "subprocess.CompletedProcess[str]":
    environ = {"RELEVE_HOME": str(settings.home), "RELEVE_PROJECT": str(settings.project), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "releve", *command],
        cwd=settings.project,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_an_ingestion_without_room_takes_nothing_and_the_next_one_takes_all(ingested, disk):
    ingested.receive(NEWER, "day-3.parquet")
    settings = on_disk(ingested, disk)
    before = disk.files()
    disk.fill()

    with pytest.raises(DiskFull) as told:
        ingest(settings, SHOP)
    there = disk.files()
    disk.free()
    found = ingest(settings, SHOP)

    assert "\n" not in str(told.value)
    assert there == before
    assert [batch.rows for batch in found.batches] == [len(NEWER)]


def test_a_retraining_without_room_ends_in_one_sentence_and_moves_nothing(ingested, disk):
    settings, tip = on_disk(ingested, disk), ingested.branch.tip()
    before = disk.files()
    disk.fill()

    with pytest.raises(ReleveError, match=r"No space left on device|no space( is)? left") as told:
        retrain(settings, SHOP, reason="a test")

    assert "\n" not in str(told.value)
    assert disk.files() == before
    assert ingested.branch.tip() == tip


@pytest.mark.parametrize("kind", ["full", "read-only"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_ends_in_one_sentence(name, kind, ingested, disk):
    ingested.receive_text(NEWER.to_csv(index=False) + "apple,-1,1,no\n")
    batch = ingest(ingested.settings, SHOP).batches[0].batch
    settings = on_disk(ingested, disk)
    (settings.project / "mine.csv").write_text("kind,bought\n" + "apple,yes\nbread,no\n" * 50)
    before = disk.files()
    disk.fill() if kind == "full" else disk.forbid()

    done = run(settings, name, *(batch if word == REJECTED else word for word in COMMANDS[name]))

    errors = [line for line in done.stderr.splitlines() if not line.startswith(PROGRESS)]
    assert done.returncode != 0
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith("error: ")
    assert disk.files() == before


def test_a_compaction_without_room_loses_nothing_and_the_next_one_completes_it(ingested, disk):
    shop = ingested
    request = shop.answer(NEWER, predicted=["yes"] * len(NEWER), labels=["no"])
    settings = on_disk(shop, disk)
    ledger, tomorrow = settings.home / "ledger" / SHOP, datetime.now(UTC) + timedelta(days=2)
    before, answers = disk.files(), LedgerReader(ledger).answers().ids
    disk.fill()

    with pytest.raises(DiskFull, match="no space is left"):
        tidy_ledger(settings, SHOP, now=tomorrow)
    there = disk.files()
    with pytest.raises(DiskFull):
        label(ledger, f"{request}.1")
    disk.free()
    tidy_ledger(settings, SHOP, now=tomorrow)
    label(ledger, f"{request}.1")

    assert there == before
    assert LedgerReader(ledger).answers().ids == answers
    assert sorted(LedgerReader(ledger).labels()) == [f"{request}.0", f"{request}.1"]
    assert [path.name.split("-")[0] for path in ledger.glob("*.jsonl")] == ["labels"]  # today's


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("ending", ["", ".csv"])
def test_a_scoring_without_room_keeps_its_finished_parts_and_goes_on_from_there(scored, ending, disk):  # noqa: F811
    shop = scored(SHOP, disk.folder)
    path, out = shop.put("orders.csv", order_rows(350)), shop.root / f"scored{ending}"

    def fill(reached):
        if reached.rows == 200:  # while the second part is written
            disk.fill()

    with pytest.raises(DiskFull, match="no space is left") as told:
        shop.score(path, out, ledger=True, progress=fill)
    there = {each.name for each in out.iterdir()}
    disk.free()
    done = shop.score(path, out, ledger=True)

    assert "\n" not in str(told.value)
    assert "_work" not in there
    assert done.resumed_rows in (100, 200)  # what is begun of a file may find room for its end
    assert (done.manifest.answered, len(done.manifest.parts)) == (350, 4)
    assert len(set(LedgerReader(shop.state.ledger).answers().ids)) == 350


def label(ledger: Path, row_id: str) -> None:
    writer = LedgerWriter(ledger, SHOP, clock=lambda: datetime.now(UTC))
    try:
        writer.label([(row_id, "no")])
    finally:
        writer.close()
