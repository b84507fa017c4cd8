"""What the refresh before left: its fitted members, its forward answers, and the older ensembles that it kept."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from releve.adapters.models.memory_files import MemoryFolder
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.kept import before_name, kept_name, kept_weights, still_kept
from releve.domain.ensemble.memory import KeptEnsemble, Memory
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.schema import Schema
from tasks.pipeline.stage import say
from tasks.pipeline.training.refresh import Refresh


@dataclass(frozen=True, eq=False)
class Before:
    """The refresh before: its memory, and where its files are."""

    folder: MemoryFolder
    memory: Memory
    windows: tuple[ForwardWindow, ...]  # on its record
    answering: tuple[KeptEnsemble, ...]  # older ensembles that answer new rows
    kept: tuple[KeptEnsemble, ...]  # those of them that stay
    ensemble: KeptEnsemble | None  # what it put forward, as a member; None where this refresh fits nothing newer

    def path_of(self, kept: KeptEnsemble, file: str) -> Path:
        """Return where a member of an older ensemble lies; one that is kept from now on has its members' files."""
        if kept in self.memory.kept:
            return self.folder.kept_path(kept.name, file)
        return self.folder.path_of(self.memory, file)


def remembered(refresh: Refresh) -> Before | None:
    """Read the memory that inputs.yaml names; None where there is none, or it is of another table."""
    stage, rows = refresh.stage, refresh.data.rows
    folder = MemoryFolder(stage.files.folder / refresh.inputs.memory)
    if not folder.exists:
        return None
    memory = folder.memory
    if memory.table != table_digest(stage.schema):
        say("the table is described in another way than before: a fresh start")
        return None
    on_record = zip(memory.windows, folder.windows(memory), strict=True)
    corrected = [as_corrected(window, refresh, record.rows) for record, window in on_record]
    windows = tuple(window for window in corrected if window is not None)
    if memory.rows > len(rows) or len(windows) < len(corrected):
        say(f"the oldest {memory.rows} rows are not those that the memory is of: a fresh start")
        return None
    name = before_name(memory.refresh - 1)
    answering, ensemble = memory.kept, next((each for each in memory.kept if each.name == name), None)
    if memory.learned < len(rows) and not refresh.inputs.reweighs:
        own = {memory.files[name]: 0.0 for name in memory.weighing.serving if name in memory.files}
        older = dict[str, float]()
        kept = {each.name: each for each in memory.kept}
        for name, weight in memory.weighing.serving.items():
            if name in memory.files:
                own[memory.files[name]] += weight
            else:
                older |= {f"{name}.{file}": weight * part for file, part in kept[name].members.items()}
        ensemble = KeptEnsemble(name=before_name(memory.refresh), members={**own, **older})
        if own and (name := kept_name(memory.refresh)):
            answering = (*answering, KeptEnsemble(name=name, members=kept_weights(own)))
    if not stage.params.train.ensemble:  # what was kept may have served, and answers for the last time
        return Before(folder, memory, windows, memory.kept, kept=(), ensemble=None)
    stay = still_kept([each.name for each in answering if each is not ensemble])
    return Before(folder, memory, windows, answering, tuple(each for each in answering if each.name in stay), ensemble)


def as_corrected(window: ForwardWindow, refresh: Refresh, block: Fold) -> ForwardWindow | None:
    """Return the window with the labels that its rows have now; None where one differs that nobody corrected."""
    truth, is_corrected = refresh.data.truth(block), refresh.is_corrected[block.start : block.end]
    if len(truth) != len(window) or (truth != window.truth)[~is_corrected].any():
        return None
    return replace(window, truth=truth)


def table_digest(schema: Schema) -> str:
    """Digest the table's description."""
    return hashlib.sha256(json.dumps(schema.as_dict(), sort_keys=True, default=str).encode()).hexdigest()
