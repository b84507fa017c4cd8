"""The forms that others have programs for fit their schemas, whatever the table is like."""

import json

import pytest
import yaml

from releve.adapters.evidence.data_contract import ContractedTable, data_contract
from releve.adapters.evidence.ml_bom import BomContents, MeasuredScore, ml_bom
from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema

COLUMNS = {
    "day": {"type": "date", "min": "2024-01-01", "max": "2025-01-01"},
    "photo": {"type": "image", "feature": False},
    "note: «odd» \n name": {"type": "text", "max_length": 80, "nullable": True},
    "age": {"type": "number", "min": 0, "personal": True},
    "kind": {"type": "category", "categories": ["a", "yes", "1"]},
    "id": {"type": "category", "feature": False},
}
TARGETS = [
    {"name": "rent", "task": "regression", "min": 0},
    {"name": "grade", "classes": [1, 2, 3]},
    {"name": "bought", "classes": ["no", "yes"], "positive": "yes"},
]
BARE = BomContents(
    scenario="shop",
    version="1",
    digest="",
    files={},
    made_at="2026-06-01T09:00:00+00:00",
    task="",
    architecture="",
    input="",
    output="",
    data_version="",
    rows=None,
    personal=(),
    owner="",
    purpose="",
    limits="",
    scores=(),
    properties={},
    lock="",
)


def table(**changes):
    schema = Schema.from_dict({"target": TARGETS[0], "columns": COLUMNS, "time": "day", "id": "id"})
    known = {"scenario": "rents", "schema": schema, "data_version": "ab.dir", "made_at": "", "rows": None}
    return ContractedTable(**{**known, "purpose": "", "limits": "", "owner": "", **changes})


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["name"])
def test_a_contract_describes_every_type_of_column_and_target(target):
    schema = Schema.from_dict({"target": target, "columns": COLUMNS, "time": "day", "id": "id"})

    contract = yaml.safe_load(
        data_contract(table(schema=schema, owner="Ada", rows=90, made_at="2026-06-01T09:00:00+00:00"))
    )

    found = {each["name"]: each for each in contract["schema"][0]["properties"]}
    assert found.keys() == {*COLUMNS, target["name"]}
    assert found["age"]["classification"] == "personal" and "classification" not in found["kind"]
    assert found["day"]["logicalTypeOptions"] == {"minimum": "2024-01-01T00:00:00Z", "maximum": "2025-01-01T00:00:00Z"}
    assert found["id"]["primaryKey"] and not found["id"]["required"]
    assert found["kind"]["quality"][0]["arguments"]["validValues"] == ["a", "yes", "1"]
    assert contract["team"] == {"name": "Ada"}


def test_a_contract_that_nobody_has_said_anything_for_fits_too():
    assert yaml.safe_load(data_contract(table()))["description"] == {}


def test_a_bill_of_a_model_of_which_nothing_is_known_fits_the_schema():
    bom = json.loads(ml_bom(BARE))

    assert bom["metadata"]["component"]["modelCard"] == {"modelParameters": {"approach": {"type": "supervised"}}}
    assert not bom.get("components")


def test_a_bill_has_data_scores_and_libraries():
    lock = "numpy==2.4.6 \\\n    --hash=sha256:ab\nuvloop==0.21 ; sys_platform != 'win32' \\\n    # via x==1\n"
    known = {"data_version": "ab.dir", "personal": ("age",), "owner": "Ada", "lock": lock, "digest": "ab" * 32}
    scores = (MeasuredScore("mae", 0.25, low=0.2, high=0.3), MeasuredScore("mae", 1e-9, "kind = a"))

    bom = json.loads(
        ml_bom(BomContents(**{**vars(BARE), **known, "scores": scores, "files": {"model.onnx": "cd" * 32}}))
    )

    data, *libraries = bom["components"]
    assert data["data"][0]["sensitiveData"] == ["age: says something of a person"]
    assert [each["purl"] for each in libraries] == ["pkg:pypi/numpy@2.4.6", "pkg:pypi/uvloop@0.21"]
    metrics = bom["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert [(each["value"], each.get("slice")) for each in metrics] == [("0.25", None), ("1e-09", "kind = a")]


def test_the_same_contents_make_the_same_bill():
    assert ml_bom(BARE) == ml_bom(BARE)


def test_what_does_not_fit_is_never_written():
    with pytest.raises(BadInput, match=r"does not fit CycloneDX 1\.6"):
        ml_bom(BomContents(**{**vars(BARE), "files": {"model.onnx": "no digest"}}))
    with pytest.raises(BadInput, match=r"does not fit ODCS v3\.1\.0: \$"):
        data_contract(table(owner=7))
