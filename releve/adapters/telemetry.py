"""OpenTelemetry: spans, and the times of requests, for whom OTEL_* names; else nothing of it is imported here.

A span says what ran, for whom, how long and how it ended. What errors and states say in words stays here: it may quote
cells of a table.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"
TIMEOUT_SECONDS = 3.0  # for a message, where the variable says nothing: the end of a process waits for its last one
TRACEPARENT = "TRACEPARENT"  # the environment variable of the W3C's header, as other programs read it, too
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
log = logging.getLogger("releve.telemetry")
_providers: dict[str, Any] = {}  # of this process, once it has begun: by the signal, "TRACES" and "METRICS"


def wanted(environ: Mapping[str, str], signal: str) -> bool:
    """Whether the standard variables ask for "TRACES" or "METRICS": an endpoint, or the exporter `otlp` by name."""
    exporter = environ.get(f"OTEL_{signal}_EXPORTER", "")
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter not in ("", "otlp"):
        return False
    return bool(exporter or environ.get(ENDPOINT) or environ.get(_own(ENDPOINT, signal)))


def begin(program: str, *, environ: Mapping[str, str] = os.environ, parent: str = "") -> bool:
    """Send what this process does to where OTEL_* says; return whether it says so. A second call changes nothing.

    `program`: its name, where OTEL_SERVICE_NAME gives none; `parent`: a TRACEPARENT. What is wrong with telemetry is
    logged in a line, and stops nothing.
    """
    signals = [signal for signal in ("TRACES", "METRICS") if wanted(environ, signal)]
    if signals and not _providers:
        try:
            _begin(program, environ, signals)
        except ImportError as error:
            log.warning("OTEL_* asks for telemetry, and %s is not installed: install releve[telemetry]", error.name)
        except ValueError as error:
            log.warning("no telemetry is sent, for a variable of OTEL_* is wrong: %s", error)
    if _providers and parent:
        from opentelemetry.context import attach
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        attach(TraceContextTextMapPropagator().extract({"traceparent": parent}))
    return bool(_providers)


def _begin(program: str, environ: Mapping[str, str], signals: Sequence[str]) -> None:
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
    from opentelemetry.trace import Status

    class Exporter(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return super().export([without_words(each) for each in spans])

    def without_words(span: ReadableSpan) -> ReadableSpan:
        """Prefect's spans hold the messages of errors and of states."""
        errors = [name for event in span.events if (name := (event.attributes or {}).get("exception.type"))]
        named = {"error.type": errors[-1]} if errors else {}
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes={**(span.attributes or {}), **named},
            links=span.links,
            kind=span.kind,
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    logging.getLogger("opentelemetry").setLevel(
        logging.ERROR
    )  # one line where a message is lost, none for each attempt
    seconds = {signal: None if {TIMEOUT, _own(TIMEOUT, signal)} & {*environ} else TIMEOUT_SECONDS for signal in signals}
    is_named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if is_named else {"service.name": program})
    if "TRACES" in signals:
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(Exporter(timeout=seconds["TRACES"])))
        trace.set_tracer_provider(tracers)
        _providers["TRACES"] = tracers
    if "METRICS" in signals:
        exporter = OTLPMetricExporter(timeout=seconds["METRICS"])
        meters = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=resource)
        metrics.set_meter_provider(meters)
        _providers["METRICS"] = meters


def end() -> None:
    """Send what waits. A process that ends as Python does calls this by itself."""
    while _providers:
        _providers.popitem()[1].shutdown()


@contextmanager
def span(name: str, **attributes: str) -> Iterator[None]:
    """Tell what happens meanwhile as one span; `attributes` get the prefix `releve.`."""
    if "TRACES" not in _providers:
        yield
        return
    tracer = _providers["TRACES"].get_tracer("releve")
    with tracer.start_as_current_span(name, attributes=_prefixed(attributes)):
        yield


def annotate(**attributes: str | int | bool | list[str]) -> None:
    """Add to the span that is open, such as Prefect's of a task."""
    if "TRACES" in _providers:
        from opentelemetry import trace

        trace.get_current_span().set_attributes(_prefixed(attributes))


def carried() -> dict[str, str]:
    """What a child needs in its environment, so that its spans belong to the one that is open."""
    if "TRACES" not in _providers:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return {TRACEPARENT: carrier["traceparent"]} if carrier else {}


class Requests:
    """The service's: each one is a span, told of once it is answered, and a time in a histogram."""

    def __init__(self) -> None:
        """After `begin`."""
        from opentelemetry import metrics, trace

        self._tracer = trace.get_tracer("releve")
        self._seconds = metrics.get_meter("releve").create_histogram(
            "http.server.request.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS
        )

    def answered(
        self,
        method: str,
        route: str,
        *,
        scenario: str,
        status: int,
        seconds: float,
        request_id: str,
        headers: Sequence[tuple[bytes, bytes]],
    ) -> None:
        """`route`: its pattern, "" for a path that is not there; `headers`: of the request, for its `traceparent`."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        method = method if method in METHODS else "_OTHER"
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "releve.scenario": scenario,
        }
        self._seconds.record(seconds, attributes)
        trace_headers = {name.decode(): value.decode("latin-1") for name, value in headers if name.startswith(b"trace")}
        ended = time.time_ns()
        one = self._tracer.start_span(
            f"{method} {route}".rstrip(),
            context=TraceContextTextMapPropagator().extract(trace_headers, Context()),
            kind=SpanKind.SERVER,
            attributes=attributes | {"releve.request_id": request_id},
            start_time=ended - int(seconds * 1e9),
        )
        if status >= 500:
            one.set_status(Status(StatusCode.ERROR))
        one.end(ended)


def _own(variable: str, signal: str) -> str:
    """OTEL_EXPORTER_OTLP_ENDPOINT of one signal alone: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT."""
    return variable.replace("OTLP_", f"OTLP_{signal}_")


def _prefixed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"releve.{name}": value for name, value in attributes.items()}
