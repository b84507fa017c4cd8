"""A Bento that is really built and served."""

import json
from pathlib import Path

import httpx
import pytest

from releve.adapters.models import bento_builds
from releve.adapters.models.description import DESCRIPTION
from releve.core.errors import BadInput, NotFound
from tests.factories import PROJECT, make_row, make_stored_model
from tests.serving.process import serving, wait_until

SCENARIO = "digits"  # one that the project has: its params travel with the Bento

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bentos")


@pytest.fixture(scope="module")
def built(home: Path) -> bento_builds.BuiltBento:
    stored = make_stored_model(home, "one", scenario=SCENARIO)
    return bento_builds.build(PROJECT, home, stored.tag, version="v1")


def test_a_bento_holds_what_serves_and_nothing_else(built: bento_builds.BuiltBento):
    files = {str(path.relative_to(built.path / "src")) for path in (built.path / "src").rglob("*") if path.is_file()}

    assert {"service.py", "params.yaml", f"scenarios/{SCENARIO}/params.yaml", "releve/serving/endpoints.py"} <= files
    assert not [name for name in files if name.startswith(("tasks", "flows", "tests")) or "__pycache__" in name]


@pytest.mark.parametrize(("runtime", "scikit_learn"), [("onnx", False), ("sklearn", True)])
def test_a_bento_installs_what_its_models_runtime_needs(runtime: str, scikit_learn: bool, home: Path):
    stored = make_stored_model(home, f"by-{runtime}", scenario=SCENARIO)
    description = stored.path / DESCRIPTION
    description.write_text(json.dumps(json.loads(description.read_text()) | {"runtime": runtime}))

    built = bento_builds.build(PROJECT, home, stored.tag, version=f"for-{runtime}")

    installed = (built.path / "env" / "python" / "requirements.txt").read_text()
    assert ("scikit-learn==" in installed) == scikit_learn


def test_a_version_that_is_built_is_returned_as_it_is(built: bento_builds.BuiltBento, home: Path):
    before = (built.path / "bento.yaml").stat().st_mtime_ns

    again = bento_builds.build(PROJECT, home, f"{SCENARIO}:one", version="v1")

    assert again == built
    assert (built.path / "bento.yaml").stat().st_mtime_ns == before


def test_a_version_cannot_be_built_for_another_model(built: bento_builds.BuiltBento, home: Path):
    make_stored_model(home, "two", scenario=SCENARIO, seed=8)

    with pytest.raises(BadInput, match=r"releve:v1 packs the model digits:one, not digits:two"):
        bento_builds.build(PROJECT, home, f"{SCENARIO}:two", version="v1")


def test_a_model_that_is_not_in_the_store_cannot_be_packed(home: Path):
    with pytest.raises(NotFound, match=r"there is no model digits:nine"):
        bento_builds.build(PROJECT, home, f"{SCENARIO}:nine", version="v9")


def test_a_build_that_takes_too_long_is_stopped_and_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch):
    stored = make_stored_model(home, "slow", scenario=SCENARIO)
    monkeypatch.setattr(bento_builds, "SECONDS", 0.2)

    with pytest.raises(bento_builds.BuildFailed, match=r"not done after 0.2 s and was stopped"):
        bento_builds.build(PROJECT, home, stored.tag, version="v2")

    assert not (home / "bentoml" / "bentos" / "releve" / "v2").exists()
    assert list((home / "bentoml" / "tmp").iterdir()) == []


def test_a_served_bento_answers_with_its_model_without_a_registry(built: bento_builds.BuiltBento, home: Path):
    # An empty value counts as not set: the Bento is on its own, whatever the checkout around it says.
    alone = {
        "RELEVE_HOME": "",
        "RELEVE_PROJECT": "",
        "RELEVE_SCENARIO": "",
        "RELEVE_REGISTRY_URL": "sqlite:////proc/no.db",
    }

    with serving(home, PROJECT, target=built.tag, **alone) as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        answer = httpx.post(f"{address}/predict", json={"rows": [make_row()]}).json()
        search = httpx.post(f"{address}/search", json={"row": make_row()})
        status = httpx.get(f"{address}/status").json()

    assert (answer["scenario"], answer["model_version"], answer["index_version"]) == (SCENARIO, f"{SCENARIO}:one", None)
    assert (search.status_code, search.json()["error"]["code"]) == (503, "index_unavailable")
    assert (status["registry_reachable"], status["index_reachable"], status["release"]) == (None, None, None)
    assert list((home / "bentoml" / "var" / "ledger" / SCENARIO).glob("answers-*.jsonl"))
