"""Cells among numbers or dates that may mean missing, and that no setting says so of: suggested, never assumed."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from releve.core.config_hint import settings_hint
from releve.core.formatting import counted, listed
from releve.domain.ingestion.cell_formats import CellFormats
from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.onboarding.findings import Finding
from releve.domain.schema.cells import LARGEST_NUMBER, as_date, as_number, is_missing

if TYPE_CHECKING:
    import pandas as pd

MOST_WORDS = 3  # different words among numbers that may be markers
FEWEST_NUMBERS = 5  # different ones; fewer beside a word are codes
LEAST_NUMBERS = 0.3  # share of the cells
SENTINELS = ("-99", "-999", "-9999", "-99999", "-999999", "999", "9999", "99999", "999999")
FEWEST_SENTINELS = 3  # cells
EPOCHS = {"seconds": (1e8, 4e9), "milliseconds": (1e11, 4e12), "microseconds": (1e14, 4e15)}  # 1973 to 2096
Counts = Mapping[str, int]


def marker_words(counts: Counts) -> dict[str, int]:
    """The few words among cells that have digits, each more than once."""
    words = {text: count for text, count in counts.items() if not any(letter.isdigit() for letter in text)}
    is_few = 0 < len(words) <= MOST_WORDS and min(words.values()) > 1 and len(counts) - len(words) >= FEWEST_NUMBERS
    return words if is_few and sum(words.values()) <= (1 - LEAST_NUMBERS) * sum(counts.values()) else {}


def marker_findings(texts: Mapping[str, Counts], words: Mapping[str, Counts], reading: CellFormats) -> list[Finding]:
    """Words that stand among numbers or dates, with the setting that makes them missing."""
    return [
        _suggestion(name, f"{shown} among numbers or dates", reading, list(found))
        for name, found in words.items()
        if found and _are_read(name, {text: n for text, n in texts[name].items() if text not in found}, reading)
        for shown in [listed(f"{word!r} in {counted(count, 'cell')}" for word, count in found.items())]
    ]


def _suggestion(name: str, what: str, reading: CellFormats, markers: list[str]) -> Finding:
    cure = {"ingest.missing": [*reading.missing, *markers]}
    return Finding("cells", f"{name} holds {what}; if that means missing, add {settings_hint(cure)}", cures=(cure,))


def _are_read(name: str, counts: Counts, reading: CellFormats) -> bool:
    """Whether nearly all of these cells are numbers, or nearly all are dates."""
    numbers = sum(n for text, n in counts.items() if as_number(reading.number(name, text)) is not None)
    dates = sum(n for text, n in counts.items() if _is_date(reading.date(name, text)))
    return max(numbers, dates) >= MOSTLY * sum(counts.values())


def _is_date(cell: datetime | str) -> bool:
    try:
        return bool(as_date(cell))
    except ValueError:
        return False


def sentinel_findings(frame: "pd.DataFrame", said: CellFormats) -> list[Finding]:
    """-999 far beyond all other numbers of a column."""
    findings = []
    for name in map(str, frame):
        counts = Counter(cell for cell in frame[name].tolist() if _number(cell) is not None)
        for text in (text for text in SENTINELS if text in counts or float(text) in counts):
            numbers = [number for cell in counts if (number := float(cell)) != float(text)]
            count = counts[text] + counts[float(text)]
            if count >= FEWEST_SENTINELS and len(numbers) >= FEWEST_NUMBERS and not said.is_marker(text):
                low, high = min(numbers), max(numbers)
                if float(text) < low - (high - low) or float(text) > high + (high - low):
                    what = f"{text} in {counted(count, 'cell')}, and {low:g} to {high:g} else"
                    findings.append(_suggestion(name, what, said, [text]))
    return findings


def _number(cell: Any) -> float | None:
    if isinstance(cell, str):
        return as_number(cell)
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool) and not is_missing(cell)
    return float(cell) if is_number and abs(cell) <= LARGEST_NUMBER else None


def epoch_findings(frame: "pd.DataFrame", time: str | None) -> list[Finding]:
    """Seconds since 1970 as the time: they order rows as the numbers that they are."""
    if time is None or time not in frame:
        return []
    numbers = [_number(cell) for cell in frame[time].tolist() if not is_missing(cell)]
    known = [number for number in numbers if number is not None]
    return [
        Finding(
            "hint",
            f"{time} looks like {unit} since 1970; it orders the rows as the number that it is. To have a date, write "
            "it as 2024-12-31T14:00:00 into the file",
        )
        for unit, (low, high) in EPOCHS.items()
        if known and len(known) == len(numbers) and low <= min(known) and max(known) <= high
    ]
