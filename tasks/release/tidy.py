"""Take away what only old releases need, and can be made again: a refresh per batch must not grow without bound."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.dvc_configuration import configuration
from releve.adapters.git_dvc.remakable import RefreshFiles, drop, in_use, refresh_files
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git_texts
from releve.adapters.models import bento_builds
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.names import ModelTag
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.erasure.erasure import made_before_erasure
from releve.domain.registry.chain import ERASED, MODEL_CHANGES, REBUILT
from releve.domain.registry.events import Challenger, ModelRebuilt, RebuildPurpose
from releve.domain.registry.lifecycle import model_version_statuses
from releve.domain.registry.retention import last_rebuilds, may_leave, proof_for
from releve.reporting.messages.gate import describe_rebuild
from tasks.places import ScenarioState
from tasks.retraining.rebuild import as_proven, build_again, made_by

# Newest monitoring runs whose files stay, as in Evidently's workspace; the registry keeps each verdict.
KEPT_REPORTS = 200
RUN_FOLDERS = "????????T*Z"  # named by their time


@dataclass(frozen=True)
class Tidied:
    """What left, and what stays though it is older than the newest `storage.keep_releases` versions."""

    left: tuple[str, ...]  # models whose files left the store
    bytes: int  # freed in the model store and in DVC's cache
    tried: tuple[ModelRebuilt, ...]  # in this run
    differing: tuple[ModelRebuilt, ...]  # of whom a rebuild made something else, or nothing
    untried: int  # whose rebuild is still to be tried, one per refresh


def tidy(
    settings: Settings,
    scenario: str,
    *,
    trials: int | None = 1,
    actor: str = "tidy",
    progress: Callable[[str], None] = lambda line: None,
) -> Tidied:
    """Remove the files of models that neither serve nor can be rolled back to, and what DVC keeps of old refreshes.

    A model's files leave once it was built again, byte for byte, or one of those that were made the same way was (see
    `proof_for`); at once where rows were erased since, which no rebuild brings back. At most `trials` of them are built
    again now (None: all), the oldest first, as each costs a fit.
    Whoever is killed in between goes on with the next run.
    Raises ScenarioBusy, and Unavailable where the remote is needed and away.
    """
    params = read_committed(settings, scenario).params
    registry, store = Registry(settings.registry_url), ModelStore(settings.home)
    with scenario_lock(settings.home, scenario, holder="tidy", wait_seconds=settings.wait_seconds) as lock:
        # gather
        events = registry.events(scenario, kinds=(*MODEL_CHANGES, REBUILT, ERASED))
        statuses, rebuilds = model_version_statuses(events), last_rebuilds(events)
        stored, arms = store.tags(scenario), registry.arms(scenario)

        # decide
        on_trial = arms.started.challenger.model if arms else ""
        unneeded = may_leave(statuses, rebuilds, keep=params.storage.keep_releases, on_trial=on_trial)
        old = [model for model in unneeded if model in stored]
        erased = made_before_erasure(events).intersection(old)  # no rebuild could show that nothing is lost
        untried = [model for model in old if model not in rebuilds and model not in erased]

        # apply
        tried = list[ModelRebuilt]()
        for model in untried:
            challenger = statuses[model].challenger
            way = made_by(settings, store, challenger)
            if proof := proof_for(way, rebuilds):
                record = as_proven(registry, store, challenger, made_by=way, proof=proof)
            elif trials is None or len(tried) < trials:
                progress(f"building {model} again, before its files may leave")
                record = build_again(
                    settings, registry, challenger, lock=lock, remote=params.data, purpose=RebuildPurpose.RETIRE
                ).record
                tried.append(record)
            else:
                continue
            registry.append(scenario, record, reason=describe_rebuild(record), actor=actor)
            progress(describe_rebuild(record))
            rebuilds[model] = record
        leaving = [model for model in old if model in erased or (model in rebuilds and rebuilds[model].same)]
        challengers = [statuses[model].challenger for model in statuses if model in stored]
        freed = _drop_remakable(settings, params, scenario, challengers, leaving=set(leaving))
        state = ScenarioState(settings.home, scenario)
        for model in leaving:
            for card in state.cards.glob(f"{ModelTag.parse(model).version}.*"):
                card.unlink()  # `releve card` writes it again
            bento_builds.remove(settings.home, model)
            store.remove(model)  # last: while it is there, the next run repeats all of this
            freed += rebuilds[model].bytes if model in rebuilds else 0
        store.sweep()
        for folder in sorted(state.reports.glob(RUN_FOLDERS))[:-KEPT_REPORTS]:
            shutil.rmtree(folder, ignore_errors=True)
        ScenarioBranch(settings.project, scenario).maintain()
    differing = tuple(rebuilds[model] for model in old if model in rebuilds and model not in leaving)
    waiting = [model for model in untried if model not in rebuilds]
    return Tidied(tuple(leaving), freed, tuple(tried), differing, len(waiting))


def _drop_remakable(
    settings: Settings, params: Params, scenario: str, challengers: list[Challenger], *, leaving: set[str]
) -> int:
    """Delete what DVC keeps of refreshes whose models are stored: of those that leave all, of the others all but the
    model; nothing that a branch's tip names."""
    cache = DataCache(Path(configuration(settings.project, params.data)["cache"]["dir"]))
    names = [f"{each.revision}:scenarios/{scenario}/dvc.lock" for each in challengers]
    locks = git_texts(settings.project, names)
    files = {
        each.model: refresh_files(text, cache) if text else RefreshFiles(frozenset(), frozenset())
        for each, text in zip(challengers, locks, strict=True)
    }
    needed = in_use(settings.project, scenario, cache)
    needed |= {digest for model, made in files.items() if model not in leaving for digest in made.model}
    gone = {digest for model in leaving for digest in files[model].model | files[model].others} - needed
    passing = {digest for made in files.values() for digest in made.others if cache.place(digest).is_file()}
    return drop(settings.project, gone | (passing - needed), remote=params.data, from_remote=True)
