"""Sentences about all scenarios at once."""

from collections import Counter
from collections.abc import Mapping, Sequence

from releve.core.formatting import counted, listed
from releve.domain.scheduling.due import DueRun


def describe_look(scenarios: int, started: Mapping[str, DueRun], silent: Sequence[str]) -> str:
    """Say what a look at all scenarios found, and what was started."""
    looked = f"{counted(scenarios, 'scenario')} looked at"
    reasons = Counter(due.reason.value for due in started.values())
    by_reason = ", ".join(f"{count} for {reason}" for reason, count in sorted(reasons.items()))
    runs = "nothing due"
    if started:
        runs = f"{counted(len(started), 'run')} started ({by_reason}): {listed(sorted(started))}"
    without = f"; without a monitoring run for too long: {listed(silent)}" if silent else ""
    return f"{looked}, {runs}{without}"


def describe_unreadable(scenarios: Sequence[str]) -> list[str]:
    """Say which scenarios nothing is started for, as nobody can read how."""
    if not scenarios:
        return []
    return [
        f"nothing runs for {listed(scenarios)}: the committed params.yaml is wrong; `releve ingest {scenarios[0]}` "
        "says what to mend"
    ]
