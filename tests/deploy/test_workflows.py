"""The workflows are safe to have, and call what exists; actionlint reads them in tests/compatibility."""

import re
from typing import Any

import pytest
import yaml

from releve.cli.app import COMMANDS
from tasks.pipeline.code import imported_files
from tests.deploy.files import ROOT, WORKFLOWS

LOADED = {path.stem: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
JOBS = [(f"{name}/{job}", each) for name, workflow in LOADED.items() for job, each in workflow["jobs"].items()]
each_job = pytest.mark.parametrize("job", [job for _, job in JOBS], ids=[name for name, _ in JOBS])
TEXTS = {path.stem: path.read_text() for path in WORKFLOWS}
VERSION = re.compile(r"[\w./-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})")


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(job.get("steps", []))


@pytest.mark.parametrize("name", LOADED)
def test_a_workflow_may_read_and_each_job_says_what_more_it_needs(name: str) -> None:
    assert LOADED[name]["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in TEXTS[name]


@each_job
def test_a_job_ends_in_time_and_its_actions_have_a_version(job: dict[str, Any]) -> None:
    if "uses" in job:
        assert job["uses"] == "./.github/workflows/deploy.yml"
        return
    assert job["timeout-minutes"] <= 120
    actions = [step["uses"] for step in steps(job) if "uses" in step]
    assert [each for each in actions if not VERSION.fullmatch(each)] == []


@each_job
def test_no_text_of_others_becomes_part_of_a_script(job: dict[str, Any]) -> None:
    assert [step["run"] for step in steps(job) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", LOADED)
def test_targets_and_commands_that_a_workflow_calls_exist(name: str) -> None:
    targets = set(re.findall(r"\bmake ([a-z-]+)", TEXTS[name])) - {"anything"}
    known = {each.__name__.replace("_", "-") for commands in COMMANDS.values() for each in commands}

    assert [each for each in targets if not re.search(rf"^{each}:", (ROOT / "Makefile").read_text(), re.M)] == []
    assert set(re.findall(r"\.venv/bin/releve ([a-z-]+)", TEXTS[name])) <= known


def test_tests_run_on_every_python_that_is_supported() -> None:
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())

    assert LOADED["ci"]["jobs"]["tests"]["strategy"]["matrix"]["python"] == supported


def test_a_release_passes_staging_and_a_signature_before_production() -> None:
    jobs = LOADED["release"]["jobs"]
    signed = [step["uses"] for step in steps(jobs["bento"]) if "attest" in step.get("uses", "")]
    deploy = [step.get("run", "") for step in steps(LOADED["deploy"]["jobs"]["deploy"])]

    assert signed and jobs["bento"]["permissions"]["id-token"] == "write"
    assert jobs["staging"]["needs"] == "bento" and jobs["production"]["needs"] == ["bento", "staging"]
    assert [jobs[name]["with"]["environment"] for name in ("staging", "production")] == ["staging", "production"]
    order = [next(n for n, run in enumerate(deploy) if word in run) for word in ("attestation", "apply", "golden")]
    assert order == sorted(order)


def test_what_changes_a_model_makes_a_pull_request_compare() -> None:
    paths = LOADED["models"][True]["pull_request"]["paths"]  # YAML reads `on` as true

    patterns = [re.compile(re.escape(path).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")) for path in paths]
    code = {
        path for step in ("train", "evaluate", "package") for path in imported_files(ROOT, f"tasks.pipeline.{step}")
    }
    for changed in ("scenarios/digits/params.yaml", "params.yaml", "requirements.lock", *code):
        assert any(each.fullmatch(changed) for each in patterns), changed


@pytest.mark.parametrize("name", LOADED)
def test_no_workflow_names_a_package_index_or_holds_a_secret(name: str) -> None:
    assert not re.search(r"index-url|pypi\.org|simple/|://[^/\s]*:[^/\s]*@", TEXTS[name])
    assert not re.search(r"(?i)(password|token|secret|key): *['\"]?[A-Za-z0-9+/]{12,}", TEXTS[name])
