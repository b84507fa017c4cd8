"""Events of OpenLineage: to a file or over HTTP, and nothing where no variable asks for them."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from releve.adapters.lineage import FILES, LineageDataset, RunLineage, is_wanted, tells_lineage
from releve.core.errors import BadInput
from releve.core.settings import LOOPBACK, Settings
from tests.receivers import Receiver, receiving
from tests.serving.process import free_port

SECRET = "the cell of row 3 is 4711"
HERE = Settings(project=Path(), home=Path(), registry_url="", milvus_uri="")
READ = LineageDataset("/srv/today.csv", FILES, version="ab")
WRITTEN = LineageDataset("shop.rows", version="cd.dir", rows=90, fields=[("price", "number")])


@tells_lineage("ingest", lambda settings, scenario, rows: RunLineage([READ], [WRITTEN]))
def step(settings: Settings, scenario: str, *, fail: bool = False) -> int:
    """A step."""
    if fail:
        raise BadInput(SECRET)
    return 90


@pytest.fixture
def events(tmp_path, monkeypatch):
    """What was written to the file that the variables name."""
    path = tmp_path / "events.jsonl"
    for key, value in {"TYPE": "file", "LOG_FILE_PATH": str(path), "APPEND": "true"}.items():
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__{key}", value)
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OPENLINEAGE_URL": ""}, False),
        ({"OPENLINEAGE_NAMESPACE": "ours"}, False),
        ({"OPENLINEAGE_URL": "http://here"}, True),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "file"}, True),
        ({"OPENLINEAGE_CONFIG": "a.yml"}, True),
        ({"OPENLINEAGE_URL": "http://here", "OPENLINEAGE_DISABLED": "true"}, False),
    ],
)
def test_events_are_sent_where_a_variable_says_where_to(environ, wanted):
    assert is_wanted(environ) is wanted


def test_a_run_tells_that_it_began_and_what_it_read_and_wrote(events):
    assert step(HERE, "shop") == 90

    began, ended = events()
    assert (began["eventType"], ended["eventType"]) == ("START", "COMPLETE")
    assert began["run"]["runId"] == ended["run"]["runId"]
    assert began["job"]["namespace"] == "releve" and began["job"]["name"] == "shop.ingest"
    assert began["producer"].startswith("urn:releve:")
    [read], [written] = ended["inputs"], ended["outputs"]
    assert (read["namespace"], read["name"]) == ("file", "/srv/today.csv")
    assert read["facets"]["version"]["datasetVersion"] == "ab"
    assert (written["namespace"], written["name"]) == ("releve", "shop.rows")
    assert written["facets"]["schema"]["fields"] == [{"name": "price", "type": "number", "fields": []}]
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 90


def test_a_failed_run_tells_the_kind_of_error_and_none_of_its_words(events):
    with pytest.raises(BadInput, match=SECRET):
        step(HERE, "shop", fail=True)

    assert [each["eventType"] for each in events()] == ["START", "FAIL"]
    assert events()[-1]["run"]["facets"]["errorMessage"]["message"] == "BadInput"
    assert SECRET not in json.dumps(events())


def test_two_runs_are_two(events, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "ours")

    step(HERE, "shop")
    step(HERE, "till")

    assert len({each["run"]["runId"] for each in events()}) == 2
    assert {(each["job"]["namespace"], each["job"]["name"]) for each in events()} == {
        ("ours", "shop.ingest"),
        ("ours", "till.ingest"),
    }


def test_events_go_over_http(monkeypatch):
    with receiving(Receiver()) as receiver:
        monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
        step(HERE, "shop")

    assert [body["eventType"] for _, body in receiver.heard] == ["START", "COMPLETE"]


def test_a_server_that_is_away_stops_nothing_and_is_logged_once(monkeypatch, caplog):
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://{LOOPBACK}:{free_port()}")

    began = time.monotonic()

    with caplog.at_level(logging.WARNING, logger="releve.lineage"):
        assert step(HERE, "shop") == 90

    assert time.monotonic() - began < 5
    assert [name for name in os.environ if name.startswith("OPENLINEAGE")] == ["OPENLINEAGE_URL"]

    ours = [each for each in caplog.records if each.name == "releve.lineage"]
    assert len(ours) == 1 and ours[0].getMessage().startswith("no event of shop.ingest is sent to OpenLineage: ")


def test_without_a_variable_its_client_is_not_even_imported():
    code = (
        "import sys; from tests.adapters.test_lineage import HERE, step; "
        "step(HERE, 'shop'); print([name for name in sys.modules if name.startswith('openlineage')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
