"""Make a model that somebody else fitted a challenger, and release it when the gate accepts it."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from prefect import flow

from flows.ingest import refused_files
from flows.retrain import challenge, final_state, follow_verdict, harvest_and_ingest
from flows.shared.context import Reason, Scenario, begin, helped, step
from flows.shared.scenario_run import scenario_run
from flows.shared.states import ending
from releve.reporting.messages.brought import describe_reading
from tasks.retraining import bring as bring_step

try_file = step(bring_step.try_file, name="try the file")


@flow(name="bring", flow_run_name="bring {scenario}", log_prints=True)
@scenario_run()
def bring(
    scenario: Scenario,
    file: Annotated[str, helped("An ONNX file on the worker's machine, by its path.")],
    mapping: Annotated[str, helped("A mapping file there, where names do not say what its inputs take.")] = "",
    learned: Annotated[int | None, helped("Labelled rows that it has learned, the oldest; empty: unknown.")] = None,
    reason: Reason = "started by hand",
    release_accepted: Annotated[
        bool, helped("Release at once what the gate accepts; else `make release` does.")
    ] = True,
) -> Any:
    """Try an ONNX file, judge it at the gate on the rows of a refresh, and release it when it is accepted.

    Ends with the Challenger, as a retraining does. Nothing here fits it again, then or later.
    """
    settings = begin(scenario)
    ingestion = harvest_and_ingest(settings, scenario)
    with tempfile.TemporaryDirectory(prefix="releve-brought-") as folder:
        where = {"folder": Path(folder), "mapping": Path(mapping) if mapping else None}
        tried, description = try_file(settings, scenario, Path(file), learned=learned, **where)
        for line in describe_reading(description):
            print(line)
        challenger = challenge(settings, scenario, reason=reason, brought=tried)
    outcome = follow_verdict(settings, scenario, challenger, release_accepted=release_accepted)
    state = final_state(scenario, challenger, outcome, result=challenger)
    return ending(settings, scenario, refused_files(ingestion), state)
