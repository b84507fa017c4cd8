"""A table of your own, from one command to the fifth retraining: what does the loop make of it?

    python -m benchmarks.own_tables bike=bike.csv:cnt:dteday sms=sms.csv:label [--batches 5] [--first 0.6]
        [--leave-out casual,registered] [--set search.trials=10]

Each table is NAME=FILE:TARGET[:TIME]. Its oldest rows make the first champion, the others arrive in batches. Before a
batch is ingested, the champion answers it, and so does scikit-learn with its defaults, fitted on exactly the rows that
were there. A ratio above 1 means that the loop is the better one; its interval is the paired one of the gain, at 95%.
Seconds are CPU seconds, those of every process that a step started included.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from releve.adapters.files import read_params
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.domain.evaluation.metrics import METRICS, compute_score, default_metric, own_metric
from releve.domain.evaluation.paired import BootstrapConfig, compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from tasks.places import ScenarioState
from tests.projects import PROJECT, SETTINGS, Project, fresh_project

INGEST = """from tasks.ingestion.ingest import check_refusals, ingest
check_refusals(ingest(settings, {name!r}))
"""
RETRAIN = """import json
from tasks.retraining.retrain import retrain
from tasks.release.release import release
made = retrain(settings, {name!r}, reason='benchmark')
if made.promote:
    release(settings, {name!r})
print(json.dumps({{'promote': made.promote, 'reasons': made.reasons}}))"""


@dataclass(frozen=True)
class Wanted:
    """One table, as the command line names it."""

    name: str
    path: Path
    target: str
    time: str

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        name, _, rest = text.partition("=")
        path, target, time_column = [*rest.split(":"), ""][:3]
        return cls(name, Path(path).resolve(), target, time_column)


@dataclass(frozen=True)
class Done:
    """A process that ended well: what it printed, and the CPU seconds of it and of those that it started."""

    output: str
    seconds: float


@dataclass(frozen=True, eq=False)
class PlayedBatch:
    """One batch: what champion and defaults answered to it, and what the gate then decided on the challenger."""

    ours: Any  # (rows, classes) or (rows, 1)
    defaults: Any
    labels: list[Any]
    verdict: str
    retrain_seconds: float
    defaults_seconds: float


def main() -> int:
    """Print a table per table."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as work_dir:
        project = fresh_project(Path(work_dir))
        for wanted in arguments.tables:
            table = pd.read_csv(wanted.path, dtype=str, keep_default_na=False)
            table = table.drop(columns=arguments.leave_out, errors="ignore")
            play(project, wanted, table, first=arguments.first, batches=arguments.batches, settings=arguments.set)
    return 0


def play(
    project: Project, wanted: Wanted, table: pd.DataFrame, *, first: float, batches: int, settings: list[str]
) -> None:
    """Scaffold, first champion, then batch after batch, and the ratios. `table`: cells as they are written."""
    start = int(len(table) * first)
    edges = np.linspace(start, len(table), batches + 1).astype(int)
    print(f"\n## {wanted.name}\n\n{len(table)} rows; the oldest {start} make the first champion\n", flush=True)
    scaffold(project, wanted, table.iloc[:start], settings)
    first_verdict, seconds = learn(project, wanted.name)
    schema = ModelStore(project.settings.home).load(champion(project, wanted.name)).schema
    metric = default_metric(schema.target.task)
    print(f"first champion: {first_verdict}, {seconds:.1f} s CPU\n\n{HEAD.format(metric=metric)}", flush=True)
    turns = [one_turn(project, wanted.name, schema, table, low, high) for low, high in pairwise(edges)]
    for each in dict.fromkeys([metric, own_metric(schema.target.task)]):
        print(summary(turns, schema, each), flush=True)
    cost = sum(turn.retrain_seconds for turn in turns) / sum(turn.defaults_seconds for turn in turns)
    print(f"CPU time of the loop over that of the defaults: {cost:.1f}", flush=True)


HEAD = (
    "| rows of the batch | {metric}, champion | {metric}, scikit-learn defaults | gate, after it | retrain s | "
    "defaults s |\n|---|---|---|---|---|---|"
)


def scaffold(project: Project, wanted: Wanted, oldest: pd.DataFrame, settings: list[str]) -> None:
    """The one command, and the commit that it asks for."""
    data = project.root.parent / f"{wanted.name}.csv"
    oldest.to_csv(data, index=False)
    options = ["--data", str(data), "--target", wanted.target, *(["--time", wanted.time] if wanted.time else [])]
    options += [word for setting in settings for word in ("--set", setting)]
    output = run(project, ["-m", "releve", "scenario", wanted.name, *options]).output
    print("\n".join(f"    {line}" for line in output.splitlines()), "\n", flush=True)
    git(project.root, "add", f"scenarios/{wanted.name}")
    git(project.root, "commit", "--quiet", "-m", f"the scenario {wanted.name}")


def one_turn(project: Project, name: str, schema: Schema, table: pd.DataFrame, start: int, end: int) -> PlayedBatch:
    """Champion and defaults answer rows [start, end); then these come in, and a challenger is made."""
    reading = CellFormats.of(read_params(project.root, name).ingest)
    known, new = (typed(schema, reading, cells) for cells in (table.iloc[:start], table.iloc[start:end]))
    model = ModelStore(project.settings.home).load(champion(project, name))
    answers = model.run(arrays_of_frame(model.schema, new))
    began = time.process_time()
    by_default = defaults_answers(schema, known, new)
    spent = time.process_time() - began
    incoming = ScenarioState(project.settings.home, name).incoming
    incoming.mkdir(parents=True, exist_ok=True)
    table.iloc[start:end].to_csv(incoming / f"{end:08d}.csv", index=False)
    verdict, seconds = learn(project, name)
    turn = PlayedBatch(
        as_outputs(schema, answers), by_default, new[schema.target.name].tolist(), verdict, seconds, spent
    )
    ours, defaults = scores([turn], schema, default_metric(schema.target.task))
    print(
        f"| {len(turn.labels)} | {ours:.4f} | {defaults:.4f} | {turn.verdict} | {turn.retrain_seconds:.1f} | "
        f"{turn.defaults_seconds:.1f} |",
        flush=True,
    )
    return turn


def learn(project: Project, name: str) -> tuple[str, float]:
    """Ingest what waits, make a challenger, release an accepted one: the gate's verdict, and what the last two cost."""
    run(project, ["-c", SETTINGS + INGEST.format(name=name)])
    done = run(project, ["-c", SETTINGS + RETRAIN.format(name=name)])
    challenger = json.loads(done.output.splitlines()[-1])
    return ("promoted" if challenger["promote"] else f"kept: {challenger['reasons'][0]}"), done.seconds


def champion(project: Project, name: str) -> str:
    """The model version that serves."""
    current = project.registry.current(name)
    if current is None:
        raise SystemExit(f"{name} has no champion: its first challenger was refused")
    return current.release.model


def typed(schema: Schema, reading: CellFormats, cells: pd.DataFrame) -> pd.DataFrame:
    """CSV cells as the pipeline sees them; rejected rows left out."""
    return check_frame(schema, read_cells(cells.reset_index(drop=True), schema, reading, is_text=True).frame).accepted


def as_outputs(schema: Schema, answers: Any) -> Any:
    """What a model answers as (rows, classes), or (rows, 1) without the bounds of a value."""
    found = np.asarray(answers, dtype=np.float64)
    return found[:, :1] if schema.target.task == REGRESSION else found


def predictions(turns: list[PlayedBatch], schema: Schema) -> tuple[ScoredPredictions, ScoredPredictions]:
    """Champion's and defaults' answers to all batches, beside the labels."""
    labels = [label for turn in turns for label in turn.labels]
    ours, defaults = (np.concatenate([getattr(turn, side) for turn in turns]) for side in ("ours", "defaults"))
    return ScoredPredictions.of(ours, labels, schema.target), ScoredPredictions.of(defaults, labels, schema.target)


def scores(turns: list[PlayedBatch], schema: Schema, metric: str) -> tuple[float, float]:
    """Champion's and defaults' score of all rows."""
    ours, defaults = predictions(turns, schema)
    return compute_score(metric, ours), compute_score(metric, defaults)


def defaults_answers(schema: Schema, known: pd.DataFrame, new: pd.DataFrame) -> Any:
    """Fitted on `known`, asked `new`: histogram gradient boosting, or TF-IDF and a linear model for a text."""
    model: Any = _text_defaults(schema) if schema.texts else _table_defaults(schema)
    model.fit(_features(schema, known), known[schema.target.name])
    if schema.target.task == REGRESSION:
        return model.predict(_features(schema, new))[:, None]
    found = pd.DataFrame(model.predict_proba(_features(schema, new)), columns=model.classes_)
    return found.reindex(columns=list(schema.target.classes), fill_value=0.0).to_numpy()


def _features(schema: Schema, rows: pd.DataFrame) -> pd.DataFrame:
    dates = {name: rows[name].astype("int64") for name in schema.dates}
    return rows[schema.names].assign(**dates)


def _table_defaults(schema: Schema) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    kind = HistGradientBoostingRegressor if schema.target.task == REGRESSION else HistGradientBoostingClassifier
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        make_column_transformer((encode, schema.categories), remainder="passthrough"), kind(random_state=0)
    )


def _text_defaults(schema: Schema) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    model = Ridge() if schema.target.task == REGRESSION else LogisticRegression()
    return make_pipeline(make_column_transformer(*[(TfidfVectorizer(), name) for name in schema.texts]), model)


def run(project: Project, arguments: list[str], environ: Mapping[str, str] | None = None) -> Done:
    """Python in the project's folder, to its end, which must be a good one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project.root,
        env=project.environ | dict(environ or {}),
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)[:200]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Done(done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def summary(turns: list[PlayedBatch], schema: Schema, metric: str) -> str:
    """Scores over all rows and their ratio: above 1 the loop is the better one, whatever the metric's direction."""
    ours, defaults = predictions(turns, schema)
    found = compare(metric, ours, defaults, BootstrapConfig.of(read_params(PROJECT).statistics))

    def ratio(gain: float) -> float:
        return (found.score + gain) / found.score if METRICS[metric].sign > 0 else found.score / (found.score - gain)

    return (
        f"\n{metric} {compute_score(metric, ours):.4f} against {found.score:.4f}: ratio {ratio(found.gain.value):.3f} "
        f"[{ratio(found.gain.low):.3f}, {ratio(found.gain.high):.3f}]"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", nargs="+", type=Wanted.parse, metavar="NAME=FILE:TARGET[:TIME]")
    parser.add_argument("--leave-out", type=lambda text: text.split(","), default=[], help="columns that give it away")
    parser.add_argument("--batches", type=int, default=5, help="that the newer rows arrive in")
    parser.add_argument("--first", type=float, default=0.6, help="share of the rows that make the first champion")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.KEY=VALUE", help="overrides of the scenarios")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
