"""Models by version: BentoML's model store, where a version is written once and never changed."""

import gzip
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.models import model_runtime
from releve.adapters.models.description import DESCRIPTION, ModelDescription, parse_description, read_description
from releve.core.errors import NotFound
from releve.core.names import ModelTag

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class StoredModel:
    """A model version in the store."""

    tag: str  # "<scenario>:<version>"
    digest: str
    path: Path


class ModelStore:
    """The store below BENTOML_HOME (`<home>/bentoml`)."""

    def __init__(self, home: Path):
        self._root = home / "bentoml"

    def save(self, folder: Path, *, scenario: str, version: str, labels: dict[str, str]) -> StoredModel:
        """Copy the files of `folder` in as `<scenario>:<version>`; a version that is there already stays as it is."""
        tag = f"{scenario}:{version}"
        try:
            return self.get(tag)
        except NotFound:
            pass
        os.environ["BENTOML_DO_NOT_TRACK"] = "True"
        import bentoml
        from bentoml._internal.models.model import ModelStore as Folder

        beside, models = self._root / "tmp", self._root / "models" / scenario
        for made in (beside, models):
            made.mkdir(parents=True, exist_ok=True)
        # a store beside ours, where BentoML may be killed while it writes: the version is there whole or not at all
        with tempfile.TemporaryDirectory(dir=beside) as work_dir:
            # Named outright: BENTOML_HOME is read once per process, and a test has many homes.
            with bentoml.models.create(tag, labels=labels, metadata={}, _model_store=Folder(work_dir)) as model:
                for source in sorted(folder.iterdir()):
                    Path(model.path_of(source.name)).write_bytes(source.read_bytes())
            (Path(work_dir) / scenario / version).replace(models / version)
        write_bytes(models / "latest", version.encode())
        return self.get(tag)

    def get(self, tag: str) -> StoredModel:
        """Where a version lies. Raises NotFound."""
        named = ModelTag.parse(tag)
        path = self._root / "models" / named.scenario / named.version
        if not named.version or not (path / "model.yaml").is_file():
            raise NotFound(
                f"there is no model {tag} in {self._root}; `make history` lists those that were released. Where its "
                f"files left the store, make rebuild MODEL={tag} puts them back"
            )
        return StoredModel(tag, model_runtime.folder_digest(path), path)

    def tags(self, scenario: str) -> set[str]:
        """Name the versions whose files are there."""
        return {f"{scenario}:{each.parent.name}" for each in (self._root / "models" / scenario).glob("*/model.yaml")}

    def describe(self, tag: str) -> ModelDescription:
        """Read what a version says of itself, also after its files left. Raises NotFound, BadInput where damaged."""
        record = self._record(tag)
        if record.is_file() and tag not in self.tags(ModelTag.parse(tag).scenario):
            return parse_description(gzip.decompress(record.read_bytes()), tag=tag)
        return read_description(self.get(tag).path, tag=tag)

    def remove(self, tag: str) -> None:
        """Take a version's files away, and keep its description. Nothing happens where they are gone.

        The folder leaves the store by one rename: whoever is killed leaves a whole version, or none.
        """
        try:
            stored = self.get(tag)
        except NotFound:
            return
        write_bytes(self._record(tag), gzip.compress((stored.path / DESCRIPTION).read_bytes(), mtime=0))
        discard(stored.path, work_dir=self._root / "tmp")

    def sweep(self, *, older_seconds: float = DAY_SECONDS) -> list[Path]:
        """Remove what killed processes left half-written; a younger folder may be one that another is writing."""
        latest = time.time() - older_seconds
        left = [path for path in (self._root / "tmp").glob("*") if path.stat().st_mtime < latest]
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return left

    def _record(self, tag: str) -> Path:
        named = ModelTag.parse(tag)
        return self._root / "left" / named.scenario / f"{named.version}.json.gz"

    def load(self, tag: str, *, digest: str | None = None) -> model_runtime.Model:
        """Load a version; `digest` (from the registry) must match its files."""
        return model_runtime.load(self.get(tag).path, tag=tag, digest=digest)


def discard(folder: Path, *, work_dir: Path) -> None:
    """Delete a folder whole: it is renamed into `work_dir` first, which `ModelStore.sweep` clears after a kill."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work_dir, ignore_cleanup_errors=True) as scratch:
        folder.replace(Path(scratch) / folder.name)
