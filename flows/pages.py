"""The scenario's page is brought up to date at the end of whatever changed what it says."""

from prefect.artifacts import create_markdown_artifact

from flows.artifacts import key_of
from flows.context import step
from releve.core.errors import ReleveError
from releve.core.settings import Settings


def publish(settings: Settings, scenario: str) -> None:
    """Write the page and say where it lies. A page that cannot be written is told, and fails nothing else."""
    from tasks.reporting.page import write_page

    try:
        path = step(write_page, name="page")(settings, scenario)
    except ReleveError as error:
        print(f"the page of {scenario} was not written: {error}")
        return
    create_markdown_artifact(
        f"# {scenario}: the page\n\nQuality, drift, decisions and costs in one file: `{path}`",
        key=key_of("page", scenario),
        description=path.name,
    )
    print(f"the page of {scenario}: {path}")
