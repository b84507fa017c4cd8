"""Waiting is told: what for, and since when."""

import io
import re
import sys
import time

import pytest

from releve.core import progress
from releve.core.progress import show_progress


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.2)


def written(capsys, *, lines):
    """What stderr got, as soon as it is so many lines, however busy the machine is."""
    text = ""
    while text.count("\n") < lines:
        time.sleep(0.02)
        text += capsys.readouterr().err
    return text.splitlines()


def test_without_a_terminal_what_is_new_is_told_at_once_and_what_lasts_now_and_then(capsys):
    with show_progress() as tell:
        tell("a and b")
        tell("a and b")
        told = written(capsys, lines=3)
        tell("b")

    told += capsys.readouterr().err.splitlines()
    assert all(re.fullmatch(r"(a and b|b) \(\d+ s\)", line) for line in told)
    assert told[-1].startswith("b ")


def test_what_may_be_over_soon_is_told_of_only_when_it_is_not(capsys):
    with show_progress(at_once=False) as tell:
        tell("looking")
    assert capsys.readouterr().err == ""

    with show_progress(at_once=False) as tell:
        tell("looking")
        (line,) = written(capsys, lines=1)
    assert re.fullmatch(r"looking \(\d+ s\)", line)


def test_on_a_terminal_one_line_counts_and_is_gone_in_the_end(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with show_progress() as tell:
        tell("waiting for prefect [here]")

    assert "waiting for prefect [here]" in sys.stderr.getvalue()


def test_a_silence_is_broken_now_and_then_and_lines_in_between_are_passed_on(capsys):
    told = []
    with progress.break_silence("retrain", told.append) as tell:
        tell("fit 1 of 2")
        lines = written(capsys, lines=2)

    assert told == ["fit 1 of 2"]
    assert all(re.fullmatch(r"retrain goes on \(\d+ s\)", line) for line in lines)


def test_what_is_not_silent_is_left_alone(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 2.0)
    with progress.break_silence("retrain") as tell:
        ends = time.monotonic() + 1.2 * progress.EVERY_SECONDS
        while time.monotonic() < ends:
            tell("a line")
            time.sleep(0.02)

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("size", "is_shown"), [(progress.SMALL - 1, False), (progress.SMALL, True)])
def test_reading_a_large_file_is_shown_now_and_then(size, is_shown, monkeypatch, capsys):
    with progress.show_reading("rows.csv", size) as show:
        show(0)
        time.sleep(0.25)
        show(size // 2)
        show(size)

    assert bool(capsys.readouterr().out) == is_shown
