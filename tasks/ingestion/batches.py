"""The batches on a scenario's branch: what there is, and how another one is added."""

import csv
import io
import json
import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from releve.adapters.files import (
    NO_MEMORY,
    ParquetAppender,
    read_document,
    read_inputs,
    write_bytes,
    write_document,
    write_inputs,
    write_parquet,
)
from releve.adapters.git_dvc.data_versions import DataVersions, data_version
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree
from releve.core.documents import DocumentPart
from releve.domain.erasure.erasure import ErasedIds
from releve.domain.ingestion.batch_checks import BatchProfile
from releve.domain.ingestion.row_versions import ANSWER_ID, RowVersions, id_columns, positions_in
from releve.domain.registry.events import BatchIngested
from releve.domain.schema.schema import ROW, Schema
from tasks.places import ScenarioFiles

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [name for name in BatchIngested.model_fields if name != "format"]  # of batches.csv, which lists the batches
KEPT_PROFILES = 50  # newest batches that the next ones are compared with


class BatchProfiles(DocumentPart):
    """batches.json: the profiles of the newest batches, by name."""

    format: Literal[1] = 1
    profiles: dict[str, BatchProfile]


def read_batches(branch: ScenarioBranch) -> list[BatchIngested]:
    """Read the batches on the scenario's branch, oldest first."""
    return _parse(branch.read("batches.csv") or "")


class OpenBatches:
    """The batches in a worktree, where others can be added; they are on the branch once `publish` is through."""

    def __init__(self, tree: Worktree, data: DataVersions):
        self._tree, self._data = tree, data
        self._files = ScenarioFiles(tree.path, tree.scenario)
        self._dvc_file = f"scenarios/{tree.scenario}/batches.dvc"
        self._published = tree.tip
        self._row_names: list[pd.DataFrame] = []  # and labels of each batch, as far as a file was compared with them
        self.work_dir = self._files.build / "intake"  # for what is being written; it goes when the worktree goes
        if (tree.path / self._dvc_file).is_file():
            data.checkout(self._dvc_file)
        self._files.batches.mkdir(exist_ok=True)
        inputs = read_inputs(self._files.inputs)
        write_inputs(self._files.inputs, replace(inputs, rows="batches"))

    @property
    def known(self) -> list[BatchIngested]:
        """All batches, those added here included."""
        return _parse(self._files.batch_list.read_text()) if self._files.batch_list.is_file() else []

    def seed(self) -> list[Path]:
        """Run the scenario's first stage; returns the files that it makes."""
        self._data.repro(f"scenarios/{self._tree.scenario}/dvc.yaml:seed")
        return sorted((self._files.folder / "seed").glob("*.parquet"))

    @property
    def profiles(self) -> dict[str, BatchProfile]:
        """Profiles of the newest batches, by name; KEPT_PROFILES at most."""
        path = self._files.batch_profiles
        return read_document(path, BatchProfiles).profiles if path.is_file() else {}

    def next_name(self, digest: str) -> str:
        """Name the next batch."""
        return f"{len(self.known) + 1:08d}-{digest[:8]}"

    def count_versions(self, accepted: ParquetAppender, schema: Schema) -> tuple[int, int]:
        """Count the accepted rows of a file that are later versions of rows that are there, or in the file itself, and
        the rows that are there to which they give another label.

        Labels and what names rows are read once from each batch; `schema` is the same for all files of a run.
        """
        import pandas as pd

        target = schema.target.name
        accepted.close()
        arriving = _names_in(accepted.path, schema)
        unread = self.known[len(self._row_names) :]
        self._row_names += [_names_in(self._path_of(each), schema) for each in unread]
        together = pd.concat([*self._row_names, arriving], ignore_index=True)
        versions, place = RowVersions.of(together, schema), len(together) - len(arriving)
        return versions.superseded_from(place), versions.corrected_from(place, together[target].to_numpy())

    def add(self, batch: BatchIngested, accepted: ParquetAppender, profile: BatchProfile) -> None:
        """Version the accepted rows of a file as the newest batch, and push them. Raise RemoteUnavailable.

        Each batch is a commit with a data version of its own, so that any of them can be returned to. `dvc push` sends
        what the newest version needs alone, so each one is pushed before the next is made.
        """
        accepted.close()
        accepted.move(self._path_of(batch))
        newest = dict(list({**self.profiles, batch.batch: profile}.items())[-KEPT_PROFILES:])
        write_document(self._files.batch_profiles, BatchProfiles(profiles=newest))
        self._write_list([*self.known, batch])
        version = self._version([batch.batch])
        title = f"{self._tree.scenario}: batch {batch.batch}, {batch.rows} rows from {batch.source}"
        self._tree.commit(f"{title}\n\ndata version {version}")

    def find(self, wanted: ErasedIds, answers: Container[str], schema: Schema) -> dict[str, dict[int, str]]:
        """Find the rows to erase of each batch: their position in its file, and the id that names each.

        `answers`: row ids of the answers that are erased, which a harvested row may have been; "" names a row of them.
        """
        found: dict[str, dict[int, str]] = {}
        for batch in self.known:
            names = _names_in(self._path_of(batch), schema)
            own = [wanted.find(cell) for cell in names[schema.id]] if schema.id else [None] * len(names)
            rows = {
                place: id_ or (answer if answer in wanted.answers else "")
                for place, (id_, answer) in enumerate(zip(own, names[ANSWER_ID], strict=True))
                if id_ or (answer and answer in answers)
            }
            if rows:
                found[batch.batch] = rows
        return found

    def positions(self, found: Mapping[str, Collection[int]]) -> dict[str, tuple[int, ...]]:
        """Say where rows stood when their batch was ingested, in the place of where they stand in its file now."""
        import pandas as pd

        def those_of(batch: str, places: Collection[int]) -> tuple[int, ...]:
            held = positions_in(pd.read_parquet(self._files.batches / f"{batch}.parquet"))
            return tuple(held[sorted(places)].tolist())

        return {batch: those_of(batch, places) for batch, places in found.items()}

    def erase(self, found: Mapping[str, Collection[int]], schema: Schema) -> None:
        """Take rows out of their batches, and forget what was learned from these rows' refreshes: the next one starts
        afresh. The others keep the positions that name them. Raise RemoteUnavailable.
        """
        import pandas as pd

        before = self._later_versions(schema)
        for batch, places in found.items():
            path = self._files.batches / f"{batch}.parquet"
            frame = pd.read_parquet(path)
            frame[ROW] = positions_in(frame)
            write_parquet(path, frame.drop(index=sorted(places)))
        after = self._later_versions(schema)
        self._write_list(
            [
                each.model_copy(
                    update={
                        "erased": each.erased + len(found.get(each.batch, ())),
                        "superseded": each.superseded - before[each.batch] + after[each.batch],
                    }
                )
                for each in self.known
            ]
        )
        self._version(found)
        inputs = read_inputs(self._files.inputs)
        write_inputs(self._files.inputs, replace(inputs, memory=NO_MEMORY))
        for name in ("dvc.lock", "memory.dvc"):
            (self._files.folder / name).unlink(missing_ok=True)

    def _later_versions(self, schema: Schema) -> dict[str, int]:
        """Count the rows of each batch that are not the first version of their row."""
        import pandas as pd

        names = [_names_in(self._path_of(each), schema) for each in self.known]
        versions = RowVersions.of(pd.concat(names, ignore_index=True), schema)
        is_first = np.zeros(len(versions.rows), dtype=bool)
        is_first[versions.first] = True
        ends = np.cumsum([len(each) for each in names])[:-1]
        return {each.batch: int((~part).sum()) for each, part in zip(self.known, np.split(is_first, ends), strict=True)}

    def _path_of(self, batch: BatchIngested) -> Path:
        return self._files.batches / f"{batch.batch}.parquet"

    def _write_list(self, batches: Sequence[BatchIngested]) -> None:
        text = io.StringIO()
        writer: Any = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(each.model_dump() | {"warnings": json.dumps(each.warnings)} for each in batches)
        write_bytes(self._files.batch_list, text.getvalue().encode())

    def _version(self, changed: Iterable[str]) -> str:
        """Make a data version of these batches as they lie here and the others as they were, and push it; return it."""
        paths = [self._files.batches / f"{batch}.parquet" for batch in changed]
        target = self._files.batches.relative_to(self._tree.path).as_posix()
        self._data.revise(target, added={path.name: path for path in paths}, removed=())
        self._data.push(self._dvc_file)
        return data_version((self._tree.path / self._dvc_file).read_text())

    def publish(self, branch: ScenarioBranch) -> None:
        """Move the branch; everything on it was pushed before."""
        if self._tree.tip and self._tree.tip != self._published:
            branch.move(self._tree.tip, expected=self._published)


def as_text(name: str) -> str:
    """Replace every byte of a file's name, or of a message about it, that is not UTF-8."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", name)


def _names_in(path: Path, schema: Schema) -> "pd.DataFrame":
    """Read the labels of a batch, and what names its rows; "" where it does not have a column."""
    import pandas as pd
    import pyarrow.parquet

    wanted = [*id_columns(schema), ANSWER_ID, schema.target.name]
    held = pyarrow.parquet.read_schema(path).names
    names = pd.read_parquet(path, columns=[name for name in wanted if name in held])
    return names.reindex(columns=wanted, fill_value="")


def _parse(text: str) -> list[BatchIngested]:
    lines = csv.DictReader(io.StringIO(text))
    return [BatchIngested.model_validate({**line, "warnings": json.loads(line["warnings"])}) for line in lines]
