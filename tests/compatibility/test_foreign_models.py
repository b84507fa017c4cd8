"""Models that LightGBM, XGBoost and PyTorch export are brought as they are, and answer as they do there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from releve.adapters.brought.sandbox import tried
from releve.adapters.models.model_runtime import onnx_runner
from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.compatibility.environments import environment

pytestmark = pytest.mark.compat

LIGHTGBM = ("lightgbm==4.6.0", "onnxmltools==1.16.0", "onnx==1.19.1", "scikit-learn==1.8.0", "packaging==26.0")
XGBOOST = ("xgboost-cpu==3.2.0", *LIGHTGBM[1:])
PYTORCH = ("torch==2.13.0", "numpy==2.4.6", "onnx==1.23.2", "onnxscript==0.7.2")
COLUMNS = ["length", "width", "height"]
TARGETS: dict[str, dict[str, Any]] = {
    "texts": {"name": "y", "classes": ["no", "yes"]},
    "three": {"name": "y", "classes": [0, 1, 2]},
    "value": {"name": "y", "task": "regression"},
}


def numbers(*, missing: bool) -> pd.DataFrame:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.normal(10, 3, (300, 3)).round(3), columns=COLUMNS)
    frame.loc[random.random(300) < 0.1, "width"] = np.nan if missing else 5.0
    return frame


def labels(frame: pd.DataFrame) -> dict[str, Any]:
    score = frame["length"] - frame["width"].fillna(0) / 2
    return {
        "texts": np.where(score > 5, "yes", "no").tolist(),
        "three": np.digitize(score, [3.0, 7.0]).tolist(),
        "value": score.tolist(),
    }


def export(name: str, requirements: tuple[str, ...], frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Have an environment fit and export models of a table; what its own library answers to the rows."""
    table = {"features": frame.to_numpy().tolist(), "classes": TARGETS["texts"]["classes"], **labels(frame)}
    (folder / "table.json").write_text(json.dumps(table))
    script = Path(__file__).with_name(f"make_{name}_models.py")
    command = [environment(name, *requirements), script, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(target: str, frame: pd.DataFrame) -> tuple[Schema, pd.DataFrame]:
    columns = {name: {"type": "number", "nullable": name == "width"} for name in COLUMNS}
    schema = Schema.from_dict({"columns": columns, "target": TARGETS[target]})
    return schema, check_frame(schema, frame.assign(y=labels(frame)[target])).accepted


def answers(path: Path, target: str, frame: pd.DataFrame, **mapping: Any) -> tuple[np.ndarray, Any, bytes]:
    schema, rows = table(target, frame)
    content, report = tried(path.read_bytes(), schema, MappingFile(inputs={"rows": COLUMNS}, **mapping), rows)
    return onnx_runner(content)(arrays_of_frame(schema, rows)), report, content


@pytest.fixture(scope="module")
def lightgbm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lightgbm")
    return folder, export("lightgbm", LIGHTGBM, numbers(missing=True), folder)


@pytest.fixture(scope="module")
def xgboost(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("xgboost")
    return folder, export("xgboost", XGBOOST, numbers(missing=True), folder)


@pytest.fixture(scope="module")
def pytorch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("pytorch")
    return folder, export("pytorch", PYTORCH, numbers(missing=True), folder)


@pytest.mark.parametrize(
    ("name", "target", "classes"),
    [
        ("texts", "texts", ("no", "yes")),
        ("tensor", "texts", ("no", "yes")),
        ("three", "three", (0, 1, 2)),
        ("value", "value", ()),
    ],
)
def test_lightgbm_answers_as_it_does_there_missing_cells_included(
    lightgbm: tuple[Path, dict[str, Any]], name: str, target: str, classes: tuple[Any, ...]
):
    folder, made = lightgbm

    found, report, content = answers(folder / f"{name}.onnx", target, numbers(missing=True))

    assert np.abs(found - np.array(made["answers"][name])).max() < 1e-4
    assert report.classes == classes
    assert b"TreeEnsemble" in content
    assert not [each for each in (b"TreeEnsembleClassifier", b"TreeEnsembleRegressor") if each in content]


@pytest.mark.parametrize("target", ["texts", "three", "value"])
def test_xgboost_answers_as_it_does_there_missing_cells_included(xgboost: tuple[Path, dict[str, Any]], target: str):
    folder, made = xgboost
    classes = TARGETS[target].get("classes", [])

    found, report, _ = answers(folder / f"{target}.onnx", target, numbers(missing=True), classes=classes)

    assert np.abs(found - np.array(made["answers"][target])).max() < 1e-4
    assert report.classes == tuple(classes)


def test_xgboosts_places_of_classes_have_to_be_named(xgboost: tuple[Path, dict[str, Any]]):
    folder, _ = xgboost

    with pytest.raises(BadInput, match=r"classes 0, 1, and the scenario's are no, yes; .*classes: \[no, yes\]"):
        answers(folder / "texts.onnx", "texts", numbers(missing=True))


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize("name", ["logits", "sigmoid", "three", "value"])
def test_pytorch_answers_as_it_does_there_by_both_of_its_exporters(
    pytorch: tuple[Path, dict[str, Any]], name: str, exporter: str
):
    folder, made = pytorch
    target = name if name in TARGETS else "texts"
    named = {"classes": TARGETS[target]["classes"]} if target != "value" else {}

    found, report, _ = answers(
        folder / f"{name}-{exporter}.onnx", target, numbers(missing=True), missing={"width": 0}, **named
    )

    there = np.array(made["answers"][name])
    if name in ("logits", "three"):
        there = np.exp(there) / np.exp(there).sum(axis=1, keepdims=True)
    if name == "sigmoid":
        there = np.column_stack([1 - there, there])
    assert np.abs(found - there).max() < 1e-4 * max(1, np.abs(there).max())
    assert report.producer.startswith("pytorch")


def test_what_people_forget_at_pytorchs_export_is_said(pytorch: tuple[Path, dict[str, Any]]):
    folder, _ = pytorch
    mapping = {"missing": {"width": 0}, "classes": ["no", "yes"]}

    with pytest.raises(
        BadInput, match=r"input 'rows' takes exactly 1 at a time; .*dynamic_axes=\{'rows': \{0: 'rows'\}\}"
    ):
        answers(folder / "one.onnx", "texts", numbers(missing=True), **mapping)
    with pytest.raises(BadInput, match=r"nothing says which of the 2 numbers of output .* is which class"):
        answers(folder / "logits-script.onnx", "texts", numbers(missing=True), missing={"width": 0})
    with pytest.raises(BadInput, match="with NaN or infinity"):
        answers(folder / "logits-script.onnx", "texts", numbers(missing=True), classes=["no", "yes"])
