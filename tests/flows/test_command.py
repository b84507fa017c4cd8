"""Runs that the command `releve` started: what a person sees of them, and their traces."""

import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.shared.context import read_settings
from releve.core.errors import BadInput
from releve.domain.registry.chain import ALERTED, CHALLENGED, RELEASED
from releve.domain.registry.events import Challenger
from tests import projects
from tests.projects import SCENARIO, Project
from tests.receivers import Collector, receiving

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def run(project: Project, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    from prefect.settings import PREFECT_API_URL

    return subprocess.run(
        [sys.executable, "-m", "releve", *arguments],
        cwd=project.root,
        env=project.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()} | environ,
        capture_output=True,
        text=True,
        timeout=500,
    )


@dataclass(frozen=True)
class Retraining:
    """A retraining with a search, what it printed, and what a collector of traces was sent."""

    project: Project
    done: "subprocess.CompletedProcess[str]"
    collector: Collector

    @property
    def challenger(self) -> Challenger:
        return self.project.registry.events(SCENARIO, kinds=[CHALLENGED])[0].read(Challenger)


@pytest.fixture(scope="module")
def retraining(prefect_server: None, work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Retraining:
    """A file that is refused waits beside three batches."""
    project = projects.ingested_project(work_dir).copy(tmp_path_factory.mktemp("retraining"))
    (project.state.incoming / "broken.csv").write_text("pixel_0_0,digit\n0,1\n")
    with receiving(Collector()) as collector:
        done = run(project, "retrain", "digits", "--search", **collector.environ)
    return Retraining(project, done, collector)


def test_a_refused_file_needs_attention_in_a_retraining_whose_challenger_is_judged_and_released(
    retraining: Retraining,
) -> None:
    done, project = retraining.done, retraining.project

    assert done.returncode == 3, done.stderr
    assert "1 incoming file was refused and set aside" in done.stderr
    assert f"{retraining.challenger.model} is the release of digits; no service" in done.stderr
    events = [event.kind for event in project.registry.events(SCENARIO)]
    assert events[-3:] == [CHALLENGED, RELEASED, ALERTED]


def test_a_search_by_hand_goes_with_the_challenge(retraining: Retraining) -> None:
    assert retraining.challenger.search == f"by hand on {retraining.challenger.data_version}"


def test_a_retraining_is_one_trace_from_the_flow_to_the_stages_of_dvc(retraining: Retraining) -> None:
    collector = retraining.collector

    (task,) = (each for each in collector.spans if each.attributes.get("releve.step") == "retrain")
    parents = {each.id: each for each in collector.spans}
    assert parents[task.parent_id].attributes["prefect.run.type"] == "flow"
    assert task.attributes["releve.scenario"] == "digits"
    assert str(task.attributes["releve.model"]).startswith("digits:")
    for name in ("stage train", "stage package"):
        stage = collector.named(name)
        assert (stage.parent_id, stage.attributes) == (task.id, {"releve.scenario": "digits"})
    assert {(each.program, each.trace_id) for each in collector.spans} == {("releve-flows", task.trace_id)}
    assert not any(name.startswith("prefect.state.message") for each in collector.spans for name in each.attributes)


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
    refused = f"1 incoming file was refused and set aside in {fresh.state.refused}"
    assert told[0] == f"needs attention: {refused}, each beside its reason:"
    assert told[-1].startswith("digits: 1 new batch, 89 rows accepted")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("error", "is_unexpected"), [(BadInput("no such column"), False), (ValueError("a bug"), True)])
def test_the_log_of_a_run_calls_nothing_unexpected_that_a_person_can_fix(error: Exception, is_unexpected: bool) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.logging.loggers import flow_run_logger

    @flow
    def failing() -> None:
        raise error

    with get_client(sync_client=True) as client:
        run = client.create_flow_run(failing)
    logger, records = logging.getLogger("prefect.flow_runs"), list[logging.LogRecord]()
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    read_settings()

    try:
        with pytest.raises(type(error)):
            run_flow(failing, flow_run=run, error_logger=flow_run_logger(run, failing))  # as a worker's process does
    finally:
        logger.removeHandler(handler)

    assert any("Finished in state Failed" in record.getMessage() for record in records)
    assert any("unexpected exception" in record.getMessage() for record in records) == is_unexpected
    assert any(record.exc_info for record in records) == is_unexpected
