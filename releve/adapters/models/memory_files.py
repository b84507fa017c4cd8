"""The folder of a refresh: what it was made of and what the next one starts from. See `domain/ensemble/memory.py`.

memory.json, ensemble.json, importances.json; members/<file>.skops and kept/<ensemble>.<file>.skops, fitted pipelines;
forward/<window>.parquet, the answers to a window. A window's file is written once, so that DVC holds it once.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.files import read_document, write_bytes, write_document
from releve.adapters.models.model_runtime import load_pipeline
from releve.domain.ensemble.description import EnsembleDescription
from releve.domain.ensemble.ensemble import WeightedEnsemble, put_together, weighted
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.memory import KeptEnsemble, Memory, WindowRecord
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.schema.target import Label

MEMORY, ENSEMBLE, IMPORTANCES = "memory.json", "ensemble.json", "importances.json"
BLEND, REFRESHED, SERVED, TRUTH = "_blend", "_refreshed", "_served", "_truth"  # columns; no member is called so


@dataclass(frozen=True)
class MemoryFolder:
    """Reads and writes the folder of a refresh, which is `build/memory`, or `memory` of the next one."""

    path: Path

    @property
    def exists(self) -> bool:
        return (self.path / MEMORY).is_file()

    @property
    def memory(self) -> Memory:
        return read_document(self.path / MEMORY, Memory)

    @property
    def description(self) -> EnsembleDescription:
        return read_document(self.path / ENSEMBLE, EnsembleDescription)

    @property
    def importances(self) -> FeatureImportances:
        return read_document(self.path / IMPORTANCES, FeatureImportances)

    def write_documents(
        self, memory: Memory, description: EnsembleDescription, importances: FeatureImportances
    ) -> None:
        """Write what says what the other files are."""
        write_document(self.path / ENSEMBLE, description)
        write_document(self.path / IMPORTANCES, importances)
        write_document(self.path / MEMORY, memory)

    def members(self, memory: Memory) -> dict[str, Any]:
        """Load the fitted members of the pool; those with the same file are the same object."""
        loaded = {file: load_pipeline(self.member_path(file)) for file in sorted(set(memory.files.values()))}
        return {name: loaded[file] for name, file in memory.files.items()}

    def member_path(self, file: str) -> Path:
        return self.path / "members" / f"{file}.skops"

    def kept_path(self, ensemble: str, file: str) -> Path:
        return self.path / "kept" / f"{ensemble}.{file}.skops"

    def path_of(self, memory: Memory, file: str) -> Path:
        """Return where a fitted pipeline lies that the refresh put forward: a member's, or an older ensemble's."""
        if file in memory.files.values():
            return self.member_path(file)
        return self.path / "kept" / f"{file}.skops"

    def kept(self, ensemble: KeptEnsemble, classes: tuple[Label, ...]) -> WeightedEnsemble:
        """Load an older ensemble."""
        members = [
            (file, load_pipeline(self.kept_path(ensemble.name, file)), w) for file, w in ensemble.members.items()
        ]
        return weighted(members, classes)

    def ensemble(self, memory: Memory, classes: tuple[Label, ...]) -> WeightedEnsemble:
        """Load what the refresh put forward."""
        weights = {name: memory.weighing.serving.get(name, 0.0) for name in memory.exported}
        files = {memory.files[name] for name in weights if name in memory.files}
        loaded = {file: load_pipeline(self.member_path(file)) for file in sorted(files)}
        pipelines = {name: loaded[file] for name, file in memory.files.items() if name in weights}
        kept = {each.name: self.kept(each, classes) for each in memory.kept if each.name in weights}
        return put_together(weights, pipelines, kept, classes)

    def windows(self, memory: Memory) -> tuple[ForwardWindow, ...]:
        """Read the forward answers, the oldest window first."""
        return tuple(self._window(each) for each in memory.windows)

    def _window(self, record: WindowRecord) -> ForwardWindow:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(self._forward_path(record))
        columns = {name: table[name].to_numpy().astype(np.float64) for name in table.column_names}
        outputs: dict[str, list[NDArray[np.float64]]] = {}
        for name, values in columns.items():
            if name != TRUTH:
                outputs.setdefault(name.rpartition(".")[0], []).append(values)
        answers = {name: np.column_stack(values) for name, values in outputs.items()}
        blend, refreshed, served = (answers.pop(name) for name in (BLEND, REFRESHED, SERVED))
        return ForwardWindow(columns[TRUTH], answers, blend, refreshed, served)

    def write_window(self, record: WindowRecord, window: ForwardWindow) -> None:
        """Write the answers to a window, a column for each output; to seven digits, as models answer."""
        import io

        import pyarrow
        import pyarrow.parquet

        named = {BLEND: window.blend, REFRESHED: window.refreshed, SERVED: window.served}
        answers = {name: window.answers[name] for name in sorted(window.answers)} | named
        columns = {
            f"{name}.{place}": values[:, place].astype(np.float32)
            for name, values in answers.items()
            for place in range(values.shape[1])
        }
        made = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table({TRUTH: window.truth, **columns}), made, compression="zstd")
        write_bytes(self._forward_path(record), made.getvalue())

    def _forward_path(self, record: WindowRecord) -> Path:
        return self.path / "forward" / f"{record.name}.parquet"


def identity_of(members: Iterable[tuple[str, float]]) -> str:
    """Compute sha256 over fitted members, each by sha256 of its file, and their weights."""
    parts = sorted(f"{digest} {weight!r}" for digest, weight in members)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
