"""Build a model version again from its data, code and params, and say whether the very same bytes come out."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_versions import DataVersions, PipelineFailed
from releve.adapters.git_dvc.remakable import MEMBERS, MEMORY, made_with, outputs
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git, git_texts
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import ScenarioLock, scenario_lock
from releve.core.errors import NotFound, Unavailable
from releve.core.names import ModelTag
from releve.core.params import Data
from releve.core.settings import Settings
from releve.domain.registry.chain import CHALLENGED, REBUILT
from releve.domain.registry.events import Challenger, ModelRebuilt, RebuildPurpose
from releve.domain.registry.retention import last_rebuilds
from releve.reporting.messages.gate import describe_rebuild
from tasks.places import ScenarioFiles, ScenarioState


@dataclass(frozen=True)
class Rebuilt:
    """`changed` are the result files that came out differently, as git names them; `restored`: whether the model's
    files were put back into the store."""

    revision: str
    record: ModelRebuilt
    metrics: str = ""  # metrics.json, as it came out
    changed: tuple[str, ...] = ()
    restored: bool = False


def rebuild(
    settings: Settings, tag: str, *, actor: str = "rebuild", progress: Callable[[str], None] = lambda line: None
) -> Rebuilt:
    """Build the model "<scenario>:<version>" again, or the scenario's newest one, in a throw-away worktree.

    Where its files left the model store and the same come out, they are put back. Raises NotFound for a model that
    nobody judged, ScenarioBusy, and Unavailable where the remote is needed and away.
    """
    scenario, version = ModelTag.parse(tag).scenario, ModelTag.parse(tag).version
    params = read_committed(settings, scenario).params
    registry, store = Registry(settings.registry_url), ModelStore(settings.home)
    with scenario_lock(settings.home, scenario, holder="rebuild", wait_seconds=settings.wait_seconds) as lock:
        challenger = judged(registry, scenario, model=tag if version else "")
        is_stored = challenger.model in store.tags(scenario)
        purpose = RebuildPurpose.CHECK if is_stored else RebuildPurpose.RESTORE
        done = build_again(
            settings, registry, challenger, lock=lock, remote=params.data, purpose=purpose, progress=progress
        )
        before = last_rebuilds(registry.events(scenario, kinds=[REBUILT])).get(challenger.model)
        if done.restored or (before and before.same != done.record.same):  # by hand, it is news then alone
            registry.append(scenario, done.record, reason=describe_rebuild(done.record), actor=actor)
    return done


def judged(registry: Registry, scenario: str, *, model: str = "") -> Challenger:
    """Read the last judgement of a model, or the last of all; also from before the scenario was started over.

    Raises NotFound.
    """
    for event in registry.newest(scenario, kinds=[CHALLENGED]):
        if model in ("", event.payload["model"]):
            return event.read(Challenger)
    if model:
        raise NotFound(f"there is no model {model}; `releve models {scenario}` lists those that were judged")
    raise NotFound(f"nothing was built of {scenario} yet; run make retrain SCENARIO={scenario} first")


def build_again(
    settings: Settings,
    registry: Registry,
    challenger: Challenger,
    *,
    lock: ScenarioLock,
    remote: Data,
    purpose: RebuildPurpose,
    progress: Callable[[str], None] = lambda line: None,
) -> Rebuilt:
    """Run every stage anew on the revision's own code, params, rows and memory; nothing gets into DVC's cache.

    Fitted members of the refresh before are no input: what they answered is in the memory. Raises Unavailable where the
    remote is needed and away; what else fails is in the record.
    """
    scenario, store = ModelTag.parse(challenger.model).scenario, ModelStore(settings.home)
    released = _released_files(registry, store, challenger)
    started = time.process_time()
    metrics, changed, restored, failure = "", tuple[str, ...](), False, ""
    made: dict[str, str] = {}
    branch = ScenarioBranch(settings.project, scenario)
    with branch.checkout(challenger.revision, ScenarioState(settings.home, scenario).worktrees) as path:
        data = DataVersions(path, project=settings.project, home=settings.home, lock_fd=lock.fd, remote=remote)
        files = ScenarioFiles(path, scenario)
        try:
            make_anew(data, files, progress=progress)
        except Unavailable:
            raise
        except PipelineFailed as error:
            failure = str(error)
        else:
            made, metrics = _digests(files.model), files.metrics.read_text()
            changed = tuple(git(path, "diff", "--name-only", "--", "results").splitlines())
            if made == released.files and challenger.model not in store.tags(scenario):
                version = ModelTag.parse(challenger.model).version
                store.save(files.model, scenario=scenario, version=version, labels={"project": "releve"})
                restored = True
    names = sorted(released.files.keys() | made.keys())
    record = ModelRebuilt(
        model=challenger.model,
        purpose=purpose,
        files=released.files,
        bytes=released.bytes,
        differing=() if failure else tuple(name for name in names if released.files.get(name) != made.get(name)),
        failure=failure,
        cpu_seconds=round(time.process_time() - started + data.cpu_seconds, 2),
        made_by=made_by(settings, store, challenger),
    )
    return Rebuilt(challenger.revision, record, metrics, changed, restored)


def as_proven(
    registry: Registry, store: ModelStore, challenger: Challenger, *, made_by: str, proof: str
) -> ModelRebuilt:
    """Take a stored model as built again, since `proof` was, which the same code, libraries and recipes made."""
    released = _released_files(registry, store, challenger)
    return ModelRebuilt(
        model=challenger.model,
        purpose=RebuildPurpose.RETIRE,
        files=released.files,
        bytes=released.bytes,
        cpu_seconds=0.0,
        made_by=made_by,
        proof=proof,
    )


def made_by(settings: Settings, store: ModelStore, challenger: Challenger) -> str:
    """Digest all but the rows that made a model: code, settings, libraries, machine, recipes, whether it is the first.

    "" where a search made it, which a clock may have stopped, and where it is not known.
    """
    scenario = ModelTag.parse(challenger.model).scenario
    lock_file = git_texts(settings.project, [f"{challenger.revision}:scenarios/{scenario}/dvc.lock"])[0]
    described = store.describe(challenger.model)
    if challenger.search or not lock_file or described.ensemble is None:
        return ""
    members = sorted((each.name, each.recipe, str(each.options)) for each in described.ensemble.members if each.recipe)
    known = [made_with(lock_file), challenger.is_reweighting, described.runtime, described.environment, members]
    return sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class _ReleasedFiles:
    files: dict[str, str]
    bytes: int


def _released_files(registry: Registry, store: ModelStore, challenger: Challenger) -> _ReleasedFiles:
    """The files of the model as it was judged: those in the store, or what was recorded before they left."""
    scenario = ModelTag.parse(challenger.model).scenario
    if challenger.model in store.tags(scenario):
        stored = store.get(challenger.model)
        if stored.digest == challenger.model_digest:
            return _ReleasedFiles(_digests(stored.path), sum(path.stat().st_size for path in _own_files(stored.path)))
    known = last_rebuilds(registry.events(scenario, kinds=[REBUILT])).get(challenger.model)
    if known is None:
        raise NotFound(
            f"the files of {challenger.model} are not in the model store as they were judged, and nothing says what "
            "they were; restore the model store from its backup"
        )
    return _ReleasedFiles(known.files, known.bytes)


def make_anew(data: DataVersions, files: ScenarioFiles, *, progress: Callable[[str], None]) -> None:
    """Run every stage on the rows and the memory that the checkout names. Raises PipelineFailed, Unavailable."""
    name = f"scenarios/{files.scenario}"
    if (files.folder / "batches.dvc").is_file():
        data.checkout(f"{name}/batches.dvc")
    if (files.folder / "brought.dvc").is_file():
        data.checkout(f"{name}/brought.dvc")
    if (files.folder / "memory.dvc").is_file():
        # Its own memory, which has the answers that it was weighed by; the one before it has none to its newest rows.
        made = outputs((files.folder / "dvc.lock").read_text())
        memory = next(digest for path, digest in made.items() if path.endswith(MEMORY))
        (files.folder / "memory.dvc").unlink()
        data.place(f"{name}/memory", memory, without=(MEMBERS,))
    data.repro(f"{name}/dvc.yaml:package", anew=True, keep=False, progress=progress)


def _own_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name != "model.yaml")  # BentoML's


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in _own_files(folder)}
