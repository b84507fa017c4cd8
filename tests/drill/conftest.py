"""How often and when things are killed, and the table of what held."""

import os
import random
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

SEED, KILLS = "RELEVE_TEST_SEED", "RELEVE_TEST_KILLS"
os.environ.setdefault(SEED, str(secrets.randbelow(1_000_000)))  # the workers of pytest-xdist are given the same
MOMENTS = int(os.environ.get(KILLS, "3"))  # of each command and each trouble
STRUCK, TOOK = "struck", "took"
LONGEST = 1800  # seconds of a test, on a busy machine
HERE = Path(__file__).parent

Struck, Took = Callable[[str, str, bool], None], Callable[[str, float], None]


def chance(*words: object) -> random.Random:
    """Luck that the same seed brings again, whatever else is run."""
    return random.Random(" ".join([os.environ[SEED], *map(str, words)]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.drill)
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture
def struck(record_property: Callable[[str, object], None]) -> Struck:
    """Note what was struck by what, and whether it was still at work then."""

    def note(what: str, how: str, in_time: bool) -> None:
        record_property(STRUCK, (what, how, in_time))

    return note


@pytest.fixture
def took(record_property: Callable[[str, object], None]) -> Took:
    """Note how many seconds something took."""

    def note(what: str, seconds: float) -> None:
        record_property(TOOK, (what, seconds))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tried, in_time, held = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    seconds = list[tuple[str, float]]()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties if report.when == "call" else ():
                if name == TOOK:
                    seconds.append(value)
                if name == STRUCK:
                    what, how, was_in_time = value
                    tried[what, how] += 1
                    in_time[what, how] += was_in_time
                    held[what, how] += outcome == "passed"
    if not tried:  # another run, which only collected the drill
        return
    terminalreporter.section(f"drill, {SEED}={os.environ[SEED]} {KILLS}={MOMENTS}")
    terminalreporter.write_line("| what | how | times | while it worked | held |")
    terminalreporter.write_line("|---|---|---|---|---|")
    for what, how in sorted(tried):
        cells = (what, how, tried[what, how], in_time[what, how], held[what, how])
        terminalreporter.write_line(f"| {' | '.join(map(str, cells))} |")
    for what, duration in seconds:
        terminalreporter.write_line(f"{what}: {duration:.1f} s")
