"""Numbers that a file spells for people, such as 1,5: how to say so, since nothing is guessed."""

from releve.rules.inference.findings import listed
from releve.rules.inference.profiles import Profile
from releve.rules.numerals import COMMA_FRACTION, COMMA_GROUPS, is_grouped, likely, settings_of
from releve.rules.saying import all_on_command


def spelled(profile: Profile) -> str:
    """Some of them, for a sentence."""
    return listed((repr(value) for value in profile.counts if is_grouped(value)), most=3)


def cure(profile: Profile) -> str:
    """What to add to the command that brings the table."""
    ways = likely(map(str, profile.counts))
    if ways == [COMMA_FRACTION, COMMA_GROUPS]:
        fraction, groups = (all_on_command(settings_of(way)) for way in ways)
        return f"To have numbers, add {fraction} where the comma parts the fraction, {groups} where it groups digits"
    return (
        f"To have numbers, add {all_on_command(settings_of(ways[0]))}"
        if ways
        else "Write them all in one way into the file"
    )
