"""What does the loop make of a table's history as it ships, beside the cron job and other cadences? Table by table.

    python -m benchmarks.backtest digits bike=bike.csv:cnt:dteday elec2=elec2.csv:class made
        [--leave-out casual,registered] [--set backtest.windows=10] [--folder figures]

Each table is NAME=FILE:TARGET[:TIME], rows oldest first; `digits` is the bundled scenario, `made` five made streams,
`abrupt`, `gradual`, `recurring`, `still` and `noise` one of them. Gains are positive where the loop is better.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from releve.adapters.files import read_params, read_schema, write_bytes, write_json
from releve.core.params import Params
from releve.domain.backtest.report import BacktestReport
from releve.domain.backtest.variants import CRON, NEVER, SHIPPED, SINGLE
from releve.domain.evaluation.intervals import format_interval
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.onboarding.params_file import read_override, with_overrides
from releve.domain.onboarding.table import NewTable, Roles, describe
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.reporting.backtest import backtest_page, score_chart
from releve.reporting.html import render_svg
from releve.reporting.markdown import render_markdown
from tasks.backtest import play
from tasks.pipeline.seed import windows
from tests.streams import NOISE, SCHEMA, abrupt, gradual, recurring, still, stream

PROJECT = Path(__file__).parent.parent
BUNDLED, MADE = "digits", "made"
STREAMS = {  # angle, noise
    "abrupt": (abrupt, NOISE),
    "gradual": (gradual, NOISE),
    "recurring": (recurring, NOISE),
    "still": (still, NOISE),
    "noise": (still, 0.6),
}
HEAD = (
    "| table | metric | as set | cron job | gain over it | never | single model | refreshes, refused, back | churn, "
    "cron job's | fits CPU s, cron job's | recommended | CPU s |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)
WITH_SETTINGS = "params.yaml with what you set"


@dataclass(frozen=True)
class Table:
    """Rows in time order, described."""

    name: str
    rows: pd.DataFrame
    schema: Schema
    params: Params


def main() -> int:
    """Print a line per table, and write each backtest where asked."""
    arguments = _arguments()
    print(HEAD, flush=True)
    for table in (table for text in arguments.tables for table in read(text, arguments)):
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


def read(text: str, arguments: argparse.Namespace) -> Iterator[Table]:
    """The tables that one argument names."""
    settings = tuple(read_override(each) for each in arguments.set)
    if text == MADE or text in STREAMS:
        params = with_overrides(read_params(PROJECT), settings, source=WITH_SETTINGS)
        for name in STREAMS if text == MADE else (text,):
            angle, noise = STREAMS[name]
            yield Table(name, stream(angle=angle, rows=4000, noise=noise), SCHEMA, params)
    elif text == BUNDLED:
        params = with_overrides(read_params(PROJECT, BUNDLED), settings, source=WITH_SETTINGS)
        yield Table(BUNDLED, pd.concat(list(windows()), ignore_index=True), read_schema(PROJECT, BUNDLED), params)
    else:
        yield _from_file(text, arguments, settings)


def _from_file(text: str, arguments: argparse.Namespace, settings: Any) -> Table:
    name, _, rest = text.partition("=")
    path, target, time_column = [*rest.split(":"), ""][:3]
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=arguments.leave_out, errors="ignore")
    table = NewTable(Path(path).name, "", frame, True, True, ())
    roles = Roles(target, time_column or None, None, None, settings)
    base = read_params(PROJECT)
    draft = describe(table, roles, base=base)
    schema = Schema.from_dict(draft.table)
    reading = CellFormats.of(with_overrides(base, draft.overrides, source=WITH_SETTINGS).ingest)
    rows = check_frame(schema, read_cells(frame, schema, reading, is_text=True).frame).accepted
    ordered = rows.sort_values(schema.time, kind="stable", ignore_index=True) if schema.time else rows
    return Table(name, ordered, schema, with_overrides(read_params(PROJECT), settings, source=WITH_SETTINGS))


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
    parser.add_argument(
        "tables", nargs="+", metavar=f"NAME=FILE:TARGET[:TIME], {BUNDLED}, {MADE}, {', '.join(STREAMS)}"
    )
    parser.add_argument("--leave-out", type=lambda text: text.split(","), default=[], help="columns that give it away")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.KEY=VALUE", help="over params.yaml")
    parser.add_argument("--folder", type=Path, help="where each backtest's JSON, table and picture go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
