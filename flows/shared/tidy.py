"""What keeps the disk from filling: what only old releases need leaves, and the ledger's finished days get small."""

from flows.shared.context import step
from releve.core.errors import ReleveError
from releve.core.settings import Settings


def keep_ledger(settings: Settings, scenario: str) -> None:
    """Compact the ledger's finished days, and keep them as params.yaml says. What cannot be done fails nothing."""
    from releve.reporting.messages.monitoring import describe_ledger
    from tasks.ledger import tidy_ledger

    try:
        done = step(tidy_ledger)(settings, scenario, progress=print)
    except ReleveError as error:
        print(f"the ledger's finished days stay as they are for now: {error}")
        return
    for line in describe_ledger(done):
        print(line)


def tidy_up(settings: Settings, scenario: str) -> None:
    """Try the rebuild of one old model, and remove what can be made again. What cannot be done fails nothing."""
    from releve.reporting.messages.gate import describe_tidying
    from tasks.release.tidy import Tidied, tidy

    keep_ledger(settings, scenario)
    try:
        done: Tidied = step(tidy)(settings, scenario, progress=print)
    except ReleveError as error:
        print(f"files of old releases stay for now: {error}")
        return
    for line in describe_tidying(done.left, done.bytes, done.differing, done.untried):
        print(line)
