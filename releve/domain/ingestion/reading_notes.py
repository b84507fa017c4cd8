"""What a reader did to a table that its cells do not show: told in the scaffold's findings and a batch's warnings."""

from collections.abc import Callable
from dataclasses import dataclass

from releve.core.formatting import counted, listed, plural

SHOWN = 3  # places in a sentence
NO_RESULT, ERROR, MERGED, HIDDEN_SHEET, HIDDEN_ROWS = "no result", "error", "merged", "hidden sheet", "hidden rows"


@dataclass(frozen=True)
class ReadingNote:
    """One kind of thing, in one column or in the file: how often, and where."""

    kind: str
    column: str = ""
    count: int = 1
    places: tuple[str, ...] = ()  # ranges of a sheet, or sheets, or the first cells

    def __str__(self) -> str:
        return SENTENCES[self.kind](self)


def _first(note: ReadingNote) -> str:
    more = f" and {note.count - len(note.places):,} more" if note.count > len(note.places) else ""
    return f"{', '.join(note.places)}{more}"


SENTENCES: dict[str, Callable[[ReadingNote], str]] = {
    NO_RESULT: lambda note: (
        f"{note.column}: {counted(note.count, 'formula')} {plural(note.count, 'has', 'have')} no stored result "
        f"({_first(note)}), and {plural(note.count, 'is', 'are')} read as missing; open the file "
        "in Excel or LibreOffice and save it, and they have one"
    ),
    ERROR: lambda note: (
        f"{note.column}: {counted(note.count, 'cell')} {plural(note.count, 'shows', 'show')} an error such as #N/A or "
        f"#DIV/0! ({_first(note)}), and {plural(note.count, 'is', 'are')} read as missing"
    ),
    MERGED: lambda note: (
        f"{note.column}: {counted(note.count, 'cell')} {plural(note.count, 'lies', 'lie')} in a merged range, and "
        f"{plural(note.count, 'is', 'are')} read as its first cell is ({listed(note.places, most=SHOWN)})"
    ),
    HIDDEN_SHEET: lambda note: (
        f"{plural(note.count, 'the hidden sheet', 'the hidden sheets')} {listed(map(repr, note.places))} "
        f"{plural(note.count, 'is', 'are')} not read"
    ),
    HIDDEN_ROWS: lambda note: (
        f"{counted(note.count, 'row')} {plural(note.count, 'is', 'are')} hidden in the sheet, by a filter perhaps, and "
        f"{plural(note.count, 'is', 'are')} read like the others"
    ),
}
