"""What is sent by OpenTelemetry, to a collector of this test, and what is not even imported without OTEL_*."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.telemetry import wanted
from releve.core.settings import LOOPBACK
from tests.receivers import Collector, receiving
from tests.serving.process import free_port

ROOT = Path(__file__).parents[2]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
A_RUN = """
import os
from releve.adapters import telemetry

telemetry.begin("a test", parent=os.environ.get("TRACEPARENT", ""))
try:
    with telemetry.span("outer", scenario="digits"):
        with telemetry.span("inner"):
            telemetry.annotate(model="digits:1", rows=3)
        print(telemetry.carried().get("TRACEPARENT"), flush=True)
        raise ValueError("the cell of row 3 is 4711")
except ValueError:
    pass
"""
REQUESTS = """
from releve.adapters import telemetry

telemetry.begin("a test")
requests = telemetry.Requests()
given = dict(scenario="digits", seconds=0.2, request_id="abc")
headers = [(b"host", b"a"), (b"traceparent", b"%s")]
requests.answered("POST", "/{scenario}/predict", status=200, headers=headers, **given)
requests.answered("SPOIL", "", status=500, headers=[(b"traceparent", b"nonsense")], **given)
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with receiving(Collector()) as found:
        yield found


def run(code: str, **environ: str) -> str:
    """Run it in a process of its own; what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACEPARENT"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environ, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, False, False),
        ({"OTEL_SERVICE_NAME": "ours"}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True, False),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, False, False),
    ],
)
def test_the_standard_variables_say_what_is_sent(environ: dict[str, str], traces: bool, metrics: bool) -> None:
    assert (wanted(environ, "TRACES"), wanted(environ, "METRICS")) == (traces, metrics)


def test_nothing_of_opentelemetry_is_imported_where_nothing_asks_for_it() -> None:
    ours = "import sys, releve.serving.application, tasks.pipeline.train, tasks.retraining.retrain\n"
    loaded = "print([name for name in sys.modules if name.startswith('opentelemetry')])"

    assert run(f"{ours}{A_RUN}{loaded}") == "None\n[]\n"


def test_the_flows_load_no_more_than_what_prefect_loads_where_nothing_asks_for_it() -> None:
    loaded = "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"

    assert run(f"import sys, prefect, flows.shared.context\n{loaded}") == "[]\n"


def test_spans_belong_to_each_other_and_to_who_started_the_program(collector: Collector) -> None:
    carried = run(A_RUN, TRACEPARENT=PARENT, **collector.environ).strip()

    outer, inner = collector.named("outer"), collector.named("inner")
    assert (outer.trace_id, outer.parent_id, inner.parent_id) == (PARENT[3:35], PARENT[36:52], outer.id)
    assert carried == f"00-{outer.trace_id}-{outer.id}-01"
    assert outer.program == "a test"
    assert inner.attributes == {"releve.model": "digits:1", "releve.rows": 3}


def test_an_error_is_told_by_its_kind_alone_for_its_words_may_quote_a_table(collector: Collector) -> None:
    run(A_RUN, **collector.environ)

    outer = collector.named("outer")
    assert outer.status == 2
    assert outer.attributes == {"releve.scenario": "digits", "error.type": "ValueError"}
    assert b"4711" not in collector.content


def test_a_request_is_a_span_of_its_route_and_a_time(collector: Collector) -> None:
    run(REQUESTS % PARENT, **collector.environ)

    answered = collector.named("POST /{scenario}/predict")
    assert (answered.trace_id, answered.parent_id, answered.status) == (PARENT[3:35], PARENT[36:52], 0)
    assert answered.attributes == {
        "http.request.method": "POST",
        "http.route": "/{scenario}/predict",
        "http.response.status_code": 200,
        "releve.scenario": "digits",
        "releve.request_id": "abc",
    }
    other = collector.named("_OTHER")
    assert (other.parent_id, other.status) == ("", 2)
    points = collector.figures["http.server.request.duration"].histogram.data_points
    assert [(each.count, each.sum) for each in points] == [(1, 0.2), (1, 0.2)]


def test_a_name_of_your_own_is_kept(collector: Collector) -> None:
    run(A_RUN, OTEL_SERVICE_NAME="ours", **collector.environ)

    assert {each.program for each in collector.spans} == {"ours"}


def test_a_collector_that_is_away_costs_seconds_and_one_line() -> None:
    began = time.monotonic()

    said = run(A_RUN, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://{LOOPBACK}:{free_port()}/v1/traces")

    assert "Failed to export" in said and len(said.splitlines()) == 2
    assert time.monotonic() - began < 30


def test_a_variable_that_is_wrong_is_told_in_a_line_and_stops_nothing(collector: Collector) -> None:
    said = run(A_RUN, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="99999", **collector.environ)

    assert "no telemetry is sent, for a variable of OTEL_* is wrong" in said
    assert "Traceback" not in said and not collector.spans
