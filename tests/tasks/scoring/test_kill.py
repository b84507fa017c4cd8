"""Scorings that are killed by SIGKILL at any moment: the same command completes them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from tests.domain.features.tables import RIDES, rides
from tests.failures.processes import kill
from tests.projects import wait_for
from tests.tables import ROOT
from tests.tasks.scoring.conftest import Scored, order_rows

pytestmark = pytest.mark.whole

ROWS, PART = 6000, 200
# Small parts, and where there are two processes both from the beginning on.
CODE = """
import sys
from pathlib import Path
import releve.adapters.tables.chunks as chunks
import tasks.scoring.parts as parts
import tasks.scoring.score as scoring
from tests.tasks.scoring.conftest import Scored
if __name__ == "__main__":
    chunks.MOST_ROWS_PER_CHUNK = 100
    parts.ROWS_PER_PART = scoring.ROWS_PER_PART = {part}
    parts.WORTH_SECONDS = 0.0
    root, name, source, ledger = sys.argv[1:]
    done = Scored(Path(root), name).score(source, ledger=bool(ledger))
    print(done.manifest.rows, done.manifest.answered, done.manifest.rejected, done.resumed_rows)
"""


def start(project: Scored, source: Path, *, ledger: bool) -> "subprocess.Popen[str]":
    script = project.root / "run.py"
    script.write_text(CODE.format(part=PART))
    return subprocess.Popen(
        [sys.executable, str(script), str(project.root), project.name, str(source), "1" if ledger else ""],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_scoring_that_was_killed_again_and_again_answers_each_row_once(shop: Scored) -> None:
    frame = order_rows(ROWS, seed=3).astype({"price": object})
    frame.loc[::50, "price"] = "much"
    path = shop.put("orders.csv", frame)
    for parts in (2, 9):
        run = start(shop, path, ledger=True)
        wait_for(lambda: len(list(shop.out.glob("part-*"))) >= parts, during=run)  # noqa: B023 - it ends with the loop
        kill(run, children_too=False)
    shop.edit("workers: 1", "workers: 2")  # where rows are answered changes no answer

    run = start(shop, path, ledger=True)
    printed, _ = run.communicate(timeout=120)

    rows, answered, rejected, before = map(int, printed.splitlines()[-1].split())
    assert (rows, answered, rejected) == (ROWS, ROWS - ROWS // 50, ROWS // 50)
    assert before >= 8 * PART
    table, kept = pd.read_parquet(shop.out), pd.read_parquet(shop.out / "_rejected")
    fine = [number for number in range(ROWS) if number % 50]
    assert table["order"].tolist() == [f"o{number}" for number in fine]
    assert kept["row"].tolist() == [number + 2 for number in range(0, ROWS, 50)]
    found = LedgerReader(shop.state.ledger).answers()
    assert sorted(found.ids) == sorted(table["_answer"])
    assert len(set(found.ids)) == answered
    assert not (shop.out / "_work").exists()


def test_a_killed_scoring_with_lags_ends_with_the_bytes_of_one_that_was_not_killed(
    scored: Callable[[str, Path], Scored], tmp_path: Path
) -> None:
    rides_of = scored(RIDES, tmp_path)
    path = rides_of.put("later.csv", rides(ROWS // 3)[["at", "warmth", "sky", "sold"]])
    rides_of.score(path, rides_of.root / "whole")
    run = start(rides_of, path, ledger=False)
    wait_for(lambda: len(list(rides_of.out.glob("part-*"))) >= 2, during=run)
    kill(run, children_too=False)
    rides_of.edit("workers: 1", "workers: 2")

    run = start(rides_of, path, ledger=False)
    printed, _ = run.communicate(timeout=300)

    assert int(printed.splitlines()[-1].split()[-1]) >= PART
    assert pd.read_parquet(rides_of.out).equals(pd.read_parquet(rides_of.root / "whole"))
