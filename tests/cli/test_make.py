"""What people give to make arrives at the command as they typed it, whatever letters it has."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from releve.cli.onboard import split_settings
from releve.core.config_hint import settings_hint
from releve.domain.onboarding.params_file import read_override
from tests.tables import ROOT

ODD = [
    "price ($)",
    "$(shell touch made)",
    "a$$b $x ${HOME} $(HOME) $@ $(unclosed",
    "it's",
    'say "so"',
    "a;touch made",
    "back\\slash \\",
    "`touch made` & | > < * ? [x] ~ ! # %",
    "-dash",
    "ü 名",
    "two\nlines",
    "two  spaces ",
]


@pytest.fixture
def folder(tmp_path):
    """A folder in which make finds everything set up, and `releve` prints what it was given."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.releve-setup"):
        (tmp_path / name).touch()
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "releve.py").write_text("import json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ)]))\n")
    return tmp_path


def run_make(folder, target, *, environ=None, **variables):
    given = [f"{name}={value}" for name, value in variables.items()]
    return subprocess.run(
        ["make", "--no-print-directory", target, *given],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": "/home/somebody"} | (environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def make(folder, target, *, environ=None, **variables):
    """The arguments and the environment of the command that `make target` runs."""
    done = run_make(folder, target, environ=environ, **variables)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("how", ["as a variable", "in the environment"])
def test_every_letter_arrives(folder, value, how):
    given = dict.fromkeys(("NAME", "DATA", "TARGET", "TIME", "ID", "SET"), value)

    variables, environ = (given, {}) if how == "as a variable" else ({}, given)
    arguments, _ = make(folder, "scenario", environ=environ, **variables)

    options = [f"--{name.lower()}={value}" for name in ("DATA", "TARGET", "TIME", "ID")]
    assert arguments == ["scenario", *options, "--task=", f"--set={value}", "--", value]
    assert not (folder / "made").exists()


@pytest.mark.parametrize("value", ODD)
def test_every_letter_arrives_at_the_other_commands_too(folder, value):
    assert make(folder, "resubmit", SCENARIO=value, BATCH=value)[0] == ["resubmit", "--", value, value]
    assert make(folder, "page", SCENARIO=value, HTML=value)[0] == ["page", f"--html={value}", "--", value]
    assert make(folder, "retrain", SCENARIO=value)[0] == ["retrain", "--", value]
    assert make(folder, "card", MODEL=value, HTML=f"./{value}")[0] == ["card", f"--html=./{value}", "--", value]
    assert make(folder, "erase", SCENARIO=value, ROW=value)[0] == ["erase", "--", value, value]
    erase = make(folder, "erase", SCENARIO="x", ROW=value, REASON=value)[0]
    assert erase == ["erase", f"--reason={value}", "--", "x", value]
    promote = make(folder, "promote", SCENARIO="x", FROM=value, TO=value, REASON=value)[0]
    assert promote == ["promote", f"--from={value}", f"--to={value}", f"--reason={value}", "--", "x"]
    assert make(folder, "up", RELEVE_ENV=value)[1]["RELEVE_ENV"] == value
    assert make(folder, "archive", SCENARIO="x", RELEVE_HOME=value)[1]["RELEVE_HOME"] == value


@pytest.mark.parametrize("target", ["monitor", "retrain", "lifecycle", "rebuild", "tidy", "backtest"])
def test_the_bundled_scenario_is_meant_where_none_is_named(folder, target):
    assert make(folder, target)[0] == [target, "--", "digits"]


@pytest.mark.parametrize(
    ("given", "meant"), [({"SCENARIO": "churn"}, "churn"), ({"SCENARIO": "x", "MODEL": "churn:1"}, "churn:1")]
)
def test_a_rebuild_is_of_the_model_that_is_named_or_of_the_scenarios_newest(folder, given, meant):
    assert make(folder, "rebuild", **given)[0] == ["rebuild", "--", meant]


def test_what_is_left_out_stays_out(folder):
    arguments, environ = make(folder, "backtest", WRITE="1")

    assert arguments == ["backtest", "--write", "--", "digits"]
    assert environ.keys().isdisjoint({"NAME", "TARGET", "TIME", "ID", "SET", "HTML", "RELEVE_HOME"})


@pytest.mark.parametrize(("given", "options"), [({}, []), ({"SEARCH": "1"}, ["--search"])])
def test_a_search_is_asked_for_by_name(folder, given, options):
    assert make(folder, "retrain", **given)[0] == ["retrain", *options, "--", "digits"]


def test_an_erasure_is_tried_where_that_is_asked_for(folder):
    arguments, _ = make(folder, "erase", SCENARIO="churn", ROW="C-1", DRY_RUN="1")

    assert arguments == ["erase", "--dry-run", "--", "churn", "C-1"]


def test_the_page_of_a_card_is_written_where_releve_writes_it(folder):
    assert make(folder, "card", MODEL="churn:1", HTML="a b.html")[0] == ["card", "--html=a b.html", "--", "churn:1"]
    assert make(folder, "card", MODEL="churn:1")[0] == ["card", "--", "churn:1"]


def test_the_board_is_the_page_of_all_scenarios_whichever_is_named(folder):
    assert make(folder, "board")[0] == ["page"]
    assert make(folder, "board", SCENARIO="churn", HTML="a b.html")[0] == ["page", "--html=a b.html"]


def test_a_table_to_score_and_the_folder_for_its_answers_may_have_any_name(folder):
    given = {"SCENARIO": "churn", "IN": "a $(x) b.csv", "OUT": "it's here", "LEDGER": "1"}

    found, _ = make(folder, "score", **given)

    assert found == ["score", "--in=a $(x) b.csv", "--out=it's here", "--ledger", "--", "churn"]


@pytest.mark.parametrize(
    ("target", "name", "given"),
    [
        ("archive", "SCENARIO", {}),
        ("rollback", "SCENARIO", {}),
        ("release", "SCENARIO", {"SCENARIO": ""}),
        ("erase", "SCENARIO", {"ROW": "C-1042"}),
        ("erase", "ROW", {"SCENARIO": "churn"}),
        ("erase", "ROW", {"SCENARIO": "churn", "ROW": ""}),
        ("card", "MODEL", {}),
        ("fleet", "N", {}),
        ("resubmit", "BATCH", {"SCENARIO": "churn"}),
        ("score", "IN", {"OUT": "scored"}),
        ("score", "OUT", {"IN": "a.csv"}),
    ],
)
def test_what_a_target_cannot_do_without_is_named_and_nothing_runs(folder, target, name, given):
    done = run_make(folder, target, **given)

    assert done.returncode == 2
    assert f"error: {name} is missing: make {target} {name}=" in done.stderr


def test_a_second_setup_at_once_is_refused_and_a_killed_one_blocks_nothing(folder):
    (folder / ".venv" / ".releve-setup").unlink()
    lock = folder / ".releve-setup.lock"
    lock.symlink_to(str(os.getpid()))

    refused = run_make(folder, "setup")

    assert f"another setup of this folder is at work (pid {os.getpid()}); wait for it" in refused.stderr
    assert lock.is_symlink()
    (folder / ".venv/bin/python").unlink()  # so that the setup ends after it has taken the lock
    (folder / "python").write_text("#!/bin/sh\n")
    (folder / "python").chmod(0o755)
    lock.unlink()
    lock.symlink_to("99999999")  # above every pid

    begun = run_make(folder, "setup", PYTHON="./python")

    assert "setup: a virtual environment" in begun.stdout


@pytest.mark.parametrize("text", ["not known", "it's", "$(x) $y", "a#b", 'say "so"', "\u00a0", "back\\slash"])
def test_settings_that_a_message_suggests_can_be_pasted(folder, text):
    suggested = {"ingest.missing": [text, "n/a"], "ingest.csv_decimal": ","}
    command = f"make --no-print-directory scenario {settings_hint(suggested)}"

    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60)

    given = next(each for each in json.loads(done.stdout)[0] if each.startswith("--set="))
    read = [read_override(each) for each in split_settings(given.removeprefix("--set="))]
    assert {f"{each.section}.{each.key}": each.value for each in read} == suggested
