"""What of a home a backup has. A place that nobody has thought about would be lost without a word."""

from pathlib import Path

from tasks.backup.home import kept_files, kept_places
from tasks.places import ScenarioState
from tests.tasks.shop import Shop

MADE_AGAIN = {
    "fetched",  # days of the ledger, from the data remote
    "locks",
    "worktrees",
    *("registry.db", "registry.db-wal", "registry.db-shm"),  # saved as events
    "milvus.db",  # vectors, from the rows
    "dvc-remote",  # saved as the data remote, wherever it is
    *("bentoml/tmp", "bentoml/envs", "bentoml/prometheus_multiproc_dir"),
}


def test_every_place_of_a_home_is_kept_or_known_to_be_made_again(replaced: Shop) -> None:
    home = replaced.settings.home
    kept = {place.relative_to(home).as_posix() for place in kept_places(home)}
    places = {place for place in home.iterdir() if place.name != "bentoml"} | {*(home / "bentoml").iterdir()}

    assert {place.relative_to(home).as_posix() for place in places} - kept - MADE_AGAIN == set()


def test_what_runs_in_a_home_is_no_state_that_a_restore_would_meet(tmp_path: Path) -> None:
    for name in ("bentoml/prometheus_multiproc_dir/a.db", "prefect/prefect.db", "run/milvus.json", "logs/milvus.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert [*kept_files(tmp_path)] == []


def test_every_folder_of_a_scenario_is_kept_but_that_of_fetched_days(tmp_path: Path) -> None:
    state = ScenarioState(tmp_path, "shop")
    for folder in (*state.folders, state.cards, state.page.parent, tmp_path / "worktrees" / "shop"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file").touch()

    kept = {path.parent for _, path in kept_files(tmp_path)}

    assert kept == {*state.folders, state.cards, state.page.parent} - {state.fetched_ledger}


def test_what_is_half_written_is_left_out_and_what_only_begins_with_a_dot_is_not(tmp_path: Path) -> None:
    ledger, store = tmp_path / "ledger" / "shop", tmp_path / "bentoml"
    models = store / "models"
    for path in (ledger / ".a.jsonl.123.tmp", ledger / ".keep", store / "tmp" / "half", models / "tmp" / "m"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "ledger-key").touch()

    names = sorted(name for name, _ in kept_files(tmp_path))

    assert names == ["bentoml/models/tmp/m", "ledger-key", "ledger/shop/.keep"]
