"""Every data version that a scenario ever had, read without a checkout: git says which, DVC has the rows."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.git_dvc.data_versions import data_version
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git, git_texts
from releve.adapters.git_dvc.stored_files import StoredFiles
from releve.core.errors import BadInput, NotFound
from releve.core.params import Data
from releve.core.yaml_text import load_mapping
from releve.domain.ingestion.row_versions import positions_in
from releve.domain.schema.schema import BATCH, ROW, Schema

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5  # versions that a message names


@dataclass(frozen=True)
class DataVersion:
    """All rows up to and including one batch."""

    batch: str  # the newest batch in it
    batch_rows: int
    batches: int
    rows: int  # of all batches in it
    data_version: str  # DVC's md5 of the batches together, "<md5>.dir"
    revision: str  # git commit
    at: str  # of that commit, ISO 8601, UTC


class DataHistory:
    """The data versions of one scenario of the repository at `project`; nothing there is changed or checked out."""

    def __init__(self, project: Path, scenario: str, *, remote: Data | None = None):
        self._project, self._branch, self._remote = project, ScenarioBranch(project, scenario), remote

    def versions(self) -> list[DataVersion]:
        """List the versions, oldest first. Raise NotFound where the repository has no branch of this scenario."""
        self._tip()
        listed = f"--first-parent --reverse --format=%H {self._branch.name} --".split()
        revisions = git(self._project, "log", *listed, self._path("batches.dvc")).splitlines()
        return [version for version in self._described(revisions) if version is not None]

    def find(self, version: str | None = None) -> DataVersion:
        """Find a version by batch (its name or the beginning), data version, or any git revision; None is the newest.

        Raise NotFound, and BadInput where the beginning fits several.
        """
        if version is None:
            return self._at(self._tip())
        known = self.versions()
        newest = {one.batch: one for one in known}  # a batch that lost rows since is there in two versions
        matches = [
            one
            for one in known
            if (one.batch.startswith(version) and one is newest[one.batch]) or one.data_version.startswith(version)
        ]
        if len(matches) > 1:
            raise BadInput(f"{version!r} fits {_named(matches)}; give more of the name")
        return matches[0] if matches else self._at(version, known=known)

    def newest(self) -> DataVersion | None:
        """Return the newest version; None where nothing was ingested yet."""
        tip = self._branch.tip()
        return self.behind(tip) if tip else None

    def behind(self, revision: str) -> DataVersion | None:
        """Find what a revision of the branch was made from, by the commit that brought its newest batch.

        None where it has no batches, or this repository has no such revision. The history before is not read.
        """
        path = self._path("batches.dvc")
        commit = git(self._project, "log", "-1", "--format=%H", revision, "--", path, check=False)
        return self._described([commit])[0] if commit else None

    def schema(self, version: DataVersion) -> Schema:
        """Read the feature schema of that time."""
        source = f"params.yaml at {version.revision[:12]}"
        return Schema.from_dict(load_mapping(self._text(version, "params.yaml"), source=source), source=source)

    def read(self, version: DataVersion) -> "pd.DataFrame":
        """Read all rows, oldest batch first, as they were ingested: features, target, other columns, `_batch`, `_row`.

        A column that a batch does not have is missing in its rows, and rows that were erased since are not there. Raise
        PipelineFailed for a file that neither the cache nor the remote has as it was, RemoteUnavailable where the
        remote is needed and away.
        """
        import pandas as pd

        schema = self.schema(version)
        stored = StoredFiles(
            self._project, version.revision, remote=self._remote, what=f"data version {version.data_version}"
        )
        tip = self._at(self._tip())
        left = StoredFiles(self._project, tip.revision, remote=self._remote, what=f"data version {tip.data_version}")
        erased = {line["batch"] for line in _lines(self._text(tip, "batches.csv")) if int(line.get("erased", 0))}
        frames: list[pd.DataFrame] = []
        for batch in (line["batch"] for line in _lines(self._text(version, "batches.csv"))):
            source = left if batch in erased else stored
            frame = pd.read_parquet(io.BytesIO(source.read(self._path(f"batches/{batch}.parquet"))))
            frame[BATCH], frame[ROW] = batch, positions_in(frame)
            frames.append(frame)
        rows = pd.concat(frames, ignore_index=True)
        first = [name for name in (*(column.name for column in schema.columns), schema.target.name) if name in rows]
        return rows[[*first, *(name for name in rows if name not in (*first, BATCH, ROW)), BATCH, ROW]]

    def _described(self, revisions: Sequence[str]) -> list[DataVersion | None]:
        """Describe the version of each revision; None where it has no batches."""
        names = [f"{revision}:{self._path(name)}" for revision in revisions for name in ("batches.dvc", "batches.csv")]
        texts, commits = git_texts(self._project, names), git_texts(self._project, revisions)
        versions: list[DataVersion | None] = []
        for revision, dvc_file, batch_list, commit in zip(revisions, texts[::2], texts[1::2], commits, strict=True):
            if dvc_file is None or batch_list is None or commit is None:
                versions.append(None)
                continue
            rows = {line["batch"]: int(line["rows"]) - int(line.get("erased", 0)) for line in _lines(batch_list)}
            newest = list(rows)[-1]
            committer = next(line for line in commit.splitlines() if line.startswith("committer "))
            versions.append(
                DataVersion(
                    batch=newest,
                    batch_rows=rows[newest],
                    batches=len(rows),
                    rows=sum(rows.values()),
                    data_version=data_version(dvc_file),
                    revision=revision,
                    at=datetime.fromtimestamp(int(committer.split()[-2]), UTC).isoformat(),  # NAME <EMAIL> SECONDS ZONE
                )
            )
        return versions

    def _at(self, revision: str, *, known: list[DataVersion] | None = None) -> DataVersion:
        named = f"{revision}^{{commit}}"
        commit = git(self._project, "rev-parse", "--verify", "--quiet", "--end-of-options", named, check=False)
        version = self._described([commit])[0] if commit else None
        if version is None:
            what = "holds no batches" if commit else "is no batch, data version or git revision"
            raise NotFound(f"{revision!r} {what} of {self._branch.scenario}; there are {_named(known or [])}")
        return version

    def _tip(self) -> str:
        if tip := self._branch.tip():
            return tip
        name = self._branch.name
        raise NotFound(
            f"this repository has no branch {name}: nothing was ingested here yet. To read what another clone "
            f"ingested, fetch its branch: git fetch origin {name}:{name}"
        )

    def _text(self, version: DataVersion, name: str) -> str:
        return git(self._project, "show", f"{version.revision}:{self._path(name)}")

    def _path(self, name: str) -> str:
        return f"scenarios/{self._branch.scenario}/{name}"


def _lines(batch_list: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(batch_list)))


def _named(versions: list[DataVersion]) -> str:
    names = [version.batch for version in versions[-SHOWN:]]
    return ", ".join(["...", *names] if len(versions) > SHOWN else names) or "none yet"
