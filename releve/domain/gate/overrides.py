"""A named person may let a challenger pass a floor that it broke: for a reason, and until a day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from releve.core.params import GateOverride

NOTE = "note: "  # begins a sentence that is worth knowing and decided nothing


@dataclass(frozen=True)
class FailedCheck:
    """Why a challenger may not take over. `floor` is its name in FLOORS; "" where nobody may override it."""

    floor: str
    sentence: str


@dataclass(frozen=True)
class Overridden:
    """What is left of the failed checks, and which overrides stood in for the others."""

    refusals: tuple[str, ...]
    in_force: tuple[GateOverride, ...]
    notes: tuple[str, ...]  # a sentence per failed check that was overridden


def override(failed: Iterable[FailedCheck], overrides: Iterable[GateOverride], *, today: date) -> Overridden:
    """Each failed check is a refusal, unless an override of its floor is in force today (its last day included)."""
    known = tuple(overrides)
    refusals, used, notes = [], [], []
    for check in failed:
        named = [one for one in known if one.floor == check.floor]
        standing = [one for one in named if one.until >= today]
        if standing:
            used.append(standing[0])
            notes.append(f"{_who(standing[0])} until {standing[0].until}: {standing[0].reason} ({check.sentence})")
        else:
            expired = "".join(f"; {_who(one)} expired on {one.until}" for one in named)
            refusals.append(check.sentence + expired)
    return Overridden(tuple(refusals), tuple(dict.fromkeys(used)), tuple(notes))


def _who(one: GateOverride) -> str:
    return f"the override of the {one.floor} floor by {one.by}"
