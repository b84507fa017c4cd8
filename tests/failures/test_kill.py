"""Runs that are killed at the worst moments. The same command again completes: nothing is lost, nothing is twice.

A moment of two steps; `make drill` (tests/drill) has every moment of each.
"""

import pytest

from tests.failures.moments import INGEST, RETRAIN, kill_at
from tests.failures.whole import (
    WINDOWS,
    check_challenged,
    check_ingested,
    check_nothing_left_behind,
)
from tests.projects import Project

pytestmark = pytest.mark.whole


def test_an_ingestion_that_was_killed_is_completed_by_the_next(fresh: Project) -> None:
    fresh.receive(*WINDOWS)
    kill_at(fresh, "ingest", INGEST["the branch has moved"])

    fresh.run("ingest")

    check_ingested(fresh)
    check_nothing_left_behind(fresh)


def test_a_retraining_that_was_killed_with_dvc_is_completed_by_the_next(ingested: Project) -> None:
    kill_at(ingested, "retrain", RETRAIN["a stage runs, and is killed with it"])
    left = list(ingested.state.worktrees.glob("*/.dvc/tmp/rwlock"))

    ingested.run("retrain")

    assert left != []  # DVC's lock, which holds nobody up
    check_challenged(ingested)
    check_nothing_left_behind(ingested)
