"""/openapi.json and /docs of a running service: valid, true to the scenario, and asked as they say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.factories import SCENARIO
from tests.serving.conftest import Running
from tests.tables import MESSAGES, RENTALS

pytestmark = pytest.mark.slow


def described(running: Running, path: str = "/openapi.json") -> dict[str, Any]:
    response = running.client.get(path)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.parametrize(("served", "name"), [("running", SCENARIO), ("messages", MESSAGES), ("rentals", RENTALS)])
def test_the_document_of_a_scenario_is_valid_and_its_examples_answer(served, name, request):
    import schemathesis

    running = request.getfixturevalue(served)

    for path in ("/openapi.json", f"/scenarios/{name}/openapi.json"):
        document = described(running, path)
        schemathesis.openapi.from_dict(document).validate()
        assert document["openapi"] == "3.1.0" and document["info"]["version"][0].isdigit()
        for schema in document["components"]["schemas"].values():
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        prefix = "" if path == "/openapi.json" else f"/scenarios/{name}"
        for asked in (f"{prefix}/predict", f"{prefix}/invocations", f"/v2/models/{name}/infer"):
            body = document["paths"][asked]["post"]["requestBody"]["content"]["application/json"]
            answered = running.client.post(asked, json=body["example"])
            assert answered.status_code == 200, answered.text


def test_the_document_has_the_features_and_the_classes(running: Running):
    parts = described(running)["components"]["schemas"]

    assert parts["Row"]["required"] == ["length", "width", "weight", "colour"]
    assert parts["Row"]["properties"]["colour"]["enum"] == ["blue", "red", "white"]
    assert parts["Row"]["properties"]["length"]["maximum"] == 10
    assert parts["Row"]["properties"]["weight"]["type"] == ["number", "null"]
    assert parts["Prediction"]["properties"]["label"]["enum"] == [0, 1, 2]


def test_bentomls_own_document_is_replaced(running: Running):
    assert described(running, "/docs.json") == described(running)


@pytest.mark.parametrize("path", ["/docs", f"/scenarios/{SCENARIO}/docs"])
def test_the_page_needs_nothing_from_elsewhere(running: Running, path: str):
    page = running.client.get(path)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "colour" in page.text and "POST" in page.text and "blue, red, white" in page.text
    assert "http://" not in page.text and "https://" not in page.text and "<script" not in page.text


def test_an_unknown_scenario_has_no_document(running: Running):
    assert running.client.get("/scenarios/nobody/openapi.json").status_code == 404


def test_bentomls_client_asks_by_the_methods(running: Running):
    script = Path(__file__).with_name("ask_by_bentoml.py")
    command = [sys.executable, script, str(running.client.base_url)]

    asked = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert asked.returncode == 0, asked.stderr[-3000:]
    answers = json.loads(asked.stdout)
    assert answers["predict"]["predictions"][0]["label"] == 0
    assert (len(answers["search"]["neighbours"]), answers["feedback"]["accepted"]) == (2, 1)
    assert answers["status"]["model_version"] == "flowers:one"
    assert "width is missing" in answers["error"]
