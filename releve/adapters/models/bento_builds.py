"""Bentos: a model version packed with the service that answers with it, built without a network."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from releve.adapters.files import write_bytes
from releve.adapters.models.description import read_description
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput, ReleveError, storage_refusal
from releve.core.names import ModelTag
from releve.core.yaml_text import load_mapping

NAME = "releve"  # the service's name, as service.py says it
BUILD = (sys.executable, "-m", "bentoml", "build", "--output", "tag")
SECONDS = 300  # for a build; about 10 are usual
# What an image installs, by the runtime of its model: scikit-learn only where it answers.
LOCKS = {"onnx": "./requirements-service.lock", "sklearn": "./requirements-service-native.lock"}


class BuildFailed(ReleveError):
    """BentoML could not build."""

    code = "build_failed"


class BentoModel(BaseModel):
    """One model that a Bento names."""

    tag: str


class BentoManifest(BaseModel):
    """What is read of bento.yaml, which BentoML writes into every Bento."""

    models: tuple[BentoModel, ...] = ()


@dataclass(frozen=True)
class BuiltBento:
    """A Bento in the store below BENTOML_HOME."""

    tag: str  # "releve:<version>"
    path: Path


@dataclass(frozen=True)
class PackedModel:
    """The model version inside the Bento that is being served."""

    tag: str
    path: Path
    home: Path  # where its answers are kept when nobody says where


def build(project: Path, home: Path, model_tag: str, *, version: str) -> BuiltBento:
    """Pack `model_tag` with the service as `releve:<version>`; a version that is there already is returned as it is.

    Raises NotFound for a model that is not in the store, BadInput when that version packs another model, BuildFailed.
    """
    ModelStore(home).get(model_tag)
    built = BuiltBento(f"{NAME}:{version}", home / "bentoml" / "bentos" / NAME / version)
    if not (built.path / "bento.yaml").is_file():
        _run_build(project, home, model_tag, version)
    manifest = BentoManifest.model_validate(yaml.safe_load((built.path / "bento.yaml").read_text(encoding="utf-8")))
    packed = manifest.models[0].tag if manifest.models else "none"
    if packed != model_tag:
        raise BadInput(
            f"{built.tag} packs the model {packed}, not {model_tag}; a version is built once: choose another"
        )
    return built


def packed_model(bento: Any) -> PackedModel | None:
    """The model inside `bento`, the one that BentoML serves from; None for a checkout, or when it packs none.

    BentoML does not set a Bento's environment when it serves it, so the service asks the Bento itself.
    """
    if bento is None or not bento.info.all_models:
        return None
    import bentoml
    from bentoml._internal.configuration.containers import BentoMLContainer

    model = bentoml.models.get(bento.info.all_models[0].tag)
    return PackedModel(str(model.tag), Path(model.path), Path(BentoMLContainer.bentoml_home.get()) / "var")


def _run_build(project: Path, home: Path, model_tag: str, version: str) -> None:
    """`bentoml build` in a process of its own: it imports the service, which no flow should.

    It builds into a store of its own and the Bento is renamed into ours: whoever is killed leaves no half of one.
    """
    bentofile = project / "bentofile.yaml"
    if not bentofile.is_file():
        raise BadInput(f"bentofile.yaml is missing in {project}; run this from the project's folder")
    options = load_mapping(bentofile.read_bytes(), source=bentofile.name)
    described = read_description(ModelStore(home).get(model_tag).path, tag=model_tag)
    options["models"] = [model_tag]
    options.setdefault("python", {})["requirements_txt"] = LOCKS[described.runtime]
    options.setdefault("envs", []).append({"name": "RELEVE_SCENARIO", "value": ModelTag.parse(model_tag).scenario})
    store = home / "bentoml"
    (store / "tmp").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store / "tmp") as scratch:
        work_dir = Path(scratch)
        (work_dir / "models").symlink_to(store / "models")
        extended = work_dir / "bentofile.yaml"
        extended.write_text(yaml.safe_dump(options), encoding="utf-8")
        # BentoML calls `uv`, which lies beside the interpreter, and would install one when it finds none
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        try:
            run = subprocess.run(
                [*BUILD, "--bentofile", str(extended), "--version", version, str(project)],
                cwd=project,
                env={**os.environ, "BENTOML_HOME": scratch, "BENTOML_DO_NOT_TRACK": "True", "PATH": path},
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise BuildFailed(
                f"bentoml build was not done after {SECONDS:g} s and was stopped; about 10 s are usual. Nothing was "
                "built: try again when the machine is less busy"
            ) from None
        if run.returncode:
            if refused := storage_refusal(run.stderr):
                raise type(refused)(f"bentoml build of {NAME}:{version} failed: {refused}")
            lines = [line.strip() for line in (run.stderr or run.stdout).splitlines() if line.strip()]
            output = " | ".join(lines[-5:]) or "it printed nothing"
            raise BuildFailed(f"bentoml build of {NAME}:{version} failed: {output}")
        bentos = store / "bentos" / NAME
        bentos.mkdir(parents=True, exist_ok=True)
        (work_dir / "bentos" / NAME / version).replace(bentos / version)
        write_bytes(bentos / "latest", version.encode())
