"""Runs that are killed at the worst moments that can be seen from outside, each of them."""

from pathlib import Path

import pytest

from tests.drill.conftest import Struck
from tests.failures.moments import INGEST, RELEASE, RETRAIN, Moment, kill_at
from tests.failures.whole import (
    WINDOWS,
    check_challenged,
    check_ingested,
    check_nothing_left_behind,
    check_released,
)
from tests.projects import challenged_project, fresh_project, ingested_project

MOMENTS = {"ingest": INGEST, "retrain": RETRAIN, "release": RELEASE}
PREPARED = {"ingest": fresh_project, "retrain": ingested_project, "release": challenged_project}
CHECKS = {"ingest": check_ingested, "retrain": check_challenged, "release": check_released}


@pytest.mark.parametrize(
    ("step", "moment"),
    [(step, moment) for step, moments in MOMENTS.items() for moment in moments.values()],
    ids=lambda value: value.name if isinstance(value, Moment) else value,
)
def test_a_run_that_was_killed_at_a_bad_moment_is_completed_by_the_next(
    step: str, moment: Moment, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    project = PREPARED[step](work_dir).copy(tmp_path)
    project.receive(*(WINDOWS if step == "ingest" else ()))
    kill_at(project, step, moment)
    struck(step, "killed at a moment that is seen", True)

    project.run(step)

    CHECKS[step](project)
    check_nothing_left_behind(project)
