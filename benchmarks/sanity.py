"""Does the check of slight changes pass every sane model, and find those that amplify noise? Table by table.

    python -m benchmarks.sanity digits templates bike=bike.csv:cnt:dteday sms=sms.csv:label [--rows 4000]

Each table is NAME=FILE:TARGET[:TIME]; `digits` is the bundled scenario, `templates` texts of few words. Every recipe
is fitted with its defaults on the newest rows. To the templates each recipe that scales is fitted once more, with
directions of texts divided by their own deviations, noise included: these have to be found. The served model answers:
the ONNX export where there is one. A share of the limit above 1 refuses. Seconds are CPU seconds of the check.
"""

import argparse
import sys
import time

import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.tables import tables
from releve.adapters.models.model_runtime import onnx_runner, pipeline_runner
from releve.adapters.models.onnx_export import export_checked
from releve.domain.evaluation.evaluation import Sanity
from releve.domain.gate.sanity import check
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training import transformers
from releve.domain.training.learning import learn
from releve.domain.training.recipes import RECIPES, Candidate
from tests.templates import Whitened, templates

TEMPLATES = "templates"
TOLERANCE, SEED = 1e-4, 7
HEAD = "| table | recipe | runtime | changes x rows | worst | order lost | shift | share of the limit | CPU s |"


def main() -> int:
    """Print a line per model; the exit code is the number of models judged wrongly."""
    arguments = _arguments()
    wrong = 0
    print(HEAD, "|---|---|---|---|---|---|---|---|---|", sep="\n", flush=True)
    for text in arguments.tables:
        for name, schema, rows in _tables(text, arguments.leave_out):
            known = rows.tail(arguments.rows).reset_index(drop=True)
            for recipe in RECIPES:
                wrong += bool(_line(name, recipe, schema, known).broken)
            for recipe in [name for name, one in RECIPES.items() if one.scaled] if name.startswith(TEMPLATES) else ():
                wrong += not _line(name, recipe, schema, known, amplified=True).broken
    return wrong


def _tables(text: str, leave_out: list[str]) -> list[tuple[str, Schema, pd.DataFrame]]:
    if text == TEMPLATES:
        made = {task: templates(task) for task in ("binary", "multiclass", "regression")}
        return [(f"{TEMPLATES}, {task}", *found) for task, found in made.items()]
    return [(each.name, each.schema, each.rows) for each in tables([text], leave_out=leave_out)]


def _line(name: str, recipe: str, schema: Schema, known: pd.DataFrame, *, amplified: bool = False) -> Sanity:
    kept = transformers.TextFolder
    transformers.TextFolder = Whitened if amplified else kept  # type: ignore[misc]
    try:
        scale = "none" if name == "digits" or not RECIPES[recipe].scaled else "standard"
        options = {"gamma": 0.001} if name == "digits" and recipe == "svm" else {}
        pipeline = learn(known, schema, Candidate(recipe, scale, options), seed=SEED)
    finally:
        transformers.TextFolder = kept  # type: ignore[misc]
    exported = export_checked(pipeline, schema, known, tolerance=TOLERANCE)
    run = pipeline_runner(pipeline, schema) if exported.onnx is None else onnx_runner(exported.onnx)
    began = time.process_time()
    with threadpool_limits(limits=1):
        found = check(known, schema, lambda rows: run(arrays_of_frame(schema, rows)))
    seconds = time.process_time() - began
    worst = found.worst[0]
    print(
        f"| {name} | {recipe}{', noise amplified' if amplified else ''} | {exported.runtime} | {found.tried} x "
        f"{found.rows} | {worst.column}: {worst.what} | {worst.lost:.2g} | {worst.shift:.2g} | "
        f"{worst.share_of_limit:.2f} | {seconds:.1f} |",
        flush=True,
    )
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", nargs="+", metavar=f"NAME=FILE:TARGET[:TIME], digits, {TEMPLATES}")
    parser.add_argument("--leave-out", type=lambda text: text.split(","), default=[], help="columns that give it away")
    parser.add_argument("--rows", type=int, default=4000, help="the newest, that models learn from")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
