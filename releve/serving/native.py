"""The project's own paths: /scenarios/{scenario}/predict, and /predict where exactly one scenario is served."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

from releve.core.errors import ReleveError
from releve.serving import requests
from releve.serving.faults import UnsupportedMediaType, native_error, new_request_id
from releve.serving.flow_runs import FlowRuns, new_key
from releve.serving.pools import CallPool
from releve.serving.routes import ARM_KEY, Headers, Reply, Request, Role, Route, Runs, json_reply
from releve.serving.scenarios.scenario import Found, Scenario, ScenarioAnswers
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.search_questions import arrays_near, search_of

MAX_NEIGHBOURS = 100  # of one search
STATUS_SECONDS = 0.5  # that /status waits for Milvus, and for the ledger's disk
ASKED_FOR = "asked for by an application"  # what the history says of a retraining that was started here
SHORT_BODY = 4_096  # bytes of what names a run to start
SENT_BY_CURL = "application/x-www-form-urlencoded"  # for -d, whatever the data is

ScenarioOf = Callable[[Request], Scenario]


def routes(scenarios: Scenarios, pools: Mapping[Runs, CallPool], flow_runs: FlowRuns) -> list[Route]:
    """The routes of all scenarios. `pools`: where /status asks whether Milvus and the ledger's disk are there."""

    def ready(_: Request) -> Reply:
        """Say whether this worker can answer."""
        scenarios.check_ready()
        return json_reply({"ready": True})

    made = [
        Route("GET", "/readyz", ready, native_error, runs=Runs.DISK, role=Role.ANYONE),
    ]
    for prefix, of in scenario_prefixes(scenarios):
        status = _status(of, scenarios, pools)
        made += [
            Route("POST", f"{prefix}/predict", _predict(of), native_error),
            Route("POST", f"{prefix}/search", _search(of, pools), native_error),
            Route("POST", f"{prefix}/feedback", _feedback(of), native_error, runs=Runs.DISK, role=Role.LABEL),
            Route("GET", f"{prefix}/runs", _runs(of, flow_runs), native_error, runs=Runs.PREFECT, role=Role.OPERATE),
            Route(
                "POST",
                f"{prefix}/runs",
                _start_run(of, flow_runs),
                native_error,
                runs=Runs.PREFECT,
                role=Role.OPERATE,
                max_body_bytes=SHORT_BODY,
            ),
            Route("GET", f"{prefix}/ready", _ready(of), native_error),
            Route("GET", f"{prefix}/status", status, native_error),
            Route("POST", f"{prefix}/status", status, native_error),
        ]
    return made


def scenario_prefixes(scenarios: Scenarios) -> tuple[tuple[str, ScenarioOf], ...]:
    """What a scenario's paths begin with, and which scenario a request means there."""

    def named(request: Request) -> Scenario:
        return scenarios.get(request.parameters["scenario"])

    def sole(_: Request) -> Scenario:
        return scenarios.only()

    return ("", sole), ("/scenarios/{scenario}", named)


def listing(scenarios: Scenarios) -> dict[str, list[dict[str, object]]]:
    """What `/` answers: the scenarios that are served, by which version since when."""
    return {"scenarios": [_line(each) for each in scenarios.released()]}


def _predict(scenario_of: ScenarioOf) -> Callable[[Request], Reply]:
    def predict(request: Request) -> Reply:
        """Predict rows. Every answered row has an `id`, by which /feedback names it."""
        body, scenario = json_body(request), scenario_of(request)
        served = scenario.served_now()
        sent = requests.rows_of(body, max_rows=served.limits.max_rows)
        rows, arrays = scenario.checked(served, sent)
        answered = scenario.predict(served, rows, arrays, key=request.header(ARM_KEY))
        request_id = request.request_id or answered.id
        return json_reply(
            {
                "request_id": request_id,
                "scenario": scenario.name,
                "model_version": answered.model,
                "index_version": answered.index,
                "arm": answered.arm,
                "naive": answered.served.is_naive,
                "predictions": _predictions(answered),
            },
            headers=versions(answered.model, answered.arm),
            request_id=request_id,
        )

    return predict


def _search(scenario_of: ScenarioOf, pools: Mapping[Runs, CallPool]) -> Callable[[Request], Awaitable[Reply]]:
    def search(request: Request) -> Awaitable[Reply]:
        """Find the training rows nearest to a row, a text or a vector."""
        body, scenario = json_body(request), scenario_of(request)
        served = scenario.served_now()
        dimension = served.model.embedder.dimension
        question = search_of(
            body, served.schema, dimension=dimension, max_neighbours=MAX_NEIGHBOURS, kept=served.filters
        )
        question = scenario.completed_question(served, question)
        arrays = arrays_near(question, served.schema)
        found = scenario.search(served, question, pools, arrays, key=request.header(ARM_KEY))
        return answer(request, scenario, found)

    async def answer(request: Request, scenario: Scenario, searching: Awaitable[Found]) -> Reply:
        found = await searching
        request_id = request.request_id or found.id
        return json_reply(
            {
                "request_id": request_id,
                "scenario": scenario.name,
                "model_version": found.model,
                "index_version": found.index,
                "arm": found.arm,
                "metric": found.metric,
                "neighbours": found.neighbours,
            },
            headers=versions(found.model, found.arm),
            request_id=request_id,
        )

    return search


def _feedback(scenario_of: ScenarioOf) -> Callable[[Request], Reply]:
    def feedback(request: Request) -> Reply:
        """Tell what the right labels were. One wrong item refuses them all."""
        body, scenario = json_body(request), scenario_of(request)
        served = scenario.served_now()
        pairs = requests.labels_of(body, served.schema, max_rows=served.limits.max_rows)
        scenario.feedback(served, pairs)
        request_id = request.request_id or new_request_id()
        return json_reply({"request_id": request_id, "accepted": len(pairs)}, request_id=request_id)

    return feedback


def _start_run(scenario_of: ScenarioOf, flow_runs: FlowRuns) -> Callable[[Request], Reply]:
    def start_run(request: Request) -> Reply:
        """Start a run of a flow; `new`: false where an earlier request with this key had started it."""
        wanted, scenario = requests.run_of(json_body(request)), scenario_of(request)
        key = request.header(b"idempotency-key") or new_key()
        run, new = flow_runs.start(scenario.name, wanted, key=key, reason=ASKED_FOR)
        request_id = request.request_id or new_request_id()
        return json_reply(
            {"request_id": request_id, "scenario": scenario.name, "new": new, "run": asdict(run)},
            request_id=request_id,
        )

    return start_run


def _runs(scenario_of: ScenarioOf, flow_runs: FlowRuns) -> Callable[[Request], Reply]:
    def runs(request: Request) -> Reply:
        """List the newest runs that were started here, and how each stands."""
        scenario = scenario_of(request)
        newest = [asdict(each) for each in flow_runs.newest(scenario.name)]
        request_id = request.request_id or new_request_id()
        return json_reply({"request_id": request_id, "scenario": scenario.name, "runs": newest}, request_id=request_id)

    return runs


def _ready(scenario_of: ScenarioOf) -> Callable[[Request], Reply]:
    def ready(request: Request) -> Reply:
        """Load the model if need be, and say which one answers; `follows`: whether a release takes its place."""
        scenario = scenario_of(request)
        served = scenario.served_now()
        request_id = request.request_id or new_request_id()
        return json_reply(
            {
                "request_id": request_id,
                "scenario": scenario.name,
                "model_version": served.model.tag,
                "follows": served.release is not None,
            },
            request_id=request_id,
        )

    return ready


def _status(
    scenario_of: ScenarioOf, scenarios: Scenarios, pools: Mapping[Runs, CallPool]
) -> Callable[[Request], Awaitable[Reply]]:
    async def status(request: Request) -> Reply:
        """Say what serves, and what can be reached."""
        scenario = scenario_of(request)
        served, current = scenario.served, scenario.current
        release = served.release if served else current.release if current else None
        index, index_reachable, ledger_problem = scenarios.index, None, None
        if index is not None and release is not None:
            try:
                index_reachable = await pools[Runs.INDEX].run(index.exists, release.index, seconds=STATUS_SECONDS)
            except ReleveError:
                index_reachable = False
        try:
            await pools[Runs.DISK].run(scenarios.check_ledger, seconds=STATUS_SECONDS)
        except ReleveError as error:
            ledger_problem = str(error)
        request_id = request.request_id or new_request_id()
        return json_reply(
            {
                "request_id": request_id,
                "scenario": scenario.name,
                "release": release.model_dump(mode="json") if release else None,
                "model_version": _version(scenario),
                "since": _since(scenario),
                "loaded": served is not None,
                "naive": served.is_naive if served else None,
                "registry_reachable": scenarios.registry_reachable,
                "index_reachable": index_reachable,
                "ledger_problem": ledger_problem,
                "rows_answered": scenario.rows_answered,
            },
            request_id=request_id,
        )

    return status


def _line(scenario: Scenario) -> dict[str, object]:
    return {
        "scenario": scenario.name,
        "model_version": _version(scenario),
        "since": _since(scenario),
        "loaded": scenario.served is not None,
    }


def _version(scenario: Scenario) -> str | None:
    """What answers; where nothing is in memory, what the next request loads."""
    served, current = scenario.served, scenario.current
    return served.model.tag if served else current.release.model if current else None


def _since(scenario: Scenario) -> str | None:
    found = scenario.served or scenario.current
    return found.since if found else None


def _predictions(answered: ScenarioAnswers) -> list[dict[str, object]]:
    """Per row what is answered; of a model with costs also what is decided."""
    found, decided = _answers(answered), answered.decided
    if decided is not None:
        columns = zip(found, decided.decisions, decided.expected_costs, decided.rules, strict=True)
        for one, decision, cost, rule in columns:
            one |= {"decision": decision, "expected_cost": cost, "rule": rule}
    return found


def _answers(answered: ScenarioAnswers) -> list[dict[str, object]]:
    """Per row its value and interval, or its class with the probability of every class."""
    if answered.probabilities is None:
        values = answered.sent
        intervals: Sequence[Sequence[float] | None] = answered.intervals or [None] * len(values)
        return [
            {"id": row_id, "value": value, "interval": interval}
            for row_id, value, interval in zip(answered.row_ids, values, intervals, strict=True)
        ]
    classes = [str(label) for label in answered.served.schema.target.classes]
    return [
        {
            "id": row_id,
            "label": label,
            "probability": max(of_row),
            "probabilities": dict(zip(classes, of_row, strict=True)),
        }
        for row_id, label, of_row in zip(answered.row_ids, answered.labels, answered.probabilities, strict=True)
    ]


def json_body(request: Request) -> bytes:
    """The body. Raises UnsupportedMediaType where it says that it is something else than JSON."""
    media_type = request.header(b"content-type").partition(";")[0].strip().lower()
    if media_type and "json" not in media_type and media_type != SENT_BY_CURL:
        raise UnsupportedMediaType("JSON as application/json")
    return request.body


def versions(model: str, arm: str) -> Headers:
    """Say in headers who answered."""
    return ((b"x-releve-model", model.encode()), (b"x-releve-arm", arm.encode()))
