"""What do one and two workers take for the same work: processes of this machine, and workers of a Dask cluster?

    python -m benchmarks.workers [search backtest score fleet] [--rows 500000] [--scenarios 4]

Each work is done in every place, and has to come to the same. CPU is of all processes: this one, the workers with what
they started, the scheduler. The busiest process bounds the wall time on a machine that is not shared: CPU / busiest is
how many cores the work can keep busy. For the fleet, "processes" is the flow's own process, with as many threads.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.score import PLAIN, plain, prepare
from benchmarks.search_gain import described, made_table, plan_of
from examples.fleet import deliveries_of, fleet_names, make_fleet, settings_of
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.registry.registry import Registry
from releve.domain.backtest.variants import CRON, variants
from releve.domain.schema.validation import check_frame
from tasks.backtest import run as run_backtest
from tasks.pipeline.training.search import search
from tasks.scoring.score import score
from tests.clusters import Cluster, running_cluster
from tests.projects import PROJECT
from tests.streams import abrupt, stream, stream_course

PLACES = [("processes", 1), ("processes", 2), ("Dask", 1), ("Dask", 2)]
Work = Callable[[str, int, Path], Any]  # of an address, a number of workers and an empty folder; what it came to


def searched(address: str, workers: int, folder: Path) -> Any:
    table = made_table()
    schema = described(table, "label")
    rows = check_frame(schema, table).accepted.assign(_batch="one")
    plan = plan_of(rows, schema, trials_asked=12, workers=workers, seed=7)
    plan = replace(plan, compute=plan.compute.model_copy(update={"address": address}))
    return [str(trial) for trial in search(plan, clock=time.monotonic, progress=lambda line: None).trials]


def backtested(address: str, workers: int, folder: Path) -> Any:
    plan = stream_course(stream(angle=abrupt, rows=4000), compute={"address": address, "workers": workers})
    played = run_backtest(plan, [*variants(plan.context.params)[:3], CRON])
    return [(each.decisions, each.answers.tolist()) for each in played]


def scored(rows: int) -> Work:
    def work(address: str, workers: int, folder: Path) -> Any:
        settings = prepare(plain(rows), folder)
        _set(folder / "scenarios" / PLAIN / "params.yaml", address, workers)
        score(settings, PLAIN, source=str(folder / "rows.csv"), output=str(folder / "out"))
        parts = sorted((folder / "out").rglob("part-*"))
        return [sha256(part.read_bytes()).hexdigest() for part in parts]

    return work


def fleet(scenarios: int) -> Work:
    def work(address: str, workers: int, folder: Path) -> Any:
        home = folder / "fleet" / str(scenarios)
        make_fleet(PROJECT, home, scenarios, lambda line: None)
        settings = settings_of(home)
        _set(settings.project / "params.yaml", address, workers)
        command = [sys.executable, "-m", "examples.fleet", str(scenarios)]
        environ = os.environ | {"RELEVE_HOME": str(folder)}
        subprocess.run(command, cwd=PROJECT, env=environ, check=True, stdout=subprocess.DEVNULL)
        registry = Registry(settings.registry_url)
        assert not any(deliveries_of(home).rglob("*.csv"))
        releases = [registry.current(name) for name in fleet_names(settings)]
        return [each.release.model_digest for each in releases if each]

    return work


def _set(params: Path, address: str, workers: int) -> None:
    described = yaml.safe_load(params.read_text())
    params.write_text(yaml.safe_dump({**described, "compute": {"address": address, "workers": workers}}))
    git(params.parent, "commit", "--quiet", "--all", "-m", "compute")


class Meter:
    """CPU seconds from here on: of this process with its ended children, and of each process of a cluster."""

    def __init__(self, cluster: Cluster | None) -> None:
        processes = [cluster.scheduler, *cluster.workers] if cluster else []
        self._watched = [psutil.Process(each.pid) for each in processes]
        self._own, self._children, self._there = time.process_time(), self._ended(), self._each()

    def seconds(self) -> dict[str, float]:
        there = [after - before for after, before in zip(self._each(), self._there, strict=True)]
        names = ["scheduler", *(f"worker {number}" for number in range(1, len(there)))]
        own = {"own": time.process_time() - self._own, "ended children": self._ended() - self._children}
        return own | dict(zip(names, there, strict=False))

    @staticmethod
    def _ended() -> float:
        return sum(os.times()[2:4])

    def _each(self) -> list[float]:
        return [sum(sum(each.cpu_times()[:4]) for each in [one, *_below(one)]) for one in self._watched]


def _below(process: psutil.Process) -> list[psutil.Process]:
    return process.children(recursive=True)


@contextmanager
def place(where: str, workers: int) -> Iterator[Cluster | None]:
    if where == "processes":
        yield None
        return
    with running_cluster(workers=workers) as cluster:
        yield cluster


def main() -> None:
    """Print a line for each work and place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", default=["search", "backtest", "score", "fleet"])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--scenarios", type=int, default=4)
    asked = parser.parse_args()
    works: dict[str, Work] = {
        "search": searched,
        "backtest": backtested,
        "score": scored(asked.rows),
        "fleet": fleet(asked.scenarios),
    }
    print("| work | where | workers | CPU s | of which | wall s | load |\n|---|---|---|---|---|---|---|", flush=True)
    for name in asked.works:
        expected: Any = None
        for where, workers in PLACES:
            with place(where, workers) as cluster, tempfile.TemporaryDirectory() as folder:
                meter, began = Meter(cluster), time.monotonic()
                found = works[name](cluster.address if cluster else "", workers, Path(folder))
                wall, seconds = time.monotonic() - began, meter.seconds()
            expected = expected or found
            assert found and found == expected, f"{name} came to something else on {where} with {workers}"
            each = ", ".join(f"{who} {took:.1f}" for who, took in seconds.items() if took >= 0.05)
            load = psutil.getloadavg()[0]
            print(f"| {name} | {where} | {workers} | {sum(seconds.values()):.1f} | {each} | {wall:.0f} | {load:.0f} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
