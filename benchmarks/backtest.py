"""What does the loop make of a table's history as it ships, beside the cron job and other cadences? Table by table.

    python -m benchmarks.backtest digits bike=bike.csv:cnt:dteday elec2=elec2.csv:class made
        [--leave-out casual,registered] [--set backtest.windows=10] [--folder figures]

Each table is NAME=FILE:TARGET[:TIME], rows oldest first; `digits` is the bundled scenario with its own settings, `made`
all made streams (`benchmarks/tables.py`). Gains are positive where the loop is better.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

from benchmarks.tables import FORMS, STREAMS, tables
from releve.adapters.files import write_bytes, write_json
from releve.domain.backtest.report import BacktestReport
from releve.domain.backtest.variants import CRON, NEVER, SHIPPED, SINGLE
from releve.domain.evaluation.intervals import format_interval
from releve.domain.onboarding.params_file import read_override
from releve.reporting.backtest import backtest_page, score_chart
from releve.reporting.html import render_svg
from releve.reporting.markdown import render_markdown
from tasks.backtest import play

HEAD = (
    "| table | metric | as set | cron job | gain over it | never | single model | refreshes, refused, back | churn, "
    "cron job's | fits CPU s, cron job's | recommended | CPU s |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Print a line per table, and write each backtest where asked."""
    arguments = _arguments()
    print(HEAD, flush=True)
    settings = tuple(read_override(each) for each in arguments.set)
    for table in tables(arguments.tables, settings=settings, leave_out=arguments.leave_out, as_scenario=True):
        began, wall = _cpu(), time.monotonic()
        report = play(table.name, table.rows, table.schema, table.params, progress=lambda line: None)
        print(line(report, seconds=_cpu() - began), flush=True)
        print(f"{table.name}: {time.monotonic() - wall:.0f} s", file=sys.stderr, flush=True)
        if arguments.folder:
            write_json(arguments.folder / f"{table.name}.json", report.model_dump(mode="json"))
            write_bytes(arguments.folder / f"{table.name}.md", render_markdown(backtest_page(report)).encode())
            write_bytes(
                arguments.folder / f"{table.name}.svg",
                render_svg(f"Backtest of {table.name}", [score_chart(report)]).encode(),
            )
    return 0


def line(report: BacktestReport, *, seconds: float) -> str:
    """Of the table in benchmarks/README.md."""
    shipped, cron = report.policy(SHIPPED), report.policy(CRON.name)
    scores = [f"{report.policy(name).score.value:.4g}" for name in (SHIPPED, CRON.name, NEVER, SINGLE)]
    gain = "" if shipped.gain_over_cron is None else format_interval(shipped.gain_over_cron)
    made, released = len(shipped.refreshed_at), len(shipped.promoted_at)
    churn = ", ".join(f"{each.churn or 0.0:.3f}" for each in (shipped, cron))
    return (
        f"| {report.scenario} | {report.metric} | {scores[0]} | {scores[1]} | {gain} | {scores[2]} | {scores[3]} | "
        f"{made}, {made - released}, {len(shipped.rolled_back_at)} | {churn} | {shipped.fit_seconds:.1f}, "
        f"{cron.fit_seconds:.1f} | {report.recommended.policy} | {seconds:.0f} |"
    )


def _cpu() -> float:
    """Of this process and of those that it started and that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", nargs="+", metavar="TABLE", help=f"{FORMS}, {', '.join(STREAMS)}")
    parser.add_argument("--leave-out", type=lambda text: text.split(","), default=[], help="columns that give it away")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.KEY=VALUE", help="over params.yaml")
    parser.add_argument("--folder", type=Path, help="where each backtest's JSON, table and picture go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
