"""Commands that run a flow now, seen by the running Prefect server, and the backtest, which needs no server."""

import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from releve.cli.output import ScenarioName, begin, for_history, print_table, read_settings
from releve.cli.patience import limited_patience
from releve.core.errors import BadInput, Unavailable
from releve.core.formatting import printable
from releve.core.progress import break_silence, show_rows
from releve.core.settings import Settings

CONNECT_SECONDS = 5
BY_HAND = "started by hand"
NEEDS_ATTENTION = 3  # the exit code of a run that did its work and found what a person has to look at
Reason = Annotated[str, typer.Option(help="Why, for the history.", callback=for_history)]


def ingest(scenario: ScenarioName) -> None:
    """Version the files that wait in var/incoming/SCENARIO."""
    run_flow("ingest", scenario)


def monitor(scenario: ScenarioName) -> None:
    """Compare new answers with the champion's data: drift, realised quality, is a refresh or a search due?"""
    run_flow("monitor", scenario)


def retrain(
    scenario: ScenarioName,
    reason: Reason = BY_HAND,
    search: Annotated[bool, typer.Option("--search", help="Try other recipes, too.")] = False,
    reweigh: Annotated[bool, typer.Option("--reweigh", help="Fit nothing: weigh the members anew.")] = False,
) -> None:
    """Train a challenger, let the gate judge it, and release it when it is accepted."""
    run_flow("retrain", scenario, reason=reason, search=search, reweigh=reweigh)


def bring(
    scenario: ScenarioName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ONNX file, of whatever made it.")],
    map: Annotated[
        Path | None, typer.Option("--map", help="What its inputs take, where names do not say it.", show_default=False)
    ] = None,
    learned: Annotated[
        int | None, typer.Option(help="Labelled rows that it has learned, the oldest.", show_default=False)
    ] = None,
    reason: Reason = BY_HAND,
) -> None:
    """Try a model that somebody else fitted, let the gate judge it, and release it when it is accepted."""
    mapping = "" if map is None else str(map.absolute())
    run_flow("bring", scenario, file=str(file.absolute()), mapping=mapping, learned=learned, reason=reason)


def release(
    scenario: ScenarioName,
    model: Annotated[str | None, typer.Option(help="The newest challenger where left out.", show_default=False)] = None,
) -> None:
    """Release a challenger that the gate accepted."""
    run_flow("release", scenario, model=model)


def rollback(
    scenario: ScenarioName,
    reason: Reason = BY_HAND,
    index: Annotated[bool, typer.Option("--index", help="The rows that are searched alone, beside the model.")] = False,
) -> None:
    """Go back to the release before."""
    run_flow("rollback", scenario, reason=reason, index=index)


def arms(
    scenario: ScenarioName,
    shadow: Annotated[bool, typer.Option("--shadow", help="Ask a challenger aside; nobody sees its answers.")] = False,
    canary: Annotated[float | None, typer.Option(help="Share of the keys that it answers.", show_default=False)] = None,
    ab: Annotated[float | None, typer.Option(help="The same, for an A/B test.", show_default=False)] = None,
    stop: Annotated[bool, typer.Option("--stop", help="The champion answers alone from now on.")] = False,
    model: Annotated[str | None, typer.Option(help="The newest challenger where left out.", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.", show_default=False, callback=for_history)] = "",
) -> None:
    """Show which challenger live traffic tries; have it try one, in another way, or none any more."""
    named = {"shadow": shadow, "canary": canary is not None, "ab": ab is not None, "stop": stop}
    modes = [mode for mode, is_named in named.items() if is_named]
    if len(modes) > 1:
        raise BadInput(f"--{modes[0]} and --{modes[1]} exclude each other: name one")
    if modes or model:
        mode, share = modes[0] if modes else "shadow", ab if canary is None else canary
        run_flow("arms", scenario, mode=mode, share=share, model=model, reason=reason)
        return
    settings = begin(scenario)
    from releve.reporting.messages.arms import describe_status
    from tasks.arms.arms import arms_status

    print(describe_status(scenario, arms_status(settings, scenario)))


def compare(scenario: ScenarioName) -> None:
    """Compare champion and challenger on live traffic; promote or stop the challenger where labels decide."""
    run_flow("compare", scenario)


def lifecycle(scenario: ScenarioName) -> None:
    """Run the whole loop once: ingest, monitor, and where it is due retrain and release."""
    run_flow("lifecycle", scenario)


def backtest(
    scenario: ScenarioName,
    write: Annotated[
        bool, typer.Option("--write", help="Set the recommended policy in the scenario's params.yaml.")
    ] = False,
) -> None:
    """Play policies and their rivals over the scenario's own history, and recommend one."""
    settings = begin(scenario)
    from releve.reporting.backtest import advice, heads, lines, price_curve, searches, summary
    from tasks.backtest import backtest as run_backtest

    with break_silence("backtest", lambda line: print(line, flush=True)) as progress:
        done = run_backtest(settings, scenario, write=write, progress=progress)
    print(f"Backtest of {done.report.scenario}: {summary(done.report)}")
    print_table(heads(done.report), lines(done.report), figures=True)
    print("\n".join([advice(done.report), price_curve(done.report), *searches(done.report), f"Written: {done.folder}"]))


def score(
    scenario: ScenarioName,
    source: Annotated[str, typer.Option("--in", help="A table, a folder of tables, or a URL.")],
    output: Annotated[
        str, typer.Option("--out", help="A folder or URL for the answers; it may end in .csv or .jsonl.")
    ],
    ledger: Annotated[bool, typer.Option("--ledger", help="The ledger gets the answers, too.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Start over, by the model that serves now.")] = False,
) -> None:
    """Answer every row of a table by the model that serves; the same command goes on where a run was killed."""
    settings = begin(scenario)
    from releve.reporting.messages.scoring import describe_scoring
    from tasks.scoring.score import check_answered
    from tasks.scoring.score import score as score_table

    with show_rows(scenario) as show:
        done = score_table(
            settings,
            scenario,
            source=source,
            output=output,
            ledger=ledger,
            again=again,
            progress=lambda reached: show(reached.done, reached.of, reached.rows),
        )
    print(
        "\n".join(describe_scoring(output, done.manifest, resumed_rows=done.resumed_rows, newer_model=done.newer_model))
    )
    check_answered(done)


def run_flow(name: str, scenario: str, **parameters: object) -> None:
    """Run a flow here and now, and print what its final state says.

    A challenger that the gate refused is no failure. Where a person is needed, the exit code is 3. Raises what the flow
    raised, Unavailable without a server; ends the process where the server goes away meanwhile, and does not come back.
    """
    from releve.adapters.git_dvc.committed import read_committed

    settings = read_settings()
    read_committed(settings, scenario)  # before Prefect, which would refuse a bad name with a traceback
    address = _connect(settings)
    import httpx

    try:
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        for handler in logging.getLogger().handlers:
            handler.addFilter(_not_an_error_of_a_run)
        with limited_patience(settings, scenario, address=address, host=_host_of(address)):
            state = flow(scenario, **parameters, return_state=True)
        if state.name == importlib.import_module("flows.shared.states").ATTENTION:
            print(f"needs attention: {printable(state.message)}", file=sys.stderr)
            raise typer.Exit(NEEDS_ATTENTION)
        state.result()
    except httpx.HTTPError as error:
        raise Unavailable(f"the Prefect server did not do what a run asks of it: {error}; its log says why") from error
    print(state.message or f"{name} of {scenario}: {state.name}", flush=True)


def _connect(settings: Settings) -> str:
    """Point Prefect at the server, the one of PREFECT_API_URL or the local stack's, and return its address."""
    from releve.adapters.local_stack.parts import prefect_env
    from releve.adapters.local_stack.ports import answers_http

    if address := os.environ.get("PREFECT_API_URL"):
        _check_reachable(address)
    else:
        if not answers_http(settings.prefect_port, "/api/health"):
            raise Unavailable(f"no Prefect server answers on port {settings.prefect_port}; start it with `make up`")
        os.environ.update(prefect_env(settings))
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"
    return os.environ["PREFECT_API_URL"]


def _check_reachable(address: str) -> None:
    """Raise Unavailable, without name and password of the URL, where nothing answers there."""
    import httpx

    try:
        httpx.get(f"{address.rstrip('/')}/health", timeout=CONNECT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        raise Unavailable(
            f"no Prefect server answers at {_host_of(address)} (PREFECT_API_URL); start it, correct the variable, or "
            "unset it for the server of `make up`"
        ) from None


def _host_of(address: str) -> str:
    """What people are told of an address: no name and password."""
    return urlsplit(address).netloc.rpartition("@")[2] or "its address"


def _not_an_error_of_a_run(record: logging.LogRecord) -> bool:
    """Leave errors and final states to the Prefect UI: the command prints the one that ends it, once."""
    if not record.name.startswith(("prefect.flow_runs", "prefect.task_runs")):
        return True
    last = "Finished in state" if record.name.startswith("prefect.flow_runs") else "Finished in state Failed"
    return record.levelno < logging.ERROR and not record.getMessage().startswith(last)
