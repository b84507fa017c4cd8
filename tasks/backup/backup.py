"""Back everything up that cannot be made again, while everything runs on.

The order makes it whole. Files are copied twice: first while everybody works, which may take long, then while runs of
every scenario wait, which is short, as only what changed meanwhile is copied. In that time nothing is deleted, so that
what is read first holds: the registry, whatever it names is there already; then the branches, whose rows were pushed
before they moved; then models, ledger and rows. The manifest is written last.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from releve import __version__
from releve.adapters.files import file_digest, scenario_names
from releve.adapters.git_dvc import bundle
from releve.adapters.git_dvc.data_cache import md5
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.git_dvc.remakable import in_use
from releve.adapters.git_dvc.remote_files import RemoteFiles
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.registry.registry import Registry
from releve.adapters.remote.backup_place import BackupPlace
from releve.adapters.restore_marker import check_whole
from releve.adapters.scenario_lock import scenario_locks
from releve.core.documents import parse_document
from releve.core.errors import BadInput
from releve.core.progress import Reminder
from releve.core.settings import Settings
from releve.domain.backup.manifest import DATA, EVENTS, HOME, BackupManifest, SavedFile, SavedScenario, newest_manifest
from releve.domain.registry.chain import Event, canonical_json, serving_move
from releve.domain.registry.events import release_of
from tasks.backup.home import kept_files
from tasks.backup.remotes import remotes
from tasks.ingestion.batches import read_batches

STAMP = "%Y%m%dT%H%M%SZ"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class BackedUp:
    """A finished backup. `new_bytes`: what the place did not have yet; `held_seconds`: how long runs had to wait."""

    name: str
    manifest: BackupManifest
    new_bytes: int
    held_seconds: float


def backup(settings: Settings, to: str, *, progress: Progress = lambda line: None) -> BackedUp:
    """Write one backup to the folder or URL `to`. One that was killed is completed by the next, which takes its files.

    Raises BadInput, ScenarioBusy, BackupUnavailable, DiskFull, RegistryUnavailable, ChainBroken, RemoteUnavailable, and
    PipelineFailed where rows were altered, so that they could not be restored.
    """
    check_whole(settings.home)
    if "://" not in to and Path(to).resolve().is_relative_to(settings.home.resolve()):
        raise BadInput(f"{to} lies in the home that is backed up, {settings.home}, and would be lost with it")
    registry, place = Registry(settings.registry_url), BackupPlace(to)
    registry.verify()  # a broken history would not be restored
    scenarios = sorted({*scenario_names(settings.project), *registry.scenarios()})
    names = place.names()
    copies = _SavedFiles(place, _read_newest(place, names), progress)
    with tempfile.TemporaryDirectory(prefix="releve-") as scratch:
        copies.copy_all(settings, scenarios, Path(scratch))
        with scenario_locks(
            settings.home, scenarios, holder="backup", wait_seconds=settings.wait_seconds, on_wait=progress
        ):
            began = time.monotonic()
            histories = {scenario: registry.events(scenario) for scenario in scenarios}
            path = Path(scratch) / "bundle"
            bundle.write_bundle(settings.project, path)
            manifest = BackupManifest(
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                version=__version__,
                head=bundle.head(settings.project),
                bundle=file_digest(path),
                branches=bundle.scenario_refs(settings.project),
                scenarios={name: _amounts(settings, name, events) for name, events in histories.items()},
                files=(
                    *copies.copy_events(histories, Path(scratch)),
                    *copies.copy_all(settings, scenarios, Path(scratch)),
                ),
            )
            held = time.monotonic() - began
        name = _free_name(names)
        place.put_named(f"{name}.bundle", path)
        place.write(f"{name}.json", manifest.model_dump_json().encode())
    return BackedUp(name, manifest, copies.new_bytes, held)


class _SavedFiles:
    """Files that were copied to one place, each once."""

    def __init__(self, place: BackupPlace, before: BackupManifest | None, progress: Progress) -> None:
        self.new_bytes = 0
        self._place, self._progress, self._reminder = place, progress, Reminder()
        self._there = set[str]()  # contents that this run knows to be in the place
        self._seen = dict[tuple[str, int, int, int], SavedFile]()
        # Rows are named by their md5 and never change: what the backup before has is not read again.
        self._rows = {file.path: file for file in before.of(DATA)} if before else {}

    def copy_all(self, settings: Settings, scenarios: list[str], scratch: Path) -> list[SavedFile]:
        """Copy the home and the data remotes as they are now."""
        return [*self._copy_home(settings.home), *self._copy_remotes(settings, scenarios, scratch)]

    def copy_events(self, histories: dict[str, list[Event]], scratch: Path) -> Iterator[SavedFile]:
        """Copy the history of each scenario, a line per event, which any registry can take."""
        for scenario, events in histories.items():
            path = scratch / "events.jsonl"
            path.write_text("".join(f"{canonical_json(event.as_dict())}\n" for event in events), encoding="utf-8")
            yield self._copy(f"{EVENTS}/{scenario}", path)

    def _copy_home(self, home: Path) -> Iterator[SavedFile]:
        for name, path in kept_files(home):
            try:
                yield self._copy(f"{HOME}/{name}", path)
            except FileNotFoundError:  # the service has closed it, or a report became too old
                continue

    def _copy_remotes(self, settings: Settings, scenarios: Iterable[str], scratch: Path) -> Iterator[SavedFile]:
        for owner, data in remotes(settings, scenarios).items():
            with RemoteFiles.opened(settings.project, data) as remote:
                there = remote.digests()
                lost = sorted(in_use(settings.project, owner, remote.cache) - {*there})
                for digest in (*there, *(each for each in lost if remote.cache.place(each).is_file())):
                    path = f"{DATA}/{owner}/{digest}"
                    known = self._rows.get(path)
                    if known is None or not self._has(known):
                        if (source := _whole(remote, digest, scratch / "rows")) is None:
                            continue
                        known = self._copy(path, source)
                    self._rows[path] = known
                    self._there.add(known.sha256)
                    yield known

    def _has(self, file: SavedFile) -> bool:
        return file.sha256 in self._there or self._place.has(file.sha256, file.size)

    def _copy(self, name: str, path: Path) -> SavedFile:
        state = path.stat()
        key = (name, state.st_size, state.st_mtime_ns, state.st_ino)
        if (seen := self._seen.get(key)) is None:
            with path.open("rb") as source:
                kept = self._place.keep(source)
            mode, modified = state.st_mode & 0o777, state.st_mtime_ns
            seen = SavedFile(path=name, sha256=kept.sha256, size=kept.size, mode=mode, modified=modified)
            self._seen[key] = seen
            self.new_bytes += kept.size if kept.is_new else 0
            if self._reminder.is_due():
                self._progress(f"{len(self._seen):,} files so far, {self.new_bytes / 1e6:,.0f} MB of them new")
        return seen


def _whole(remote: RemoteFiles, digest: str, scratch: Path) -> Path | None:
    """Return a file of the remote, from the cache where the remote has lost or altered it; None where it is gone from
    both since it was listed, as another run deleted it. Raises PipelineFailed for one that is altered."""
    cached = remote.cache.place(digest)
    for is_cached in (False, True):
        with suppress(FileNotFoundError):
            path = cached if is_cached else remote.fetch(digest, scratch)
            if md5(path) == digest.removesuffix(".dir"):
                return path
    if not (remote.has(digest) or cached.is_file()):
        return None
    raise PipelineFailed(
        f"{digest} was altered in the DVC remote, and the cache does not have it: delete it there, and copy it from a "
        "machine whose .dvc/cache/files has it (docs/operate.md); then run the same again"
    )


def _amounts(settings: Settings, scenario: str, events: list[Event]) -> SavedScenario:
    move = serving_move(events)
    release = release_of(move) if move else None
    batches = read_batches(ScenarioBranch(settings.project, scenario))
    return SavedScenario(
        events=len(events),
        newest_hash=events[-1].hash if events else "",
        champion=release.model if release else "",
        index_version=release.index_version.number if release else 0,
        batches=len(batches),
        rows=sum(batch.rows for batch in batches),
    )


def _read_newest(place: BackupPlace, names: list[str]) -> BackupManifest | None:
    name = newest_manifest(names)
    with suppress(BadInput):  # a damaged one only saves no work
        return read_manifest(place, name) if name else None
    return None


def read_manifest(place: BackupPlace, name: str) -> BackupManifest:
    """Read the manifest of one backup. Raises NotFound, BadInput for one that is damaged."""
    return parse_document(
        place.read(name), BackupManifest, source=f"{name} in {place.place}", remedy="take an older backup (--backup)"
    )


def _free_name(names: list[str]) -> str:
    taken, second = {*names}, int(time.time())
    while f"{(name := datetime.fromtimestamp(second, UTC).strftime(STAMP))}.json" in taken:
        second += 1
    return name
