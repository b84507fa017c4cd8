"""A scenario that began with rows of its own, before any file came in."""

from pathlib import Path

import pytest

from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests import projects

pytestmark = pytest.mark.slow


def test_rows_that_the_champion_learned_from_become_the_first_batches(tmp_path: Path) -> None:
    project = projects.fresh_project(tmp_path).copy(tmp_path / "seeded")
    first = retrain(project.settings, projects.SCENARIO, reason="the first champion")
    release(project.settings, projects.SCENARIO)
    project.receive(4)

    found = ingest(project.settings, projects.SCENARIO)
    second = retrain(project.settings, projects.SCENARIO, reason="new rows")

    assert first.data_version == "seed"
    assert [batch.source for batch in found.batches[:3]] == ["0001.parquet", "0002.parquet", "0003.parquet"]
    assert sum(batch.rows for batch in found.batches[:3]) == first.rows
    assert second.rows == sum(batch.rows for batch in found.batches)
    assert second.evaluation.windows == first.evaluation.windows + 1  # its memory is of the same rows
    assert second.evaluation.champion is not None
