"""What a person sees of a run that the command `releve` started."""

import subprocess
import sys

import pytest

from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def run(project: Project, *arguments: str) -> "subprocess.CompletedProcess[str]":
    from prefect.settings import PREFECT_API_URL

    return subprocess.run(
        [sys.executable, "-m", "releve", *arguments],
        cwd=project.root,
        env=project.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_run_that_fails_says_why_once(fresh: Project) -> None:
    done = run(fresh, "release", "digits")

    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "challenger" in line] == [
        "error: digits has no challenger; run make retrain SCENARIO=digits first"
    ]
    assert "Traceback" not in done.stderr


def test_a_run_that_ends_well_says_so_last(fresh: Project) -> None:
    done = run(fresh, "ingest", "digits")

    assert (done.returncode, done.stdout) == (0, f"no file waits in {fresh.state.incoming}\n")
    assert "error" not in done.stderr


def test_a_run_that_found_what_a_person_has_to_look_at_says_so_and_has_an_exit_code_of_its_own(fresh: Project) -> None:
    fresh.receive(1)
    (fresh.state.incoming / "broken.csv").write_text("pixel_0_0,digit\n0,1\n")

    done = run(fresh, "ingest", "digits")

    assert done.returncode == 3
    told = done.stderr[done.stderr.index("needs attention: ") :].splitlines()
    refused = f"1 of the incoming files were refused and set aside in {fresh.state.refused}"
    assert told[0] == f"needs attention: {refused}, each beside its reason:"
    assert told[-1].startswith("digits: 1 new batch, 89 rows accepted")
    assert "Traceback" not in done.stderr
