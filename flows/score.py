"""A whole table answered by the model that serves."""

import time
from typing import Annotated, Any
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.shared.context import Scenario, artifact_key, begin, helped, show, step
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed
from releve.adapters.prefect.api import PrefectApi, PrefectUnavailable, authorization_of
from releve.core.settings import Settings
from releve.reporting.messages.scoring import describe_scoring
from tasks.scoring.parts import Progress, ScoringProgress
from tasks.scoring.score import ScoringResult, check_answered
from tasks.scoring.score import score as score_table

UPDATE_SECONDS = 2.0  # between two updates of the bar in the Prefect UI
ANSWER_SECONDS = 2.0  # that rows wait for an update of it
AWAY_SECONDS = 30.0  # until the next one, where Prefect did not answer
answer_rows = step(score_table, name="score")


@flow(name="score", flow_run_name="score {scenario}", log_prints=True)
@scenario_run(alone=False)
def score(
    scenario: Scenario,
    source: Annotated[str, helped("A table, a folder of tables, or a URL; from the project's folder on.")] = "",
    output: Annotated[str, helped("A folder or URL for the answers; it may end in .csv or .jsonl.")] = "",
    ledger: Annotated[bool, helped("Whether the ledger gets the answers, for labels that come.")] = False,
    again: Annotated[bool, helped("Whether to start over, by the model that serves now.")] = False,
) -> Any:
    """Answer every row of a table; a run with the same parameters goes on where one was killed. Ends with it."""
    settings = begin(scenario)
    bar: Any = create_progress_artifact(
        progress=0.0, key=f"{artifact_key('score', scenario)}-progress", description="0 rows"
    )
    done: ScoringResult = answer_rows(
        settings,
        scenario,
        source=source,
        output=output,
        ledger=ledger,
        again=again,
        progress=_shown_in(bar, settings),
    )
    lines = describe_scoring(output, done.manifest, resumed_rows=done.resumed_rows, newer_model=done.newer_model)
    update_progress_artifact(bar, progress=100.0, description=lines[0])
    show("score", scenario, f"{scenario}: {lines[0]}", (), summary="\n\n".join(lines[1:]))
    for line in lines:
        print(line)
    check_answered(done)
    return completed(lines[0], done)


def _shown_in(bar: UUID, settings: Settings) -> Progress:
    """Return what updates the bar where Prefect answers at once: Prefect's own client would try for minutes."""
    api, due = PrefectApi(settings.prefect_api_url, headers=authorization_of(settings)), 0.0

    def progress(reached: ScoringProgress) -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        shown = {"data": 100 * reached.done / max(reached.of, 1), "description": f"{reached.rows:,} rows"}
        pause = UPDATE_SECONDS
        try:
            api.ask("PATCH", f"/artifacts/{bar}", shown, until=time.monotonic() + ANSWER_SECONDS)
        except PrefectUnavailable:
            pause = AWAY_SECONDS
        due = time.monotonic() + pause

    return progress
