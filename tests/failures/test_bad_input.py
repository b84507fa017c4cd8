"""What the steps are given wrongly, and outside systems that are away: the message says what to do, nothing is half."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.registry.registry import RegistryUnavailable
from releve.adapters.registry.rollback import NothingToRollBackTo
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.core.errors import BadInput, NotFound
from releve.core.settings import LOOPBACK, Settings
from tasks.ingestion.harvest import harvest
from tasks.ingestion.ingest import ingest
from tasks.monitoring.monitor import monitor
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.retraining.retrain import retrain
from tests.projects import SCENARIO, Project
from tests.serving.process import free_port, milvus_serving

REMOTE = "dvc-remote"
Step = Callable[[Settings, str], Any]
STEPS: dict[str, Step] = {
    "ingest": ingest,
    "harvest": harvest,
    "retrain": lambda settings, scenario: retrain(settings, scenario, reason="a test"),
    "release": release,
    "monitor": monitor,
    "rollback": lambda settings, scenario: rollback(settings, scenario, reason="a test"),
}
NOT_ALLOWED = ("", "Digits", "../digits", "digits/..", "digits;ls", "-digits", "di gits", "x" * 64)
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
reads_params = pytest.mark.parametrize("step", [STEPS[name] for name in STEPS if name != "harvest"])


@contextmanager
def away(path: Path) -> Iterator[None]:
    """A file or folder cannot be used: there is something of the other kind in its place."""
    kept = path.with_name(f"{path.name}.kept")
    is_folder = path.is_dir()
    if path.exists():
        path.replace(kept)
    path.parent.mkdir(exist_ok=True)
    path.touch() if is_folder or path.name == REMOTE else path.mkdir()
    try:
        yield
    finally:
        path.rmdir() if path.is_dir() else path.unlink()
        if kept.exists():
            kept.replace(path)


@every_step
def test_an_unknown_scenario_is_refused_with_the_names_of_those_that_exist(step: Step, shared: Project) -> None:
    with pytest.raises(NotFound, match=r"there is no scenario 'birds' .*; there are: digits"):
        step(shared.settings, "birds")

    assert not shared.settings.home.exists()


@every_step
@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_a_name_that_is_not_allowed_reaches_no_path_and_no_shell(step: Step, name: str, shared: Project) -> None:
    with pytest.raises(BadInput, match="is not allowed: use 1 to 63 lower-case letters, digits, '_' or '-'"):
        step(shared.settings, name)

    assert not shared.settings.home.exists()


@reads_params
def test_a_params_key_that_does_not_exist_is_named_with_the_one_that_was_meant(step: Step, fresh: Project) -> None:
    fresh.edit(fresh.root / "params.yaml", "  margin:", "  margins:")

    with pytest.raises(BadInput, match=r"'gate\.margins' is not a known key; did you mean 'gate\.margin'\?"):
        step(fresh.settings, SCENARIO)


@reads_params
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("many", "'statistics.min_rows' is 'many', but it should be a whole number"),
        ("1.5", "'statistics.min_rows' is 1.5, but it should be a whole number"),
        ("0", "'statistics.min_rows' is 0, but it should be greater than or equal to 1"),
    ],
)
def test_a_params_value_of_the_wrong_type_is_named(step: Step, value: str, told: str, fresh: Project) -> None:
    fresh.edit(fresh.root / "params.yaml", "min_rows: 90 ", f"min_rows: {value} ")

    with pytest.raises(BadInput) as caught:
        step(fresh.settings, SCENARIO)

    assert told in str(caught.value)


@reads_params
def test_a_scenarios_own_params_are_checked_too(step: Step, fresh: Project) -> None:
    fresh.edit(fresh.files.folder / "params.yaml", "recipe: svm", "recipe: oracle")

    with pytest.raises(BadInput, match=r"scenarios/digits/params.yaml: 'train.recipe' is 'oracle'"):
        step(fresh.settings, SCENARIO)


@pytest.mark.parametrize("name", ["ingest", "retrain", "monitor"])
def test_a_schema_that_cannot_be_read_stops_a_run_before_it_starts(name: str, fresh: Project) -> None:
    fresh.edit(fresh.files.folder / "params.yaml", "pixel_0_0: {type: number,", "pixel_0_0: {type: colour,")

    with pytest.raises(BadInput, match="pixel_0_0"):
        STEPS[name](fresh.settings, SCENARIO)

    assert fresh.branch.tip() is None


def test_nothing_can_be_watched_or_rolled_back_before_the_first_release(fresh: Project) -> None:
    for name in ("monitor", "rollback"):
        with pytest.raises(NotFound, match="digits has no release yet; run make retrain SCENARIO=digits"):
            STEPS[name](fresh.settings, SCENARIO)


def test_nothing_can_be_released_before_the_first_challenger(fresh: Project) -> None:
    with pytest.raises(NotFound, match="digits has no challenger; run make retrain SCENARIO=digits first"):
        release(fresh.settings, SCENARIO)


def test_a_scenario_that_is_not_committed_is_not_built(fresh: Project) -> None:
    shutil.copytree(fresh.files.folder, fresh.files.folder.with_name("birds"))

    with pytest.raises(BadInput, match=r"scenarios/birds/params.yaml is not committed; .* git add scenarios/birds"):
        retrain(fresh.settings, "birds", reason="a test")


@pytest.mark.slow
def test_there_is_nothing_before_the_first_release_to_roll_back_to(released: Project) -> None:
    with pytest.raises(NothingToRollBackTo, match="is the first release of digits; there is none before it"):
        rollback(released.settings, SCENARIO, reason="a test")


@pytest.mark.slow
def test_a_challenger_that_does_not_exist_cannot_be_released(challenged: Project) -> None:
    with pytest.raises(NotFound, match="digits has no challenger digits:none"):
        release(challenged.settings, SCENARIO, model="digits:none")


@pytest.mark.slow
def test_a_release_without_milvus_does_not_happen_and_does_when_it_is_back(challenged: Project, tmp_path: Path) -> None:
    port = free_port()
    settings = challenged.moved(milvus_uri=f"http://{LOOPBACK}:{port}")

    with pytest.raises(IndexUnavailable, match=f"Milvus at http://{LOOPBACK}:{port} says"):
        release(settings, SCENARIO)
    before = challenged.registry.current(SCENARIO)
    with milvus_serving(tmp_path / "milvus", port):
        done = release(settings, SCENARIO)

    assert before is None
    assert done.index is not None
    assert done.index.rows == done.release.index_rows
    assert challenged.registry.current(SCENARIO).release == done.release


@pytest.mark.slow
def test_a_release_without_its_registry_does_not_happen_and_does_when_it_is_back(challenged: Project) -> None:
    database = challenged.settings.home / "registry.db"
    with (
        away(database),
        pytest.raises(RegistryUnavailable, match=r"registry.db cannot be used .Is a directory.; move the folder away"),
    ):
        release(challenged.settings, SCENARIO)

    done = release(challenged.settings, SCENARIO)

    assert challenged.registry.current(SCENARIO).release == done.release


@pytest.mark.slow
def test_a_retraining_without_its_registry_does_not_start(ingested: Project) -> None:
    before = ingested.branch.tip()

    with away(ingested.settings.home / "registry.db"), pytest.raises(RegistryUnavailable):
        retrain(ingested.settings, SCENARIO, reason="a test")

    assert ingested.branch.tip() == before


@pytest.mark.slow
def test_files_that_were_ingested_without_the_registry_are_told_when_it_is_back(fresh: Project) -> None:
    fresh.receive(1)
    ingest(fresh.settings, SCENARIO)
    fresh.receive(2)
    with away(fresh.settings.home / "registry.db"), pytest.raises(RegistryUnavailable):
        ingest(fresh.settings, SCENARIO)

    found = ingest(fresh.settings, SCENARIO)

    assert [event.payload["source"] for event in fresh.registry.events(SCENARIO)] == [
        "window-01.parquet",
        "window-02.parquet",
    ]
    assert found.batches == ()
    assert list(fresh.state.incoming.iterdir()) == []


@pytest.mark.slow
def test_a_file_stays_in_incoming_as_long_as_the_remote_is_away(fresh: Project) -> None:
    names = fresh.receive(1)
    with away(fresh.settings.home / REMOTE), pytest.raises(PipelineFailed, match=r"'dvc push .*' failed"):
        ingest(fresh.settings, SCENARIO)
    waiting = [path.name for path in fresh.state.incoming.iterdir()]
    moved = fresh.branch.tip()

    found = ingest(fresh.settings, SCENARIO)

    assert waiting == names
    assert moved is None
    assert [batch.source for batch in found.batches] == names
    assert list(fresh.state.incoming.iterdir()) == []
