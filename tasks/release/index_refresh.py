"""Bring labelled rows that came in since a model learned into the index that serves, beside the same model."""

from dataclasses import dataclass

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_history import DataHistory, DataVersion
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.registry.rollback import NothingToRollBackTo
from releve.adapters.scenario_lock import scenario_lock
from releve.core.formatting import counted
from releve.core.settings import Settings
from releve.domain.registry.chain import POINTER_MOVES
from releve.domain.registry.events import IndexMoved
from releve.domain.registry.release import IndexUpdate, Release
from tasks.monitoring.champion import check_released, read_reference
from tasks.pipeline.rows import rows_at
from tasks.release.index import IndexedRows, as_searched_now, update_index


@dataclass(frozen=True)
class IndexRefreshed:
    """A finished move, which a running service follows within a second."""

    release: Release
    new: int  # rows that searches did not find before, corrected ones among them
    gone: int  # rows that searches find no more, for their cells were corrected or they were taken away


def refresh_index(settings: Settings, scenario: str, *, actor: str = "index") -> IndexRefreshed | None:
    """Write the rows that the index does not have yet as its next version, check it, and move the release there once.

    None where there are none, nothing serves, or `index.follow` is false. Whoever is killed before the move leaves
    nothing that a search sees, and the same call finishes the work.

    Raises BadInput for rows that the model does not take, IndexMismatch, IndexUnavailable, ModelAltered,
    PipelineFailed, and StaleRelease where another release has begun to serve meanwhile.
    """
    params = read_committed(settings, scenario).params
    if not params.index.follow:
        return None
    with scenario_lock(settings.home, scenario, holder="index", wait_seconds=settings.wait_seconds):
        registry = Registry(settings.registry_url)
        history = DataHistory(settings.project, scenario, remote=params.data)
        current = registry.current(scenario)
        if current is None or (newest := history.newest()) is None or _has(registry, current.release, newest):
            return None
        serving = current.release
        model = ModelStore(settings.home).load(serving.model, digest=serving.model_digest)
        rows = IndexedRows.of(read_reference(settings, serving.model), rows_at(history, newest, model.schema))
        written = update_index(
            settings,
            serving,
            model,
            rows,
            number=current.number,
            others=[each.index_version for each in _challenger(registry, serving)],
            min_recall=params.index.recall_floor,
        )
        if written is None:
            return None
        update = IndexUpdate(version=written.version, revision=newest.revision, data_version=newest.data_version)
        release = serving.model_copy(
            update={"index_update": update, "index_rows": len(rows.rows), "index_check": written.check}
        )
        moved = IndexMoved(release=release, since=current.since, new=written.new, gone=written.gone)
        reason = f"{counted(written.new, 'new row')}, {written.gone:,} replaced or taken away"
        registry.move(scenario, moved, expected=current.number, reason=reason, actor=actor)
    return IndexRefreshed(release, written.new, written.gone)


def roll_back_index(settings: Settings, scenario: str, *, reason: str, actor: str = "rollback") -> Release:
    """Move back to the rows that were searched before, beside the same model; doing it again returns to the newer ones.

    The next refresh waits for other rows than those that it left. Raises NotFound, NothingToRollBackTo, IndexMismatch
    where rows are gone that nobody erased, IndexUnavailable, StaleRelease.
    """
    registry = Registry(settings.registry_url)
    current = check_released(registry.current(scenario), scenario)
    before = registry.previous_index(scenario)
    if before is None:
        raise NothingToRollBackTo(f"{current.release.model} serves with the one index that it ever had")
    back = as_searched_now(settings, before)
    moved = IndexMoved(release=back, since=current.since, new=0, gone=0, is_rollback=True)
    registry.move(scenario, moved, expected=current.number, reason=reason, actor=actor)
    return back


def _challenger(registry: Registry, serving: Release) -> list[Release]:
    """The challenger that searches the same collection, if one does."""
    arms = registry.arms(serving.scenario)
    return [arms.started.challenger] if arms and arms.started.challenger.index == serving.index else []


def _has(registry: Registry, serving: Release, newest: DataVersion) -> bool:
    """Whether the index is of the newest rows, or a person moved it back from these very rows."""
    versions = [serving.index_update]
    last = next(registry.newest(serving.scenario, kinds=POINTER_MOVES))
    if last.kind == IndexMoved.kind and last.read(IndexMoved).is_rollback:
        left = registry.previous_index(serving.scenario)
        versions.append(left.index_update if left else None)
    return newest.data_version in {update.data_version for update in versions if update}
