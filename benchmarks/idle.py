"""What does `make up` cost while nothing happens? CPU of each of its parts, with many scenarios whose models serve.

    python -m benchmarks.idle [--scenarios 200] [--minutes 15]

The parts of `make up` are started below a folder of their own, on ports that are free, for scenarios that were released
just now (made models of `tests/factories`). Their processes are watched with all that they start, for 15 minutes that
begin while no look of the flow `fleet` is at work, so that they have one of its four an hour: an hour is four times as
much. No daily run falls due meanwhile: it comes 22 hours after a release. What the environment says of PREFECT_...
holds, so that settings can be compared.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.serving import make_scenarios
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import NAMES
from releve.core.settings import Settings
from tests.factories import PROJECT
from tests.repositories import commit
from tests.serving.process import free_port

CODE = ("flows", "releve", "tasks", "service.py", "bentofile.yaml", "dvc.yaml", "prefect.yaml", "pyproject.toml")
TICK = 900.0  # seconds between two looks of the fleet, which are at :00, :15, :30 and :45
LOOK = 90.0  # seconds after which a look is over
START = 30.0  # seconds after which what has just started is at rest


def main() -> None:
    """Print CPU seconds of an hour for each part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenarios", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=TICK / 60)
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        settings = make_home(Path(folder), arguments.scenarios)
        try:
            local_stack.up(settings, progress=lambda line: None)
            found = measure(settings, seconds)
        finally:
            local_stack.down(settings)
    load = psutil.getloadavg()[2]
    print(f"{arguments.scenarios} scenarios; CPU seconds in {seconds:.0f} s, and in an hour; load {load:.1f}")
    for name, spent in [*found.items(), ("all", sum(found.values()))]:
        print(f"{name:<8} {spent:7.2f} {spent * 3600 / seconds:7.1f}", flush=True)


def make_home(home: Path, scenarios: int) -> Settings:
    """Make a project with this one's code, all committed, and releases of so many scenarios."""
    make_scenarios(home, scenarios)
    project = home / "project"
    git(PROJECT, "archive", "--output", str(home / "code.tar"), "HEAD", *CODE)
    subprocess.run(["tar", "-xf", str(home / "code.tar"), "-C", str(project)], check=True)
    commit(project, "code and scenarios")
    ports = ("RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT", "RELEVE_MILVUS_PORT")
    places = {"RELEVE_PROJECT": str(project), "RELEVE_HOME": str(home)}
    return Settings.from_environ({**places, **{name: str(free_port()) for name in ports}}, cwd=project)


def measure(settings: Settings, seconds: float) -> dict[str, float]:
    """CPU seconds that each part and what it started took."""
    time.sleep(START)
    at = time.time() % TICK
    time.sleep(max(LOOK - at, 0) if at < TICK - START else TICK - at + LOOK)
    before = _cpu(settings)
    time.sleep(seconds)
    after = _cpu(settings)
    return {name: after[name] - before[name] for name in after}


def _cpu(settings: Settings) -> Mapping[str, float]:
    """Of a process family: what runs, and what ended and was waited for."""
    spent = dict.fromkeys(NAMES, 0.0)
    for name in NAMES:
        if found := stack_process.running(settings.home, name):
            family = [psutil.Process(found.pid), *psutil.Process(found.pid).children(recursive=True)]
            spent[name] = sum(sum(each.cpu_times()[:4]) for each in family)
    return spent


if __name__ == "__main__":
    main()
