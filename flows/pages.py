"""The scenario's page is brought up to date at the end of whatever changed what it says."""

from flows.artifacts import show_page
from flows.context import step
from releve.core.errors import ReleveError
from releve.core.settings import Settings
from tasks.reporting import page as page_step

write_page = step(page_step.write_page, name="page")


def publish(settings: Settings, scenario: str) -> None:
    """Write the page and say where it lies. A page that cannot be written is told, and fails nothing else."""
    try:
        path = write_page(settings, scenario)
    except ReleveError as error:
        print(f"the page of {scenario} was not written: {error}")
        return
    show_page(scenario, path)
    print(f"the page of {scenario}: {path}")
