"""Numbers written for people: 6,718 and 1,5. Read as params say, never guessed; what looks like one is told."""

import re
from typing import TYPE_CHECKING, Any

from releve.rules.cells import as_number

if TYPE_CHECKING:
    import pandas as pd

# 6,718 or 1.234,5 or 12 000: digits in groups of three; 1,5: a comma before the fraction.
GROUPED = re.compile(r"[+-]?(\d{1,3}([,.' \u00a0\u202f]\d{3})+([.,]\d+)?|\d+,\d+)", re.ASCII)
NOT_A_NUMBER = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", re.ASCII)  # 31.12.2024 is no 31,122,024


def plain_numbers(frame: "pd.DataFrame", *, thousands: str, decimal: str) -> "pd.DataFrame":
    """Cells of text with the numbers among them as programs write them: 1.234,5 becomes 1234.5."""
    if not thousands and decimal == ".":
        return frame
    return frame.map(lambda cell: _plain(cell, thousands, decimal))


def _plain(cell: Any, thousands: str, decimal: str) -> Any:
    if not isinstance(cell, str) or NOT_A_NUMBER.fullmatch(cell.strip()):
        return cell
    plain = (cell.replace(thousands, "") if thousands else cell).replace(decimal, ".")
    return cell if as_number(plain) is None else plain


def is_grouped(value: Any) -> bool:
    """Whether a text looks like a number written for people."""
    return isinstance(value, str) and bool(GROUPED.fullmatch(value.strip()))
