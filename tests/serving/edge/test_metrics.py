"""What is counted, in a registry of its own."""

import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from releve.serving.application import Application
from releve.serving.edge.access import Access
from releve.serving.edge.metrics import PrometheusMetrics, with_aliases
from releve.serving.faults import UnsupportedMediaType, native_error
from releve.serving.routes import Reply, Request, Role, Route

TOKEN = "a-token-to-read-with"
PREDICT = "/scenarios/{scenario}/predict"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = PrometheusMetrics(registry)
    metrics.answered(PREDICT, "digits", 200, 0.002)
    metrics.answered(PREDICT, "digits", 200, 0.2)
    metrics.answered(PREDICT, "digits", 400, 0.001)
    metrics.answered("", "", 404, 0.001)
    metrics.failed("bad_input")
    metrics.predicted("digits", 100, 0.001)
    metrics.predicted("digits", 1, 0.1)
    metrics.swapped("digits", 7)
    metrics.swapped("trees", 8)
    metrics.withdrawn("trees")
    metrics.not_loaded("churn")
    metrics.watched(registry=True, ledger=False, scenarios=2, models=1)
    return registry


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("releve_requests_total", {"route": PREDICT, "scenario": "digits", "status": "200"}, 2),
        ("releve_requests_total", {"route": "", "scenario": "", "status": "404"}, 1),
        ("releve_request_seconds_count", {"route": PREDICT}, 3),
        ("releve_request_seconds_bucket", {"route": PREDICT, "le": "0.0025"}, 2),
        ("releve_errors_total", {"code": "bad_input"}, 1),
        ("releve_rows_total", {"scenario": "digits"}, 101),
        ("releve_predict_failures_total", {"scenario": "digits"}, 1),
        ("releve_swaps_total", {"scenario": "digits"}, 1),
        ("releve_release_number", {"scenario": "digits"}, 7),
        ("releve_release_number", {"scenario": "trees"}, 0),
        ("releve_load_failures_total", {"scenario": "churn"}, 1),
        ("releve_registry_reachable", {}, 1),
        ("releve_ledger_writable", {}, 0),
        ("releve_scenarios_released", {}, 2),
        ("releve_models_in_memory", {}, 1),
    ],
)
def test_what_happened_is_counted(registry: CollectorRegistry, name: str, labels: dict[str, str], value: float):
    assert registry.get_sample_value(name, labels) == value


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("request_predict_seconds_count", {"model_name": "digits"}, 2),
        ("request_predict_seconds_bucket", {"model_name": "digits", "le": "0.001"}, 1),
        ("model_infer_request_success_total", {"model": "digits"}, 2),
        ("model_infer_request_failure_total", {"model": "digits"}, 1),
        ("rest_server_requests_total", {"path": PREDICT, "scenario": "digits", "status_code": "200"}, 2),
        ("rest_server_requests_duration_seconds_count", {"path": PREDICT}, 3),
    ],
)
def test_the_names_of_other_servers_stand_beside_ours(
    registry: CollectorRegistry, name: str, labels: dict[str, str], value: float
):
    text = with_aliases(generate_latest(registry).decode())

    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert [each.value for each in samples if (each.name, each.labels) == (name, labels)] == [value]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 401),
        ("GET", {}, 405),
        ("POST", {"authorization": f"Bearer {TOKEN}"}, 415),
        ("POST", {"authorization": f"Bearer {TOKEN}", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_only_a_scenario_that_is_there_becomes_a_label_whatever_the_answer(
    method: str, headers: dict[str, str], status: int
):
    def refuse(_: Request) -> Reply:
        raise UnsupportedMediaType("JSON")

    async def ask(scenario: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
            return (await client.request(method, f"/scenarios/{scenario}/predict", headers=headers)).status_code

    registry, application = CollectorRegistry(), Application(Access({Role.READ: TOKEN}))
    application.metrics = PrometheusMetrics(registry)
    application.offer([Route("POST", PREDICT, refuse, native_error)], knows={"digits"}.__contains__)

    assert {asyncio.run(ask(scenario)) for scenario in ("digits", "random1", "random2")} == {status}
    application.close()
    family = next(each for each in registry.collect() if each.name == "releve_requests")
    counted = {each.labels["scenario"]: each.value for each in family.samples if each.name.endswith("_total")}
    assert counted == {"digits": 1, "": 2}
