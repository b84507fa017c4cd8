"""Backtest retraining policies on a scenario's own history: when should it retrain?"""

from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_image_artifact, create_markdown_artifact

from flows.shared.context import Scenario, artifact_key, begin, helped, step
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed
from releve.reporting.backtest import advice
from tasks import backtest as backtest_step
from tasks.backtest import BacktestRun

run_backtest = step(backtest_step.backtest, name="backtest")


@flow(name="backtest", flow_run_name="backtest {scenario}", log_prints=True)
@scenario_run(alone=False)
def backtest(
    scenario: Scenario,
    write: Annotated[bool, helped("Set the recommended policy in the params.yaml of the scenario.")] = False,
) -> Any:
    """Compare policies of retraining on the ingested rows, and recommend one. Ends with the BacktestRun."""
    done: BacktestRun = run_backtest(begin(scenario), scenario, write=write, progress=print)
    key = artifact_key("backtest", scenario)
    create_markdown_artifact(done.markdown, key=key, description=done.report.recommended.policy)
    create_image_artifact((done.folder / "backtest.svg").as_uri(), key=f"{key}-picture", description="Score per window")
    return completed(advice(done.report), done)
