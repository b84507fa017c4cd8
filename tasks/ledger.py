"""The ledger's finished days: made small, sent to the data remote, kept as long as params.yaml says, and fetched."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.data_versions import DataVersions, data_version
from releve.adapters.git_dvc.dvc_configuration import configuration
from releve.adapters.git_dvc.remakable import drop
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.git_dvc.stored_files import StoredFiles
from releve.adapters.prediction_ledger.compaction import TidiedLedger, compact, drop_days
from releve.adapters.prediction_ledger.segments import FINISHED, day_in, finished_days, segments_of
from releve.adapters.scenario_lock import ScenarioLock, scenario_lock
from releve.core.errors import NotFound
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.prediction_log.records import day_of, timestamp
from tasks.places import ScenarioState

FOLDER = "ledger"  # of scenarios/<name> on the branch, tracked by ledger.dvc


def tidy_ledger(
    settings: Settings,
    scenario: str,
    *,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> TidiedLedger:
    """Compact the days that have ended, drop those that are too old, and send the others to the remote.

    Whoever is killed in between goes on with the next run. Raise ScenarioBusy, DiskFull, RemoteUnavailable.
    """
    truth = read_committed(settings, scenario)
    now, state = now or datetime.now(UTC), ScenarioState(settings.home, scenario)
    rules = truth.params.ledger
    oldest = day_of(timestamp(now - timedelta(days=rules.keep_days))) if rules.keep_days else ""
    with scenario_lock(settings.home, scenario, holder="ledger", wait_seconds=settings.wait_seconds) as lock:
        freed = sum(drop_days(folder, before=oldest) for folder in (state.ledger, state.fetched_ledger))
        compacted = compact(state.ledger, now=now, progress=progress)
        branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
        pushed, dropped = _version(settings, branch, truth.params, state, oldest=oldest, lock=lock)
    return replace(compacted, freed=freed, pushed=pushed, dropped=dropped)


def _version(
    settings: Settings, branch: ScenarioBranch, params: Params, state: ScenarioState, *, oldest: str, lock: ScenarioLock
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Bring the branch's folder and the remote up to date; returns the files that came and those that left."""
    known = branch.read(f"{FOLDER}.dvc")
    if not (params.ledger.push or known):
        return (), ()
    cache = DataCache(Path(configuration(settings.project, params.data)["cache"]["dir"]))
    version = data_version(known) if known else ""
    listed = cache.listed(version) if version and cache.place(version).is_file() else {}
    here = finished_days(state.ledger) if params.ledger.push else []
    added = {path.name: path for path in here if not cache.is_linked(path, listed.get(path.name, "none"))}
    too_old = [name for name in listed if day_in(Path(name)) < oldest]
    if not (added or too_old or (oldest and not listed)):
        return (), ()
    with branch.worktree(state.worktrees) as tree:
        data = DataVersions(
            tree.path, project=settings.project, home=settings.home, lock_fd=lock.fd, remote=params.data
        )
        target = f"scenarios/{branch.scenario}/{FOLDER}"
        before = data.files(target)
        too_old = [name for name in before if day_in(Path(name)) < oldest]
        published = tree.tip
        data.revise(target, added=added, removed=too_old)
        after = data.files(target)
        if after:
            data.push(f"{target}.dvc")
        # Before the branch forgets them: whoever is killed here drops them again.
        drop(settings.project, {before[name] for name in too_old}, remote=params.data, from_remote=True)
        branch.move(
            tree.commit(f"{branch.scenario}: the ledger's finished days, {len(after)} files"), expected=published
        )
    return tuple(name for name in added if before.get(name) != after[name]), tuple(too_old)


def fetch_ledger(settings: Settings, scenario: str, day: str) -> Path:
    """Return a folder that `LedgerReader` and `find_answer` can read and that has a day (YYYYMMDD): the ledger itself,
    or one with what the data remote has of it.

    Raise NotFound where nobody has that day, RemoteUnavailable where the remote is needed and away.
    """
    state = ScenarioState(settings.home, scenario)
    if segments_of(state.ledger, "answers", day, day):
        return state.ledger
    truth, branch = read_committed(settings, scenario), ScenarioBranch(settings.project, scenario)
    tip, date = branch.tip(), f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if tip is None or branch.read(f"{FOLDER}.dvc") is None:
        raise NotFound(
            f"no answer of {scenario} of {date} is in the ledger, and no finished day was sent to the data remote: "
            "ledger.push in params.yaml sends them"
        )
    stored = StoredFiles(settings.project, tip, remote=truth.params.data, what=f"the ledger of {scenario}")
    folder = f"scenarios/{scenario}/{FOLDER}"
    names = [name for name in stored.names(folder) if FINISHED.fullmatch(name) and day_in(Path(name)) == day]
    if not names:
        raise NotFound(
            f"no answer of {scenario} of {date} is in the ledger or in the data remote: none was given that day, or it "
            "is older than ledger.keep_days"
        )
    for name in names:
        write_bytes(state.fetched_ledger / name, stored.read(f"{folder}/{name}"))
    return state.fetched_ledger
