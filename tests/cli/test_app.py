"""How every command is found, and how it ends."""

import os
import subprocess
import sys

import pytest

from releve.cli.app import COMMANDS, main
from tests.tables import ROOT

HEAVY = {"pandas", "numpy", "sklearn", "prefect", "dvc", "evidently", "bentoml"}


@pytest.fixture(autouse=True)
def wide(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def name_of(command) -> str:
    return command.__name__.replace("_", "-")


def test_the_help_lists_every_command_in_its_panel(capsys):
    assert main(["--help"]) == 0

    panels = capsys.readouterr().out.split("╭")[2:]
    assert len(panels) == len(COMMANDS)
    for (panel, commands), text in zip(COMMANDS.items(), panels, strict=True):
        assert panel in text.splitlines()[0]
        for command in commands:
            assert f"│ {name_of(command)} " in text
            assert command.__doc__.partition("\n")[0] in text


@pytest.mark.parametrize("command", [command for commands in COMMANDS.values() for command in commands])
def test_every_command_says_what_it_takes(command, capsys):
    assert main([name_of(command), "--help"]) == 0

    assert f"Usage: releve {name_of(command)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing command; see `releve --help`"),
        (
            ["rollback", "moons", "--reason", "\udcff"],
            "invalid value for '--reason': it is not UTF-8 text, which the history needs; see `releve rollback --help`",
        ),
        (["curent"], "no such command 'curent'. Did you mean 'current'?; see `releve --help`"),
        (["current"], "missing argument 'SCENARIO'; see `releve current --help`"),
        (["at", "moons"], "missing argument 'TIME'; see `releve at --help`"),
        (["retrain", "moons", "again"], "got unexpected extra argument(s) (again); see `releve retrain --help`"),
        (
            ["current", "moons", "--jsn"],
            "no such option: --jsn (Possible options: --json); see `releve current --help`",
        ),
    ],
)
def test_a_command_that_is_not_understood_is_refused_in_one_line(arguments, message, capsys):
    assert main(arguments) == 2

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"error: {message}\n")


def test_a_command_that_is_stopped_by_hand_says_that_nothing_is_lost_and_how_to_go_on(monkeypatch, capsys):
    def waiting() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "Run", (waiting,))

    assert main(["waiting"]) == 130

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped: ")
    assert line.endswith("the same command again goes on from there")


def run(*argv, **options):
    options = {"capture_output": True, "text": True} | options
    return subprocess.run([sys.executable, "-m", "releve", *argv], cwd=ROOT, timeout=60, **options)


def test_it_runs_as_a_module_without_a_terminal_and_without_a_traceback():
    known, unknown = run("history"), run("current", "digit")

    assert (known.returncode, known.stdout, known.stderr) == (0, "no such events\n", "")
    assert unknown.returncode == 1
    assert unknown.stderr.splitlines() == ["error: there is no scenario 'digit'; there are moons"]


@pytest.mark.parametrize("options", [["history"], ["history", "--json"], ["--help"]])
def test_a_reader_that_leaves_early_gets_no_traceback(options):
    reading, writing = os.pipe()
    os.close(reading)

    left = run(*options, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)

    assert left.stderr == ""


@pytest.mark.parametrize("arguments", [["--help"], ["current", "moons"], ["scenario"]])
def test_a_question_loads_no_heavy_library(arguments):
    code = f"""
import sys
from releve.cli.app import main
main({arguments!r})
print("loaded:", sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.stderr.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("command", ["--help | head -c 1", "history >&-", "verify >&- 2>&-"])
def test_a_reader_that_is_gone_or_was_never_there_is_no_error(command):
    script = f"set -o pipefail; {sys.executable} -m releve {command}"

    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
