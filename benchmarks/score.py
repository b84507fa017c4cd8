"""Rows a second of batch scoring beside a bare `pipeline.predict`: python -m benchmarks.score [--rows 100000]
Its memory: python -m benchmarks.score --memory --models plain --rows 1000000

The same fitted model, the same rows, each run in a process of its own that computes in one thread. Bare is
scikit-learn's pipeline on a DataFrame that is in memory already, and on what pandas reads from the same file; nothing
is checked, and nothing is written. Our answers hold probabilities, so that `predict_proba` stands beside `predict`.
Ours is the whole of `releve score`: digest, reading, checks, answers in the served runtime, parts, manifest; in one
process and in two. Every process has answered ten rows before, with all that is imported and loaded: what that takes of
ours is a column of its own. A ratio above 1 says that ours answers more rows: by the CPU of all processes (what counts
on a busy machine), and by the wall clock.

Models: an ensemble of digits as the demo ends with it (ONNX serves), and one of texts (scikit-learn serves).
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import skops.io
import yaml

from releve.adapters.files import read_schema, write_bytes, write_json
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.description import ModelDescription
from releve.adapters.models.model_store import ModelStore
from releve.adapters.models.onnx_export import export_checked
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.embedder_files import text_files
from releve.core.settings import Settings, sqlite_url
from releve.domain.ensemble.ensemble import WeightedEnsemble
from releve.domain.neighbours.embedding import Embedder
from releve.domain.neighbours.text_vectors import NgramVectors
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training.pipeline import build, model_frame
from tasks.pipeline.seed import windows
from tests.factories import make_release
from tests.repositories import commit

ROOT = Path(__file__).parent.parent
DIGITS, TEXTS, PLAIN = "digits", "texts", "plain"
LAST_BATCHES = (0, 10, 5, 2)  # of the demo's members; 0 is all
TEXT_TABLE: dict[str, Any] = {
    "target": {"name": "kind", "classes": ["ham", "spam"]},
    "columns": {"amount": {"type": "number"}, "message": {"type": "text", "max_length": 400}},
}
WORDS = ["meet", "home", "lunch", "call", "birthday", "prize", "cash", "free", "win", "urgent", "now", "today", "later"]
PIPELINE = "pipeline.joblib"


@dataclass(frozen=True)
class Model:
    """A fitted model, and rows to ask it."""

    name: str
    table: dict[str, Any]
    pipeline: Any
    learned: pd.DataFrame
    rows: pd.DataFrame  # without the target

    @property
    def schema(self) -> Schema:
        return Schema.from_dict(self.table)


def digits(rows: int) -> Model:
    """What serves at the end of the demo: the same recipe, fitted on all batches and on the newest ones."""
    schema, batches = read_schema(ROOT, DIGITS), list(windows())

    def fitted(last: int) -> Any:
        frame = pd.concat(batches[-last:], ignore_index=True)
        pipeline = build(schema, recipe="svm", scale="standard", options={"gamma": 0.001}, seed=7)
        return pipeline.fit(model_frame(arrays_of_frame(schema, frame), schema), frame[schema.target.name])

    share = 1 / len(LAST_BATCHES)
    members = [(f"last_{last}", fitted(last), share) for last in LAST_BATCHES]
    learned = pd.concat(batches, ignore_index=True)
    random = np.random.default_rng(7)
    asked = learned.drop(columns=schema.target.name).sample(rows, replace=True, random_state=7).reset_index(drop=True)
    pixels = np.clip(asked.to_numpy() + random.integers(-1, 2, asked.shape), 0, 16)
    asked = pd.DataFrame(pixels, columns=asked.columns)
    return Model(DIGITS, schema.as_dict(), WeightedEnsemble(members, list(schema.target.classes)), learned, asked)


def texts(rows: int) -> Model:
    """Messages of about 80 characters and a number."""
    schema, random = Schema.from_dict(TEXT_TABLE), np.random.default_rng(7)

    def made(count: int) -> pd.DataFrame:
        words = random.choice(WORDS, (count, 14))
        message = [" ".join(line) + f", {number}" for line, number in zip(words, range(count), strict=True)]
        return pd.DataFrame({"amount": random.normal(50, 20, count).round(2), "message": message})

    learned = made(2000)
    spam = learned["message"].str.contains("prize|cash|claim")
    learned["kind"] = np.where(spam, "spam", "ham")
    pipeline = build(schema, recipe="linear", scale="standard", options={}, seed=7)
    pipeline.fit(model_frame(arrays_of_frame(schema, learned), schema), learned["kind"])
    return Model(TEXTS, TEXT_TABLE, pipeline, learned, made(rows))


def plain(rows: int) -> Model:
    """Four numbers and a linear model: what it takes to read, check and write, and memory above all."""
    table = {**TEXT_TABLE, "columns": {f"x{number}": {"type": "number"} for number in range(4)}}
    schema, random = Schema.from_dict(table), np.random.default_rng(7)

    def made(count: int) -> pd.DataFrame:
        return pd.DataFrame(random.normal(size=(count, 4)).round(4), columns=schema.numbers)

    learned = made(500)
    learned["kind"] = np.where(learned["x0"] > 0, "spam", "ham")
    pipeline = build(schema, recipe="linear", scale="standard", options={}, seed=7)
    pipeline.fit(model_frame(arrays_of_frame(schema, learned), schema), learned["kind"])
    return Model(PLAIN, table, pipeline, learned, made(rows))


MAKERS = {DIGITS: digits, TEXTS: texts, PLAIN: plain}


def prepare(model: Model, folder: Path) -> Settings:
    """Write a project in which the model serves, and the rows as files."""
    schema, home, name = model.schema, folder / "var", model.name
    (folder / "scenarios" / name).mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "scenarios" / name / "params.yaml").write_text(yaml.safe_dump(model.table))
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "the project")
    arrays, packed = arrays_of_frame(schema, model.learned), folder / "packed"
    exported = export_checked(model.pipeline, schema, model.learned, tolerance=1e-4)
    embedder = Embedder.fit(arrays, encoder=lambda texts: NgramVectors.fit(texts, dimensions=8, max_features=500))
    described = {
        "scenario": name,
        "runtime": exported.runtime,
        "classes": model.pipeline.classes_.tolist(),
        "schema": schema.as_dict(),
        "embedder": embedder.describe().model_dump(mode="json"),
    }
    write_json(packed / "model.json", ModelDescription.model_validate(described).to_json())
    served = skops.io.dumps(model.pipeline) if exported.onnx is None else exported.onnx
    write_bytes(packed / ("model.skops" if exported.onnx is None else "model.onnx"), served)
    for file, content in text_files(embedder).items():
        write_bytes(packed / file, content)
    settings = Settings(project=folder, home=home, registry_url=sqlite_url(home / "registry.db"), milvus_uri="")
    stored = ModelStore(home).save(packed, scenario=name, version="one", labels={})
    released = ModelReleased(release=make_release(stored))
    Registry(settings.registry_url).move(name, released, expected=None, reason="a benchmark", actor="benchmarks")
    joblib.dump(model.pipeline, folder / PIPELINE)
    for start, rows in (("", model.rows), ("few-", model.rows.head(10))):
        rows.to_csv(folder / f"{start}rows.csv", index=False)
        rows.to_parquet(folder / f"{start}rows.parquet", index=False)
    print(f"{name}: {exported.runtime} serves, {len(model.rows):,} rows", flush=True)
    return settings


def child(folder: Path, name: str, how: str, file: str, workers: int) -> dict[str, float]:
    """Run once; in a process of its own, which has answered a few rows before."""
    path, few = folder / file, folder / f"few-{file}"
    read: Any = pd.read_csv if file.endswith(".csv") else pd.read_parquet
    begun = os.times()
    if how == "ours":
        from tasks.scoring.score import score

        settings = Settings(
            project=folder, home=folder / "var", registry_url=sqlite_url(folder / "var/registry.db"), milvus_uri=""
        )

        def ours(source: Path) -> int:
            done = score(settings, name, source=str(source), output=str(folder / f"out-{workers}"), again=True)
            return done.manifest.answered

        ours(few)
        start, begun, started = cpu(begun), os.times(), time.perf_counter()
        rows = ours(path)
    else:
        pipeline, frame = joblib.load(folder / PIPELINE), read(path)
        answer = pipeline.predict_proba if how == "probabilities" else pipeline.predict
        answer(read(few))
        start, begun, started = cpu(begun), os.times(), time.perf_counter()
        rows = len(answer(read(path) if how == "file" else frame))
    wall, taken = time.perf_counter() - started, cpu(begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"rows": rows, "wall": wall, "cpu": taken, "start": start, "mib": peak, "mib_child": of_children}


def cpu(since: os.times_result) -> float:
    """Count the CPU seconds of this process, and of its children that have ended."""
    return sum(os.times()[:4]) - sum(since[:4])


def run(folder: Path, name: str, how: str, file: str, workers: int = 1) -> dict[str, float]:
    own = folder / "scenarios" / name / "params.yaml"
    described = yaml.safe_load(own.read_text())
    own.write_text(yaml.safe_dump({**described, "compute": {"workers": workers}}))
    git(folder, "commit", "--quiet", "--all", "--allow-empty", "-m", "workers")
    command = [sys.executable, "-m", "benchmarks.score", "--child", str(folder), name, how, file, str(workers)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=[DIGITS, TEXTS])
    parser.add_argument("--files", nargs="+", default=["rows.csv", "rows.parquet"])
    parser.add_argument("--memory", action="store_true", help="of ours alone, in one process")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        folder, name, how, file, workers = asked.child
        print(json.dumps(child(Path(folder), name, how, file, int(workers))))
        return
    lines = []
    for name in asked.models:
        with tempfile.TemporaryDirectory() as folder:
            prepare(MAKERS[name](asked.rows), Path(folder))
            if asked.memory:
                for file in asked.files:
                    found = run(Path(folder), name, "ours", file)
                    each = f"{1e6 * found['cpu'] / found['rows']:.1f} µs of CPU a row"
                    print(f"{file}: peak {found['mib']:.0f} MiB, {each}", flush=True)
                continue
            lines += [compare(Path(folder), name, file, asked.rounds) for file in asked.files]
    if asked.memory:
        return
    print("| model | file | µs of CPU a row, bare: predict, predict_proba, predict from the file | ours: in 1, in 2 "
          "| ours / bare by CPU, in 1: predict, predict_proba, from the file | by wall, in 1 | by wall, in 2 "
          "| CPU s of ours before the first row | peak MiB: bare, ours, a worker |")  # fmt: skip
    print("|---" * 9 + "|")
    print("\n".join(lines))


def compare(folder: Path, name: str, file: str, rounds: int) -> str:
    """Run all in turn, and make a line of the table of the medians over rounds."""
    runs = [("memory", 1), ("probabilities", 1), ("file", 1), ("ours", 1), ("ours", 2)]
    bare, (one, two) = range(3), (3, 4)
    found = [[run(folder, name, how, file, workers) for how, workers in runs] for _ in range(rounds)]

    def ratios(ours: int, of: str) -> str:
        medians = (statistics.median(each[at][of] / each[ours][of] for each in found) for at in bare)
        return ", ".join(f"{each:.2f}" for each in medians)

    def each_row(at: int) -> str:
        return f"{statistics.median(1e6 * each[at]['cpu'] / each[at]['rows'] for each in found):.1f}"

    peaks = [max(each[at][of] for each in found) for at, of in ((0, "mib"), (one, "mib"), (two, "mib_child"))]
    cells = [name, file, ", ".join(map(each_row, bare)), ", ".join(map(each_row, (one, two))), ratios(one, "cpu")]
    cells += [ratios(one, "wall"), ratios(two, "wall")]
    cells.append(f"{statistics.median(each[one]['start'] for each in found):.1f}")
    return f"| {' | '.join([*cells, ', '.join(f'{each:.0f}' for each in peaks)])} |"


if __name__ == "__main__":
    main()
