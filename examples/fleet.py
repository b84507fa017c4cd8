"""Many small scenarios at once: `make fleet N=200`.

They are made in var/fleet/<N>: a repository and a state of their own, so that nothing of it gets into yours. Four
tables in turn, three that scikit-learn brings and one made of chance, each scenario with rows and an order of its own,
in two files: the first makes a champion, the second is monitored and refreshes it. The same command again goes on where
the last one ended; delete the folder to begin anew.
"""

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.files import scenario_names
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.local_stack import parts as stack_parts
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.ports import is_free
from releve.core.errors import BadInput, ReleveError, explained_storage
from releve.core.progress import show_progress
from releve.core.settings import Settings
from releve.domain.onboarding.params_file import SettingOverride
from releve.domain.onboarding.table import Roles
from tasks.onboarding import scaffold
from tasks.places import ScenarioState, start_page

if TYPE_CHECKING:
    import pandas as pd

CODE = (".dvc", ".dvcignore", ".gitignore", "bentofile.yaml", "dvc.yaml", "flows", "params.yaml", "pyproject.toml")
CODE += ("releve", "requirements.lock", "requirements-service.lock", "scenarios/digits", "service.py", "tasks")
MOST = 10_000
PORTS = range(4300, 4400)  # of the fleet's own Prefect server
FIRST_ROWS, MORE_ROWS = 240, 120
SETTINGS = (  # fits of a second at most: what is shown is everything around them
    SettingOverride("train", "recipe", "linear", "the fleet shows many scenarios, not good models"),
    SettingOverride("search", "trials", 0, "the same"),
    SettingOverride("data", "remote", "var/dvc-remote", "the project's own remote may be a team's bucket"),
    SettingOverride("data", "endpoint", "", "the same"),
)
TARGET = "target"


def main() -> int:
    """Make the scenarios that are not there yet, take their turns, and say what they cost; 3 where one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenarios", type=int)
    parser.add_argument(
        "--at-once",
        type=int,
        default=0,
        help="scenarios at work at the same time; 0: one a core, or Dask worker",
    )
    arguments = parser.parse_args()
    try:
        with explained_storage():
            return run(Settings.from_environ(os.environ, cwd=Path.cwd()), arguments.scenarios, arguments.at_once)
    except ReleveError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"stopped; what is done is kept: make fleet N={arguments.scenarios} goes on", file=sys.stderr)
        return 130


def run(own: Settings, number: int, at_once: int) -> int:
    """Raises BadInput for a number that is none, and what making scenarios and starting Prefect's server raise."""
    if not 1 <= number <= MOST or at_once < 0:
        raise BadInput(f"a fleet has 1 to {MOST} scenarios, and --at-once is 0 or more: make fleet N=20")
    folder = own.home / "fleet" / str(number)
    settings = settings_of(folder)
    with show_progress() as tell:
        make_fleet(own.project, folder, number, tell)
    with local_stack.used_by_demo(settings), prefect_server(settings):
        from flows.shared.states import ATTENTION
        from flows.turns import run_turns

        began, cpu = time.monotonic(), cpu_seconds()
        state = run_turns(fleet_names(settings), deliveries_of(folder), at_once=at_once)
        seconds = time.monotonic() - began
        spent = cpu_seconds() - cpu
        _send_last_logs()
    print(state.message)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.0f} s; {spent:.0f} s CPU of this process, which had {memory:.0f} MB at most, beside its forks")
    print(f"The board: {start_page(settings.home)}")
    if state.name != ATTENTION:
        state.result()
        return 0
    return 3


def make_fleet(project: Path, folder: Path, number: int, tell: Callable[[str], None]) -> None:
    """Copy what is committed of `project` into a repository of its own, with so many scenarios, or do nothing."""
    if folder.exists():
        return
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    settings = settings_of(beside)
    settings.project.mkdir(parents=True)
    archive = beside / "code.tar"
    git(project, "archive", "--output", str(archive), "HEAD", *CODE)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(settings.project)], check=True)
    archive.unlink()
    git(settings.project, "init", "--quiet", "--initial-branch", "main")
    for place in range(number):
        kind, table = tables(place)
        name = f"{kind}_{place + 1:03}"
        tell(f"making {number} scenarios: {name}")
        delivered = deliveries_of(beside) / name
        delivered.mkdir(parents=True)
        first = delivered / "1.csv"
        table[:FIRST_ROWS].to_csv(first, index=False)
        table[FIRST_ROWS:].to_csv(delivered / "2.csv", index=False)
        scaffold(settings, name, data=first, roles=Roles(TARGET, settings=SETTINGS))
        shutil.rmtree(ScenarioState(settings.home, name).incoming)  # it arrives with the first turn
    shutil.rmtree(settings.project / "scenarios" / "digits")
    git(settings.project, "add", "--all")
    git(settings.project, "commit", "--quiet", "--message", f"a fleet of {number}")
    beside.rename(folder)


def tables(place: int) -> tuple[str, "pd.DataFrame"]:
    """The name of a table's kind, and its rows in an order of this scenario's own."""
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

    rows = FIRST_ROWS + MORE_ROWS
    kind = ("tumours", "diabetes", "digits", "orders")[place % 4]
    if kind == "orders":
        rng = np.random.default_rng(place)
        made = pd.DataFrame(rng.normal(size=(rows, 6)), columns=[f"number_{each}" for each in range(6)])
        made["shop"] = rng.choice(["north", "south", "online"], size=rows)
        noise = rng.normal(scale=0.3, size=rows)
        return kind, made.assign(target=made["number_0"] - 2 * made["number_1"] + (made["shop"] == "online") + noise)
    load = {"tumours": load_breast_cancer, "diabetes": load_diabetes, "digits": load_digits}[kind]
    bunch = load(as_frame=True)
    frame = bunch.data.assign(target=bunch.target).rename(columns=lambda name: str(name).replace(" ", "_"))
    if kind == "tumours":
        frame[TARGET] = frame[TARGET].map({0: "malignant", 1: "benign"})
    return kind, frame.sample(rows, random_state=place, ignore_index=True)


def settings_of(folder: Path) -> Settings:
    """Of the fleet in `folder`: a checkout and a state of its own, with an embedded Milvus."""
    home = folder / "project" / "var"
    environ = {"RELEVE_PROJECT": str(folder / "project"), "RELEVE_MILVUS_URI": str(home / "milvus.db")}
    return Settings.from_environ(environ, cwd=folder)


def fleet_names(settings: Settings) -> list[str]:
    """Its scenarios, in order."""
    return scenario_names(settings.project)


def deliveries_of(folder: Path) -> Path:
    """Where the files of each scenario wait for their turn."""
    return folder / "deliveries"


def cpu_seconds() -> float:
    """Of this process, and of its children that have ended."""
    return sum(os.times()[:4])


@contextmanager
def prefect_server(settings: Settings) -> Iterator[None]:
    """A server of the fleet's own; flows from now on work in its project."""
    local_stack.down(settings, only=(stack_parts.PREFECT,))  # of a run that was killed
    port = random.choice([port for port in PORTS if is_free(port)])  # two fleets that begin at once want two
    settings = replace(settings, prefect_port=port)
    mine = {name: value for name, value in os.environ.items() if name.startswith(("RELEVE_", "MILVUS_", "PREFECT_"))}
    for name in mine:
        del os.environ[name]
    os.environ |= stack_parts.prefect_env(settings) | {
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the run's log is in Prefect
        "RELEVE_PROJECT": str(settings.project),
        "RELEVE_HOME": str(settings.home),
        "RELEVE_MILVUS_URI": settings.milvus_uri,
    }
    with show_progress() as tell:
        local_stack.up(settings, only=(stack_parts.PREFECT,), progress=tell)
    try:
        print(f"Prefect shows the run while it lasts: http://127.0.0.1:{port}", flush=True)
        yield
    finally:
        local_stack.down(settings, only=(stack_parts.PREFECT,))


def _send_last_logs() -> None:
    """Send what the run logged while there is a server."""
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()


if __name__ == "__main__":
    sys.exit(main())
