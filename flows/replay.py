"""Play policies over a scenario's own history: when should it retrain?"""

from prefect import flow
from prefect.artifacts import create_image_artifact, create_markdown_artifact

from flows.artifacts import key_of
from flows.context import Scenario, begin, step
from tasks import backtest as replay_step
from tasks.backtest import Replayed

play = step(replay_step.replay, name="replay")


@flow(name="replay", flow_run_name="replay-{scenario}", log_prints=True)
def replay(scenario: Scenario = "digits", write: bool = False) -> Replayed:
    """Compare policies on the ingested rows; `write` sets the recommended one in the scenario's params.yaml."""
    done: Replayed = play(begin(scenario), scenario, write=write, progress=print)
    key = key_of("replay", scenario)
    create_markdown_artifact(done.markdown, key=key, description=done.found["recommended"]["policy"])
    create_image_artifact((done.folder / "replay.png").as_uri(), key=f"{key}-picture", description="Score per window")
    print(f"recommended: {done.found['recommended']['policy']}: {done.found['recommended']['reason']}")
    return done
