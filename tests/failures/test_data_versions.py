"""Data versions when things break: killed copies, a full disk, a lost remote, a lock left behind, an altered file."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from releve import api
from releve.adapters.files import write_parquet
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.git_dvc.scenario_branch import GitFailed, git
from tasks.ingestion.ingest import ingest
from tasks.pipeline.seed import windows
from tests.failures.processes import kill
from tests.projects import SCENARIO, Project, script, wait_for

pytestmark = pytest.mark.slow

LARGEST_FILE = 2_000_000  # bytes that the narrow process may write into one file
NARROW = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({LARGEST_FILE}, resource.RLIM_INFINITY))\n"


def objects(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in (folder / "files/md5").rglob(pattern) if path.is_file())


def cache_of(project: Project) -> Path:
    return project.root / ".dvc" / "cache"


def remote_of(project: Project) -> Path:
    return project.settings.home / "dvc-remote"


def alter(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"garbage")


def rows_in(root: Path) -> int:
    return len(api.read_version(SCENARIO, project=root))


def test_a_push_that_was_killed_with_dvc_is_completed_by_the_same_command(fresh: Project) -> None:
    fresh.receive(1, 2)
    process = fresh.start("ingest")
    wait_for(lambda: bool(objects(remote_of(fresh))), during=process)
    kill(process, children_too=True)

    fresh.run("ingest")
    shutil.rmtree(cache_of(fresh))

    assert [batch.source for batch in fresh.batches] == ["window-01.parquet", "window-02.parquet"]
    assert rows_in(fresh.root) == sum(batch.rows for batch in fresh.batches)


def test_what_a_killed_copy_left_half_written_goes_after_a_day(ingested: Project) -> None:
    places = [objects(folder)[0].parent for folder in (cache_of(ingested), remote_of(ingested))]
    old, young = [place / ".old.tmp" for place in places], [place / ".young.tmp" for place in places]
    for path in (*old, *young):
        path.write_bytes(b"half")
    for path in old:
        os.utime(path, (time.time() - 90_000, time.time() - 90_000))
    ingested.receive(4)

    ingest(ingested.settings, SCENARIO)

    assert [path.exists() for path in old] == [False, False]
    assert [path.exists() for path in young] == [True, True]


def test_without_room_on_the_disk_nothing_moves_and_the_same_command_completes_it(fresh: Project) -> None:
    """A limit on the size of a file stands for the full disk: it needs no rights, and meets the same lines."""
    receive_much(fresh)
    command = [sys.executable, "-c", NARROW + script("ingest")]
    narrow = subprocess.run(command, cwd=fresh.root, env=fresh.environ, capture_output=True, text=True, check=False)
    moved, waiting = fresh.branch.tip(), [path.name for path in fresh.state.incoming.iterdir()]

    fresh.run("ingest")

    assert narrow.returncode == 1
    assert "DiskFull: no space is left for" in narrow.stderr
    assert (moved, waiting) == (None, ["much.parquet"])
    assert [batch.source for batch in fresh.batches] == ["much.parquet"]
    assert list(fresh.state.worktrees.iterdir()) == []


def receive_much(project: Project) -> None:
    """A file that makes a batch larger than LARGEST_FILE: all windows, thrice, with a little noise."""
    rows = pd.concat([*windows()] * 3, ignore_index=True)
    noise = np.random.default_rng(7).uniform(0, 1, rows.shape)
    pixels = rows.columns.str.startswith("pixel")
    write_parquet(project.state.incoming / "much.parquet", rows.mask(pixels[None, :].repeat(len(rows), 0), 15 * noise))


def test_a_remote_that_lost_everything_gets_the_newest_version_whole_again(ingested: Project) -> None:
    shutil.rmtree(remote_of(ingested))
    ingested.receive(4)

    ingest(ingested.settings, SCENARIO)
    shutil.rmtree(cache_of(ingested))

    assert rows_in(ingested.root) == sum(batch.rows for batch in ingested.batches)


@pytest.mark.parametrize(("pattern", "kept"), [("*[0-9a-f]", 3), ("*.dir", 1)], ids=["batches", "their list"])
def test_what_was_altered_in_the_cache_is_set_aside_and_fetched_anew(
    pattern: str, kept: int, ingested: Project
) -> None:
    for path in objects(cache_of(ingested), pattern):
        alter(path)
    ingested.receive(4)

    ingest(ingested.settings, SCENARIO)
    aside = objects(cache_of(ingested), "*.altered")
    shutil.rmtree(remote_of(ingested))

    assert rows_in(ingested.root) == sum(batch.rows for batch in ingested.batches)
    assert [path.read_bytes() for path in aside] == [b"garbage"] * kept


def test_an_altered_file_that_the_remote_does_not_have_either_stops_the_run_and_is_kept(ingested: Project) -> None:
    shutil.rmtree(remote_of(ingested))
    victim = objects(cache_of(ingested), "*[0-9a-f]")[0]
    alter(victim)
    ingested.receive(4)
    before = ingested.branch.tip()

    with pytest.raises(PipelineFailed, match=r"were altered in the cache, .* kept as .*\.altered\. Bring the remote"):
        ingest(ingested.settings, SCENARIO)

    assert ingested.branch.tip() == before
    assert victim.with_name(f"{victim.name}.altered").read_bytes() == b"garbage"


def test_an_altered_file_of_the_remote_is_refused(ingested: Project) -> None:
    shutil.rmtree(cache_of(ingested))
    for path in objects(remote_of(ingested), "*[0-9a-f]"):
        alter(path)
    ingested.receive(4)

    with pytest.raises(PipelineFailed, match=r"'dvc pull scenarios/digits/batches\.dvc' failed"):
        ingest(ingested.settings, SCENARIO)


def test_a_lock_that_a_killed_git_left_is_named_and_the_same_command_completes_it(fresh: Project) -> None:
    fresh.receive(1)
    lock = fresh.root / ".git/refs/heads/releve" / f"{SCENARIO}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(GitFailed, match=rf"(?s){SCENARIO}\.lock.*is where it was; run the same again"):
        ingest(fresh.settings, SCENARIO)

    lock.unlink()
    found = ingest(fresh.settings, SCENARIO)

    assert [batch.source for batch in found.batches] == ["window-01.parquet"]
    assert git(fresh.root, "status", "--porcelain") == ""
