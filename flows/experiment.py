"""Try other settings beside what serves, as a run that Prefect starts."""

from typing import Annotated, Any

from prefect import flow

from flows.shared.context import Scenario, begin, helped, show, step
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed
from releve.adapters.git_dvc.experiments import Experiment
from tasks.experiment import experiment as experiment_step

run_experiment = step(experiment_step.experiment)


@flow(name="experiment", flow_run_name="experiment {scenario}", log_prints=True)
@scenario_run(alone=False)
def experiment(
    scenario: Scenario,
    changes: Annotated[
        dict[str, Any] | None, helped('What to set, such as {"train.recipe": "svm", "train.ensemble": false}.')
    ] = None,
    search: Annotated[bool, helped("Try other recipes, too.")] = False,
    dask: Annotated[bool, helped("Run on a worker of compute.address.")] = False,
) -> Any:
    """Run the pipeline with other settings, aside, and compare with what serves. Ends with the Experiment's name."""
    from releve.reporting.blocks import TextBlock
    from releve.reporting.comparison import comparison_table
    from releve.reporting.experiments import describe_experiment

    made: Experiment = run_experiment(
        begin(scenario), scenario, changes=changes or {}, search=search, by="prefect", dask=dask, progress=print
    )
    lines = [*describe_experiment(made.name, made.evaluation, made.record)]
    blocks = (comparison_table(made.evaluation), TextBlock((made.record.described,)))
    show("experiment", scenario, made.name, blocks, summary=lines[0], description=made.record.described)
    return completed("; ".join(lines), made.name)
