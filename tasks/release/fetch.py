"""A model version as it was judged, for as long as somebody asks it: fetched, or built again where it left."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.git_dvc.data_versions import DataVersions, PipelineFailed
from releve.adapters.git_dvc.remakable import MODEL, outputs
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.models.model_runtime import Model, folder_digest, load
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.names import ModelTag
from releve.core.params import Data
from releve.core.settings import Settings
from releve.domain.prediction_log.reproduction import ModelSource
from releve.domain.registry.events import Challenger
from tasks.places import ScenarioFiles
from tasks.retraining.rebuild import judged, make_anew


@dataclass(frozen=True)
class FetchedModel:
    """A loaded model, and the folder of its files. `is_altered`: what was built again has other bytes than judged."""

    model: Model
    folder: Path
    source: ModelSource
    challenger: Challenger
    is_altered: bool = False


@contextmanager
def fetched_model(
    settings: Settings,
    tag: str,
    *,
    remote: Data,
    from_store: bool,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[FetchedModel]:
    """Give the model "<scenario>:<version>" for as long as the caller keeps it.

    It comes from the data remote alone, and neither the store nor DVC's cache of this machine is read or written;
    `from_store`: the store's copy is asked first. Raises NotFound for a model that nobody judged, ModelAltered, and
    PipelineFailed where it can neither be fetched nor built again.
    """
    scenario, store = ModelTag.parse(tag).scenario, ModelStore(settings.home)
    challenger = judged(Registry(settings.registry_url), scenario, model=tag)
    if from_store and tag in store.tags(scenario):
        model = store.load(tag, digest=challenger.model_digest)
        yield FetchedModel(model, store.folder(tag), ModelSource.STORE, challenger)
        return
    branch = ScenarioBranch(settings.project, scenario)
    with (
        tempfile.TemporaryDirectory(prefix="releve-") as scratch,
        branch.checkout(challenger.revision, Path(scratch) / "worktrees") as path,
    ):
        cache = Path(scratch) / "cache"
        data = DataVersions(path, project=settings.project, home=settings.home, remote=remote, cache=cache)
        files = ScenarioFiles(path, scenario)
        folder, source = _fetch(data, files), ModelSource.REMOTE
        if folder is None:
            progress(f"the data remote has {tag} no more: building it again from its rows")
            make_anew(data, files, progress=progress)
            folder, source = files.model, ModelSource.REBUILT
        is_altered = folder_digest(folder) != challenger.model_digest
        digest = None if source is ModelSource.REBUILT else challenger.model_digest
        yield FetchedModel(load(folder, tag=tag, digest=digest), folder, source, challenger, is_altered)


def _fetch(data: DataVersions, files: ScenarioFiles) -> Path | None:
    """Return where the model's files lie now; None where the remote does not have all of them."""
    lock = files.folder / "dvc.lock"
    version = next((md5 for path, md5 in outputs(lock.read_text()).items() if path.endswith(MODEL)), "")
    place = files.folder / "fetched"
    try:
        data.place(place.relative_to(files.project).as_posix(), version)
    except PipelineFailed:
        return None
    return place
