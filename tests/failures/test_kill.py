"""Runs that are killed at the worst moments. The same command again completes: nothing is lost, nothing is twice.

One moment of each kind; `make drill` (tests/drill) has the others.
"""

import pytest

from tests.failures.moments import INGEST, RELEASE, RETRAIN, kill_at
from tests.failures.whole import (
    WINDOWS,
    check_challenged,
    check_ingested,
    check_nothing_left_behind,
    check_released,
)
from tests.projects import Project

pytestmark = pytest.mark.slow


def test_an_ingestion_that_was_killed_is_completed_by_the_next(fresh: Project) -> None:
    fresh.receive(*WINDOWS)
    kill_at(fresh, "ingest", INGEST["the branch has moved"])

    fresh.run("ingest")

    check_ingested(fresh)
    check_nothing_left_behind(fresh)


def test_a_retraining_that_was_killed_again_and_again_is_completed_by_the_next(ingested: Project) -> None:
    for moment in ("a stage runs, and is killed with it", "the first file of the model is stored"):
        kill_at(ingested, "retrain", RETRAIN[moment])

    ingested.run("retrain")

    check_challenged(ingested)
    check_nothing_left_behind(ingested)


def test_a_release_that_was_killed_is_completed_by_the_next(challenged: Project) -> None:
    for moment in ("the Bento is being built, and goes on", "the index is being built"):
        kill_at(challenged, "release", RELEASE[moment])

    challenged.run("release")

    check_released(challenged)
    check_nothing_left_behind(challenged)
