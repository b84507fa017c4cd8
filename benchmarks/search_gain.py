"""Does the search beat scikit-learn's defaults on rows that neither has seen, and what does it cost?

    python -m benchmarks.search_gain                                    (a made table: 5,000 rows, 10 columns)
    python -m benchmarks.search_gain --table bike.csv --target cnt --leave-out casual,registered,instant

The newest fifth of the rows is held out. The search sees the rows before it, as the tune stage does; its choice and
every recipe with its defaults are then fitted on all rows before the holdout and scored on it. The search is run with
each number of --workers, and must choose the same.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from releve.core.errors import ReleveError
from releve.domain.evaluation.metrics import METRICS, resolve, score
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.domain.training import trials
from releve.domain.training.learning import answer, learn
from releve.domain.training.recipes import Candidate, default_candidate, fitting_recipes, search_spaces
from releve.domain.training.trials import SIZES, SearchData, validation_folds
from tasks.pipeline.training.search import Plan, SearchState, search
from tests.tables import make_params

HOLDOUT_SHARE = 0.2


def made_table(rows: int = 5_000, *, seed: int = 7) -> pd.DataFrame:
    """Ten numbers, of which five matter, two of them together; one label in ten is wrong."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 10))
    wanted = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + numbers[:, 3] - numbers[:, 4] ** 2 + 1
    labels = np.where((wanted > 0) ^ (random.random(rows) < 0.1), "yes", "no")
    return pd.DataFrame(numbers, columns=[f"number_{place}" for place in range(10)]).assign(label=labels)


def described(table: pd.DataFrame, target: str) -> Schema:
    """A schema of numbers, dates and categories; few different labels are classes."""
    columns: dict[str, Any] = {}
    for name in table.columns.drop(target):
        kind = "number" if pd.api.types.is_numeric_dtype(table[name]) else "category"
        columns[name] = {"type": "date" if kind == "category" and _is_date(table[name]) else kind, "nullable": True}
    labels = sorted(table[target].unique().tolist())
    spec = {"task": "regression"} if len(labels) > 20 else {"classes": labels}
    return Schema.from_dict({"target": {"name": target, **spec}, "columns": columns})


def _is_date(cells: "pd.Series[Any]") -> bool:
    return bool(cells.astype(str).str.fullmatch(r"\d{4}-\d{2}-\d{2}.*").all())


def plan_of(rows: pd.DataFrame, schema: Schema, *, trials_asked: int, workers: int, seed: int) -> Plan:
    """What a search would plan, with no budget of time."""
    params = make_params(
        search={"trials": trials_asked, "seconds": 1e6}, compute={"workers": workers}, statistics={"seed": seed}
    )
    seen = rows.tail(SIZES.rows).reset_index(drop=True)
    folds = validation_folds(len(seen), share=SIZES.validation_share, folds=SIZES.folds)
    recipes, left_out = fitting_recipes(params.train.recipe, rows=len(seen))
    print(*left_out, sep="\n")
    spaces = search_spaces(recipes, schema)
    first = tuple((trials.DEFAULTS, default_candidate(recipe, space)) for recipe, space in spaces.items())
    table = SearchData(seen, schema, folds, resolve("auto", schema.target.task), seed, last_batches=0)
    return Plan(table, recipes, first, params.search.trials, params.search.seconds, params.compute)


def later_score(rows: pd.DataFrame, first: int, schema: Schema, candidate: Candidate, *, seed: int) -> float:
    """Of a model fitted on the rows before `first`, on those from there on."""
    answers = answer(learn(rows.iloc[:first], schema, candidate, seed=seed), rows.iloc[first:], schema).to_numpy(float)
    labels = rows[schema.target.name].iloc[first:].tolist()
    values = answers if schema.target.classes else answers[:, 0]
    return score(resolve("auto", schema.target.task), values, labels, schema.target)


def timed_search(plan: Plan) -> tuple[SearchState, float]:
    """What was found, and wall seconds."""
    start = time.perf_counter()
    found = search(plan, clock=time.monotonic, progress=lambda line: print(" ", line, flush=True))
    return found, time.perf_counter() - start


def compare(table: pd.DataFrame, target: str, *, trials_asked: int, workers: Sequence[int], seed: int) -> None:
    """Print one table in Markdown: the search, each recipe's defaults, and the seconds of each."""
    schema = described(table, target)
    rows = check_frame(schema, table).accepted.assign(_batch="one")
    first = int(len(rows) * (1 - HOLDOUT_SHARE))
    plans = {
        count: plan_of(rows.iloc[:first], schema, trials_asked=trials_asked, workers=count, seed=seed)
        for count in workers
    }
    runs = {count: timed_search(plan) for count, plan in plans.items()}
    plan, (found, _) = next(iter(plans.values())), next(iter(runs.values()))
    assert all(other.trials == found.trials for other, _ in runs.values()), "the number of workers changed the search"
    winner = trials.best(found.trials, metric=plan.table.metric).candidate
    print(
        f"\n| {len(rows)} rows | {plan.table.metric} on the later {len(rows) - first} rows | seconds |\n|---|---|---|"
    )
    cost = ", ".join(f"{seconds:.0f} with {count}" for count, (_, seconds) in runs.items())
    print(f"| search: {winner} | {later_score(rows, first, schema, winner, seed=seed):.4f} | {cost} |")
    for recipe, space in search_spaces(plan.recipes, schema).items():
        start = time.perf_counter()
        try:
            result = f"{later_score(rows, first, schema, default_candidate(recipe, space), seed=seed):.4f}"
        except ReleveError as error:
            result = str(error)
        print(f"| {recipe}, defaults | {result} | {time.perf_counter() - start:.1f} |")
    print(f"(higher is better: {METRICS[plan.table.metric].sign > 0})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="a CSV file in time order")
    parser.add_argument("--target", default="label")
    parser.add_argument("--leave-out", default="", help="columns, with commas between them")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    table = pd.read_csv(given.table) if given.table else made_table()
    left_out = [name for name in given.leave_out.split(",") if name]
    compare(
        table.drop(columns=left_out), given.target, trials_asked=given.trials, workers=given.workers, seed=given.seed
    )


if __name__ == "__main__":
    main()
