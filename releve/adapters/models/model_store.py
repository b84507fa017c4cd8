"""Models by version: BentoML's model store, where a version is written once and never changed."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.models import model_runtime
from releve.core.errors import NotFound
from releve.core.names import ModelTag


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
            raise NotFound(f"there is no model {tag} in {self._root}; `make history` lists those that were released")
        return StoredModel(tag, model_runtime.folder_digest(path), path)

    def load(self, tag: str, *, digest: str | None = None) -> model_runtime.Model:
        """Load a version; `digest` (from the registry) must match its files."""
        return model_runtime.load(self.get(tag).path, tag=tag, digest=digest)
