"""What is counted, for Prometheus: requests, errors, rows, releases, registry, ledger; right with several workers.

Labels are bounded: routes by their pattern, scenarios that are served, codes of faults. KServe's and MLServer's names
for the same figures are added when somebody asks, so that they cost no request anything.
"""

import re
from typing import Any

PREDICTS = ("/predict", "/infer", "/invocations")  # ends of the routes that answer rows
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ALIASES = (  # our series, theirs, and what our labels are called there
    ("releve_predict_seconds", "request_predict_seconds", {"scenario": "model_name"}),  # KServe
    ("releve_predict_seconds_count", "model_infer_request_success_total", {"scenario": "model"}),  # MLServer, as below
    ("releve_predict_failures_total", "model_infer_request_failure_total", {"scenario": "model"}),
    ("releve_requests_total", "rest_server_requests_total", {"route": "path", "status": "status_code"}),
    ("releve_request_seconds", "rest_server_requests_duration_seconds", {"route": "path"}),
)
PARTS = ("", "_bucket", "_count", "_sum")  # of a histogram's series


class Metrics:
    """Counts nothing: for tests, and wherever nobody asks."""

    def answered(self, route: str, scenario: str, status: int, seconds: float) -> None:
        """One request; `route` is its pattern, "" for a path that is not there."""

    def failed(self, code: str) -> None:
        """One fault that was answered."""

    def predicted(self, scenario: str, rows: int, seconds: float) -> None:
        """One request's rows, from checked rows to the ledger."""

    def swapped(self, scenario: str, number: int) -> None:
        """A model was loaded; `number`: of the registry's event that released it."""

    def withdrawn(self, scenario: str) -> None:
        """Nothing answers any more."""

    def not_loaded(self, scenario: str) -> None:
        """A release could not be loaded."""

    def watched(self, *, registry: bool, ledger: bool, scenarios: int, models: int) -> None:
        """Whether registry and ledger can be used, how many scenarios are released, and models in memory."""


class PrometheusMetrics(Metrics):
    """One set per process: made when BentoML has said where the workers share their figures."""

    def __init__(self, registry: Any = None) -> None:
        """`registry`: prometheus_client's; its global one where left out."""
        import prometheus_client  # it asks for the folder of the workers when it is imported

        registry = registry or prometheus_client.REGISTRY

        def counter(name: str, says: str, *labels: str) -> Any:
            return prometheus_client.Counter(f"releve_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, *labels: str) -> Any:
            return prometheus_client.Histogram(f"releve_{name}", says, labels, buckets=SECONDS, registry=registry)

        def gauge(name: str, says: str, mode: Any, *labels: str) -> Any:
            return prometheus_client.Gauge(f"releve_{name}", says, labels, multiprocess_mode=mode, registry=registry)

        self._requests = counter("requests", "requests that were answered", "route", "scenario", "status")
        self._seconds = histogram("request_seconds", "from a request to its whole answer", "route")
        self._errors = counter("errors", "faults that were answered", "code")
        self._rows = counter("rows", "rows that were predicted", "scenario")
        self._predict = histogram("predict_seconds", "one request's rows, in the ledger", "scenario")
        self._failures = counter("predict_failures", "predictions that were answered with a fault", "scenario")
        self._swaps = counter("swaps", "models that were loaded", "scenario")
        self._unloadable = counter("load_failures", "releases that could not be loaded", "scenario")
        self._release = gauge(
            "release_number", "the registry's event of what answers, 0 for nothing", "livemax", "scenario"
        )
        self._registry = gauge("registry_reachable", "1 where every worker reaches the registry", "livemin")
        self._ledger = gauge("ledger_writable", "1 where every worker can write its ledger", "livemin")
        self._scenarios = gauge("scenarios_released", "scenarios that can be asked", "livemax")
        self._models = gauge("models_in_memory", "models of all workers", "livesum")
        self._children: dict[tuple[str, ...], Any] = {}  # looking one up by its labels costs twice its own work

    def answered(self, route: str, scenario: str, status: int, seconds: float) -> None:
        self._child(self._requests, "requests", route, scenario, str(status)).inc()
        self._child(self._seconds, "seconds", route).observe(seconds)
        if status >= 400 and route.endswith(PREDICTS):
            self._failures.labels(scenario).inc()

    def failed(self, code: str) -> None:
        self._errors.labels(code).inc()

    def predicted(self, scenario: str, rows: int, seconds: float) -> None:
        self._child(self._rows, "rows", scenario).inc(rows)
        self._child(self._predict, "predict", scenario).observe(seconds)

    def swapped(self, scenario: str, number: int) -> None:
        self._swaps.labels(scenario).inc()
        self._release.labels(scenario).set(number)

    def withdrawn(self, scenario: str) -> None:
        self._release.labels(scenario).set(0)  # a series cannot be taken back from a file that workers share

    def not_loaded(self, scenario: str) -> None:
        self._unloadable.labels(scenario).inc()

    def watched(self, *, registry: bool, ledger: bool, scenarios: int, models: int) -> None:
        self._registry.set(registry)
        self._ledger.set(ledger)
        self._scenarios.set(scenarios)
        self._models.set(models)

    def _child(self, metric: Any, name: str, *labels: str) -> Any:
        key = (name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child


def with_aliases(text: str) -> str:
    """Prometheus's text with our series a second time, by the names of KServe and MLServer."""
    added = []
    lines = text.splitlines()
    for ours, theirs, labels in ALIASES:
        series = {ours + part: theirs + part for part in PARTS}
        for line in lines:
            name = re.match(r"\w+", line)
            if name and name[0] in series:
                renamed = series[name[0]] + line[name.end() :]
                for label, other in labels.items():
                    renamed = re.sub(rf'(?<=[{{,]){label}="', f'{other}="', renamed)
                added.append(renamed)
    return "\n".join([*lines, *added, ""])
