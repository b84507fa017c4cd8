"""Play policies over a scenario's own history, and say which one suits: docs/backtest.md."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.compute import open_workers
from releve.adapters.files import check_scenario_text, write_bytes, write_document
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.yaml_files import with_settings
from releve.core.errors import BadInput, ReleveError
from releve.core.formatting import span
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.backtest.engine import BacktestProgress, play_all
from releve.domain.backtest.jobs import Job, JobContext, JobResult
from releve.domain.backtest.played import PlayedPolicy
from releve.domain.backtest.report import BacktestReport, recommended_settings
from releve.domain.backtest.results import check_scorable
from releve.domain.backtest.results import report as make_report
from releve.domain.backtest.variants import Variant, variants
from releve.domain.backtest.walk_forward import WalkForward, walk_forward
from releve.domain.schema.schema import Schema
from releve.reporting.backtest import backtest_page, score_chart
from releve.reporting.html import render_svg
from releve.reporting.markdown import render_markdown
from tasks.pipeline.rows import rows_at
from tasks.places import ScenarioFiles, ScenarioState

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BacktestRun:
    """A backtest's document, and where its files lie."""

    report: BacktestReport
    folder: Path  # backtest.json, backtest.md, backtest.svg

    @property
    def markdown(self) -> str:
        return render_markdown(backtest_page(self.report))


def backtest(
    settings: Settings, scenario: str, *, write: bool = False, progress: Progress = lambda line: None
) -> BacktestRun:
    """Backtest the rows on the scenario's branch. `write`: set what is recommended in the scenario's params.yaml.

    Raises NotFound where nothing was ingested, BadInput where the rows are too few.
    """
    # gather
    truth = read_committed(settings, scenario)
    params, schema = truth.params, truth.schema
    rows = read_rows(settings, scenario, schema, params)

    # decide
    report = play(scenario, rows, schema, params, progress=progress)

    # apply
    folder = ScenarioState(settings.home, scenario).backtest
    write_document(folder / "backtest.json", report)
    write_bytes(folder / "backtest.md", render_markdown(backtest_page(report)).encode())
    write_bytes(folder / "backtest.svg", render_svg(f"Backtest of {scenario}", [score_chart(report)]).encode())
    if write:
        write_recommended(settings, scenario, report)
    return BacktestRun(report, folder)


def read_rows(settings: Settings, scenario: str, schema: Schema, params: Params) -> "pd.DataFrame":
    """Return all rows on the scenario's branch in time order, each once, typed as params.yaml describes them today."""
    history = DataHistory(settings.project, scenario, remote=params.data)
    return rows_at(history, history.find(), schema).rows


def play(
    scenario: str,
    rows: "pd.DataFrame",
    schema: Schema,
    params: Params,
    *,
    chosen: Sequence[Variant] | None = None,
    progress: Progress = lambda line: None,
) -> BacktestReport:
    """Play the policies and their rivals, all of them unless some are `chosen`, over rows in time order."""
    plan = walk_forward(rows.reset_index(drop=True), schema, params)
    check_scorable(plan)
    return make_report(scenario, plan, run(plan, chosen or variants(params), progress=progress))


def run(plan: WalkForward, chosen: Sequence[Variant], *, progress: Progress = lambda line: None) -> list[PlayedPolicy]:
    """Play side by side on the cores of this machine, or where compute.address says; `progress`: a line per window."""
    compute, began, window = plan.context.params.compute, time.monotonic(), 0

    def report(reached: BacktestProgress) -> None:
        nonlocal window
        if reached.window > window:
            window = reached.window
            progress(progress_line(reached, seconds=time.monotonic() - began))

    with open_workers(work, plan.context, address=compute.address, workers=compute.workers) as workers:

        def run_jobs(jobs: list[Job]) -> list[JobResult]:
            return [each.value or JobResult(None, 0.0, each.problem) for each in workers.run(jobs)]

        return play_all(chosen, plan, run_jobs, report=report)


def progress_line(reached: BacktestProgress, *, seconds: float) -> str:
    """Write how far it is, and how long it will take as far as `seconds` tell: later fits take longer where members
    learn from all past rows."""
    done = f"window {reached.window} of {reached.windows}, {reached.fits} of about {reached.planned} fits"
    if not reached.fits:
        return done
    left = seconds * (reached.planned - reached.fits) / reached.fits / 86_400
    return f"{done}, about {span(left, digits=0)} left"


def work(context: JobContext, job: Job) -> JobResult:
    """Do a job, and measure what it took. Rows that cannot be learned from are an answer, not an error."""
    began = time.process_time()
    value, problem = None, ""
    try:
        value = job.run(context)
    except ReleveError as error:
        problem = str(error)
    return JobResult(value, time.process_time() - began, problem)


def write_recommended(settings: Settings, scenario: str, report: BacktestReport) -> None:
    """Set what is recommended in the scenario's params.yaml; nothing else in it changes.

    Raises BadInput where the file is written in a way that keys cannot be set in; it stays as it was then.
    """
    path = ScenarioFiles(settings.project, scenario).folder / "params.yaml"
    wanted = recommended_settings(report)
    try:
        text = with_settings(path.read_text(encoding="utf-8"), wanted, source=f"scenarios/{scenario}/params.yaml")
        check_scenario_text(settings.project, scenario, text)
    except BadInput as error:
        by_hand = ", ".join(f"{key}: {value}" for key, value in wanted.items())
        raise BadInput(
            f"what is recommended was not written: scenarios/{scenario}/params.yaml would be wrong with it: {error}; "
            f"set it by hand: {by_hand}"
        ) from None
    write_bytes(path, text.encode())
