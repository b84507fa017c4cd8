"""Quality without labels: does the realised score lie in the interval of the estimate, and when does an audit fail?

    python -m benchmarks.estimates                                             (made tables)
    python -m benchmarks.estimates --table elec2.csv --target class            (one of your own, in time order)

Made tables: a model that is too sure of itself answers a window like its holdout, one whose rows became harder, and one
whose labels follow another rule. A table of your own: a model of the oldest rows, calibrated on the rows after them,
answers window after window to the end, in time order; and the same with rows shuffled, where nothing ever changes.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.search_gain import described
from releve.adapters.files import read_params
from releve.domain.evaluation.intervals import share
from releve.domain.evaluation.metrics import METRICS, compute_score, default_metric
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality import estimate as estimates
from releve.domain.quality.realised import ScoredAnswers
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from releve.domain.training.learning import answer, learn
from releve.domain.training.recipes import Candidate
from tests.domain.quality.test_estimate import HARD, SCHEMAS, answered, task_of

HOLDOUT, WINDOW, TRIES = 300, 300, 200
LEARNED, KEPT = 0.1, 0.05  # shares of a table: the oldest rows, and the holdout after them
Pairs = Iterator[tuple[ScoredAnswers, ScoredAnswers]]  # holdout and window


def main() -> None:
    """Print one table in Markdown."""
    given = _arguments()
    print("| table | metric | windows | realised score in the interval | audits failed |\n|---|---|---|---|---|")
    started = time.process_time()
    if given.table:
        table = pd.read_csv(given.table).drop(columns=[name for name in given.leave_out.split(",") if name])
        of_table(table, given.target, given.metric, given.rows, name=given.table.stem)
    else:
        of_made_tables(given.tries)
    print(f"\n{time.process_time() - started:.0f} s CPU")


def of_made_tables(tries: int) -> None:
    """Each metric in each world."""
    for metric in METRICS:
        task = task_of(metric)
        worlds = {"alike": {}, "harder rows": {"shift": HARD[task] / 2}, "another rule": {"concept": True}}
        for world, changes in worlds.items():
            pairs = (
                (answered(task, HOLDOUT, seed=n), answered(task, WINDOW, seed=n + 10**6, **changes))
                for n in range(tries)
            )
            print_coverage(world, metric, SCHEMAS[task], pairs)


def of_table(table: pd.DataFrame, target: str, metric: str, rows: int, *, name: str) -> None:
    """In time order, and shuffled."""
    schema = described(table, target)
    accepted = check_frame(schema, table).accepted
    metric = metric or default_metric(schema.target.task)
    shuffled = accepted.sample(frac=1, random_state=7).reset_index(drop=True)
    for order, some in {"in time order": accepted, "shuffled": shuffled}.items():
        print_coverage(f"{name}, {order}", metric, schema, walk(some, schema, rows))


def walk(rows: pd.DataFrame, schema: Schema, window: int) -> Pairs:
    """One model, never retrained, and the windows after its holdout."""
    first, kept = int(LEARNED * len(rows)), int(KEPT * len(rows))
    model = learn(rows.iloc[:first], schema, Candidate("hist_gradient_boosting", "none", {}), seed=7)

    def asked(start: int, end: int) -> ScoredAnswers:
        some = rows.iloc[start:end]
        given = answer(model, some, schema).to_numpy()
        given = given[:, 0] if schema.target.task == REGRESSION else given
        return ScoredAnswers(ScoredPredictions.of(given, some[schema.target.name].tolist(), schema.target), some)

    holdout = asked(first, first + kept)
    for start in range(first + kept, len(rows) - window + 1, window):
        yield holdout, asked(start, start + window)


def print_coverage(name: str, metric: str, schema: Schema, pairs: Pairs) -> None:
    """A line: coverage, and failed audits."""
    statistics = read_params(Path.cwd()).statistics
    inside, failed, fit = [], [], _remembered(metric, schema)
    for number, (holdout, window) in enumerate(pairs):
        bootstrap = replace(BootstrapConfig.of(statistics, resamples=estimates.RESAMPLES), seed=number)
        fitted, realised = fit(holdout, bootstrap), compute_score(metric, window.scored)
        interval, audit = (
            estimates.interval(fitted, window, bootstrap),
            estimates.audit(fitted, window, statistics.min_rows, bootstrap),
        )
        inside.append(interval is not None and interval.low <= realised <= interval.high)
        failed.append(audit is not None and not audit.passed)
    print(f"| {name} | {metric} | {len(inside)} | {_share(inside)} | {_share(failed)} |", flush=True)


def _remembered(metric: str, schema: Schema) -> Callable[[ScoredAnswers, BootstrapConfig], estimates.Estimator]:
    """Fits a holdout once, however many windows it is asked for."""
    known: dict[int, tuple[ScoredAnswers, estimates.Estimator]] = {}

    def fit(holdout: ScoredAnswers, bootstrap: BootstrapConfig) -> estimates.Estimator:
        if id(holdout) not in known:
            known.clear()
            known[id(holdout)] = holdout, estimates.fit(metric, holdout, schema, bootstrap)
        return known[id(holdout)][1]

    return fit


def _share(flags: list[bool]) -> str:
    interval = share(sum(flags), len(flags), confidence=0.95)
    return f"{interval.value:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="a CSV file in time order")
    parser.add_argument("--target", default="")
    parser.add_argument("--leave-out", default="", help="columns, with commas between them")
    parser.add_argument("--metric", default="", help="default: accuracy, or mae")
    parser.add_argument("--rows", type=int, default=WINDOW, help="of a window")
    parser.add_argument("--tries", type=int, default=TRIES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
