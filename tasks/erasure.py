"""Erase rows by their id: from batches, files as they came, the ledger and the index, and say what is out of reach.

The registry is told before anything is touched where the rows stood, so that a run that was killed is completed by the
next one, and no index that is built later gets them again. What a row is found by goes last.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from releve.adapters.files import file_digest, write_bytes
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_cache import DataCache, md5
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.dvc_configuration import configuration
from releve.adapters.git_dvc.experiments import forget_experiments
from releve.adapters.git_dvc.remakable import drop, drop_made, earlier_files, in_use
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree, git_texts
from releve.adapters.git_dvc.stored_files import StoredFiles
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.erasure import PLACES, AnswersToErase, erase_lines, find_answers_to_erase
from releve.adapters.prediction_ledger.hash_key import read_key
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import ScenarioLock, scenario_lock
from releve.core.errors import BadInput, Conflict, NotFound, Unavailable
from releve.core.settings import Settings
from releve.domain.erasure.erasure import ErasedIds, Erasure, Place, RowsErased, id_hash
from releve.domain.registry.chain import ERASED, KINDS
from releve.domain.schema.schema import BATCH, ROW
from tasks.history import events_of
from tasks.ingestion.batches import OpenBatches, read_batches
from tasks.ingestion.harvest import erase_harvested
from tasks.ingestion.ingest import ingest
from tasks.ingestion.known_values import refresh_known_values
from tasks.ingestion.quarantine import erase_rejected
from tasks.ledger import FOLDER
from tasks.places import REFERENCE, ScenarioState
from tasks.release.index import check_index, erase_from_indexes

VERSIONED = ("batches.dvc", "ledger.dvc")  # of scenarios/<name> on the branch: what names rows by their id


def erase(
    settings: Settings,
    scenario: str,
    ids: Sequence[str],
    *,
    reason: str,
    actor: str = "erase",
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Erasure:
    """Erase the rows that the table's id column, or an answer's row id, calls by one of `ids`.

    Files that wait in the incoming folder are ingested first, as their rows are found in batches and in quarantine
    alone. The same call again completes what was killed, or what a service still held open. `dry_run`: only find the
    rows, without the files that wait.

    Raises NotFound for an id that no place has, Conflict where the registry knows nothing of the scenario, BadInput,
    ScenarioBusy, IndexUnavailable before anything is touched, and Unavailable where the remote, the index or a disk
    fails on the way.
    """
    truth, state = read_committed(settings, scenario), ScenarioState(settings.home, scenario)
    registry, key = Registry(settings.registry_url), read_key(settings, make=not dry_run)
    wanted = ErasedIds(truth.schema, ids, key=key)
    if wanted.in_text(reason.encode(errors="replace")):
        raise BadInput("the reason names an id, and the history keeps it for ever; say why without it")
    with scenario_lock(settings.home, scenario, holder="erase", wait_seconds=settings.wait_seconds) as lock:
        branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
        if branch.tip() and next(registry.newest(scenario, kinds=KINDS), None) is None:  # what it is told would be lost
            raise Conflict(
                f"{branch.name} has batches, and the registry has nothing of {scenario}: is RELEVE_REGISTRY_URL right, "
                f"or was its file moved away? Bring it back; if it is lost, make ingest SCENARIO={scenario} tells it "
                "the batches anew"
            )
        if not dry_run:
            check_index(settings, scenario)
            ingest(settings, scenario, actor=actor)
        if branch.tip() is None:
            raise NotFound(f"{scenario} has no batches yet, so that there is nothing to erase")
        run = _ErasureRun(settings, truth, state, branch, lock, wanted, key, registry, progress)
        with branch.worktree(state.worktrees) as tree:
            found = run.gather(tree)
            if dry_run:
                return Erasure(len(found.ids), found.counts, before=found.before, is_dry_run=True)
            try:
                return run.apply(tree, found, reason=reason, actor=actor)
            except Unavailable as error:
                again = f"the erasure of {scenario} has begun and is not finished: run the same again"
                raise Unavailable(f"{error}; {again}") from error


@dataclass
class _Found:
    """Where rows stand that are to be erased."""

    data: DataVersions
    opened: OpenBatches
    pushed: dict[str, str]  # the ledger's days in the remote: file -> md5
    answers: AnswersToErase
    in_batches: dict[str, dict[int, str]]  # batch -> place in its file -> id
    rejected: dict[str, list[str]]  # batch -> ids
    harvested: list[str]  # ids
    positions: dict[str, tuple[int, ...]]  # batch -> where rows stood, those of earlier runs included
    ids: tuple[str, ...]  # as `id_hash` makes them
    before: str  # when the same ids were erased before

    @property
    def counts(self) -> Counter[Place]:
        """What leads to all that is erased."""
        return Counter(
            {
                Place.BATCHES: sum(map(len, self.in_batches.values())),
                Place.QUARANTINE: sum(map(len, self.rejected.values())),
                Place.HARVEST: len(self.harvested),
                Place.ANSWERS: len(self.answers.fresh),
            }
        )


@dataclass
class _ErasureRun:
    """One erasure: what it works on."""

    settings: Settings
    truth: Committed
    state: ScenarioState
    branch: ScenarioBranch
    lock: ScenarioLock
    wanted: ErasedIds
    key: bytes
    registry: Registry
    progress: Callable[[str], None]

    @property
    def ledgers(self) -> list[Path]:
        return [self.state.ledger, self.state.fetched_ledger]

    def gather(self, tree: Worktree) -> _Found:
        """Find the rows, whatever names them. Raises NotFound for an id that nothing has."""
        data = DataVersions(
            tree.path,
            project=self.settings.project,
            home=self.settings.home,
            lock_fd=self.lock.fd,
            remote=self.truth.params.data,
        )
        self.progress("looking for the rows")
        opened, pushed = OpenBatches(tree, data), self._fetch_days(data)
        answers = AnswersToErase(
            {row: id_ for folder in self.ledgers for row, id_ in find_answers_to_erase(folder, self.wanted)}
        )
        in_batches = opened.find(self.wanted, answers.ids, self.truth.schema)
        rejected, harvested = self._rejected(answers, apply=False), self._harvested(answers, apply=False)
        hashes = {id_: id_hash(self.key, id_) for id_ in self.wanted.all}
        events = events_of(self.registry, self.state.scenario, ERASED)
        before = [event for event in events if {*event.read(RowsErased).ids} & {*hashes.values()}]
        known = {digest for event in before for digest in event.read(RowsErased).ids}
        of_rows = chain(*(rows.values() for rows in in_batches.values()), *rejected.values())
        names = {*answers.ids.values(), *harvested, *of_rows}
        self._check_known([id_ for id_, digest in hashes.items() if id_ not in names and digest not in known])
        positions = opened.positions({batch: [*rows] for batch, rows in in_batches.items()})
        for event in before:
            for batch, held in event.read(RowsErased).rows.items():
                positions[batch] = tuple(sorted({*positions.get(batch, ()), *held}))
        ids, at = tuple(sorted(hashes.values())), before[-1].at if before else ""
        return _Found(data, opened, pushed, answers, in_batches, rejected, harvested, positions, ids, at)

    def apply(self, tree: Worktree, found: _Found, *, reason: str, actor: str) -> Erasure:
        """Tell the registry, take the rows out, and tell it again. The order is the module's docstring's."""
        scenario, published, answers = self.state.scenario, tree.tip, found.answers
        done = Erasure(len(found.ids), before=found.before)
        begun = RowsErased(ids=found.ids, is_finished=False, rows=found.positions)
        self.registry.append(scenario, begun, reason=reason, actor=actor)
        done.counts[Place.BATCHES] = count = found.counts[Place.BATCHES]
        done.counts[Place.FILES] = self._erase_files({*found.in_batches, *found.rejected})
        done.counts[Place.QUARANTINE] = sum(map(len, self._rejected(answers, apply=True).values()))
        done.counts[Place.HARVEST] = len(self._harvested(answers, apply=True))
        if found.in_batches:
            self.progress("a data version without the rows")
            found.opened.erase(found.in_batches, self.truth.schema)
        self.progress("the prediction ledger")
        places = frozenset((batch, place) for batch, rows in found.positions.items() for place in rows)
        open_segments = list[str]()
        for kind in PLACES:  # answers last
            for folder in self.ledgers:
                part = erase_lines(folder, kind, self.wanted, answers, places)
                done.counts.update(part.counts)
                open_segments += part.open_segments
        done.open_segments = tuple(sorted(open_segments))
        self._push_days(found.data, found.pushed)
        self.branch.move(tree.commit(f"{scenario}: {count} rows erased"), expected=published)
        done.experiments = self._forget_experiments()
        done.shared = self._drop_earlier()
        refresh_known_values(self.settings, scenario, self.truth)
        if found.positions:
            self.progress("the index")
            done.counts[Place.INDEX] = erase_from_indexes(self.settings, scenario, found.positions)
        finished = begun.model_copy(
            update={
                "is_finished": True,
                "counts": {place: done.counts[place] for place in Place if done.counts[place]},
                "open_segments": len(done.open_segments),
            }
        )
        self.registry.append(scenario, finished, reason=reason, actor=actor)
        done.models = self._models_with(places)
        done.suspects = self._suspects()
        done.archives = tuple(sorted(self.settings.home.glob(f"archive/{scenario}-*T*Z")))
        return done

    def _check_known(self, unknown: Sequence[str]) -> None:
        if unknown:
            batches = read_batches(self.branch)
            raise NotFound(
                f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} nowhere: searched were "
                f"{len(batches)} batches, their quarantine, the harvested answers and the ledger of "
                f"{self.state.scenario}; nothing was erased"
            )

    def _rejected(self, answers: AnswersToErase, *, apply: bool) -> dict[str, list[str]]:
        """Find the id of each rejected row, by batch, and take the rows out where `apply` says so."""
        found = {
            path.stem: erase_rejected(path, self.wanted, answers.ids, apply=apply)
            for path in sorted(self.state.quarantine.glob("*.parquet"))
        }
        return {batch: ids for batch, ids in found.items() if ids}

    def _harvested(self, answers: AnswersToErase, *, apply: bool) -> list[str]:
        return erase_harvested(self.settings, self.state, self.wanted, answers.ids, self.truth.schema, apply=apply)

    def _erase_files(self, batches: set[str]) -> int:
        """Delete files that these batches, or batches that lost rows before, came in; their rows are versioned."""
        digests = {each.sha256 for each in read_batches(self.branch) if each.erased or each.batch in batches}
        gone = [path for path in self.state.ingested.glob("*") if path.is_file() and file_digest(path) in digests]
        for path in gone:
            path.unlink()
        return len(gone)

    def _fetch_days(self, data: DataVersions) -> dict[str, str]:
        """Fetch the ledger's days that the remote alone has; returns file -> md5 of all that it has."""
        target, tip = f"scenarios/{self.state.scenario}/{FOLDER}", self.branch.tip()
        listed = data.files(target)
        absent = [name for name in listed if not (self.state.ledger / name).is_file()]
        if absent and tip:
            stored = StoredFiles(self.settings.project, tip, remote=self.truth.params.data, what="the ledger")
            for name in absent:
                write_bytes(self.state.fetched_ledger / name, stored.read(f"{target}/{name}"))
        return listed

    def _push_days(self, data: DataVersions, listed: dict[str, str]) -> None:
        """Make a version of the pushed ledger of the days as they are now."""
        target = f"scenarios/{self.state.scenario}/{FOLDER}"
        here: dict[str, Path] = {}
        for folder in (self.state.fetched_ledger, self.state.ledger):  # which counts where both have a day
            here |= {name: folder / name for name in listed if (folder / name).is_file()}
        added = {name: path for name, path in here.items() if md5(path) != listed[name]}
        removed = listed.keys() - here.keys()
        if added or removed:
            data.revise(target, added=added, removed=removed)
            if data.files(target):
                data.push(f"{target}.dvc")

    def _forget_experiments(self) -> int:
        """Forget what was tried on the rows as they were, with the files that nothing else needs; returns how many."""
        project, scenario = self.settings.project, self.state.scenario
        gone = forget_experiments(project, scenario)
        locks = git_texts(project, [f"{each.revision}:scenarios/{scenario}/dvc.lock" for each in gone])
        drop_made(project, scenario, filter(None, locks), remote=self.truth.params.data)
        return len(gone)

    def _drop_earlier(self) -> int:
        """Delete what only earlier versions of batches and ledger name; returns how many files of them others need."""
        project, params, scenario = self.settings.project, self.truth.params, self.state.scenario
        cache = DataCache(Path(configuration(project, params.data)["cache"]["dir"]))
        now = earlier_files(self.branch, VERSIONED, cache, newest=True)
        earlier, needed = earlier_files(self.branch, VERSIONED, cache) - now, in_use(project, scenario, cache)
        drop(project, earlier - needed, remote=params.data, from_remote=True)
        return len(earlier & needed)

    def _models_with(self, places: frozenset[tuple[str, int]]) -> tuple[str, ...]:
        import pandas as pd

        store = ModelStore(self.settings.home)

        def holds(model: str) -> bool:
            rows = pd.read_parquet(store.folder(model) / REFERENCE, columns=[BATCH, ROW])
            return any(place in places for place in zip(rows[BATCH], rows[ROW], strict=True))

        return tuple(model for model in store.tags(self.state.scenario) if holds(model))

    def _suspects(self) -> tuple[Path, ...]:
        """Name files that people have to look at: those that were refused, and those that wait for a person."""
        folders = (self.state.refused, self.state.resubmit, self.state.label_queue, self.state.ingested)
        files = (path for folder in folders for path in sorted(folder.glob("*")) if path.is_file())
        return tuple(path for path in files if self.wanted.in_text(path.read_bytes()))
