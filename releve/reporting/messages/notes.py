"""Notes of the team, as every page shows them."""

from collections.abc import Sequence

from releve.core.formatting import to_the_minute
from releve.domain.registry.chain import Event
from releve.domain.registry.events import NoteWay, NoteWritten
from releve.reporting.blocks import Journal, JournalEntry

OPEN = 8  # notes that are not folded


def describe_note(event: Event) -> str:
    """Say that a note was written, by whom and on what."""
    return f"{title_of_note(event)}, in event {event.number} of {event.scenario}: {event.reason}"


def title_of_note(event: Event) -> str:
    """Say whose note it is, and on what."""
    note = event.read(NoteWritten)
    who = f"an {event.actor}" if note.way is NoteWay.ROLE else event.actor
    return f"note of {who} on {note.model or event.scenario}"


def note_journal(events: Sequence[Event]) -> Journal:
    """List notes, newest first; `events` oldest first."""
    entries = (JournalEntry(to_the_minute(each.at), title_of_note(each), (each.reason,)) for each in reversed(events))
    return Journal(tuple(entries), OPEN)
