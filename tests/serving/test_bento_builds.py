"""A Bento that is really built and served."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest
import yaml

from releve.adapters.models import bento_builds
from releve.adapters.models.description import DESCRIPTION
from releve.core.errors import BadInput, NotFound
from tests.factories import PROJECT, make_row, make_stored_model
from tests.serving.process import serving, wait_until

SCENARIO = "digits"  # one that the project has: its params travel with the Bento
REWRITTEN = ("bento.yaml", "bentofile.yaml")
SOURCES = "a digest of what the project's files hold"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bentos")


@pytest.fixture(scope="module")
def built(home: Path) -> bento_builds.BuiltBento:
    stored = make_stored_model(home, "one", scenario=SCENARIO)
    return bento_builds.build(PROJECT, home, stored.tag, version="v1", sources=SOURCES)


def test_a_bento_holds_what_serves_and_nothing_else(built: bento_builds.BuiltBento):
    files = {str(path.relative_to(built.path / "src")) for path in (built.path / "src").rglob("*") if path.is_file()}

    assert {"service.py", "params.yaml", f"scenarios/{SCENARIO}/params.yaml", "releve/serving/native.py"} <= files
    assert not [name for name in files if name.startswith(("tasks", "flows", "tests")) or "__pycache__" in name]


def test_a_bento_installs_what_its_models_runtime_needs(built: bento_builds.BuiltBento, home: Path):
    stored = make_stored_model(home, "by-sklearn", scenario=SCENARIO)
    description = stored.path / DESCRIPTION
    description.write_text(json.dumps(json.loads(description.read_text()) | {"runtime": "sklearn"}))

    native = bento_builds.build(PROJECT, home, stored.tag, version="for-sklearn", sources="sklearn")

    assert "scikit-learn==" in installed_by(native)
    assert "onnxruntime==" in installed_by(built)
    assert "scikit-learn==" not in installed_by(built)


def installed_by(bento: bento_builds.BuiltBento) -> str:
    return (bento.path / "env" / "python" / "requirements.txt").read_text()


def test_a_version_that_is_built_is_returned_as_it_is(built: bento_builds.BuiltBento, home: Path):
    before = (built.path / "bento.yaml").stat().st_mtime_ns

    again = bento_builds.build(PROJECT, home, f"{SCENARIO}:one", version="v1", sources=SOURCES)

    assert again == built
    assert (built.path / "bento.yaml").stat().st_mtime_ns == before


def test_a_version_cannot_be_built_for_another_model(built: bento_builds.BuiltBento, home: Path):
    make_stored_model(home, "two", scenario=SCENARIO, seed=8)

    with pytest.raises(BadInput, match=r"releve:v1 packs the model digits:one, not digits:two"):
        bento_builds.build(PROJECT, home, f"{SCENARIO}:two", version="v1", sources=SOURCES)


def test_a_model_that_is_not_in_the_store_cannot_be_packed(home: Path):
    with pytest.raises(NotFound, match=r"there is no model digits:nine"):
        bento_builds.build(PROJECT, home, f"{SCENARIO}:nine", version="v9", sources=SOURCES)


def test_a_build_that_takes_too_long_is_stopped_and_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch):
    stored = make_stored_model(home, "slow", scenario=SCENARIO)
    monkeypatch.setattr(bento_builds, "SECONDS", 0.2)

    with pytest.raises(bento_builds.BuildFailed, match=r"not done after 0.2 s and was stopped"):
        bento_builds.build(PROJECT, home, stored.tag, version="v2", sources=SOURCES)

    assert not (home / "bentoml" / "bentos" / "releve" / "v2").exists()
    assert list((home / "bentoml" / "tmp").iterdir()) == []


@pytest.fixture(scope="module")
def copied(built: bento_builds.BuiltBento, home: Path) -> bento_builds.BuiltBento:
    """A Bento of the same sources for the next model."""
    stored = make_stored_model(home, "next", scenario=SCENARIO, seed=3)
    copy = bento_builds.copy_built(home, stored.tag, version="copied", sources=SOURCES)
    assert copy is not None
    return copy


@pytest.mark.usefixtures("built")
def test_a_copy_for_a_model_of_another_scenario_is_the_bento_that_a_build_makes(home: Path):
    model = make_stored_model(home, "other", scenario="shop", seed=3).tag
    copied = bento_builds.copy_built(home, model, version="copied-other", sources=SOURCES)
    assert copied is not None

    as_built = bento_builds.build(PROJECT, home, model, version="as-built", sources="others")

    names = [{path.relative_to(made.path) for path in made.path.rglob("*")} for made in (copied, as_built)]
    assert names[0] == names[1]
    manifests = [yaml.safe_load((made.path / "bento.yaml").read_text()) for made in (copied, as_built)]
    for manifest in manifests:
        assert manifest.pop("version") and manifest.pop("creation_time")
    assert manifests[0] == manifests[1]
    others = [path for path in as_built.path.rglob("*") if path.is_file() and path.name not in REWRITTEN]
    assert others
    assert [
        path for path in others if path.read_bytes() != (copied.path / path.relative_to(as_built.path)).read_bytes()
    ] == []
    options = [yaml.safe_load((made.path / "src" / "bentofile.yaml").read_text()) for made in (copied, as_built)]
    assert options[0] == options[1]


def test_a_copy_shares_the_code_on_the_disk_and_leaves_the_bento_that_it_comes_from_as_it_was(
    built: bento_builds.BuiltBento, copied: bento_builds.BuiltBento
):
    service, code = (made.path / "src" / "service.py" for made in (built, copied))
    assert service.samefile(code)
    assert "digits:one" in (built.path / "bento.yaml").read_text()
    assert "digits:one" in (built.path / "src" / "bentofile.yaml").read_text()


@pytest.mark.whole
def test_bentoml_lists_a_copy_and_gives_it_out_like_any_other(copied: bento_builds.BuiltBento, home: Path):
    environ = os.environ | {"BENTOML_HOME": str(home / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}

    def bentoml(*arguments: str) -> str:
        command = [sys.executable, "-m", "bentoml", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    listed = {bento["tag"] for bento in json.loads(bentoml("list", "--output", "json"))}
    assert copied.tag in listed
    described = json.loads(bentoml("get", copied.tag, "--output", "json"))
    assert [model["tag"] for model in described["models"]] == ["digits:next"]
    assert {"name": "RELEVE_SCENARIO", "value": SCENARIO, "stage": "all"} in described["envs"]
    bentoml("export", copied.tag, str(home / "copied.bento"))
    with tarfile.open(home / "copied.bento") as archive:
        assert "src/service.py" in {name.removeprefix("./") for name in archive.getnames()}


@pytest.mark.parametrize("what", ["sources", "environment", "runtime", "the Bento is gone"])
def test_nothing_is_copied_where_a_build_would_make_something_else(
    what: str, built: bento_builds.BuiltBento, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = tmp_path / "home"
    shutil.copytree(home, own, symlinks=True)
    stored = make_stored_model(own, "newer", scenario=SCENARIO, seed=5)
    if what == "environment":
        monkeypatch.setenv("RELEVE_SERVICE_WORKERS", "2")
    if what == "runtime":
        path = stored.path / DESCRIPTION
        path.write_text(json.dumps(json.loads(path.read_text()) | {"runtime": "sklearn"}))
    if what == "the Bento is gone":
        shutil.rmtree(own / "bentoml" / "bentos")

    sources = "newer code" if what == "sources" else SOURCES
    assert bento_builds.copy_built(own, stored.tag, version="newer", sources=sources) is None


@pytest.mark.whole
def test_a_served_bento_answers_with_its_model_without_a_registry(copied: bento_builds.BuiltBento, home: Path):
    model = "digits:next"
    # An empty value counts as not set: the Bento is on its own, whatever the checkout around it says.
    alone = {
        "RELEVE_HOME": "",
        "RELEVE_PROJECT": "",
        "RELEVE_SCENARIO": "",
        "RELEVE_REGISTRY_URL": "sqlite:////proc/no.db",
    }

    with serving(home, PROJECT, target=copied.tag, **alone) as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        answer = httpx.post(f"{address}/predict", json={"rows": [make_row()]}).json()
        search = httpx.post(f"{address}/search", json={"row": make_row()})
        status = httpx.get(f"{address}/status").json()

    assert (answer["scenario"], answer["model_version"], answer["index_version"]) == (
        model.partition(":")[0],
        model,
        None,
    )
    assert (search.status_code, search.json()["error"]["code"]) == (503, "index_unavailable")
    assert (status["registry_reachable"], status["index_reachable"], status["release"]) == (None, None, None)
    assert list((home / "bentoml" / "var" / "ledger" / model.partition(":")[0]).glob("answers-*.jsonl"))
