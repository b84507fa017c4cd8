"""What does a further scenario of a fleet cost beyond its fits? `make fleet` with several numbers of scenarios.

    python -m benchmarks.fleet [4 12 ...] [--at-once 2] [--home FOLDER]

CPU seconds of a run and of every process that it starts: Prefect's server, the fork server, DVC, stages, git. The
first run has each scenario's first file and makes a champion, with a Bento of its own; the second one monitors that,
refreshes and releases. What a further one costs is the slope between one number and the next, so that imports and the
start of Prefect count for none; the scenarios are made before. Fits are timed by themselves. Memory is the most that
the process of the flow had. Machines differ, and a shared one from minute to minute: beside each run stands what it
takes to load scikit-learn and pandas, just before and just after.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.refresh import PARTS, TRACE
from examples.fleet import deliveries_of, make_fleet
from tests.projects import PROJECT

RUNS = ("champions", "refreshes")
LOAD = "import sklearn.ensemble, pandas"


@dataclass(frozen=True)
class Cost:
    """Of one run of a fleet."""

    what: str
    scenarios: int
    seconds: float
    fits: float
    memory: int  # MB
    load: float  # of the machine, the mean of the last minute at the end
    imports: float  # CPU seconds that LOAD took around the run

    @property
    def beyond(self) -> float:
        """CPU seconds of everything but the fits."""
        return self.seconds - self.fits


def main() -> int:
    """Print a line for each number of scenarios, and what a further one costs between two of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("numbers", type=int, nargs="*", default=[4, 12])
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--home", type=Path, help="where fleets are made, and stay")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = []
        for number in sorted(arguments.numbers):
            for cost in measure(arguments.home or Path(folder), number, at_once=arguments.at_once):
                costs.append(cost)
                print(line(cost), flush=True)
    for what in RUNS:
        for fewer, more in pairwise(cost for cost in costs if cost.what == what):
            further = (more.beyond - fewer.beyond) / (more.scenarios - fewer.scenarios)
            print(f"{what}, from {fewer.scenarios} to {more.scenarios}: a further one {further:.2f} s beyond its fits")
    return 0


def measure(home: Path, number: int, *, at_once: int) -> Iterator[Cost]:
    """Make a fleet in `home`, and run it twice, in a process of its own each time."""
    folder = home / "fleet" / str(number)
    make_fleet(PROJECT, folder, number, lambda line: None)
    later = list(deliveries_of(folder).glob("*/2.csv"))
    for path in later:
        path.rename(path.with_suffix(".later"))
    yield _run(home, "champions", number, at_once=at_once)
    for path in later:
        path.with_suffix(".later").rename(path)
    yield _run(home, "refreshes", number, at_once=at_once)


def _run(home: Path, what: str, number: int, *, at_once: int) -> Cost:
    trace = home / f"trace-{number}-{what}"
    trace.mkdir()
    log = trace / "processes"
    log.touch()
    (trace / "sitecustomize.py").write_text(TRACE.format(parts=PARTS, log=str(log), profiles=""))
    environ = os.environ | {"RELEVE_HOME": str(home), "PYTHONPATH": f"{PROJECT}:{trace}"}
    imports = load_seconds()
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "examples.fleet", "--at-once", str(at_once), str(number)],
        cwd=PROJECT,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    after = os.times()
    if done.returncode:
        raise SystemExit(f"the fleet of {number} ended with {done.returncode}:\n{done.stdout}")
    parts = [json.loads(each)["parts"] for each in log.read_text().splitlines()]
    memory = re.search(r"had (\d+) MB", done.stdout)
    return Cost(
        what,
        number,
        sum(after[2:4]) - sum(before[2:4]),
        sum(each.get("fits", 0.0) for each in parts),
        int(memory[1]) if memory else 0,
        psutil.getloadavg()[0],
        (imports + load_seconds()) / 2,
    )


def load_seconds() -> float:
    """CPU seconds of a Python that loads what most of our processes do."""
    before = os.times()
    subprocess.run([sys.executable, "-c", LOAD], check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def line(cost: Cost) -> str:
    """One line of the result."""
    return (
        f"{cost.what} of {cost.scenarios} scenarios: {cost.seconds:.1f} s CPU, fits {cost.fits:.1f}, beyond them "
        f"{cost.beyond / cost.scenarios:.2f} each with imports; {cost.memory} MB; load {cost.load:.0f}, "
        f"{cost.imports:.1f} s to load scikit-learn and pandas"
    )


if __name__ == "__main__":
    sys.exit(main())
