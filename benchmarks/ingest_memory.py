"""How much memory and time a large CSV file takes to be judged and written: `python -m benchmarks.ingest_memory 1000`.

Makes a file of that many MB in a temporary folder, takes it in with a process of its own (as the ingest flow does,
without the version: that is DVC's work, and it streams), and prints the peak of its memory and the rows a second.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS_AT_ONCE = 50_000
MB = 1_000_000
ROOT = Path(__file__).parent.parent
TABLE = {
    "target": {"name": "bought", "classes": ["no", "yes"]},
    "time": "at",
    "id": "order",
    "columns": {
        "order": {"type": "number", "min": 0, "feature": False},
        "at": {"type": "date"},
        "kind": {"type": "category", "categories": ["apple", "bread", "cheese"]},
        "town": {"type": "category"},
        "note": {"type": "text"},
        **{f"x{number}": {"type": "number", "min": -20, "max": 20, "nullable": True} for number in range(8)},
    },
}
BAD_EVERY = 1000  # rows


def make(path: Path, megabytes: float) -> int:
    """Write a file of that size, one row in BAD_EVERY of which does not fit; returns its rows."""
    random = np.random.default_rng(7)
    rows = 0
    with path.open("w") as file:
        file.write(",".join([*TABLE["columns"], "bought"]) + "\n")  # type: ignore[misc]
        while file.tell() < megabytes * MB:
            file.writelines(_lines(random, rows))
            rows += ROWS_AT_ONCE
    return rows


def _lines(random: Any, first: int) -> list[str]:
    numbers = random.normal(size=(ROWS_AT_ONCE, 8)).round(4)
    kinds = random.choice(["apple", "bread", "cheese"], ROWS_AT_ONCE)
    return [
        f"{first + at},2024-01-01T{at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d},"
        f"{kinds[at] if at % BAD_EVERY else 'stone'},town {at % 90},note on order {first + at},"
        + ",".join(map(str, row))
        + f",{'yes' if row[0] > 0 else 'no'}\n"
        for at, row in enumerate(numbers.tolist())
    ]


def judge(path: Path, work_dir: Path) -> dict[str, Any]:
    """In the child: take the file in, and say what it took."""
    from releve.adapters.files import file_digest
    from releve.core.progress import show_reading
    from releve.domain.schema.schema import Schema
    from tasks.ingestion.intake import take_in
    from tests.tables import make_params

    start, cpu = time.perf_counter(), time.process_time()
    file_digest(path)
    with show_reading(path.name, path.stat().st_size) as progress:
        taken = take_in(path, Schema.from_dict(TABLE), params=make_params(), work_dir=work_dir, progress=progress)
    taken.rows.close()
    taken.quarantine.keep(work_dir / "quarantine.parquet")
    return {
        "accepted": taken.accepted,
        "rejected": taken.quarantine.rows,
        "read_as": taken.read_as,
        "warnings": taken.warnings,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(megabytes: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        rows = make(path, megabytes)
        print(f"{path.stat().st_size / MB:.0f} MB, {rows} rows, {len(TABLE['columns']) + 1} columns", flush=True)
        child = [sys.executable, "-m", "benchmarks.ingest_memory", "--judge", str(path), folder]
        done = subprocess.run(child, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["accepted"] + found["rejected"] == rows, found
        print(f"peak {found['peak_mib']:.0f} MiB, {rows / found['seconds']:,.0f} rows/s, {found}")


if __name__ == "__main__":
    if sys.argv[1] == "--judge":
        print(json.dumps(judge(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main(float(sys.argv[1]))
