"""What does one refresh of 10,000 rows cost beyond its fits? CPU seconds by part, through the real flow.

    python -m benchmarks.refresh [--rows 10000] [--batch 500] [--profile FOLDER]

A made table of 17 numbers and 3 categories. A first model learns all rows but the newest batch; then that batch
arrives, and the flow `retrain` takes it in, refreshes, judges and releases, in a process that begins cold. A Prefect
server runs already, as in production. Beside it stands what a nightly script does: one fit of gradient boosting with
its defaults on all rows. Then comes a part of a batch whose labels are turned round, and the same flow weighs the
members anew and releases them. Last comes one batch more, which is refreshed for as `make up` does it: by Prefect's
worker and a fork server that has loaded its libraries before. `--profile` writes what cProfile says of each forked
process, and makes the figures larger.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from benchmarks.own_tables import Wanted, run, scaffold
from releve.adapters.local_stack import parts as stack_parts
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.prefect.api import PrefectRuns
from releve.core.settings import Settings
from tasks.places import ScenarioState
from tests.projects import SETTINGS, Project, fresh_project
from tests.serving.process import free_port, wait_until

NAME = "orders"
NUMBERS, CATEGORIES = 17, 3
BATCHES = 8  # that the rows before the newest ones came in
FIRST_MODEL = f"""from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.retraining.retrain import retrain
ingest(settings, {NAME!r})
assert retrain(settings, {NAME!r}, reason='first').promote
release(settings, {NAME!r})"""
RETRAIN = f"""from flows.retrain import retrain
retrain({NAME!r})"""
REWEIGH = f"""import prefect
from flows.retrain import retrain
assert retrain({NAME!r}, reweigh=True).promote"""
RUN_SECONDS = 600  # the longest that a run of the worker may take
STACK = (stack_parts.PREFECT, stack_parts.FORKS, stack_parts.WORKER)
ENDS = ("Completed", "Refused", "Failed", "Crashed", "Cancelled")
SETTLES = 3.0  # seconds, until the worker has seen the end of a run
PART = 0.5  # of a batch, that members are weighed anew by
# What is timed by itself, by module and function; a part inside a part counts for the inner one alone.
PARTS = {
    "releve.domain.training.learning:learn": "fits",
    "releve.domain.ensemble.fitting:answers_of_members": "train: answers of the members to the new rows",
    "releve.domain.ensemble.weights:weigh": "train: weights",
    "releve.domain.training.importance:permutation_importances": "train: importances",
    "releve.adapters.models.skops_files:dump_pipeline": "writing fitted members",
    "releve.adapters.models.model_runtime:load_pipeline": "reading fitted members",
    "releve.adapters.models.onnx_export:export": "package: export",
    "releve.adapters.models.onnx_export:export_checked": "package: parity, merge",
    "releve.domain.evaluation.holdout_evaluation:evaluate": "package: evaluation",
    "releve.domain.gate.sanity:check": "package: sanity",
    "tasks.pipeline.rows:read_rows": "reading rows",
    "tasks.pipeline.export:write_export": "package: export",
    "tasks.release.index:build_index": "release: index",
    "tasks.release.index:tidy_indexes": "release: index, tidied",
    "tasks.release.release:release": "release: the rest",
    "tasks.retraining.latency:answer_milliseconds": "retrain: latency",
    "tasks.retraining.retrain:retrain": "retrain: the rest (git, gate, registry)",
    "tasks.ingestion.ingest:ingest": "ingest",
    "tasks.reporting.page:write_page": "page and card",
    "tasks.reporting.model_card:write_card": "page and card",
    "tasks.monitoring.alert:alert": "alerts",
    "tasks.release.tidy:tidy": "tidy",
}
# Every Python process of a run imports this module at its start, and writes what it and its parts cost at its end.
TRACE = """import atexit, functools, json, os, sys, time
parts, log, profiles = {parts!r}, {log!r}, {profiles!r}
spent, inner = {{}}, [0.0]


def timed(function, name):
    @functools.wraps(function)
    def call(*arguments, **named):
        began = time.process_time()
        inner.append(0.0)
        try:
            return function(*arguments, **named)
        finally:
            own = time.process_time() - began
            spent[name] = spent.get(name, 0.0) + own - inner.pop()
            inner[-1] += own
    return call


class Hook:
    def find_spec(self, name, path, target=None):
        wanted = [key.partition(":")[2] for key in parts if key.partition(":")[0] == name]
        if not wanted:
            return None
        sys.meta_path.remove(self)
        try:
            import importlib.util
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            for each in wanted:
                setattr(module, each, timed(getattr(module, each), parts[name + ":" + each]))

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Hook())


def started():
    if profiles and os.getpid() != server:
        import cProfile
        global profile
        profile = cProfile.Profile()
        profile.enable()


def write():
    if profile is not None:
        profile.disable()
        profile.dump_stats(os.path.join(profiles, "_".join(sys.argv[:2]).replace("/", "-") + f"-{{os.getpid()}}"))
    times = os.times()
    with open(log, "a") as file:
        own = times.user + times.system
        file.write(json.dumps({{"command": sys.argv, "seconds": own, "parts": spent}}) + "\\n")


server, profile = os.getpid(), None
atexit.register(write)
os.register_at_fork(after_in_child=started)
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a run."""

    seconds: float  # of all its processes
    processes: list[dict[str, Any]]  # what each of its Python processes wrote of itself
    worker: float = 0.0  # of Prefect's worker meanwhile, launcher included


def main() -> int:
    """Print the fits, the nightly script's one, and everything else by part, of each run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500, help="newest rows, which the refresh is for")
    parser.add_argument("--profile", type=Path, help="folder for the profile of each forked process")
    options = parser.parse_args()
    first, one_more, few = (made_table(rows) for rows in (options.rows, options.batch, round(options.batch * PART)))
    with tempfile.TemporaryDirectory() as folder:
        work_dir = Path(folder)
        project = fresh_project(work_dir).copy(work_dir / "made")
        settings = replace(project.settings, prefect_port=free_port())
        make_first_model(project, settings, first.iloc[: -options.batch])
        environ = traced(work_dir, project, options.profile)
        ours = stack_parts.shared_environ(settings, environ) | stack_parts.prefect_env(settings)
        try:
            local_stack.up(settings, only=(stack_parts.PREFECT,), environ=environ)
            arrive(project, "newest", first.tail(options.batch))
            cold = in_cold_process(project, work_dir, ours, RETRAIN)
            arrive(project, "few", few.assign(label=few["label"].map({"yes": "no", "no": "yes"})))
            reweighed = in_cold_process(project, work_dir, ours, REWEIGH)
            local_stack.up(settings, only=STACK, environ=environ)
            server = psutil.Process(pid_of(settings, stack_parts.FORKS))
            loaded = f"{cpu_seconds(server.pid):.1f} s CPU once, {server.memory_info().rss >> 20} MB"
            arrive(project, "one_more", one_more)
            forked = by_worker(settings, work_dir)
        finally:
            local_stack.down(settings)
    own = own_fit(first)
    for title, cost in (("a refresh", cold), ("new weights alone", reweighed), ("a refresh by make up", forked)):
        print("\n".join([title, *report(cost, own), ""]))
    print(f"the fork server: {loaded}")
    return 0


def made_table(rows: int) -> pd.DataFrame:
    """Make numbers and categories, and a label that depends on some of each."""
    random = np.random.default_rng(11)
    numbers = {f"number_{place}": random.normal(size=rows).round(4) for place in range(NUMBERS)}
    categories = {f"category_{place}": random.choice(list("abcdefgh"), rows) for place in range(CATEGORIES)}
    frame = pd.DataFrame(numbers | categories)
    score = frame["number_0"] + frame["number_1"] * frame["number_2"] - 0.8 * frame["number_3"].abs()
    score += 0.7 * frame["category_0"].isin(list("abc")) + random.normal(size=rows)
    return frame.assign(label=np.where(score > 0, "yes", "no"))


def make_first_model(project: Project, settings: Settings, rows: pd.DataFrame) -> None:
    """Let a first model learn `rows`, which come in BATCHES files; its Bento is made for the settings of `make up`."""
    edges = np.linspace(0, len(rows), BATCHES + 1).astype(int)
    scaffold(project, Wanted(NAME, Path("made"), "label", ""), rows.iloc[: edges[1]], [])
    for number, (low, high) in enumerate(pairwise(edges[1:])):
        arrive(project, f"{number:04d}", rows.iloc[low:high])
    run(project, ["-c", SETTINGS + FIRST_MODEL], stack_parts.shared_environ(settings, project.environ))


def arrive(project: Project, file: str, rows: pd.DataFrame) -> None:
    """Put rows into the incoming folder."""
    incoming = ScenarioState(project.settings.home, NAME).incoming
    incoming.mkdir(parents=True, exist_ok=True)
    rows.to_csv(incoming / f"{file}.csv", index=False)


def traced(work_dir: Path, project: Project, profiles: Path | None) -> dict[str, str]:
    """The environment in which every Python process writes into the file `processes` what it cost."""
    if profiles:
        profiles.mkdir(parents=True, exist_ok=True)
    folder, log = work_dir / "traced", str(work_dir / "processes")
    trace = TRACE.format(parts=PARTS, log=log, profiles=str(profiles.resolve()) if profiles else "")
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(trace)
    return project.environ | {"PYTHONPATH": f"{project.root}:{folder}"}


def in_cold_process(project: Project, work_dir: Path, environ: dict[str, str], flow: str) -> Cost:
    (work_dir / "flow.py").write_text(flow)
    before = len(processes(work_dir))
    done = run(project, [str(work_dir / "flow.py")], environ)
    return Cost(done.seconds, processes(work_dir)[before:])


def by_worker(settings: Settings, work_dir: Path) -> Cost:
    """A run that Prefect's worker starts; all its processes are children of the fork server."""
    before = len(processes(work_dir))
    forks, worker = (pid_of(settings, name) for name in (stack_parts.FORKS, stack_parts.WORKER))
    began = cpu_seconds(forks), cpu_seconds(worker)
    runs = PrefectRuns.of(replace(settings, prefect_api_url=stack_parts.prefect_api_url(settings)))
    assert runs
    runs.start(NAME, "retrain", {}, key="benchmark")
    wait_until(lambda: runs.newest(NAME, most=1)[0].state in ENDS, seconds=RUN_SECONDS)
    [last] = runs.newest(NAME, most=1)
    if last.state != "Completed":
        raise SystemExit(f"the run ended as {last.state}: {last.message}")
    time.sleep(SETTLES)
    spent = cpu_seconds(worker) - began[1]
    return Cost(cpu_seconds(forks) - began[0] + spent, processes(work_dir)[before:], spent)


def processes(work_dir: Path) -> list[dict[str, Any]]:
    log = work_dir / "processes"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def pid_of(settings: Settings, part: str) -> int:
    found = stack_process.running(settings.home, part)
    assert found
    return found.pid


def cpu_seconds(pid: int) -> float:
    """Of a process, those that it started, and all that have ended among them."""
    process = psutil.Process(pid)
    return float(sum(sum(each.cpu_times()[:4]) for each in (process, *process.children(recursive=True))))


def own_fit(table: pd.DataFrame) -> float:
    """CPU seconds of the nightly script's fit."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    names = [name for name in table if str(name).startswith("category")]
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(sparse_output=False), names), remainder="passthrough"),
        HistGradientBoostingClassifier(),
    )
    began = time.process_time()
    model.fit(table.drop(columns="label"), table["label"])
    return time.process_time() - began


def report(cost: Cost, own: float) -> list[str]:
    """Write the lines of the result."""
    parts: dict[str, float] = defaultdict(float)
    for each in cost.processes:
        spent = each["seconds"]
        for name, value in each["parts"].items():
            parts[name] += value
            spent -= value
        parts[described(each["command"])] += spent
    if cost.worker:
        parts["Prefect's worker, and the launcher"] = cost.worker
    parts["git, and the ends of processes"] = cost.seconds - sum(parts.values())
    fits = parts.pop("fits", 0.0)
    release = sum(spent for name, spent in parts.items() if name.startswith(("package: ", "release: ")))
    lines = [f"all {cost.seconds:.1f} s CPU: fits {fits:.1f}, everything else {cost.seconds - fits:.1f}"]
    lines += [f"a nightly script's one fit {own:.1f}: the fits are {fits / own:.1f} times that"]
    lines += [f"from new weights to the pointer (package, release): {release:.1f}", ""]
    lines += ["| beyond the fits | CPU s |", "|---|---|"]
    return lines + [f"| {name} | {spent:.2f} |" for name, spent in sorted(parts.items(), key=lambda each: -each[1])]


def described(command: list[str]) -> str:
    """What a process did, in a few words, from its arguments."""
    path = command[0] if command else ""
    if path.endswith("forks/server.py"):
        return "fork server: libraries"
    program = Path(path).stem
    if program in ("flow", "prefect"):  # a script, or the module prefect.engine
        return "Prefect, imports of the flow"
    if program.endswith("dvc"):
        return f"DVC: {next((word for word in command[1:] if not word.startswith('-')), '')}"
    return f"{program.rpartition('.')[2]}: the rest"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
