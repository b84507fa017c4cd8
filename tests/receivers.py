"""Real HTTP servers that messages are posted to, or the telemetry of OpenTelemetry."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from releve.core.settings import LOOPBACK

AReceiver = TypeVar("AReceiver", bound="Receiver")
SECRET = "xoxb-secret"  # part of every address


class Receiver(ThreadingHTTPServer):
    """Answers with each status of `script`, then with 200; keeps what it was told."""

    daemon_threads = True

    def __init__(self, *script: int, delay: float = 0.0) -> None:
        super().__init__((LOOPBACK, 0), _Answer)
        self.script, self.delay = list(script), delay
        self.heard: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}/hooks/{SECRET}"


class Collector(Receiver):
    """Takes OTLP/HTTP: spans as they came, figures by their names, and all the bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""
        self.spans: list[Span] = []
        self.figures: dict[str, Any] = {}

    @property
    def environ(self) -> dict[str, str]:
        """Of a program that sends here, soon."""
        address = f"http://{LOOPBACK}:{self.server_address[1]}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def named(self, name: str) -> "Span":
        """The only span of that name."""
        (span,) = (each for each in self.spans if each.name == name)
        return span

    def take(self, path: str, content: bytes) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.content += content
        if path == "/v1/metrics":
            metrics = ExportMetricsServiceRequest.FromString(content).resource_metrics
            found = (each for one in metrics for scope in one.scope_metrics for each in scope.metrics)
            self.figures |= {each.name: each for each in found}
            return
        for one in ExportTraceServiceRequest.FromString(content).resource_spans:
            program = _attributes(one.resource.attributes)["service.name"]
            for each in (span for scope in one.scope_spans for span in scope.spans):
                ids = (each.trace_id.hex(), each.span_id.hex(), each.parent_span_id.hex())
                self.spans.append(Span(program, each.name, *ids, each.status.code, _attributes(each.attributes)))


@dataclass(frozen=True)
class Span:
    """One that was received."""

    program: str
    name: str
    trace_id: str
    id: str
    parent_id: str
    status: int  # 0 unset, 1 ok, 2 error
    attributes: dict[str, Any]


def _attributes(found: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in found}


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if isinstance(self.server, Collector):
            self.server.take(self.path, content)
        else:
            self.server.heard.append((self.path, json.loads(content)))
        time.sleep(self.server.delay)
        self.send_response(self.server.script.pop(0) if self.server.script else 200)
        self.send_header("location", f"http://{LOOPBACK}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(receiver: AReceiver) -> Iterator[AReceiver]:
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
        thread.join()
