"""Notes on what a reader did to a table that its cells do not show: findings of a new table, warnings of a batch."""

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
        count, column, are = self.count, self.column, plural(self.count, "is", "are")
        more = f" and {count - len(self.places):,} more" if count > len(self.places) else ""
        first = f"{', '.join(self.places)}{more}"
        return {
            NO_RESULT: f"{column}: {counted(count, 'formula')} {plural(count, 'has', 'have')} no stored result "
            f"({first}), and {are} read as missing; open the file in Excel or LibreOffice and save it, and they have "
            "one",
            ERROR: f"{column}: {counted(count, 'cell')} {plural(count, 'shows', 'show')} an error such as #N/A or "
            f"#DIV/0! ({first}), and {are} read as missing",
            MERGED: f"{column}: {counted(count, 'cell')} {plural(count, 'lies', 'lie')} in a merged range, and {are} "
            f"read as its first cell is ({listed(self.places, most=SHOWN)})",
            HIDDEN_SHEET: f"{plural(count, 'the hidden sheet', 'the hidden sheets')} "
            f"{listed(map(repr, self.places))} {are} not read",
            HIDDEN_ROWS: f"{counted(count, 'row')} {are} hidden in the sheet, by a filter perhaps, and {are} read like "
            "the others",
        }[self.kind]
