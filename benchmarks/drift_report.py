"""What does a comparison take, of a large table, and of many scenarios in one process?

    python -m benchmarks.drift_report                # 50 columns, a million rows a side, three scenarios
    python -m benchmarks.drift_report 100000 20      # rows a side, and scenarios

Each scenario goes through tasks.monitoring.monitor.compare_and_report: the verdict, Evidently's report, the page. The
first run pays for the imports. Memory is what the process held at most (VmHWM, so Linux only) above what it held with
the data made.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.drift_worlds import KINDS, schema_of
from releve.adapters.drift_report import ReportSubject
from releve.adapters.files import read_params
from releve.domain.drift.verdict import DriftState
from tasks.monitoring.monitor import compare_and_report

COLUMNS, ROWS, SCENARIOS = 50, 1_000_000, 3
LIMIT_SECONDS, LIMIT_MB = 15, 500
MB = 2**20


def main(rows: int, scenarios: int) -> None:
    """Print a line per comparison."""
    params = read_params(Path.cwd()).monitor
    reference, current = (make(rows, seed) for seed in (0, 1))
    schema = schema_of(reference)
    size = sum(int(frame.memory_usage(deep=False).sum()) for frame in (reference, current))
    print(
        f"{COLUMNS} columns, {rows:,} rows a side, {size / MB:,.0f} MB of data; wanted: {LIMIT_SECONDS} s CPU, "
        f"{LIMIT_MB} MB above the data"
    )
    forget_peak()
    held = memory("VmRSS")
    with tempfile.TemporaryDirectory() as folder_above:
        for number in range(scenarios):
            started = time.process_time()
            folder = Path(folder_above) / f"scenario_{number}" / "20260101T000000.000000Z"
            subject = ReportSubject(folder.parent.name, "", "2026-01-01T00:00:00+00:00", None, None)
            verdict = compare_and_report(
                reference, current, schema, params, subject=subject, before=DriftState.NO_DRIFT, folder=folder
            )
            print(
                f"scenario {number + 1}: {verdict.state}, {time.process_time() - started:.1f} s CPU, "
                f"at most {memory('VmHWM') - held:.0f} MB above the data, {len(list(folder.iterdir()))} files",
                flush=True,
            )


def make(rows: int, seed: int) -> pd.DataFrame:
    """Rows x COLUMNS; the kinds of benchmarks.drift_worlds by turns, without a change."""
    random, kinds = np.random.default_rng(seed), list(KINDS.values())
    return pd.DataFrame({f"x{place}": kinds[place % len(kinds)](random, rows) for place in range(COLUMNS)})


def forget_peak() -> None:
    """The highest memory so far is the present one from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def memory(field: str) -> float:
    """MB, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]) if len(sys.argv) == 3 else (ROWS, SCENARIOS))
