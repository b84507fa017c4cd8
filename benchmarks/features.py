"""What are calendar and lag features worth? The loop and the cron job over one table, with and without them.

    python -m benchmarks.features --tables FOLDER [bike_hourly weather elec2] [--windows 20]

FOLDER holds the tables of `tables.REAL`; each gets the time that its README tells of. Every window is answered before
it is learned from. The lags of a day or longer ask for labels that are a day late, those of one step for labels that
are there at once. Intervals are paired, at 95%; naive: the best of the answers that need no model and know as much.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.tables import FIRST_SHARE, PROJECT, REAL
from releve.adapters.compute import open_workers
from releve.adapters.files import read_params
from releve.core.params import Params, parse
from releve.domain.backtest.engine import play_all
from releve.domain.backtest.jobs import Job, JobResult
from releve.domain.backtest.variants import CRON, SHIPPED, PolicyVariant
from releve.domain.backtest.walk_forward import WalkForward, walk_forward
from releve.domain.evaluation.baselines import LabelHistory, baselines, labels_as_places
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.features.completion import complete_frame
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.onboarding.table import NewTable, Roles, describe
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.schema.validation import check_frame
from tasks.backtest import work

LOOP = PolicyVariant(SHIPPED, {"trigger.min_new_rows": 1, "search.on": []})
TIME = "at"
FEATURES: Mapping[str, Mapping[str, Mapping[str, Any] | None]] = {
    "bike_hourly": {
        "none": None,
        "calendar": {"calendar": "hour"},
        "calendar, lags 24, 168": {"calendar": "hour", "lags": {"cnt": [24, 168]}},
        "calendar, lags 1, 24, 168": {"calendar": "hour", "lags": {"cnt": [1, 24, 168]}},
    },
    "weather": {
        "none": None,
        "calendar": {"calendar": "day"},
        "calendar, lags 7, 28": {"calendar": "day", "lags": {"target": [7, 28]}},
        "calendar, lag 1": {"calendar": "day", "lags": {"target": [1]}},
    },
    "elec2": {
        "none": None,
        "calendar": {"calendar": "hour"},
        "calendar, lags 24, 168": {"calendar": "hour", "lags": {"class": [24, 168]}},
        "calendar, lags 0.5, 24, 168": {"calendar": "hour", "lags": {"class": [0.5, 24, 168]}},
    },
}


def main() -> None:
    """Print a line per table and set of features."""
    arguments = _arguments()
    print("| table | features | metric | cron job | loop | the loop's gain by them | the cron job's | naive |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.names:
        for line in _lines(name, arguments.tables, windows=arguments.windows):
            print(line, flush=True)


def _lines(name: str, folder: Path, *, windows: int) -> Iterator[str]:
    table, rows, params = _table(name, folder)
    params = _with_windows(params, windows)
    without: dict[str, ScoredPredictions] = {}
    for features, spec in FEATURES[name].items():
        schema = Schema.from_dict({**table, "features": spec})
        plan = walk_forward(complete_frame(schema, rows).drop(columns=BATCH), schema, params)
        metric, bootstrap = plan.context.metric, plan.context.bootstrap
        found = {each: _scored(plan, answers) for each, answers in _played(plan).items()}
        without = without or found
        gains = {each: compare(metric, found[each], without[each], bootstrap).gain for each in found}
        written = {
            each: "-" if spec is None else f"{gain.value:+.3g} [{gain.low:+.3g}, {gain.high:+.3g}]"
            for each, gain in gains.items()
        }
        knows = any(lag.steps <= 1 for lag in schema.derived.lags) if schema.derived else False
        scores = {each: f"{compute_score(metric, one):.4g}" for each, one in found.items()}
        yield (
            f"| {name} | {features} | {metric} | {scores['cron']} | {scores['loop']} | {written['loop']} | "
            f"{written['cron']} | {_naive(plan, knows_last=knows)} |"
        )


def _played(plan: WalkForward) -> dict[str, Any]:
    with open_workers(work, plan.context, address="", workers=1) as workers:

        def run(jobs: list[Job]) -> list[JobResult]:
            return [each.value or JobResult(None, 0.0, each.problem) for each in workers.run(jobs)]

        loop, cron = play_all([LOOP, CRON], plan, run)
    return {"loop": loop.answers, "cron": cron.answers}


def _scored(plan: WalkForward, outputs: Any) -> ScoredPredictions:
    schema = plan.context.schema
    labels = plan.context.rows[schema.target.name].iloc[plan.start :].tolist()
    return ScoredPredictions.of(outputs, labels, schema.target, quantile=plan.context.params.gate.quantile)


def _naive(plan: WalkForward, *, knows_last: bool) -> str:
    """Name the best naive answer; the label of the row before is one where labels are known at once."""
    rows, target, metric = plan.context.rows, plan.context.schema.target, plan.context.metric
    truth = labels_as_places(rows[target.name].tolist(), target)
    past = LabelHistory(truth, tuple(plan.windows), len(target.classes), metric, plan.context.params.gate.quantile)
    answers = baselines(past, task=target.task, label_delay_rows=0, times=rows[TIME])
    scores = {
        str(each): compute_score(metric, _scored(plan, one.outputs))
        for each, one in answers.items()
        if knows_last or each != Opponent.ROW_BEFORE
    }
    best = max(scores, key=lambda each: METRICS[metric].sign * scores[each])
    return f"{best} {scores[best]:.4g}"


def _table(name: str, folder: Path) -> tuple[Mapping[str, Any], pd.DataFrame, Params]:
    """Read a table as the scaffold would; rows are typed and in time order."""
    real, base = REAL[name], read_params(PROJECT)
    frame = pd.read_csv(folder / real.path, dtype=str, keep_default_na=False)
    frame = frame.drop(columns=list(real.leave_out), errors="ignore")
    if name == "bike_hourly":
        at = pd.to_datetime(frame["dteday"]) + pd.to_timedelta(frame["hr"].astype(int), unit="h")
        frame = frame.drop(columns="dteday")
    elif name == "weather":
        at = pd.Series(pd.date_range("1949-10-01", periods=len(frame)))
    else:
        at = pd.Series(pd.date_range("1996-05-07", periods=len(frame), freq="30min"))
        frame = frame.drop(columns="date")
    frame[TIME] = at.dt.strftime("%Y-%m-%dT%H:%M:%S")
    draft = describe(NewTable(name, "", frame, True, True, ()), Roles(real.target, TIME), base=base)
    schema = Schema.from_dict(draft.table)
    rows = check_frame(schema, read_cells(frame, schema, CellFormats.of(base.ingest), is_text=True).frame).accepted
    return draft.table, rows.sort_values(TIME, kind="stable", ignore_index=True).assign(**{BATCH: ""}), base


def _with_windows(params: Params, windows: int) -> Params:
    sections = params.model_dump()
    sections["backtest"] |= {"windows": windows, "first_share": FIRST_SHARE}
    return parse(sections, source="the benchmark")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", default=[*FEATURES], help=f"all unless some are named: {', '.join(FEATURES)}"
    )
    parser.add_argument("--tables", type=Path, metavar="FOLDER", required=True, help="where the tables lie")
    parser.add_argument("--windows", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
