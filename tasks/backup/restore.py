"""Bring a backup back on an empty machine, and prove that it is whole.

Rows, branches and files come first, the registry after them in one transaction, so that what it names is there. Vectors
are built from the rows. Until all of it was counted and the champions answered, no command works in the home, and the
same command goes on where it was.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import file_digest, scenario_names
from releve.adapters.git_dvc import bundle
from releve.adapters.git_dvc.remote_files import RemoteFiles
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.models.model_runtime import check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.remote.backup_place import BackupDamaged, BackupPlace
from releve.adapters.restore_marker import Restoring, begin_restoring, end_restoring, restoring
from releve.adapters.scenario_lock import scenario_locks
from releve.core.errors import Conflict, NotFound, explained_storage
from releve.core.params import LEAST_RECALL
from releve.core.progress import Reminder
from releve.core.settings import Settings
from releve.domain.backup.manifest import DATA, EVENTS, HOME, BackupManifest, SavedFile, SavedScenario, newest_manifest
from releve.domain.registry.chain import Event
from releve.domain.registry.release import Release
from tasks.backup.backup import read_manifest
from tasks.backup.home import kept_files
from tasks.backup.remotes import remote_of
from tasks.ingestion.batches import read_batches
from tasks.release.index import build_index, tidy_indexes

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """A finished restore. `left_out`: scenarios of the backup whose folder this clone does not have; `behind`: the
    commit of the backup, where this clone does not have it."""

    name: str
    manifest: BackupManifest
    indexes: int  # that were built
    left_out: tuple[str, ...]
    behind: str
    seconds: float


def restore(settings: Settings, source: str, *, name: str = "", progress: Progress = lambda line: None) -> Restored:
    """Restore the backup called `name`, "" for the newest, into an empty home, registry and repository.

    Raises Conflict where something is there already, BackupDamaged, BackupUnavailable, NotFound, BadInput, and
    IndexUnavailable where Milvus is away: everything else is restored then.
    """
    began, place = time.monotonic(), BackupPlace(source)
    begun = restoring(settings.home)
    name = f"{name.removesuffix('.json')}.json" if name else ""
    if begun and name not in ("", begun.backup):
        raise Conflict(f"the restore of {begun.backup} was begun in {settings.home}; finish it first: {begun.command}")
    there = place.names()
    name = begun.backup if begun else name or newest_manifest(there)
    if not name:
        raise NotFound(f"there is no backup in {source}; releve backup --to {source} makes one")
    if name not in there:
        newest = newest_manifest(there).removesuffix(".json") or "none"
        raise NotFound(f"there is no backup {name.removesuffix('.json')} in {source}; the newest there is {newest}")
    manifest = read_manifest(place, name)
    registry = Registry(settings.registry_url)
    if begun is None:
        _check_empty(settings, registry)
        begin_restoring(settings.home, Restoring(place=source, backup=name))
    histories = dict[str, list[Event]]()
    with (
        tempfile.TemporaryDirectory(prefix="releve-") as scratch,
        scenario_locks(
            settings.home,
            sorted(manifest.scenarios),
            holder="restore",
            wait_seconds=settings.wait_seconds,
            on_wait=progress,
        ),
    ):
        path = Path(scratch) / "bundle"
        place.fetch_named(name.removesuffix(".json") + ".bundle", path, manifest.bundle)
        bundle.fetch_bundle(settings.project, path, manifest.branches)
        copies = _RestoredFiles(place, manifest, progress)
        copies.restore_rows(settings, Path(scratch))
        copies.restore_home(settings.home)
        for file in manifest.of(EVENTS):
            place.fetch(file.sha256, Path(scratch) / "events")
            lines = (Path(scratch) / "events").read_text(encoding="utf-8").splitlines()
            histories[file.below] = [Event(**json.loads(line)) for line in lines]
        registry.restore(histories)
        here = [scenario for scenario in manifest.scenarios if scenario in scenario_names(settings.project)]
        for scenario, amounts in manifest.scenarios.items():
            _check_amounts(settings, registry, scenario, amounts)
        indexes = sum(_build_indexes(settings, registry, scenario, progress) for scenario in here)
        end_restoring(settings.home)
    behind = "" if bundle.has_commit(settings.project, manifest.head) else manifest.head
    left_out = tuple(sorted({*manifest.scenarios} - {*here}))
    return Restored(name.removesuffix(".json"), manifest, indexes, left_out, behind, time.monotonic() - began)


class _RestoredFiles:
    """Files that come back from one backup, each checked against its sha256."""

    def __init__(self, place: BackupPlace, manifest: BackupManifest, progress: Progress) -> None:
        self._place, self._manifest, self._progress = place, manifest, progress
        self._reminder, self._done = Reminder(), 0

    def restore_rows(self, settings: Settings, scratch: Path) -> None:
        """Send the rows to the data remote that this clone's settings name, unless it has them."""
        files = self._manifest.of(DATA)
        for owner in dict.fromkeys(file.below.partition("/")[0] for file in files):
            with RemoteFiles.opened(settings.project, remote_of(settings, owner)) as remote:
                for file in files:
                    scenario, _, digest = file.below.partition("/")
                    if scenario == owner and not remote.has(digest):
                        self._place.fetch(file.sha256, scratch / "rows")
                        remote.upload(scratch / "rows", digest)
                        self._tell(file)

    def restore_home(self, home: Path) -> None:
        """Write what is not there yet. Of a Bento and its model, which have the same content, one is a link."""
        written = dict[str, Path]()
        for file in self._manifest.of(HOME):
            path = home / file.below
            if not (path.is_file() and path.stat().st_size == file.size and file_digest(path) == file.sha256):
                with explained_storage(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    twin = written.get(file.sha256) if file.below.startswith("bentoml/") else None
                    if twin:
                        path.unlink(missing_ok=True)
                        os.link(twin, path)
                    else:
                        self._place.fetch(file.sha256, path)
                        path.chmod(file.mode)
                        os.utime(path, ns=(file.modified, file.modified))
                self._tell(file)
            if file.below.startswith("bentoml/"):
                written.setdefault(file.sha256, path)

    def _tell(self, file: SavedFile) -> None:
        self._done += 1
        if self._reminder.is_due():
            self._progress(f"{self._done:,} of {len(self._manifest.files):,} files, {file.path}")


def _check_empty(settings: Settings, registry: Registry) -> None:
    """Raise Conflict naming what is there."""
    home, found = settings.home, list[str]()
    if path := next((path for _, path in kept_files(home)), None):
        found.append(f"{path} is there")
    if scenarios := registry.scenarios():
        found.append(f"the registry has events of {', '.join(scenarios)}")
    if refs := bundle.scenario_refs(settings.project):
        found.append(f"{settings.project} has {', '.join(refs)}")
    if found:
        raise Conflict(
            f"a backup is restored where nothing is yet, but {'; '.join(found)}. Use a fresh clone, an empty home "
            "(--home) and an empty registry (RELEVE_REGISTRY_URL)"
        )


def _check_amounts(settings: Settings, registry: Registry, scenario: str, saved: SavedScenario) -> None:
    """Count everything again, and ask the champion its golden rows. Raise BackupDamaged, ModelAltered."""
    registry.verify(scenario)
    events, current = registry.events(scenario), registry.current(scenario)
    batches = read_batches(ScenarioBranch(settings.project, scenario))
    newest = events[saved.events - 1].hash if 0 < saved.events <= len(events) else ""
    found = saved.model_copy(
        update={
            "events": len(events),
            "newest_hash": newest,
            "champion": current.release.model if current else "",
            "index_version": current.release.index_version.number if current else 0,
            "batches": len(batches),
            "rows": sum(batch.rows for batch in batches),
        }
    )
    if found != saved:
        counted, told = vars(found), vars(saved)
        differing = (f"{name} {counted[name]} instead of {told[name]}" for name in told if counted[name] != told[name])
        raise BackupDamaged(
            f"{scenario} is not what the backup says of it: {', '.join(differing)}; restore another backup (--backup)"
        )
    if current:
        check_golden(ModelStore(settings.home).load(current.release.model, digest=current.release.model_digest))


def _build_indexes(settings: Settings, registry: Registry, scenario: str, progress: Progress) -> int:
    """Build what searches need now, and what a rollback returns to. Raise IndexUnavailable."""
    current, arms = registry.current(scenario), registry.arms(scenario)
    challenger = arms.started.challenger if arms else None
    wanted = [current.release if current else None, challenger, registry.previous(scenario)]
    releases: dict[str, Release] = {each.index: each for each in reversed(wanted) if each}
    for release in releases.values():
        progress(f"building {release.index_name} of {release.index_rows:,} rows")
        model = ModelStore(settings.home).load(release.model, digest=release.model_digest)
        build_index(settings, release, model, min_recall=LEAST_RECALL[release.index_design.type.value])
    if releases:
        tidy_indexes(settings, registry, scenario)
    return len(releases)
