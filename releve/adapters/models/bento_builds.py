"""Bentos: a model version packed with the service that answers with it, built without a network."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from releve.adapters.files import write_bytes
from releve.adapters.models.description import read_description
from releve.adapters.models.model_store import ModelStore, StoredModel, discard
from releve.core.environments import CHOSEN
from releve.core.errors import BadInput, ReleveError, storage_refusal
from releve.core.names import ModelTag
from releve.core.yaml_text import load_mapping

NAME = "releve"  # the service's name, as service.py says it
SCENARIO = "RELEVE_SCENARIO"  # the variable by which a Bento knows whose model it packs
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


def copy_built(home: Path, model_tag: str, *, version: str, sources: str) -> BuiltBento | None:
    """Make `releve:<version>` with `model_tag` from a Bento of the same `sources`; None where there is none.

    A Bento holds code, which every scenario shares, and the names of its model and scenario, which are written anew.
    `sources` is a digest of the files that the code comes from. Raises NotFound for a model that is not in the store,
    BadInput when that version packs another model.
    """
    model = ModelStore(home).get(model_tag)
    bentos = home / "bentoml" / "bentos" / NAME
    known = _known(home, model, sources)
    template = bentos / known.read_text(encoding="utf-8") if known.is_file() else None
    if template is None or not (template / "bento.yaml").is_file():
        return None
    if not (bentos / version / "bento.yaml").is_file():
        made = yaml.load((model.path / "model.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["creation_time"]
        with _scratch(home) as work_dir:
            copied = work_dir / version
            try:
                _copy(template, copied)
            except (OSError, shutil.Error):
                if (template / "bento.yaml").is_file():
                    raise
                return None  # its scenario was tidied up meanwhile
            scenario = {SCENARIO: ModelTag.parse(model_tag).scenario}
            with _rewritten(copied / "bento.yaml") as manifest:
                manifest |= {"version": version, "creation_time": datetime.now(UTC).isoformat()}
                manifest["models"] = [{"tag": model_tag, "module": "", "creation_time": made}]
                manifest["envs"] = _with_values(manifest["envs"], scenario)
            with _rewritten(copied / "src" / "bentofile.yaml") as options:
                options["models"] = [{**options["models"][0], "tag": model_tag}]
                options["envs"] = _with_values(options["envs"], scenario)
                options["docker"]["env"] |= scenario
            _rewrite_argument(copied / "env" / "docker" / "Dockerfile", scenario)
            _put_in_place(copied, bentos / version, known)
    return _checked(home, model_tag, version)


def _copy(template: Path, copied: Path) -> None:
    try:
        shutil.copytree(template, copied, copy_function=os.link)
    except (OSError, shutil.Error):  # no hard links here
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(template, copied)


def build(project: Path, home: Path, model_tag: str, *, version: str, sources: str) -> BuiltBento:
    """Pack `model_tag` with the service as `releve:<version>`; a version that is there already is returned as it is.

    `sources` names the files of `project` for `copy_built`. Raises NotFound for a model that is not in the store,
    BadInput when that version packs another model, BuildFailed.
    """
    model = ModelStore(home).get(model_tag)
    if not (home / "bentoml" / "bentos" / NAME / version / "bento.yaml").is_file():
        _run_build(project, home, model, version, sources)
    return _checked(home, model_tag, version)


def _checked(home: Path, model_tag: str, version: str) -> BuiltBento:
    """The Bento of this version, which must pack this model."""
    built = BuiltBento(f"{NAME}:{version}", home / "bentoml" / "bentos" / NAME / version)
    text = (built.path / "bento.yaml").read_text(encoding="utf-8")
    manifest = BentoManifest.model_validate(yaml.load(text, yaml.CSafeLoader))  # a quarter of a megabyte
    packed = manifest.models[0].tag if manifest.models else "none"
    if packed != model_tag:
        raise BadInput(
            f"{built.tag} packs the model {packed}, not {model_tag}; a version is built once: choose another"
        )
    return built


def _known(home: Path, model: StoredModel, sources: str) -> Path:
    """The file that names the newest Bento of the same sources, runtime, environment and BentoML."""
    settings = sorted(f"{key}={value}" for key, value in os.environ.items() if key.startswith("RELEVE_"))
    described = read_description(model.path, tag=model.tag)
    identity = [
        sources,
        described.runtime,
        sys.version,
        installed_version("bentoml"),
        *settings,
    ]
    return home / "bentoml" / "sources" / hashlib.sha256("\0".join(identity).encode()).hexdigest()


@contextmanager
def _rewritten(path: Path) -> Iterator[dict[str, Any]]:
    """The content of a YAML file, which is written anew as BentoML writes it; a file that shares its bytes stays."""
    values = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    yield values
    path.unlink()
    path.write_text(yaml.dump(values, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8")


def _with_values(envs: list[dict[str, Any]], values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{**each, "value": values.get(each["name"], each["value"])} for each in envs]


def _rewrite_argument(dockerfile: Path, values: Mapping[str, str]) -> None:
    text = dockerfile.read_text(encoding="utf-8")
    for name, value in values.items():
        text = re.sub(rf"^ARG {name}=.*$", f"ARG {name}={value}", text, flags=re.MULTILINE)
    dockerfile.unlink()
    dockerfile.write_text(text, encoding="utf-8")


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """A folder beside the Bentos, in which whoever is killed leaves no half of one."""
    beside = home / "bentoml" / "tmp"
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside) as scratch:
        yield Path(scratch)


def _put_in_place(made: Path, place: Path, known: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    made.replace(place)
    write_bytes(place.parent / "latest", place.name.encode())
    write_bytes(known, place.name.encode())


def remove(home: Path, model_tag: str) -> None:
    """Take the Bento of a model version away; nothing happens where there is none. `build` makes it again."""
    bentos = home / "bentoml"
    folder = bentos / "bentos" / NAME / ModelTag.parse(model_tag).version
    if folder.is_dir():
        discard(folder, work_dir=bentos / "tmp")


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


def _run_build(project: Path, home: Path, model: StoredModel, version: str, sources: str) -> None:
    """`bentoml build` in a process of its own: it imports the service, which no flow should.

    It builds into a store of its own and the Bento is renamed into ours.
    """
    bentofile = project / "bentofile.yaml"
    if not bentofile.is_file():
        raise BadInput(f"bentofile.yaml is missing in {project}; run this from the project's folder")
    options = load_mapping(bentofile.read_bytes(), source=bentofile.name)
    described = read_description(model.path, tag=model.tag)
    options["models"] = [model.tag]
    options.setdefault("python", {})["requirements_txt"] = LOCKS[described.runtime]
    options.setdefault("envs", []).append({"name": SCENARIO, "value": ModelTag.parse(model.tag).scenario})
    store = home / "bentoml"
    with _scratch(home) as work_dir:
        (work_dir / "models").symlink_to(store / "models")
        extended = work_dir / "bentofile.yaml"
        extended.write_text(yaml.safe_dump(options), encoding="utf-8")
        # BentoML calls `uv`, which lies beside the interpreter, and would install one when it finds none
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        try:
            run = subprocess.run(
                [*BUILD, "--bentofile", str(extended), "--version", version, str(project)],
                cwd=project,
                env={
                    **{key: value for key, value in os.environ.items() if key != CHOSEN},
                    **{"BENTOML_HOME": str(work_dir), "BENTOML_DO_NOT_TRACK": "True", "PATH": path},
                },
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
        place = store / "bentos" / NAME / version
        _put_in_place(work_dir / "bentos" / NAME / version, place, _known(home, model, sources))
