"""What follows a refresh: what only old releases need leaves, so that a refresh per batch does not fill the disk."""

from flows.context import step
from releve.core.errors import ReleveError
from releve.core.settings import Settings


def tidy_up(settings: Settings, scenario: str) -> None:
    """Try the rebuild of one old model, and remove what can be made again. What cannot be done fails nothing."""
    from releve.reporting.gate_messages import describe_tidying
    from tasks.release.tidy import Tidied, tidy

    try:
        done: Tidied = step(tidy)(settings, scenario, progress=print)
    except ReleveError as error:
        print(f"files of old releases stay for now: {error}")
        return
    for line in describe_tidying(done.left, done.bytes, done.differing, done.untried):
        print(line)
