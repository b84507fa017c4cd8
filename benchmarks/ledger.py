"""What does a finished day of the ledger cost, as lines and as Parquet?

    python -m benchmarks.ledger [--rows 1000000] [--per-request 1] [--features 12]

Made answers of four writers are written as a service writes them, and compacted. Printed are bytes per answered row,
CPU seconds and the peak of memory of the compaction, and the CPU of finding one answer by its id in both forms.
"""

import argparse
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releve.adapters.prediction_ledger.compaction import compact
from releve.adapters.prediction_ledger.reader import find_answers
from releve.adapters.prediction_ledger.writer import LedgerSync, LedgerWriter

START = datetime(2026, 1, 1, tzinfo=UTC)
WRITERS, LOOKUPS, ASKED_AT_ONCE = 4, 50, 100


def main() -> int:
    """Write a day, compact it, and print what each form costs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--per-request", type=int, default=1)
    parser.add_argument("--features", type=int, default=12, help="half numbers, a third whole numbers, the rest words")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="releve-ledger-"))
    try:
        ids = write(folder, rows=options.rows, per_request=options.per_request, features=options.features)
        asked = random.Random(2).sample(ids, LOOKUPS)
        many = random.Random(3).sample(ids, ASKED_AT_ONCE)
        lines = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
        before = [lookups(folder, asked), cpu(lambda: find_answers(folder, many))]
        memory = peak()
        seconds = cpu(lambda: compact(folder, now=START + timedelta(days=3)))
        grown = peak() - memory
        stored = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        after = [lookups(folder, asked), cpu(lambda: find_answers(folder, many))]
        print(f"{options.rows:,} rows, {options.per_request} a request, {options.features} features")
        print(f"bytes per answered row: {lines / options.rows:.0f} as lines, {stored / options.rows:.1f} as Parquet")
        print(f"compaction: {seconds:.1f} s CPU, {grown / 2**20:.0f} MiB more memory at its peak")
        print(f"one id: {before[0] * 1e3:.2f} ms CPU as lines, {after[0] * 1e3:.1f} as Parquet (median of {LOOKUPS})")
        print(f"{ASKED_AT_ONCE} ids at once: {before[1] * 1e3:.1f} ms CPU as lines, {after[1] * 1e3:.0f} as Parquet")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def write(folder: Path, *, rows: int, per_request: int, features: int) -> list[str]:
    """Answer through the day's hours; returns the ids of all rows."""
    draw, now, sync = random.Random(1), [START], LedgerSync()
    makers = [
        (lambda: draw.gauss(50, 20)),
        (lambda: draw.randrange(100)),
        (lambda: draw.choice(["north", "south", "west"])),
    ]
    kinds = [makers[(0, 0, 0, 1, 1, 2)[number % 6]] for number in range(features)]
    writers = [
        LedgerWriter(folder, "bench", clock=lambda: now[0], worker=f"{number:08x}", sync=sync)
        for number in range(WRITERS)
    ]
    ids = []
    for _ in range(rows // per_request):
        now[0] += timedelta(seconds=86_000 * per_request / rows)
        answers = [{f"feature_{number}": make() for number, make in enumerate(kinds)} for _ in range(per_request)]
        chances = [round(draw.random(), 6) for _ in range(per_request)]
        request = draw.choice(writers).answer(
            model="bench:0123456789ab",
            index="releve_bench_0123456789ab",
            rows=answers,
            labels=["yes" if chance > 0.5 else "no" for chance in chances],
            probabilities=[[chance, round(1 - chance, 6)] for chance in chances],
            latency_ms=round(draw.random(), 3),
        )
        ids += [f"{request}.{position}" for position in range(per_request)]
    for writer in writers:
        writer.close()
    sync.close()
    return ids


def lookups(folder: Path, ids: list[str]) -> float:
    """CPU seconds of finding one answer, the median; the first, which loads libraries, does not count."""
    find_answers(folder, ids[:1])
    return statistics.median(cpu(lambda name=name: find_answers(folder, [name])) for name in ids)  # type: ignore[misc]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def peak() -> int:
    """Bytes that this process had at its peak."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
