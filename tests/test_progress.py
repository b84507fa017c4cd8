"""Waiting is told: what for, and since when."""

import io
import sys

import pytest

from releve import progress
from releve.progress import waiting


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_what_is_new_is_told_at_once_and_what_lasts_now_and_then(clock, capsys):
    with waiting() as tell:
        for second, what in [(0, "a and b"), (1, "a and b"), (4, "b"), (13.9, "b"), (14, "b"), (15, "b")]:
            clock[0] = 100 + second
            tell(what)

    assert capsys.readouterr().err.splitlines() == ["a and b (0 s)", "b (4 s)", "b (14 s)"]


def test_on_a_terminal_one_line_counts_and_is_gone_in_the_end(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with waiting() as tell:
        tell("waiting for prefect [here]")
    shown = sys.stderr.getvalue()

    assert "waiting for prefect [here]" in shown
    assert shown.count("\n") == 0 or shown.endswith("\x1b[2K")
