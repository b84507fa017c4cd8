import shutil
from hashlib import sha256

import pytest

from releve import api
from releve.adapters.files import ParquetAppender, read_schema
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import git
from releve.domain.ingestion.batch_checks import BatchProfile
from releve.domain.registry.events import BatchIngested
from releve.domain.schema.schema import BATCH
from tasks.ingestion.batches import OpenBatches, as_text
from tasks.pipeline.rows import listed_batches, read_rows
from tests.tables import SHOP, shop_rows

pytestmark = pytest.mark.slow


def add_to(there, frame):
    digest = sha256(frame.to_csv().encode()).hexdigest()
    rows = ParquetAppender(there.work_dir / "rows.parquet")
    rows.append(frame)
    batch = BatchIngested(
        batch=there.next_name(digest), rows=len(frame), rejected=0, source=f"{len(frame)}.csv", sha256=digest
    )
    there.add(batch, rows, BatchProfile(rows=len(frame)))
    return batch


def add(shop, *frames):
    """Frames become batches of the shop's branch in one run."""
    with shop.branch.worktree(shop.state.worktrees) as tree:
        there = OpenBatches(tree, DataVersions(tree.path, project=shop.root, home=shop.settings.home))
        added = [add_to(there, frame) for frame in frames]
        there.publish(shop.branch)
    return added


def test_batches_of_one_run_are_a_commit_each_with_a_data_version_of_its_own(fresh):
    added = add(fresh, shop_rows(5), shop_rows(6))

    log = git(fresh.root, "log", "--reverse", "--format=%s %b", f"main..{fresh.branch.name}").splitlines()

    told = [line for line in log if line.strip()]
    assert [batch.batch[:9] for batch in added] == ["00000001-", "00000002-"]
    assert [batch.batch in line for batch, line in zip(added, told, strict=True)] == [True, True]
    assert len({line.partition("data version ")[2] for line in told}) == 2


def test_batches_stay_in_the_order_of_batches_csv_and_a_new_one_comes_last(fresh):
    first, second = add(fresh, shop_rows(5), shop_rows(6))

    with fresh.branch.worktree(fresh.state.worktrees) as tree:
        batch_list = tree.folder / "batches.csv"
        header, *lines = batch_list.read_text().splitlines(keepends=True)
        batch_list.write_text("".join([header, *reversed(lines)]))
        third = add_to(
            OpenBatches(tree, DataVersions(tree.path, project=fresh.root, home=fresh.settings.home)), shop_rows(7)
        )
        rows = read_rows(tree.folder / "batches", read_schema(fresh.root, SHOP), listed=listed_batches(batch_list)).rows

    assert rows[BATCH].unique().tolist() == [second.batch, first.batch, third.batch]
    assert rows[BATCH].value_counts(sort=False).tolist() == [6, 5, 7]


def test_each_batch_is_read_once_to_count_later_versions_however_many_files_come(fresh):
    schema = read_schema(fresh.root, SHOP)
    first, second, third = (
        shop_rows(5).assign(_answer_id=list(answers), bought=["yes"] * bought + ["no"] * (5 - bought))
        for answers, bought in (("abcde", 0), ("cdefg", 1), ("efghi", 2))
    )
    with fresh.branch.worktree(fresh.state.worktrees) as tree:
        there = OpenBatches(tree, DataVersions(tree.path, project=fresh.root, home=fresh.settings.home))
        counts = []
        for frame in (first, second, third):
            arriving = ParquetAppender(there.work_dir / "arriving.parquet")
            arriving.append(frame)
            counts.append(there.count_versions(arriving, schema))
            add_to(there, frame)
            if len(counts) == 2:
                next((tree.folder / "batches").glob("00000001-*")).write_bytes(b"not read again")

    assert counts == [(0, 0), (3, 1), (3, 2)]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("day.csv", "day.csv"), ("caf\udce9.csv", "caf\N{REPLACEMENT CHARACTER}.csv"), ("é.csv", "é.csv"), ("", "")],
)
def test_a_name_is_shown_with_a_replacement_for_what_is_not_utf_8(name, shown):
    assert as_text(name) == shown


def test_every_version_of_one_run_is_in_the_remote(fresh):
    first, second = add(fresh, shop_rows(5), shop_rows(6))
    shutil.rmtree(fresh.root / ".dvc/cache")

    rows = [len(api.read_version(SHOP, batch.batch, project=fresh.root)) for batch in (first, second)]

    assert rows == [5, 11]
