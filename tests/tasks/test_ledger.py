"""The ledger's finished days in the life of a scenario: compacted, kept for so long, sent to the remote and fetched."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.data_versions import data_version
from releve.adapters.prediction_ledger.reader import LedgerReader, find_answer
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import NotFound
from tasks.ledger import fetch_ledger, tidy_ledger
from tests.tables import SHOP
from tests.tasks.shop import Shop

pytestmark = pytest.mark.slow
TODAY = datetime(2026, 3, 10, 12, tzinfo=UTC)


def answer(shop: Shop, day: datetime) -> str:
    writer = LedgerWriter(shop.state.ledger, SHOP, clock=lambda: day)
    request = writer.answer(model="shop:1", index=None, rows=[{"price": day.day}], labels=["yes"], probabilities=None)
    writer.close()
    return f"{request}.0"


def forget_this_machine(shop: Shop) -> None:
    """Only git and the remote are left."""
    shutil.rmtree(shop.state.ledger)
    shutil.rmtree(shop.root / ".dvc" / "cache")


def remote_files(shop: Shop) -> dict[str, str]:
    """File -> md5 of the folder that the branch names, where the remote has each."""
    remote = DataCache(shop.root / "var" / "dvc-remote")
    listed = remote.listed(data_version(shop.branch_text(f"scenarios/{SHOP}/ledger.dvc")))
    return {name: digest for name, digest in listed.items() if remote.place(digest).is_file()}


@pytest.fixture
def pushed(ingested) -> tuple[Shop, list[str]]:
    """Three finished days, each sent by a run of its own."""
    ingested.override(ledger={"push": True})
    names = []
    for ago in (3, 2, 1):
        names.append(answer(ingested, TODAY - timedelta(days=ago)))
        done = tidy_ledger(ingested.settings, SHOP, now=TODAY - timedelta(days=ago - 1))
        assert [name[-16:] for name in done.pushed] == [f"{TODAY - timedelta(days=ago):%Y%m%d}.parquet"]
    return ingested, names


def test_an_answer_is_found_again_from_the_remote_alone(pushed):
    shop, names = pushed
    forget_this_machine(shop)

    for name, day in zip(names, (7, 8, 9), strict=True):
        folder = fetch_ledger(shop.settings, SHOP, f"202603{day:02d}")
        assert find_answer(folder, name).features == {"price": day}
    with pytest.raises(NotFound, match="2026-03-06 is in the ledger or in the data remote"):
        fetch_ledger(shop.settings, SHOP, "20260306")


def test_the_next_run_has_nothing_to_do_and_another_machine_adds_its_days(pushed):
    shop, _ = pushed
    tip = shop.branch.tip()
    again = tidy_ledger(shop.settings, SHOP, now=TODAY)
    stayed = shop.branch.tip() == tip
    forget_this_machine(shop)
    newest = answer(shop, TODAY)

    done = tidy_ledger(shop.settings, SHOP, now=TODAY + timedelta(days=1))

    assert (again.days, again.pushed, stayed) == ((), (), True)
    assert done.pushed == ("answers-20260310.parquet",)
    assert [name[-16:-8] for name in remote_files(shop)] == ["20260307", "20260308", "20260309", "20260310"]
    forget_this_machine(shop)
    assert find_answer(fetch_ledger(shop.settings, SHOP, "20260310"), newest)


def test_what_is_too_old_leaves_the_ledger_and_the_remote(pushed):
    shop, names = pushed
    gone = remote_files(shop)["answers-20260307.parquet"]
    shop.override(ledger={"keep_days": 2, "push": False})

    done = tidy_ledger(shop.settings, SHOP, now=TODAY)

    assert done.dropped == ("answers-20260307.parquet",)
    assert LedgerReader(shop.state.ledger).answers().ids == names[1:]
    assert sorted(remote_files(shop)) == ["answers-20260308.parquet", "answers-20260309.parquet"]
    assert not DataCache(shop.root / "var" / "dvc-remote").place(gone).exists()
    with pytest.raises(NotFound):
        fetch_ledger(shop.settings, SHOP, "20260307")


def test_dvc_takes_the_folder_for_one_of_its_own(pushed, tmp_path):
    shop, names = pushed
    subprocess.run(
        ["git", "worktree", "add", "--quiet", tmp_path / "other", shop.branch.name], cwd=shop.root, check=True
    )
    remote = shop.root / "var" / "dvc-remote"
    target, folder = f"scenarios/{SHOP}/ledger.dvc", tmp_path / "other" / "scenarios" / SHOP / "ledger"

    def dvc(*words: object) -> None:
        subprocess.run(["dvc", *map(str, words)], cwd=tmp_path / "other", check=True, capture_output=True)

    dvc("remote", "modify", "--local", "local", "url", remote)
    dvc("pull", target)
    written = (tmp_path / "other" / target).read_text()
    dvc("add", folder)

    assert LedgerReader(folder).answers().ids == names
    assert data_version((tmp_path / "other" / target).read_text()) == data_version(written)


def test_nothing_is_sent_unless_it_is_asked_for(ingested):
    answer(ingested, TODAY)

    done = tidy_ledger(ingested.settings, SHOP, now=TODAY + timedelta(days=1))

    assert (done.days, done.pushed) == (("20260310",), ())
    assert ingested.branch.read("ledger.dvc") is None
