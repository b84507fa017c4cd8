"""Backtest retraining policies on a scenario's own history: when should it retrain?"""

from prefect import flow
from prefect.artifacts import create_image_artifact, create_markdown_artifact

from flows.context import Scenario, artifact_key, begin, step
from releve.reporting.backtest import advice
from tasks import backtest as backtest_step
from tasks.backtest import BacktestRun

run_backtest = step(backtest_step.backtest, name="backtest")


@flow(name="backtest", flow_run_name="backtest {scenario}", log_prints=True)
def backtest(scenario: Scenario = "digits", write: bool = False) -> BacktestRun:
    """Compare policies on the ingested rows; `write` sets the recommended one in the scenario's params.yaml."""
    done: BacktestRun = run_backtest(begin(scenario), scenario, write=write, progress=print)
    key = artifact_key("backtest", scenario)
    create_markdown_artifact(done.markdown, key=key, description=done.report.recommended.policy)
    create_image_artifact((done.folder / "backtest.svg").as_uri(), key=f"{key}-picture", description="Score per window")
    print(advice(done.report))
    return done
