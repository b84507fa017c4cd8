"""Move what serves in one environment to another: the same files and rows; nothing is fitted or built anew but vectors.

The judgement goes ahead, as an event of the target, which may lack the model that it was judged against: then the
target's gate judges once more. The release that follows is one like any other.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.scenario_branch import git_objects
from releve.adapters.models.model_runtime import ModelAltered, folder_digest
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.restore_marker import check_whole
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from releve.domain.approval.approval import Approval
from releve.domain.erasure.erasure import erased_rows
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.promotion.promotion import NotPromotable, Promotable, find_promotable, is_downgrade
from releve.domain.registry.chain import CHALLENGED, ERASED, Event
from releve.domain.registry.events import Challenger
from releve.domain.registry.origin import Basis
from releve.domain.registry.release import Release
from releve.domain.schema.schema import BATCH, ROW
from tasks.history import newest_of
from tasks.monitoring.champion import read_reference
from tasks.release.acceptance import ask_people
from tasks.release.rejudge import rejudge
from tasks.release.release import ReleaseResult, release

ACTOR = "promote"
APART = {
    "home": ("the same home", ("RELEVE_HOME",)),
    "registry_url": ("the same registry", ("RELEVE_REGISTRY_URL",)),
    # of which each environment drops what it does not need
    "milvus_uri": ("the same Milvus", ("RELEVE_MILVUS_URI", "RELEVE_MILVUS_PORT")),
}


def promote(
    settings: Settings,
    scenario: str,
    *,
    source: Settings,
    environments: tuple[str, str],
    reason: str = "",
    progress: Callable[[str], None] = lambda line: None,
    environ: Mapping[str, str] = os.environ,
) -> ReleaseResult | Approval:
    """Release what serves in `source` here; `environments` name both, the source first. Again it changes nothing.

    Returns the request that waits where people have to approve it here; their approval lets it in.

    `reason`: a person's, which a release needs that no gate can compare with what serves here, and an older one.

    Raises BadInput, NotFound, NotPromotable, ModelAltered, and what `release` raises.
    """
    # gather
    check_apart(source, settings, environments, environ=environ)
    check_whole(source.home)
    committed, registry = read_committed(settings, scenario), Registry(source.registry_url)
    registry.verify(scenario)
    events = registry.events(scenario)
    found = find_promotable(events, scenario, environment=environments[0])
    _check_revision(settings, found, scenario)
    model, here = found.release.model, Registry(settings.registry_url)

    lock = scenario_lock(settings.home, scenario, holder="promote", wait_seconds=settings.wait_seconds)
    with lock:
        progress(f"copying {model} from {environments[0]} to {environments[1]}")
        _copy_model(source, settings, found)
        _check_erased(settings, here, found)
        current = here.current(scenario)
        if current is None or current.release.model != model:
            # decide
            serving = current.release if current else None
            judged = _judge(settings, committed, found, events, serving, environments=environments, reason=reason)
            # apply
            newest = next(newest_of(here, scenario, CHALLENGED), None)
            if newest is None or newest.read(Challenger) != judged:
                here.append(scenario, judged, reason=f"promoted from {environments[0]}", actor=ACTOR)
    # live labels let it in there, where its gate had found no gain over the same champion
    shown_live = not found.challenger.promote and found.challenger.inconclusive
    if waiting := ask_people(settings, scenario, model=model, shown_live=shown_live, actor=ACTOR):
        return waiting
    return release(settings, scenario, model=model, reason=reason, actor=ACTOR, shown_live=shown_live)


def check_apart(
    source: Settings, target: Settings, environments: tuple[str, str], *, environ: Mapping[str, str]
) -> None:
    """Raises BadInput where both are one environment, or share what each must have for itself."""
    if environments[0] == environments[1]:
        raise BadInput(f"--from and --to are both {environments[0]}; name two environments")
    for name, (what, variables) in APART.items():
        if getattr(source, name) == getattr(target, name):
            set_here = next((variable for variable in variables if environ.get(variable)), "")
            how = (
                f"{set_here} is set, which wins over both files: unset it"
                if set_here
                else f"set {' or '.join(variables)} in environments/{environments[1]}.env"
            )
            raise BadInput(f"{environments[0]} and {environments[1]} have {what}; {how}")


def _check_revision(settings: Settings, found: Promotable, scenario: str) -> None:
    """Raise NotFound where this clone lacks the commit whose code and rows made the model."""
    revision, branch = found.challenger.revision, f"releve/{scenario}"
    if git_objects(settings.project, [f"{revision}^{{commit}}"]) == [None]:
        raise NotFound(
            f"{settings.project} has no commit {revision[:12]}, which made {found.release.model}: in the clone of "
            f"{found.environment} run git push origin {branch}, then here git fetch origin {branch}:{branch}"
        )


def _copy_model(source: Settings, target: Settings, found: Promotable) -> None:
    """Raise NotFound, and ModelAltered where the source's files are not those that were registered there."""
    model, digest = found.release.model, found.release.model_digest
    folder, store = ModelStore(source.home).folder(model), ModelStore(target.home)
    if model not in store.tags(found.release.scenario):
        if (there := folder_digest(folder)) != digest:
            raise ModelAltered(
                f"the files of {model} in {found.environment} have the digest {there[:12]}, but {digest[:12]} was "
                "registered; nothing was promoted. Restore that model store from its backup"
            )
        store.save(folder, scenario=found.release.scenario, version=model.partition(":")[2], labels={})
    if (here := store.get(model).digest) != digest:
        raise ModelAltered(
            f"the files of {model} here have the digest {here[:12]}, but {digest[:12]} serves in {found.environment}; "
            f"nothing was promoted. Remove {store.folder(model)}, and promote again"
        )


def _check_erased(settings: Settings, registry: Registry, found: Promotable) -> None:
    """Raise NotPromotable for a model of rows that were erased here."""
    model, scenario = found.release.model, found.release.scenario
    erased = erased_rows(registry.events(scenario, kinds=[ERASED]))
    reference = read_reference(settings, model) if erased else None
    if reference is not None and not erased.isdisjoint(zip(reference[BATCH], reference[ROW], strict=True)):
        raise NotPromotable(
            f"{model} learned from rows that were erased here; erase them in {found.environment}, too, retrain there, "
            "and promote the result"
        )


def _judge(
    settings: Settings,
    committed: Committed,
    found: Promotable,
    events: list[Event],
    serving: Release | None,
    *,
    environments: tuple[str, str],
    reason: str,
) -> Challenger:
    """Return the judgement that the target keeps: the source's, one of its own, or a person's.

    Raises NotPromotable where it takes a person's, and there is no reason.
    """
    challenger, champion = found.challenger, serving.model if serving else ""
    if challenger.champion == champion:
        return challenger.model_copy(update={"origin": found.origin(Basis.GATE)})
    if is_downgrade(events, challenger.model, champion=champion):
        why = f"{champion}, which serves in {environments[1]}, is newer: {environments[0]} released it later"
    else:
        today = datetime.now(UTC).date()
        judged = rejudge(settings, challenger, serving, committed.params, today=today)
        if isinstance(judged, Challenger):
            return judged.model_copy(update={"origin": found.origin(Basis.REJUDGED)})
        why = f"no gate can compare it with {champion or 'no champion'}: {judged.why}"
    if not reason:
        raise NotPromotable(f"{challenger.model} is not promoted, as {why}. To promote it all the same, give --reason")
    others = {name: each for name, each in challenger.evaluation.against.items() if name != Opponent.CHAMPION}
    return challenger.model_copy(
        update={
            "champion": champion,
            "promote": True,
            "inconclusive": False,
            "reasons": (f"a person promoted it: {reason}",),
            "notes": (why,),
            "evaluation": challenger.evaluation.model_copy(update={"against": others, "slices": ()}),
            "origin": found.origin(Basis.PERSON),
        }
    )
