"""Bentos: a model version packed with the service that answers with it, built without a network."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from releve.adapters.files import write_bytes
from releve.adapters.models.description import DESCRIPTION, ModelDescription
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput, ReleveError, storage_refusal

NAME = "releve"  # the service's name, as service.py says it
BUILD = (sys.executable, "-m", "bentoml", "build", "--output", "tag")
SECONDS = 300  # for a build; about 10 are usual
# What an image installs, by the runtime of its model: scikit-learn only where it answers.
LOCKS = {"onnx": "./requirements-service.lock", "sklearn": "./requirements-service-native.lock"}


class BuildFailed(ReleveError):
    """BentoML could not build."""

    code = "build_failed"


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
    if (packed := _packed_tag(built.path)) != model_tag:
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
    store = home / "bentoml"
    (store / "tmp").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store / "tmp") as scratch:
        work_dir = Path(scratch)
        (work_dir / "models").symlink_to(store / "models")
        options = work_dir / "bentofile.yaml"
        options.write_text(yaml.safe_dump(_options(project, home, model_tag)), encoding="utf-8")
        run = _bentoml_build(project, work_dir, "--bentofile", str(options), "--version", version)
        if run.returncode:
            if refused := storage_refusal(run.stderr):
                raise type(refused)(f"bentoml build of {NAME}:{version} failed: {refused}")
            raise BuildFailed(f"bentoml build of {NAME}:{version} failed: {_last_lines(run.stderr or run.stdout)}")
        _publish(work_dir, store, version)


def _bentoml_build(project: Path, work_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [*BUILD, *options, str(project)],
            cwd=project,
            env=_environment(work_dir),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(
            f"bentoml build was not done after {SECONDS:g} s and was stopped; about 10 s are usual. Nothing was "
            "built: try again when the machine is less busy"
        ) from None


def _publish(work_dir: Path, store: Path, version: str) -> None:
    bentos = store / "bentos" / NAME
    bentos.mkdir(parents=True, exist_ok=True)
    (work_dir / "bentos" / NAME / version).replace(bentos / version)
    write_bytes(bentos / "latest", version.encode())


def _options(project: Path, home: Path, model_tag: str) -> dict[str, Any]:
    """bentofile.yaml with the model, and what a container of it needs to know and to install."""
    path = project / "bentofile.yaml"
    if not path.is_file():
        raise BadInput(f"bentofile.yaml is missing in {project}; run this from the project's folder")
    options: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    scenario = model_tag.partition(":")[0]
    envs = [{"name": "RELEVE_SCENARIO", "value": scenario}]
    described = ModelDescription.model_validate_json((ModelStore(home).get(model_tag).path / DESCRIPTION).read_bytes())
    python = {**options.get("python", {}), "requirements_txt": LOCKS[described.runtime]}
    return {**options, "python": python, "models": [model_tag], "envs": [*options.get("envs", []), *envs]}


def _environment(bentoml_home: Path) -> dict[str, str]:
    """BentoML calls `uv`, which lies beside the interpreter, and would install one when it finds none."""
    beside = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "BENTOML_HOME": str(bentoml_home),
        "BENTOML_DO_NOT_TRACK": "True",
        "PATH": os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]),
    }


def _packed_tag(path: Path) -> str:
    described = yaml.safe_load((path / "bento.yaml").read_text(encoding="utf-8"))
    return next((model["tag"] for model in described.get("models", [])), "none")


def _last_lines(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-5:]) or "it printed nothing"
