"""Notes of the team: who is known by a personal token writes them, and everybody reads them."""

from contextlib import closing

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.registry.notes import write_note
from releve.adapters.registry.registry import Registry
from releve.core.names import ModelTag
from releve.core.settings import Settings
from releve.domain.approval.people import holder_of
from releve.domain.registry.chain import NOTED, Event
from releve.domain.registry.events import NoteWay


def take_note(settings: Settings, about: str, text: str) -> Event:
    """Write a note as the holder of a personal token (settings.approver_token).

    `about`: "<scenario>" or "<scenario>:<version>". Raises what `write_note` raises, BadInput without a token,
    NotAnApprover for one that nobody holds.
    """
    rules = read_committed(settings, ModelTag.parse(about).scenario).params.release
    person = holder_of(settings.approver_token, rules.approvers)
    with closing(Registry(settings.registry_url)) as registry:
        return write_note(registry, about, text, by=person.name, way=NoteWay.PERSON)


def notes_on(settings: Settings, about: str) -> list[Event]:
    """Return the notes on a scenario and on all its models, or on one model, oldest first."""
    tag = ModelTag.parse(about)
    with closing(Registry(settings.registry_url)) as registry:
        notes = registry.events(tag.scenario, kinds=(NOTED,))
    return [each for each in notes if not tag.version or each.payload["model"] == about]
