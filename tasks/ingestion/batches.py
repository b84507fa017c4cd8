"""The batches on a scenario's branch: what there is, and how another one is added."""

import csv
import io
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from releve.adapters.files import ParquetAppender, PipelineInputs, read_inputs, write_bytes, write_inputs, write_json
from releve.adapters.git_dvc.data_versions import DataVersions, data_version
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree
from releve.domain.ingestion.batch_profile import BatchProfile
from tasks.places import ScenarioFiles

KEPT_PROFILES = 50  # newest batches that the next ones are held against


@dataclass(frozen=True)
class IngestedBatch:
    """One ingested file, as batches.csv lists it: rows in the file = rows + rejected."""

    batch: str
    rows: int
    rejected: int
    source: str
    sha256: str
    read_as: str = ""  # what was found out about the file: its encoding, its delimiter
    warnings: str = ""  # what is odd about it as a whole; one sentence a line


def read_batches(branch: ScenarioBranch) -> list[IngestedBatch]:
    """The batches on the scenario's branch, oldest first."""
    return _parse(branch.read("batches.csv") or "")


class OpenBatches:
    """The batches in a worktree, where others can be added; the branch names them once `publish` is through."""

    def __init__(self, tree: Worktree, data: DataVersions):
        self._tree, self._data = tree, data
        self._files = ScenarioFiles(tree.path, tree.scenario)
        self._dvc_file = f"scenarios/{tree.scenario}/batches.dvc"
        self._published = tree.tip
        if (tree.path / self._dvc_file).is_file():
            data.checkout(self._dvc_file)
        self._files.batches.mkdir(exist_ok=True)
        inputs = read_inputs(self._files.inputs)
        write_inputs(self._files.inputs, PipelineInputs("batches", inputs.champion, inputs.seen_rows))

    @property
    def known(self) -> list[IngestedBatch]:
        """All batches, those added here included."""
        return _parse(self._files.batch_list.read_text()) if self._files.batch_list.is_file() else []

    def seed(self) -> list[Path]:
        """The files that the scenario's first stage makes."""
        self._data.repro(f"scenarios/{self._tree.scenario}/dvc.yaml:seed")
        return sorted((self._files.folder / "seed").glob("*.parquet"))

    @property
    def profiles(self) -> dict[str, BatchProfile]:
        """What the newest batches are like, by name; of KEPT_PROFILES at most."""
        path = self._files.batch_profiles
        values = json.loads(path.read_text()) if path.is_file() else {}
        return {name: BatchProfile.from_dict(value) for name, value in values.items()}

    @property
    def room(self) -> Path:
        """A folder for what is being written; it goes when the worktree goes."""
        return self._files.build / "intake"

    def next_name(self, digest: str) -> str:
        """What the next batch is called."""
        return f"{len(self.known) + 1:08d}-{digest[:8]}"

    def add(self, batch: IngestedBatch, accepted: ParquetAppender, profile: BatchProfile) -> IngestedBatch:
        """Version the accepted rows of a file as the newest batch, and push them.

        Each batch is a commit with a data version of its own, so that any of them can be returned to. DVC pushes what
        the newest version needs alone, so each one is pushed before the next is made: one `dvc add` and one
        `dvc push` a file, about a second each. Raises RemoteUnavailable.
        """
        accepted.close()
        accepted.move(self._files.batches / f"{batch.batch}.parquet")
        profiles = {**self.profiles, batch.batch: profile}
        kept = {name: profiles[name].as_dict() for name in list(profiles)[-KEPT_PROFILES:]}
        write_json(self._files.batch_profiles, kept)
        write_bytes(self._files.batch_list, _format([*self.known, batch]).encode())
        self._data.add(str(self._files.batches.relative_to(self._tree.path)))
        self._data.push(self._dvc_file)
        version = data_version((self._tree.path / self._dvc_file).read_text())
        told = f"{self._tree.scenario}: batch {batch.batch}, {batch.rows} rows from {batch.source}"
        self._tree.commit(f"{told}\n\ndata version {version}")
        return batch

    def publish(self, branch: ScenarioBranch) -> None:
        """Move the branch: what it names then was pushed before."""
        if self._tree.tip and self._tree.tip != self._published:
            branch.move(self._tree.tip, expected=self._published)


def as_text(name: str) -> str:
    """A file's name, or what is said of it, with a replacement character for every byte of it that is not UTF-8."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", name)


def _parse(text: str) -> list[IngestedBatch]:
    return [
        IngestedBatch(
            line["batch"],
            int(line["rows"]),
            int(line["rejected"]),
            line["source"],
            line["sha256"],
            line.get("read_as") or "",  # lists of earlier versions have no such column
            line.get("warnings") or "",
        )
        for line in csv.DictReader(io.StringIO(text))
    ]


def _format(batches: list[IngestedBatch]) -> str:
    text = io.StringIO()
    writer: Any = csv.DictWriter(text, [field.name for field in fields(IngestedBatch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(batch) for batch in batches)
    return text.getvalue()
