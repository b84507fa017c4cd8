"""Models by version: BentoML's model store, where a version is written once and never changed."""

import gzip
import platform
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

import yaml

from releve.adapters.files import write_bytes
from releve.adapters.models import model_runtime
from releve.adapters.models.description import DESCRIPTION, ModelDescription, parse_description, read_description
from releve.core.errors import NotFound
from releve.core.names import ModelTag

DAY_SECONDS = 86400.0
NAME = re.compile(r"\w[\w.-]*")


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
        beside, models = self._root / "tmp", self._root / "models" / scenario
        for made in (beside, models):
            made.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=beside) as work_dir:  # the version is there whole or not at all
            made = Path(work_dir) / version
            shutil.copytree(folder, made)
            (made / "model.yaml").write_text(yaml.safe_dump(_manifest(scenario, version, labels), sort_keys=False))
            made.replace(models / version)
        write_bytes(models / "latest", version.encode())
        return self.get(tag)

    def get(self, tag: str) -> StoredModel:
        """Where a version lies, with the digest of its files. Raises NotFound."""
        path = self.folder(tag)
        return StoredModel(tag, model_runtime.folder_digest(path), path)

    def folder(self, tag: str) -> Path:
        """Where a version lies. Raises NotFound."""
        named = ModelTag.parse(tag)
        path = self._root / "models" / named.scenario / named.version
        if not _is_name(named) or not (path / "model.yaml").is_file():
            raise NotFound(
                f"there is no model {tag} in {self._root}; `make history` lists those that were released. Where its "
                f"files left the store, make rebuild MODEL={tag} puts them back"
            )
        return path

    def tags(self, scenario: str) -> set[str]:
        """Name the versions whose files are there."""
        return {f"{scenario}:{each.parent.name}" for each in (self._root / "models" / scenario).glob("*/model.yaml")}

    def describe(self, tag: str) -> ModelDescription:
        """Read what a version says of itself, also after its files left. Raises NotFound, BadInput where damaged."""
        record = self._record(tag)
        if _is_name(ModelTag.parse(tag)) and record.is_file() and tag not in self.tags(ModelTag.parse(tag).scenario):
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
        return model_runtime.load(self.folder(tag), tag=tag, digest=digest)


def _is_name(tag: ModelTag) -> bool:
    """Whether both parts name one folder, of this store."""
    return all(NAME.fullmatch(part) for part in (tag.scenario, tag.version))


def discard(folder: Path, *, work_dir: Path) -> None:
    """Delete a folder whole: it is renamed into `work_dir` first, which `ModelStore.sweep` clears after a kill."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work_dir, ignore_cleanup_errors=True) as scratch:
        folder.replace(Path(scratch) / folder.name)


def _manifest(name: str, version: str, labels: dict[str, str]) -> dict[str, object]:
    """What BentoML writes of a model; importing BentoML to have it written costs more than all else of a save."""
    return {
        "name": name,
        "version": version,
        "module": "",
        "labels": labels,
        "options": {},
        "metadata": {},
        "context": {
            "framework_name": "",
            "framework_versions": {},
            "bentoml_version": installed_version("bentoml"),
            "python_version": platform.python_version(),
        },
        "signatures": {},
        "api_version": "v1",
        "creation_time": datetime.now(UTC).isoformat(),
    }
