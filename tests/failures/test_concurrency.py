"""Runs of one scenario that are started at once: one works, the others wait or are told who is at work."""

import subprocess

import pytest

from releve.adapters.git_dvc.scenario_branch import git
from releve.domain.registry.chain import CHALLENGED, INGESTED, MOVES
from tests.projects import SCENARIO, Project, finish, wait_for

pytestmark = pytest.mark.whole

CONTENDERS = 3


def start_and_wait(project: Project, step: str) -> "subprocess.Popen[str]":
    """A run that holds the scenario and has begun to work."""
    process = project.start(step)
    wait_for(lambda: (project.state.worktrees / SCENARIO / "scenarios").is_dir(), during=process)
    return process


def revisions(project: Project) -> list[str]:
    return git(project.root, "rev-list", f"main..{project.branch.name}").splitlines()


def test_the_second_of_two_retrainings_waits_and_then_changes_nothing(ingested: Project) -> None:
    before = len(revisions(ingested))
    first = start_and_wait(ingested, "retrain")

    second = ingested.start("retrain")
    (first_code, _), (second_code, told) = finish(first), finish(second)

    assert (first_code, second_code) == (0, 0), told
    assert f"retrain of {SCENARIO} (pid {first.pid}, since" in told
    assert "is at work; waiting up to 600 s" in told
    assert "python -m tasks.pipeline.train" not in told
    assert len(revisions(ingested)) == before + 1
    assert len(ingested.registry.events(SCENARIO, kinds=[CHALLENGED])) == 1
    assert ingested.registry.verify(SCENARIO) > 0


def test_a_retraining_that_may_not_wait_is_refused_and_told_who_is_at_work(challenged: Project) -> None:
    first = start_and_wait(challenged, "retrain")

    refused_code, told = finish(challenged.start("retrain", RELEVE_WAIT_SECONDS="0"))
    first_code, output = finish(first)

    assert refused_code == 1
    assert f"ScenarioBusy: retrain of {SCENARIO} (pid {first.pid}, since" in told
    assert "is at work; waited 0 s" in told
    assert first_code == 0, output


def test_an_ingestion_waits_for_the_retraining_that_is_at_work(challenged: Project) -> None:
    challenged.edit(challenged.root / "params.yaml", "seed: 7 ", "seed: 8 ")
    challenged.receive(4)
    retraining = start_and_wait(challenged, "retrain")

    (code, output), (retrain_code, retrained) = finish(challenged.start("ingest")), finish(retraining)

    assert (code, retrain_code) == (0, 0), output + retrained
    told = challenged.registry.events(SCENARIO, kinds=[CHALLENGED, INGESTED])
    assert [event.kind for event in told] == [INGESTED] * 3 + [CHALLENGED] * 2 + [INGESTED]
    assert told[-2].payload["rows"] == sum(batch.rows for batch in challenged.batches[:3])
    assert challenged.batches[-1].source == "window-04.parquet"


def test_of_several_releases_at_once_one_moves_and_the_others_agree(challenged: Project) -> None:
    processes = [challenged.start("release") for _ in range(CONTENDERS)]

    finished = [finish(process) for process in processes]

    assert [code for code, _ in finished] == [0] * CONTENDERS, [output for code, output in finished if code]
    moves = challenged.registry.events(SCENARIO, kinds=MOVES)
    assert len(moves) == 1
    assert all(moves[0].payload["release"]["model"] in output for _, output in finished)
    assert challenged.registry.verify(SCENARIO) > 0
