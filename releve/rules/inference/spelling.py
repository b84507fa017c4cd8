"""Numbers that a file spells for people, such as 1,5: how to say so, since nothing is guessed."""

from releve.rules.inference.findings import listed
from releve.rules.inference.profiles import Profile
from releve.rules.numerals import COMMA_FRACTION, COMMA_GROUPS, is_grouped, likely, settings_of


def spelled(profile: Profile) -> str:
    """Some of them, for a sentence."""
    return listed((repr(value) for value in profile.counts if is_grouped(value)), most=3)


def cure(profile: Profile) -> str:
    """What to add to the command that brings the table."""
    ways = likely(map(str, profile.counts))
    if ways == [COMMA_FRACTION, COMMA_GROUPS]:
        fraction, groups = (_said(settings_of(way)) for way in ways)
        return f"To have numbers, add {fraction} where the comma parts the fraction, {groups} where it groups digits"
    return f"To have numbers, add {_said(settings_of(ways[0]))}" if ways else "Write them all in one way into the file"


def _said(settings: list[str]) -> str:
    """For `make`, which parts settings at spaces; what holds one goes to the command behind it."""
    if all(mark not in each for each in settings for mark in " \u00a0\u202f'"):
        return f"SET='{' '.join(settings)}'"
    return "to `python -m tasks.scaffold`: " + " ".join(f'--set "{each}"' for each in settings)
