"""When something runs: the five fields of cron, in a time zone of the IANA database."""

import re
from zoneinfo import available_timezones

from pydantic_core import PydanticCustomError

from releve.core.formatting import shortened

CRON_FIELDS = (  # what it counts, from, to, and the words that stand for numbers
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # days of a month; of others 31
CRON_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d?))?")  # *, 5, 1-5, */15, 10-50/10


def check_cron(text: str) -> str:
    """Return `text`, five fields or "" for no schedule. Raise PydanticCustomError that says what is wrong."""
    fields = text.split()
    if text and len(fields) != len(CRON_FIELDS):
        raise PydanticCustomError(
            "cron",
            "should have five fields: minute, hour, day of the month, month, day of the week, as in '30 2 * * *'",
        )
    values: list[set[int]] = []  # of each field
    for field, (name, low, high, words) in zip(fields, CRON_FIELDS, strict=False):
        values.append(set())
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
            first, last = (known[0], known[-1] if found[3] or not found[4] else high) if known else (low, high)
            values[-1].update(range(first, last + 1, int(found[4] or 1)))
    # Prefect finds no next time then, and schedules nothing of the deployment, whose rows are those of all scenarios
    if values and min(values[2]) > max(LONGEST.get(month, 31) for month in values[3]):
        raise PydanticCustomError("cron", "should have a day of the month that one of its months has")
    return text


def check_time_zone(name: str) -> str:
    """Return `name`. Raise PydanticCustomError where the IANA database has no such zone."""
    if name not in available_timezones():  # what Prefect asks, too: ZoneInfo takes files that are none, as posixrules
        raise PydanticCustomError("time_zone", "should be a time zone of the IANA database, as UTC or Europe/Paris")
    return name
