"""Commands that operate the local stack, and what a scenario keeps."""

from releve.cli.output import ScenarioName, begin, read_settings
from releve.cli.show import serving_model
from releve.core.progress import show_progress


def up() -> None:
    """Start Milvus, Prefect, its worker and the service on this machine."""
    from releve.adapters.local_stack import stack

    settings = read_settings()
    stack.check_no_demo(settings)
    with show_progress() as progress:
        started = stack.up(settings, progress=progress)
    print(f"started {', '.join(started)}" if started else "everything runs already")
    statuses = stack.status(settings)
    print(stack.describe(statuses))
    for scenario in filter(None, (each.scenario for each in statuses)):
        print(serving_model(scenario, settings))


def down() -> None:
    """Stop what `up` started."""
    from releve.adapters.local_stack import stack

    settings = read_settings()
    stack.check_no_demo(settings)
    stopped = stack.down(settings)
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


def status() -> None:
    """Show what runs, and where."""
    from releve.adapters.local_stack import stack

    print(stack.describe(stack.status(read_settings())))


def rebuild(scenario: ScenarioName) -> None:
    """Build the newest model again from its rows: do the same figures come out?"""
    settings = begin(scenario)
    from tasks.release import rebuild as rebuild_step

    done = rebuild_step.rebuild(settings, scenario)
    verdict = f"other than recorded: {', '.join(done.changed)}" if done.changed else "the same as recorded"
    print(f"{done.metrics}{done.revision[:12]} built again from its rows: the figures are {verdict}")


def archive(scenario: ScenarioName) -> None:
    """Start a scenario over, or archive one whose folder is gone: its state is kept aside."""
    from tasks.archive import archive_scenario, report

    settings = read_settings()
    print(report(archive_scenario(settings, scenario, reason="started over by hand"), settings, scenario))
