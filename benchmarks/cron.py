"""Does the loop beat the cron job? The backtest plays what ships beside it, table by table.

    python -m benchmarks.cron --tables FOLDER [weather bike_hourly digits abrupt ...] [--as clean corrupted shuffled]
        [--corrupt 5 9] [--windows 20] [--set train.ensemble=false] [--json figures.json]

The cron job is scikit-learn's histogram gradient boosting with its defaults, fitted on all labelled rows before each
window and served without a gate. FOLDER holds the tables of `cron_tables.REAL`; digits and the made streams need none.
The first 15% of the rows make the first model. `corrupted`: labels of window 5 (or of those that --corrupt names) are
turned round, or values times ten, where they are learned from; answers are judged by the truth, and what counts is how
much more is lost than without. `shuffled`: the rows in an order drawn by lot. Intervals are paired, at 95%; the last
column is Holm's correction over all comparisons (1979). Exits with the number of tables where the loop is shown worse.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cron_tables import BUNDLED, FIRST_SHARE, REAL, STREAMS, Table, shuffle, spoil, tables
from releve.adapters.files import write_json
from releve.core.params import parse
from releve.domain.backtest.played import PlayedPolicy
from releve.domain.backtest.variants import CRON, SHIPPED, PolicyVariant
from releve.domain.backtest.walk_forward import WalkForward, walk_forward
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.domain.evaluation.metrics import METRICS, compute_score, own_metric
from releve.domain.evaluation.paired import compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.onboarding.params_file import read_override
from tasks.backtest import run

CLEAN, CORRUPTED, SHUFFLED = "clean", "corrupted", "shuffled"
# Each window is a batch, whatever its size: production sizes this setting by the table.
LOOP = PolicyVariant(SHIPPED, {"trigger.min_new_rows": 1})
LEVEL = 0.05
WIDTH = 1.96  # standard errors on either side of a 95% interval
HEAD = (
    "| table | metric | cron job | loop | gain | the task's own metric: cron job, loop | fits, CPU s: cron job, loop | "
    "refreshes, refused, rolled back |"
)
RULE = "|---" * HEAD.count(" |") + "|"
COST_HEAD = (
    "| one corrupted window | lost by it: cron job | loop | share | lost all the same: cron job, loop |\n"
    "|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Beside:
    """The loop beside the cron job on one table, judged by the truth."""

    table: str
    way: str  # clean, corrupted or shuffled
    corrupted: int | None  # number of the window
    metric: str
    sign: int
    cron: float
    loop: float
    gain: Interval
    p: float  # two-sided
    own: tuple[float, float]  # by the task's own metric: cron job, loop
    seconds: tuple[float, float]
    refreshes: int
    refused: int
    rolled_back: int

    @property
    def name(self) -> str:
        window = "" if self.corrupted is None else f" in window {self.corrupted}"
        return self.table if self.way == CLEAN else f"{self.table}, {self.way}{window}"


def main() -> int:
    """Print a line per comparison, then what Holm's correction leaves, then the costs of corrupted windows."""
    arguments = _arguments()
    found: list[Beside] = []
    print(f"{HEAD}\n{RULE}", flush=True)
    for table, way, corrupted in _wanted(arguments):
        found.append(beside(table, way, corrupted=corrupted, windows=arguments.windows, resamples=arguments.resamples))
        print(line(found[-1]), flush=True)
    verdicts = by_holm(found)
    print(f"\n{HEAD} by Holm |\n{RULE}---|")
    for each, verdict in zip(found, verdicts, strict=True):
        print(f"{line(each)} {verdict} |")
    if costs := list(cost_lines(found)):
        print("\n".join(["", COST_HEAD, *costs]))
    if arguments.json:
        write_json(arguments.json, [_as_json(each, verdict) for each, verdict in zip(found, verdicts, strict=True)])
    return verdicts.count("worse")


def beside(table: Table, way: str, *, corrupted: int | None, windows: int, resamples: int = 1000) -> Beside:
    """Play the loop and the cron job over one table."""
    plan = _plan(table, windows, resamples)
    loop, cron = run(plan, [LOOP, CRON])
    metric = plan.context.metric
    mine, theirs = (_by_truth(table, plan, each) for each in (loop, cron))
    found = compare(metric, mine, theirs, plan.context.bootstrap)
    own = own_metric(table.schema.target.task)
    return Beside(
        table=table.name.partition(",")[0],
        way=way,
        corrupted=corrupted,
        metric=metric,
        sign=METRICS[metric].sign,
        cron=found.score,
        loop=compute_score(metric, mine),
        gain=found.gain,
        p=p_value(found.gain),
        own=(compute_score(own, theirs), compute_score(own, mine)),
        seconds=(cron.fit_seconds, loop.fit_seconds),
        refreshes=len(loop.refreshed_at),
        refused=len(loop.refreshed_at) - len(loop.promoted_at),
        rolled_back=len(loop.rolled_back_at),
    )


def p_value(gain: Interval) -> float:
    """Compute the two-sided p-value of no gain, of a normal that is as wide as the 95% interval."""
    error = (gain.high - gain.low) / (2 * WIDTH)
    return math.erfc(abs(gain.value) / error / math.sqrt(2)) if error else float(gain.value == 0)


def by_holm(found: Sequence[Beside]) -> list[str]:
    """Say of each comparison what is shown after Holm's correction over all of them: better, worse, or level."""
    order = sorted(range(len(found)), key=lambda place: found[place].p)
    verdicts = ["level"] * len(found)
    for rank, place in enumerate(order):
        if found[place].p > LEVEL / (len(found) - rank):
            break
        verdicts[place] = "better" if found[place].gain.value > 0 else "worse"
    return verdicts


def line(each: Beside) -> str:
    """Write a row of the table, but for its last cell."""
    cron_seconds, loop_seconds = each.seconds
    return (
        f"| {each.name} | {each.metric} | {each.cron:.4g} | {each.loop:.4g} | {format_interval(each.gain)} | "
        f"{each.own[0]:.4g}, {each.own[1]:.4g} | {cron_seconds:.1f}, {loop_seconds:.1f} "
        f"({loop_seconds / max(cron_seconds, 1e-9):.1f} times) | {each.refreshes}, {each.refused}, {each.rolled_back} |"
    )


def cost_lines(found: Sequence[Beside]) -> Iterator[str]:
    """Write what each corrupted window cost, where the table was played without it too."""
    clean = {each.table: each for each in found if each.way == CLEAN}
    for each in found:
        if each.way != CORRUPTED or each.table not in clean:
            continue
        whole = clean[each.table]
        theirs, mine = whole.sign * (whole.cron - each.cron), whole.sign * (whole.loop - each.loop)
        share = f"{mine / theirs:.2f}" if theirs > 0 else "the cron job lost nothing"
        yield f"| {each.name} | {theirs:.4g} | {mine:.4g} | {share} | {each.cron:.4g}, {each.loop:.4g} |"


def _plan(table: Table, windows: int, resamples: int) -> WalkForward:
    sections = table.params.model_dump()
    sections["backtest"] |= {"windows": windows, "first_share": FIRST_SHARE}
    params = parse(sections, source="the benchmark")
    rows = table.rows.assign(**{table.schema.target.name: table.learned})
    return walk_forward(rows, table.schema, params, resamples=resamples)


def _by_truth(table: Table, plan: WalkForward, played: PlayedPolicy) -> ScoredPredictions:
    """Put what was answered beside the truth, which is not what was learned where labels are corrupted."""
    labels = table.rows[table.schema.target.name].iloc[plan.start :].tolist()
    return ScoredPredictions.of(played.answers, labels, table.schema.target, quantile=plan.context.params.gate.quantile)


def _wanted(arguments: argparse.Namespace) -> Iterator[tuple[Table, str, int | None]]:
    settings = tuple(read_override(each) for each in arguments.set)
    names = arguments.names or [BUNDLED, *STREAMS, *(REAL if arguments.tables else ())]
    for table in tables(names, folder=arguments.tables, settings=settings):
        if CLEAN in arguments.ways:
            yield table, CLEAN, None
        if CORRUPTED in arguments.ways:
            first = int(len(table.rows) * FIRST_SHARE)
            edges = np.linspace(first, len(table.rows), arguments.windows + 1).astype(int)
            for number in arguments.corrupt:
                yield spoil(table, edges[number - 1], edges[number]), CORRUPTED, number
        if SHUFFLED in arguments.ways:
            yield shuffle(table, 0), SHUFFLED, None


def _as_json(each: Beside, verdict: str) -> dict[str, object]:
    gain = [each.gain.low, each.gain.value, each.gain.high]
    return {**vars(each), "gain": gain, "verdict": verdict}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = ", ".join([BUNDLED, *STREAMS, *REAL])
    parser.add_argument("names", nargs="*", help=f"of tables, all unless some are named: {known}")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="where the real tables lie")
    parser.add_argument("--as", dest="ways", nargs="+", choices=[CLEAN, CORRUPTED, SHUFFLED], default=[CLEAN])
    parser.add_argument("--corrupt", nargs="+", type=int, default=[5], help="numbers of windows, from 1")
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--resamples", type=int, default=1000, help="draws of each interval")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="over params.yaml")
    parser.add_argument("--json", type=Path, help="where the figures go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
