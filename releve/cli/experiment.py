"""Commands for experiments: try other settings beside what serves, list what was tried, send one to the gate."""

from typing import Annotated, Any

import typer

from releve.cli.output import AsJson, ScenarioName, begin, for_history, print_json, print_table, read_settings, tell

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="section.key=value of params.yaml; may be repeated, or hold several.", metavar="KEY=VALUE"
    ),
]


def experiment(
    scenario: ScenarioName,
    set: Changes = None,
    search: Annotated[bool, typer.Option("--search", help="Try other recipes, too.")] = False,
    dask: Annotated[bool, typer.Option("--dask", help="Run on a worker of compute.address.")] = False,
    json: AsJson = False,
) -> None:
    """Run the pipeline with other settings, aside; nothing of yours and nothing that serves changes."""
    changes = read_changes(set or [])
    settings = begin(scenario)
    from releve.core.progress import break_silence
    from releve.reporting.experiments import describe_experiment
    from tasks.experiment.experiment import experiment as run_experiment
    from tasks.experiment.experiments import experiment_as_dict
    from tasks.experiment.experiments import experiments as list_experiments

    with break_silence("experiment", tell) as progress:
        made = run_experiment(settings, scenario, changes=changes, search=search, dask=dask, progress=progress)
    if json:
        print_json(experiment_as_dict(list_experiments(settings, scenario, name=made.name).experiments[0]))
        return
    print("\n".join(describe_experiment(made.name, made.evaluation, made.record)))


def experiments(scenario: ScenarioName, json: AsJson = False) -> None:
    """List experiments beside the champion: what differs, score, paired gain, cost, by whom and when."""
    settings = begin(scenario)
    from releve.reporting.experiments import (
        HEADS,
        describe_differences,
        describe_gain_over,
        describe_verdict,
        experiment_row,
    )
    from tasks.experiment.experiments import champion_as_dict, experiment_as_dict
    from tasks.experiment.experiments import experiments as list_experiments

    found = list_experiments(settings, scenario)
    if json:
        made = [experiment_as_dict(each) for each in found.experiments]
        print_json({"champion": champion_as_dict(found.champion), "experiments": made})
        return
    rows = [
        experiment_row(
            each.experiment.name,
            each.experiment.evaluation,
            differs=describe_differences(each.differs),
            gain=describe_gain_over(each.experiment.evaluation),
            cpu_seconds=each.experiment.record.cpu_seconds,
            by=each.experiment.record.by,
            at=each.experiment.record.at,
            gate=describe_verdict(each.verdict, each.outdated),
        )
        for each in found.experiments
    ]
    if found.champion:
        champion, evaluation = found.champion.challenger, found.champion.challenger.evaluation
        rows.insert(
            0,
            experiment_row(
                champion.model,
                evaluation,
                differs="",
                gain="",  # what it gained over the one before is no comparison with these
                cpu_seconds=champion.cpu_seconds,
                by=found.champion.by,
                at=found.champion.at,
                gate="serves",
            ),
        )
    if rows:
        print_table(HEADS, rows)
    if not found.experiments:
        print(f"no experiment of {scenario} was made here yet: releve experiment {scenario} --set train.recipe=linear")


def challenge(
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="As `releve experiments` lists it.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.", show_default=False, callback=for_history)] = "",
) -> None:
    """Send an experiment to the gate, as it is: nothing is trained again."""
    settings = read_settings()
    from releve.reporting.experiments import describe_to_keep
    from releve.reporting.messages.gate import conclusion, outcome
    from tasks.experiment.challenge import challenge as send
    from tasks.experiment.challenge import find_experiment

    found = find_experiment(settings, name)
    scenario = found.record.scenario
    challenger = send(begin(scenario), name, reason=reason, progress=tell)
    for sentence in challenger.sentences:
        print(f"{outcome(challenger)}: {sentence}")
    print(conclusion(scenario, challenger, at=None))
    if challenger.promote and (to_keep := describe_to_keep(scenario, found.record.settings)):
        print(to_keep)


def read_changes(given: list[str]) -> dict[str, Any]:
    """Read "section.key=value", several of them in one text or each in its own. Raises BadInput."""
    from releve.cli.onboard import split_settings
    from releve.domain.onboarding.params_file import read_override

    overrides = [read_override(text) for several in given for text in split_settings(several)]
    return {f"{each.section}.{each.key}": each.value for each in overrides}
