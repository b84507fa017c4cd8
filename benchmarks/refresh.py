"""What does one refresh of 10,000 rows cost beyond its fits? CPU seconds by part, through the real flow.

    python -m benchmarks.refresh [--rows 10000] [--batch 500] [--profile FOLDER]

A made table of 17 numbers and 3 categories. A first model learns all rows but the newest batch; then that batch
arrives, and the flow `retrain` takes it in, refreshes, judges and releases, in a process that begins cold. A Prefect
server runs already, as in production. Beside it stands what a nightly script does: one fit of gradient boosting with
its defaults on all rows. Then comes a part of a batch whose labels are turned round, and the same flow weighs the
members anew and releases them: the second table. `--profile` writes what cProfile says of each stage, and makes the
figures larger.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.own_tables import Wanted, run, scaffold
from releve.adapters.local_stack import parts as stack_parts
from releve.adapters.local_stack import stack as local_stack
from tasks.places import ScenarioState
from tests.projects import SETTINGS, Project, fresh_project
from tests.serving.process import free_port

NAME = "orders"
NUMBERS, CATEGORIES = 17, 3
BATCHES = 8  # that the rows before the newest ones came in
FIRST_MODEL = f"""from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.release.retrain import retrain
ingest(settings, {NAME!r})
assert retrain(settings, {NAME!r}, reason='first').promote
release(settings, {NAME!r})"""
RETRAIN = f"""from flows.retrain import retrain
retrain({NAME!r})"""
REWEIGH = f"""import prefect
from flows.retrain import retrain
assert retrain({NAME!r}, reweigh=True).promote"""
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
    "tasks.release.latency:answer_milliseconds": "retrain: latency",
    "tasks.release.retrain:retrain": "retrain: the rest (git, gate, registry)",
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


def main() -> int:
    """Print the fits, the nightly script's one, and everything else by part; then what new weights alone cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500, help="newest rows, which the refresh is for")
    parser.add_argument("--profile", type=Path, help="folder for the profile of each forked process")
    options = parser.parse_args()
    table, few = made_table(options.rows), made_table(round(options.batch * PART))
    with tempfile.TemporaryDirectory() as folder:
        work_dir = Path(folder)
        project = with_first_model(work_dir, table.iloc[: -options.batch])
        arrive(project, "newest", table.tail(options.batch))
        settings = replace(project.settings, prefect_port=free_port())
        started = local_stack.up(settings, only=(stack_parts.PREFECT,), environ=project.environ)
        try:
            environ = stack_parts.prefect_env(settings)
            refreshed = refresh(project, work_dir / "refresh", environ, options.profile, flow=RETRAIN)
            arrive(project, "few", few.assign(label=few["label"].map({"yes": "no", "no": "yes"})))
            reweighed = refresh(project, work_dir / "reweigh", environ, options.profile, flow=REWEIGH)
        finally:
            local_stack.down(settings, only=started)
    own = own_fit(table)
    for title, (seconds, processes) in (("a refresh", refreshed), ("new weights alone", reweighed)):
        print("\n".join([title, *report(seconds, processes, own), ""]))
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


def with_first_model(work_dir: Path, rows: pd.DataFrame) -> Project:
    """Make a project whose first model has learned `rows`, which came in BATCHES files."""
    project = fresh_project(work_dir).copy(work_dir / "made")
    edges = np.linspace(0, len(rows), BATCHES + 1).astype(int)
    scaffold(project, Wanted(NAME, Path("made"), "label", ""), rows.iloc[: edges[1]], [])
    for number, (low, high) in enumerate(pairwise(edges[1:])):
        arrive(project, f"{number:04d}", rows.iloc[low:high])
    run(project, ["-c", SETTINGS + FIRST_MODEL])
    return project


def arrive(project: Project, file: str, rows: pd.DataFrame) -> None:
    """Put rows into the incoming folder."""
    incoming = ScenarioState(project.settings.home, NAME).incoming
    incoming.mkdir(parents=True, exist_ok=True)
    rows.to_csv(incoming / f"{file}.csv", index=False)


def refresh(
    project: Project, traced: Path, environ: dict[str, str], profiles: Path | None, *, flow: str
) -> tuple[float, list[dict[str, object]]]:
    """Run the flow; the CPU seconds of all its processes, and what each Python process wrote."""
    traced.mkdir()
    log = traced / "processes"
    if profiles:
        profiles.mkdir(parents=True, exist_ok=True)
    trace = TRACE.format(parts=PARTS, log=str(log), profiles=str(profiles.resolve()) if profiles else "")
    (traced / "sitecustomize.py").write_text(trace)
    (traced / "flow.py").write_text(flow)
    done = run(project, [str(traced / "flow.py")], environ | {"PYTHONPATH": f"{project.root}:{traced}"})
    return done.seconds, [json.loads(line) for line in log.read_text().splitlines()]


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


def report(seconds: float, processes: list[dict[str, object]], own: float) -> list[str]:
    """Write the lines of the result."""
    parts: dict[str, float] = defaultdict(float)
    for each in processes:
        command, spent = list(each["command"]), float(each["seconds"])  # type: ignore[call-overload,arg-type]
        for name, value in dict(each["parts"]).items():  # type: ignore[call-overload]
            parts[name] += value
            spent -= value
        parts[described(command)] += spent
    parts["git, and the ends of processes"] = seconds - sum(parts.values())
    fits = parts.pop("fits", 0.0)
    release = sum(spent for name, spent in parts.items() if name.startswith(("package: ", "release: ")))
    lines = [f"all {seconds:.1f} s CPU: fits {fits:.1f}, everything else {seconds - fits:.1f}"]
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
    if program == "flow":
        return "Prefect, imports of the flow"
    if program.endswith("dvc"):
        return f"DVC: {next((word for word in command[1:] if not word.startswith('-')), '')}"
    return f"{program.rpartition('.')[2]}: the rest"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
