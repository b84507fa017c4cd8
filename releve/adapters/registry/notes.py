"""Notes and questions of a team beside decisions: events that move nothing."""

from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput, NotFound
from releve.core.names import ModelTag
from releve.domain.registry.chain import CHALLENGED, NOTED, Event
from releve.domain.registry.events import LONGEST_NOTE, NoteWay, NoteWritten


def write_note(registry: Registry, about: str, text: str, *, by: str, way: NoteWay) -> Event:
    """Write a note on a scenario, or on one of its model versions. Sent again right after, it is there once.

    `about`: "<scenario>" or "<scenario>:<version>"; `by`: whose note it is, as `way` has shown. Raises BadInput for no
    text or a long one, NotFound for a model that was never judged, RegistryUnavailable.
    """
    said, tag = " ".join(text.split()), ModelTag.parse(about)
    if not said:
        raise BadInput("the note is empty; write what the team should know")
    if len(said) > LONGEST_NOTE:
        raise BadInput(f"the note has {len(said):,} characters, and may have {LONGEST_NOTE:,}; name where the rest is")
    if tag.version or ":" in about:
        judged = registry.events(tag.scenario, kinds=(CHALLENGED,))
        if about not in {each.payload["model"] for each in judged}:
            raise NotFound(f"there is no model {about}; `releve models {tag.scenario}` lists those that were judged")
    note = NoteWritten(model=about if tag.version else "", way=way)
    newest = next(iter(registry.newest(tag.scenario, kinds=(NOTED,))), None)
    if newest and (newest.actor, newest.reason, newest.read(NoteWritten)) == (by, said, note):
        return newest
    return registry.append(tag.scenario, note, reason=said, actor=by)
