"""Copies of this project with a state of their own, and its steps, which can be started in processes of their own.

Making a champion takes long, so that each state is made once in a test run and copied afterwards.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from releve.adapters.files import write_bytes, write_parquet
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings
from releve.domain.registry.events import BatchIngested
from tasks.ingestion.batches import read_batches
from tasks.pipeline.seed import windows
from tasks.places import ScenarioFiles, ScenarioState
from tests.once import made_once
from tests.repositories import commit, pack
from tests.serving.process import free_port

PROJECT = Path(__file__).parent.parent
SCENARIO = "digits"
NEW_WINDOW = 4  # the first that is no part of the prepared projects
STEP_SECONDS = 240.0
UNREAD = ("benchmarks", "conformance", "docs", "leaderboard", "results", "tests")  # half of all files

BEGUN = "begun"  # the line that a step prints once all is imported
# What a step imports and calls, as a flow would.
STEPS = {
    "ingest": ("from tasks.ingestion.ingest import ingest", "ingest(settings, 'digits')"),
    "retrain": (
        "from tasks.retraining.retrain import retrain",
        "retrain(settings, 'digits', reason='a test', progress=lambda line: print(line, flush=True))",
    ),
    "reweigh": (
        "from tasks.retraining.retrain import retrain",
        "retrain(settings, 'digits', reason='a test', reweigh=True)",
    ),
    "release": ("from tasks.release.release import release", "release(settings, 'digits')"),
    "promote": (
        "from dataclasses import replace\nfrom releve.core.settings import sqlite_url\n"
        "from tasks.release.promote import promote\nhome = settings.home / 'environments' / 'staging'\n"
        "staging = replace(settings, home=home, registry_url=sqlite_url(home / 'registry.db'), "
        "milvus_uri=str(home / 'milvus.db'))",
        "promote(settings, 'digits', source=staging, environments=('staging', 'prod'), environ={})",
    ),
    "rollback": ("from tasks.release.rollback import rollback", "rollback(settings, 'digits', reason='a test')"),
    "tidy": ("from tasks.release.tidy import tidy", "tidy(settings, 'digits')"),
    "compact": ("from tasks.ledger import tidy_ledger", "tidy_ledger(settings, 'digits')"),
    "index": ("from tasks.release.index_refresh import refresh_index", "refresh_index(settings, 'digits')"),
    "index back": (
        "from tasks.release.index_refresh import roll_back_index",
        "roll_back_index(settings, 'digits', reason='a test')",
    ),
    "shadow": (
        "from releve.domain.arms.arms import ArmMode\nfrom tasks.arms.arms import start_arms",
        "start_arms(settings, 'digits', mode=ArmMode.SHADOW)",
    ),
    "compare": (
        "from tasks.arms.compare import look_at_arms, settle",
        "(look := look_at_arms(settings, 'digits')) and settle(settings, 'digits', look)",
    ),
    "harvest": (
        "from tasks.ingestion.harvest import harvest\nfrom tasks.ingestion.ingest import ingest",
        "harvest(settings, 'digits'), ingest(settings, 'digits')",
    ),
    "erase": (
        "from tasks.erasure import erase",
        "erase(settings, 'digits', [(settings.home / 'to-erase').read_text()], reason='a test')",
    ),
}
# What a script in the project's folder begins with.
SETTINGS = """
import os
from pathlib import Path
from releve.core.settings import Settings
settings = Settings.from_environ(os.environ, cwd=Path.cwd())
"""


def script(step: str) -> str:
    """What `python -c` runs in the project's folder."""
    imports, call = STEPS[step]
    return f"{SETTINGS}{imports}\nprint({BEGUN!r}, flush=True)\nprint({call})"


@dataclass(frozen=True)
class Clone:
    """A repository of its own with a scenario, and its state below var/. No service listens on its port."""

    root: Path
    name: str

    @cached_property
    def settings(self) -> Settings:
        home = self.root / "var"
        return Settings(
            project=self.root,
            home=home,
            registry_url=f"sqlite:///{home / 'registry.db'}",
            milvus_uri=str(home / "milvus.db"),
            service_port=free_port(),
        )

    @property
    def state(self) -> ScenarioState:
        return ScenarioState(self.settings.home, self.name)

    @property
    def files(self) -> ScenarioFiles:
        return ScenarioFiles(self.root, self.name)

    @property
    def branch(self) -> ScenarioBranch:
        return ScenarioBranch(self.root, self.name)

    @property
    def registry(self) -> Registry:
        return Registry(self.settings.registry_url)

    @property
    def batches(self) -> list[BatchIngested]:
        return read_batches(self.branch)


@dataclass(frozen=True)
class Project(Clone):
    """A copy of the checkout."""

    name: str = SCENARIO

    @property
    def environ(self) -> dict[str, str]:
        """In which a process works on this copy and on nothing else."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RELEVE_", "GIT_"))}
        return inherited | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(self.root),
            "RELEVE_PROJECT": str(self.root),
            "RELEVE_HOME": str(self.settings.home),
            "RELEVE_MILVUS_URI": self.settings.milvus_uri,
            "RELEVE_SERVICE_PORT": str(self.settings.service_port),
            "BENTOML_DO_NOT_TRACK": "True",
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
        }

    def moved(self, **changes: str | int) -> Settings:
        """Its settings, some of them changed."""
        return replace(self.settings, **changes)  # type: ignore[arg-type]

    def copy(self, parent: Path) -> "Project":
        """The same project and state elsewhere."""
        shutil.copytree(self.root, parent / "project", symlinks=True)
        return Project(parent / "project")

    def receive(self, *numbers: int) -> list[str]:
        """Windows of digits arrive in the incoming folder; the names of the files."""
        wanted = {number: table for number, table in enumerate(windows(), start=1) if number in numbers}
        for number, table in wanted.items():
            write_parquet(self.state.incoming / f"window-{number:02d}.parquet", table)
        return [f"window-{number:02d}.parquet" for number in wanted]

    def edit(self, path: Path, old: str, new: str) -> None:
        """Change a file of this copy as its owner would, committed."""
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path.name}"
        write_bytes(path, text.replace(old, new, 1).encode())
        git(self.root, "commit", "--quiet", "--all", "-m", f"change {path.name}")

    def start(self, step: str, *, before: str = "", **environ: str) -> "subprocess.Popen[str]":
        """A step in a process of its own, in a session of its own; both outputs in one pipe.

        `before`: code that runs first.
        """
        return subprocess.Popen(
            [sys.executable, "-c", before + script(step)],
            cwd=self.root,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def answer(self, window: int, rows: slice, *, at: datetime, labelled: int, wrong: bool = False) -> None:
        """The champion answers rows of a window, a shadow beside it, and labels come in for the first of them.

        `wrong`: the champion is never right; whoever answers beside it always is.
        """
        table = list(windows())[window - 1].iloc[rows]
        truth, arms = table["digit"].tolist(), self.registry.arms(SCENARIO)
        current = self.registry.current(SCENARIO)
        assert current is not None
        said = [(label + wrong) % 10 for label in truth]
        asked = table.drop(columns="digit").to_dict("records")
        with closing(LedgerWriter(self.state.ledger, SCENARIO, clock=lambda: at)) as ledger:
            index = current.release.index
            request = ledger.answer(
                model=current.release.model, index=index, rows=asked, labels=said, probabilities=None
            )
            if arms:
                challenger = arms.started.challenger
                ledger.shadow(
                    of=request,
                    model=challenger.model,
                    index=challenger.index,
                    labels=truth,
                    probabilities=None,
                    latency_ms=1.0,
                )
            ledger.label((f"{request}.{place}", label) for place, label in enumerate(truth[:labelled]))

    def run(self, step: str) -> None:
        """The step to its end, in this process: to load the libraries anew costs more than most steps do."""
        imports, call = STEPS[step]
        exec(f"{imports}\n{call}", {"settings": self.settings})


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and output."""
    output, _ = process.communicate(timeout=STEP_SECONDS)
    return process.returncode, output


def wait_for(seen: Callable[[], bool], *, during: "subprocess.Popen[str]", seconds: float = STEP_SECONDS) -> None:
    """Return at the moment something is seen. Raises AssertionError, and ends the process, when it is not."""
    deadline, began = time.monotonic() + seconds, time.process_time()
    while not seen():
        if during.poll() is not None or time.monotonic() > deadline:
            during.kill()
            raise AssertionError(f"this was not seen before the end, or within {seconds:g} s:\n{finish(during)[1]}")
        time.sleep(max(0.002, 10 * (time.process_time() - began)))  # looking must not slow down what is looked at
        began = time.process_time()


def fresh_project(work_dir: Path) -> Project:
    """What its steps read of the project as it stands, in a repository of its own; no state, and no other scenario."""
    return Project(made_once(work_dir / "fresh", _commit_the_checkout) / "project")


def ingested_project(work_dir: Path) -> Project:
    """Three windows are batches."""

    def ingest(folder: Path) -> None:
        project = fresh_project(work_dir).copy(folder)
        project.receive(1, 2, 3)
        project.run("ingest")

    return Project(made_once(work_dir / "ingested", ingest) / "project")


def challenged_project(work_dir: Path) -> Project:
    """A first challenger was accepted, and waits to be released."""
    return _after("retrain", ingested_project, work_dir / "challenged")


def released_project(work_dir: Path) -> Project:
    """The first champion serves."""
    return _after("release", challenged_project, work_dir / "released")


def newer_project(work_dir: Path) -> Project:
    """The first champion serves, and a window is ingested that it has not learned."""
    return _after("ingest", released_project, work_dir / "newer", receives=NEW_WINDOW)


def rivalled_project(work_dir: Path) -> Project:
    """The first champion serves, and a challenger was accepted."""
    return _after("retrain", newer_project, work_dir / "rivalled")


def refreshed_project(work_dir: Path) -> Project:
    """The second champion serves, and the first can come back."""
    return _after("release", rivalled_project, work_dir / "refreshed")


def staged_project(work_dir: Path) -> Project:
    """The first champion serves, and in another environment of the same clone the second one does."""

    def make(folder: Path) -> None:
        project, before = refreshed_project(work_dir).copy(folder), newer_project(work_dir)
        home, staging = project.settings.home, folder / "staging"
        home.rename(staging)
        shutil.copytree(before.settings.home, home, symlinks=True, ignore=shutil.ignore_patterns("dvc-remote"))
        (staging / "dvc-remote").rename(home / "dvc-remote")  # which environments share
        (home / "environments").mkdir()
        staging.rename(home / "environments" / "staging")

    return Project(made_once(work_dir / "staged", make) / "project")


def moved_project(work_dir: Path) -> Project:
    """The first champion serves, and searches find a window that it has not learned."""
    return _after("index", newer_project, work_dir / "moved")


def answered_project(work_dir: Path) -> Project:
    """The first champion has answered on two days that are over, and labels came in for most rows."""

    def make(folder: Path) -> None:
        project = released_project(work_dir).copy(folder)
        days = [datetime.now(UTC) - timedelta(days=ago) for ago in (3, 2)]
        for place, day in enumerate(days):
            for rows in (slice(0, 30), slice(30, 60)):  # two writers
                project.answer(NEW_WINDOW + place, rows, at=day, labelled=25)

    return Project(made_once(work_dir / "answered", make) / "project")


def harvested_project(work_dir: Path) -> Project:
    """Of the labelled answers became a batch, and searches find its rows; a row is named in `to-erase`."""

    def make(folder: Path) -> None:
        project = answered_project(work_dir).copy(folder)
        for step in ("compact", "harvest", "index"):
            project.run(step)
        answers = LedgerReader(project.state.ledger).answers()
        labels = LedgerReader(project.state.ledger).labels()
        (project.settings.home / "to-erase").write_text(next(each for each in answers.ids if each in labels))

    return Project(made_once(work_dir / "harvested", make) / "project")


def shadowed_project(work_dir: Path) -> Project:
    """A shadow has answered beside the champion, and labels show that it is better."""

    def make(folder: Path) -> None:
        project = rivalled_project(work_dir).copy(folder)
        project.edit(project.root / "params.yaml", "label_delay_hours: 24.0 ", "label_delay_hours: 0.0 ")
        project.run("shadow")
        for window in range(NEW_WINDOW, NEW_WINDOW + 3):
            project.answer(window, slice(0, 80), at=datetime.now(UTC), labelled=80, wrong=True)

    return Project(made_once(work_dir / "shadowed", make) / "project")


def aged_project(work_dir: Path) -> Project:
    """The third champion serves, and the settings let the files of the first go."""

    def make(folder: Path) -> None:
        project = refreshed_project(work_dir).copy(folder)
        project.edit(project.root / "params.yaml", "keep_releases: 10 ", "keep_releases: 1 ")
        project.receive(NEW_WINDOW + 1)
        for step in ("ingest", "retrain", "release"):
            project.run(step)

    return Project(made_once(work_dir / "aged", make) / "project")


def _after(step: str, before: Callable[[Path], Project], folder: Path, *, receives: int | None = None) -> Project:
    """The project of another state, taken one step further."""

    def make(place: Path) -> None:
        project = before(place.parent).copy(place)
        project.receive(*([receives] if receives else []))
        project.run(step)

    return Project(made_once(folder, make) / "project")


def _commit_the_checkout(folder: Path) -> None:
    root = folder / "project"
    for name in _files_of_the_checkout():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, root / name)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "the project")
    pack(root)


def _files_of_the_checkout() -> list[str]:
    listed = git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [name for name in listed if name and not _is_left_out(Path(name)) and (PROJECT / name).is_file()]


def _is_left_out(name: Path) -> bool:
    """Whether no step reads it, or somebody who works with the project made it: another scenario, `make repro`."""
    top, *rest = name.parts
    return top in UNREAD or name.name == "dvc.lock" or (top == "scenarios" and rest[0] != SCENARIO)
