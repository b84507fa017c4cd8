"""Sentences about all scenarios at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from releve.core.formatting import counted, listed
from releve.domain.scheduling.due import DueRun


class TurnTaken(Protocol):
    """What a scenario's turn of the loop came to."""

    @property
    def challenger(self) -> str:
        """The model that was judged; "" where no refresh was due."""

    @property
    def serves(self) -> str:
        """The model that serves after it; "" for none."""


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
        f"nothing runs for {listed(scenarios)}: the committed params.yaml is wrong, or the history was changed; "
        f"`releve page {scenarios[0]}` says what to mend"
    ]


def describe_turn(scenario: str, turn: TurnTaken) -> str:
    """Say what one scenario's turn came to."""
    if not turn.challenger:
        return f"{scenario}: no refresh was due, {turn.serves} serves on"
    if turn.serves == turn.challenger:
        return f"{scenario}: {turn.serves} serves"
    serves = f"{turn.serves} serves on" if turn.serves else "nothing serves yet"
    return f"{scenario}: the gate refused {turn.challenger}, {serves}"


def describe_turns(turns: Mapping[str, TurnTaken], failed: int, *, done_before: int) -> str:
    """Say what became of all scenarios of one run."""
    released = sum(bool(turn.challenger) and turn.serves == turn.challenger for turn in turns.values())
    parts = [f"{released} with a new release", f"{len(turns) - released} without", f"{failed} failed"]
    parts += [f"{done_before} done before"] if done_before else []
    return f"{counted(len(turns) + failed + done_before, 'scenario')}: {', '.join(parts)}"
