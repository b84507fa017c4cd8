"""Does the loop beat the cron job? The backtest plays what ships beside it, table by table.

    python -m benchmarks.cron --tables FOLDER [weather bike_hourly digits abrupt mine=mine.csv:target:time ...]
        [--as clean corrupted shuffled] [--corrupt 5 9] [--rivals] [--set train.ensemble=false] [--json figures.json]
    python -m benchmarks.cron --from figures.json others.json

The cron job is scikit-learn's histogram gradient boosting with its defaults, fitted on all labelled rows before each
window and served without a gate. FOLDER holds the tables of `tables.REAL`; digits and the made streams need none. The
first 15% of the rows make the first model. `corrupted`: labels of window 5 (or of those that --corrupt names) are
turned round, or values times ten, where they are learned from; answers are judged by the truth, and what counts is how
much more is lost than without. `shuffled`: the rows in an order drawn by lot, beside the cron job and beside the same
ensemble without all that goes by time; only the second shows what is gained by time where there is nothing to gain.
--rivals: beside refits of the cron job's boosting where a drift detector of river fires, too.

Intervals are paired, at 95%; the last column is Holm's correction (1979) over all comparisons with the same rival: of
one run, or of all that --from reads back. Exits with the number of comparisons where the loop is shown worse.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import cron_results
from benchmarks.cron_results import HEAD, RULE, Beside, Way, by_holm, line, page
from benchmarks.cron_rivals import BLIND, Detector, RivalAnswers, detectors, drive, play_blind, play_detector
from benchmarks.tables import BUNDLED, FIRST_SHARE, FORMS, REAL, STREAMS, Table, shuffle, spoil, tables, window_edges
from releve.adapters.compute import open_workers
from releve.core.errors import ReleveError
from releve.core.params import parse
from releve.domain.backtest.engine import play_all
from releve.domain.backtest.jobs import FitMember, Floats, Job, JobResult
from releve.domain.backtest.variants import CRON, SHIPPED, PolicyVariant
from releve.domain.backtest.walk_forward import WalkForward, walk_forward
from releve.domain.evaluation.metrics import METRICS, compute_score, own_metric
from releve.domain.evaluation.paired import compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.onboarding.params_file import read_override
from tasks.backtest import work

# Each window is a batch, whatever its size: production sizes this setting by the table.
LOOP = PolicyVariant(SHIPPED, {"trigger.min_new_rows": 1})


def main() -> int:
    """Print a line per comparison, then what Holm's correction leaves, then the costs of corrupted windows."""
    arguments = _arguments()
    try:
        found = cron_results.read(arguments.read) if arguments.read else _play(arguments)
    except ReleveError as error:
        raise SystemExit(f"error: {error}") from None
    verdicts = by_holm(found)
    print(page(found, verdicts))
    return verdicts.count("worse")


def beside(
    table: Table,
    way: Way,
    *,
    corrupted: int | None,
    windows: int,
    ledger: dict[Job, JobResult],
    resamples: int = 1000,
    rivals: Sequence[Detector] = (),
) -> Iterator[Beside]:
    """Play the loop over one table, the cron job, and detectors beside it.

    `ledger`: fits that were done before on the same rows and labels; it grows.
    """
    plan = _plan(table, windows, resamples)
    metric, own = plan.context.metric, own_metric(table.schema.target.task)
    with open_workers(work, plan.context, address="", workers=table.params.compute.workers) as workers:

        def run(jobs: list[Job]) -> list[JobResult]:
            return [each.value or JobResult(None, 0.0, each.problem) for each in workers.run(jobs)]

        loop, cron = play_all([LOOP, CRON], plan, run, ledger=ledger)
        others = {CRON.name: RivalAnswers(cron.answers, cron.fit_seconds, len(plan.windows))}
        if way == Way.SHUFFLED:
            others[BLIND] = drive(play_blind(plan), run, ledger)
        for detector in rivals:
            others[detector.name] = drive(play_detector(plan, detector), run, ledger)
    mine = _by_truth(table, plan, loop.answers)
    for name, rival in others.items():
        theirs = _by_truth(table, plan, rival.answers)
        compared = compare(metric, mine, theirs, plan.context.bootstrap)
        yield Beside(
            table=table.name,
            way=way,
            corrupted=corrupted,
            rival=name,
            metric=metric,
            sign=METRICS[metric].sign,
            theirs=compared.score,
            loop=compute_score(metric, mine),
            gain=compared.gain,
            own=(compute_score(own, theirs), compute_score(own, mine)),
            seconds=(rival.seconds, loop.fit_seconds),
            fits=rival.fits,
            refreshes=len(loop.refreshed_at),
            refused=len(loop.refreshed_at) - len(loop.promoted_at),
            rolled_back=len(loop.rolled_back_at),
        )


def _play(arguments: argparse.Namespace) -> list[Beside]:
    rivals = detectors() if arguments.rivals else ()
    print(f"{HEAD}\n{RULE}", flush=True)
    found: list[Beside] = []
    clean: dict[Job, JobResult] = {}
    for table, way, corrupted in _wanted(arguments):
        ledger: dict[Job, JobResult] = {}
        if way == Way.CLEAN:
            clean = ledger
        elif corrupted and Way.CLEAN in arguments.ways:
            edges = window_edges(len(table.rows), arguments.windows)
            ledger = _untouched(clean, start=edges[corrupted - 1], end=edges[corrupted])
        for each in beside(
            table,
            way,
            corrupted=corrupted,
            windows=arguments.windows,
            ledger=ledger,
            resamples=arguments.resamples,
            rivals=rivals,
        ):
            found.append(each)
            print(line(each), flush=True)
        if arguments.json:  # what is done counts, also where a run does not come to its end
            cron_results.write(arguments.json, found)
    print()
    return found


def _untouched(ledger: dict[Job, JobResult], *, start: int, end: int) -> dict[Job, JobResult]:
    """Keep the fits that learned none of the rows [start, end)."""
    return {
        job: done
        for job, done in ledger.items()
        if isinstance(job, FitMember) and (job.end <= start or job.first >= end)
    }


def _plan(table: Table, windows: int, resamples: int) -> WalkForward:
    sections = table.params.model_dump()
    sections["backtest"] |= {"windows": windows, "first_share": FIRST_SHARE}
    params = parse(sections, source="the benchmark")
    rows = table.rows.assign(**{table.schema.target.name: table.learned})
    return walk_forward(rows, table.schema, params, resamples=resamples)


def _by_truth(table: Table, plan: WalkForward, answers: Floats) -> ScoredPredictions:
    """Put what was answered beside the truth, which is not what was learned where labels are corrupted."""
    labels = table.rows[table.schema.target.name].iloc[plan.start :].tolist()
    return ScoredPredictions.of(answers, labels, table.schema.target, quantile=plan.context.params.gate.quantile)


def _wanted(arguments: argparse.Namespace) -> Iterator[tuple[Table, Way, int | None]]:
    settings = tuple(read_override(each) for each in arguments.set)
    names = arguments.names or [BUNDLED, *STREAMS, *(REAL if arguments.tables else ())]
    for table in tables(names, folder=arguments.tables, settings=settings, leave_out=arguments.leave_out):
        if Way.CLEAN in arguments.ways:
            yield table, Way.CLEAN, None
        if Way.CORRUPTED in arguments.ways:
            edges = window_edges(len(table.rows), arguments.windows)
            for number in arguments.corrupt:
                yield spoil(table, edges[number - 1], edges[number]), Way.CORRUPTED, number
        if Way.SHUFFLED in arguments.ways:
            yield shuffle(table, 0), Way.SHUFFLED, None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = ", ".join([BUNDLED, *STREAMS, *REAL])
    parser.add_argument("names", nargs="*", metavar="TABLE", help=f"all unless some are named: {known}; or {FORMS}")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="where the real tables lie")
    parser.add_argument("--leave-out", type=lambda text: text.split(","), default=[], help="columns of files")
    parser.add_argument("--as", dest="ways", nargs="+", type=Way, choices=[*Way], default=[Way.CLEAN])
    parser.add_argument("--corrupt", nargs="+", type=int, default=[5], help="numbers of windows, from 1")
    parser.add_argument("--rivals", action="store_true", help="drift detectors of river, too, which has to be there")
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--resamples", type=int, default=1000, help="draws of each interval")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="over params.yaml")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--from", dest="read", nargs="+", type=Path, metavar="FIGURES", help="judge these alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
