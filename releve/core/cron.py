"""When something runs: the five fields of cron, in a time zone of the IANA database."""

import re
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError

from releve.core.formatting import shortened

CRON_FIELDS = (  # what it counts, from, to, and the words that stand for numbers
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
CRON_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d?))?")  # *, 5, 1-5, */15, 10-50/10


def check_cron(text: str) -> str:
    """Return `text`, five fields or "" for no schedule. Raise PydanticCustomError that says what is wrong."""
    fields = text.split()
    if text and len(fields) != len(CRON_FIELDS):
        raise PydanticCustomError(
            "cron",
            "should have five fields: minute, hour, day of the month, month, day of the week, as in '30 2 * * *'",
        )
    for field, (name, low, high, words) in zip(fields, CRON_FIELDS, strict=False):
        for part in field.split(","):
            found = CRON_PART.fullmatch(part.lower())
            ends = [each for each in (found.groups()[1:3] if found else ()) if each]
            numbers = [low + words.index(each) if each in words else each for each in ends]
            known = [int(each) for each in numbers if str(each).isdecimal()]
            if (
                not found
                or len(known) < len(ends)
                or known != sorted(known)
                or any(not low <= n <= high for n in known)
            ):
                raise PydanticCustomError(
                    "cron",
                    "should have a {name} of {low} to {high}, as a number, a range, a list or a step, and not {part}",
                    {"name": name, "low": low, "high": high, "part": repr(shortened(part))},
                )
    return text


def check_time_zone(name: str) -> str:
    """Return `name`. Raise PydanticCustomError where the IANA database has no such zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name at all, as ../UTC; a folder, as Europe
        problem = "should be a time zone of the IANA database, as UTC or Europe/Paris"
        raise PydanticCustomError("time_zone", problem) from None
    return name
