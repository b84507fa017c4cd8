"""A check: a function that asks the server, the clauses that it rests on, and what came of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from conformance.oip.specification import Clause

if TYPE_CHECKING:
    from conformance.oip.server import InferenceServer

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Departure(Exception):
    """What the server does is not what the clause says; the message says what was found."""


class NotApplicable(Exception):
    """The server or the model gives nothing to check this with; the message says why."""


@dataclass(frozen=True)
class ConformanceCheck:
    """One thing that the specification says of a server."""

    name: str
    title: str
    clauses: tuple[Clause, ...]
    ask: Callable[["InferenceServer"], None]


@dataclass(frozen=True)
class ConformanceResult:
    """What came of a check; `found` says why, where it did not pass."""

    check: ConformanceCheck
    outcome: str
    found: str = ""


_checks: list[ConformanceCheck] = []


def check(*clauses: Clause) -> Callable[[Callable[["InferenceServer"], None]], Callable[["InferenceServer"], None]]:
    """Register a function as a check; its name and docstring name the check."""

    def register(ask: Callable[["InferenceServer"], None]) -> Callable[["InferenceServer"], None]:
        add(ask.__name__, (ask.__doc__ or "").strip().rstrip("."), clauses, ask)
        return ask

    return register


def add(name: str, title: str, clauses: tuple[Clause, ...], ask: Callable[["InferenceServer"], None]) -> None:
    """Register one check of a table of similar ones."""
    _checks.append(ConformanceCheck(name, title, clauses, ask))


def expect(holds: object, found: str) -> None:
    """Raise Departure with what was found unless it holds."""
    if not holds:
        raise Departure(found)


def all_checks() -> list[ConformanceCheck]:
    """Return every check, in the order in which they are asked."""
    from conformance.oip import checks  # noqa: F401  # importing it registers them

    return list(_checks)


def run(server: "InferenceServer") -> Iterator[ConformanceResult]:
    """Ask every check, one after the other."""
    for each in all_checks():
        try:
            each.ask(server)
        except NotApplicable as reason:
            yield ConformanceResult(each, SKIPPED, str(reason))
        except Departure as departure:
            yield ConformanceResult(each, FAILED, str(departure))
        except httpx.HTTPError as error:
            yield ConformanceResult(each, FAILED, f"the request got no answer: {type(error).__name__}: {error}")
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            yield ConformanceResult(each, FAILED, f"the answer could not be read: {type(error).__name__}: {error}")
        else:
            yield ConformanceResult(each, PASSED)
