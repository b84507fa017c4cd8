"""A scenario's life as events of OpenLineage."""

import json

import pytest

from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.shop import NEWER

pytestmark = pytest.mark.slow


def versions(datasets):
    return {each["name"]: each["facets"].get("version", {}).get("datasetVersion") for each in datasets}


def test_rows_lead_from_a_file_to_a_release(challenged, tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    for key, value in {"TYPE": "file", "LOG_FILE_PATH": str(path), "APPEND": "true"}.items():
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__{key}", value)

    challenger = retrain(challenged.settings, SHOP, reason="the same again")
    released = release(challenged.settings, SHOP).release
    incoming = challenged.receive(NEWER, "day-3.parquet")
    ingest(challenged.settings, SHOP)
    ingest(challenged.settings, SHOP)

    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["eventType"] for each in events] == ["START", "COMPLETE"] * 4
    made, served, came, nothing = events[1::2]
    assert [each["job"]["name"] for each in (made, served, came)] == ["shop.retrain", "shop.release", "shop.ingest"]
    assert versions(made["inputs"]) == {"shop.rows": challenger.data_version}
    assert versions(made["outputs"]) == {"shop.model": challenger.model}
    assert versions(served["inputs"]) == {"shop.model": challenger.model, "shop.rows": released.data_version}
    assert versions(served["outputs"])["shop.index"] == released.index_name
    assert [each["name"] for each in came["inputs"]] == [str(incoming)]
    [rows] = came["outputs"]
    assert rows["outputFacets"]["outputStatistics"]["rowCount"] == 320
    assert {each["name"] for each in rows["facets"]["schema"]["fields"]} == {"price", "weight", "kind", "bought"}
    assert (nothing["inputs"], nothing["outputs"]) == ([], [])
