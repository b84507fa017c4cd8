"""Spans of time as people say them."""

UNITS = (("days", 1), ("hours", 24), ("minutes", 24 * 60), ("seconds", 24 * 60 * 60))  # and how many make a day


def unit_of(days: float) -> tuple[str, int]:
    """The largest unit of which there is one at least, and how many of it make a day."""
    return next((unit, a_day) for unit, a_day in UNITS if days * a_day >= 1 or unit == UNITS[-1][0])


def span(days: float) -> str:
    """Such as "3.2 days", "40.0 minutes" or "0.0 seconds"."""
    unit, a_day = unit_of(days)
    return f"{days * a_day:.1f} {unit}"
