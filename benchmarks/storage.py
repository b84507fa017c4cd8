"""What does a refresh leave behind, and does the thousandth cost more than the first?

    python -m benchmarks.storage [--refreshes 1000] [--rows 60] [--batches 0] [--keep 10] [--recipe auto]

One process takes in a small file of made rows, refreshes, releases, tidies and writes card and page, again and again,
as the flows do, without Prefect. Printed are bytes by kind, and CPU seconds by step, of this process and all that it
started, at the first refreshes and at the last ones. Files that hard links share count once.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from releve.core.formatting import counted
from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.release.tidy import tidy
from tasks.reporting.model_card import write_card
from tasks.reporting.page import write_page
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.shop import TRAINING_ROWS, Shop, make_shop, market_rows

SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 350, 500, 750, 1000)  # refreshes that are printed, and the last one
NEAR = 5  # refreshes at either end, whose median is compared
PLACES = {  # below the project's folder
    "model store": "var/bentoml/models",
    "descriptions": "var/bentoml/left",
    "Bentos": "var/bentoml/bentos",
    "Milvus Lite": "var/milvus.db",
    "DVC cache": ".dvc/cache/files",
    "DVC run cache": ".dvc/cache/runs",
    "DVC remote": "var/dvc-remote",
    "git": ".git",
    "registry": "var/registry.db",
    "incoming files": "var/ingested",
    "cards": "var/cards",
    "reports": "var/reports",
    "worktrees": "var/worktrees",
}


def main() -> int:
    """Refresh, and print what it left and took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--refreshes", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=60, help="of a file")
    parser.add_argument("--batches", type=int, default=0, help="files that are there before the first refresh")
    parser.add_argument("--keep", type=int, default=10, help="storage.keep_releases")
    parser.add_argument("--recipe", default="auto", help="train.recipe; auto: the default pool")
    parser.add_argument("--folder", type=Path, help="where the project is made, and left; else a folder that goes")
    options = parser.parse_args()
    work_dir = options.folder or Path(tempfile.mkdtemp(prefix="releve-storage-"))
    try:
        shop = make_shop(work_dir / "project")
        shop.override(storage={"keep_releases": options.keep}, train={"recipe": options.recipe})
        print(f"{options.refreshes} refreshes, {counted(options.rows, 'row')} each, {options.keep} kept")
        print(" | ".join(["refresh", *PLACES, "all, MB", "CPU s"]))
        seconds = []
        for number in range(1, options.batches + 1):
            shop.receive(market_rows(options.rows, seed=number), f"{number:06d}.parquet")
        if options.batches:
            before = cpu_seconds()
            ingest(shop.settings, SHOP)
            print(f"{options.batches} files were ingested before, in {cpu_seconds() - before:.1f} s CPU", flush=True)
        for number in range(options.batches + 1, options.batches + options.refreshes + 1):
            rows = TRAINING_ROWS if number == 1 else options.rows
            shop.receive(market_rows(rows, seed=number), f"{number:06d}.parquet")
            seconds.append(refresh(shop))
            if len(seconds) in (*SHOWN, options.refreshes):
                sizes = [size_of(shop.root / place) / 1e6 for place in PLACES.values()]
                took = statistics.median(without_rebuild(each) for each in seconds[-NEAR:])
                figures = [*(f"{size:.2f}" for size in sizes), f"{sum(sizes):.1f}", f"{took:.2f}"]
                print(" | ".join([str(len(seconds)), *figures]), flush=True)
        print_seconds(seconds, keep=options.keep)
    finally:
        if options.folder is None:
            shutil.rmtree(work_dir, ignore_errors=True)
    return 0


def refresh(shop: Shop) -> dict[str, float]:
    """Take the waiting file through the whole loop; CPU seconds by step."""
    settings, spent = shop.settings, dict[str, float]()

    def timed(name: str, step: Callable[[], object]) -> object:
        before = cpu_seconds()
        done = step()
        spent[name] = cpu_seconds() - before
        return done

    timed("ingest", lambda: ingest(settings, SHOP))
    challenger = timed("retrain", lambda: retrain(settings, SHOP, reason="every batch"))
    if challenger.promote:  # type: ignore[attr-defined]
        timed("release", lambda: release(settings, SHOP))
    timed("card and page", lambda: (write_card(settings, challenger.model), write_page(settings, SHOP)))  # type: ignore[attr-defined]
    done = timed("tidy", lambda: tidy(settings, SHOP))
    spent["of it, a rebuild"] = sum(record.cpu_seconds for record in done.tried)  # type: ignore[attr-defined]
    for record in done.differing:  # type: ignore[attr-defined]
        print(f"{record.model} stays: {record.differing} {record.failure}")
    return spent


def cpu_seconds() -> float:
    """CPU seconds of this process, and of all that it started."""
    own = psutil.Process()
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def size_of(place: Path) -> int:
    """Bytes of a file or a folder."""
    beside = place.parent.glob(f"{place.name}*")  # SQLite's log too
    files = [path for each in beside for path in (each, *each.rglob("*")) if path.is_file()]
    return sum({(stat := path.stat()).st_ino: stat.st_size for path in files}.values())


def without_rebuild(spent: dict[str, float]) -> float:
    """CPU seconds of a refresh but for the rebuild, which is tried now and then, and stands in `tidy` and by itself."""
    return sum(spent.values()) - 2 * spent["of it, a rebuild"]


def print_seconds(seconds: list[dict[str, float]], *, keep: int) -> None:
    """Print the median of each step at the beginning, without the first, and at the end."""
    first, last = seconds[1 : 1 + NEAR], seconds[-NEAR:]
    print("\nstep | CPU s, refreshes 2 to 6 | the last 5")
    for step in dict.fromkeys(name for each in seconds for name in each):
        early, late = (statistics.median(each.get(step, 0.0) for each in some) for some in (first, last))
        print(f"{step} | {early:.2f} | {late:.2f}")
    early, late = (statistics.median(without_rebuild(each) for each in some) for some in (first, last))
    print(f"all but rebuilds | {early:.2f} | {late:.2f}\n(a rebuild is tried from refresh {keep + 1} on)")


if __name__ == "__main__":
    sys.exit(main())
