"""MLflow's scoring protocol: /ping, /version and /invocations, below a scenario, and at the root where there is one.

Answers are labels, or numbers of a regression, and decisions stand beside them, where costs are known;
`x-releve-answer` names the answer, whose row n /feedback calls
`{answer}.{n}`.
"""

from collections.abc import Callable

import orjson

from releve.core.errors import BadInput, ReleveError
from releve.serving.mlflow_scoring import tables
from releve.serving.routes import ARM_KEY, JSON, Reply, Request, Role, Route, json_reply
from releve.serving.scenarios.scenario import Scenario
from releve.serving.scenarios.scenarios import Scenarios

PROTOCOL = b"3.17.2"  # of MLflow, whose protocol this is: a client takes a version below 2 as another protocol
ERROR_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    408: "DEADLINE_EXCEEDED",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    507: "RESOURCE_EXHAUSTED",
}  # by status; BAD_REQUEST for any other


def routes(scenarios: Scenarios) -> list[Route]:
    """List what MLflow's clients ask."""

    def named(request: Request) -> Scenario:
        return scenarios.get(request.parameters["scenario"])

    made = []
    for prefix, of in (("", lambda _: scenarios.only()), ("/scenarios/{scenario}", named)):
        ping = _ping(of)
        role = Role.READ if prefix else Role.ANYONE  # nobody unknown makes another scenario load
        made += [
            Route("GET", f"{prefix}/ping", ping, error, role=role),
            Route("GET", f"{prefix}/health", ping, error, role=role),
            Route("GET", f"{prefix}/version", lambda _: Reply(200, PROTOCOL), error, role=Role.ANYONE),
            Route("POST", f"{prefix}/invocations", _invocations(of), error),
        ]
    return made


def error(fault: ReleveError, _: str) -> Reply:
    """Say a fault as MLflow does: {"error_code", "message"}."""
    code = ERROR_CODES.get(fault.status, "BAD_REQUEST")
    return Reply(fault.status, orjson.dumps({"error_code": code, "message": str(fault)}))


def _ping(scenario_of: Callable[[Request], Scenario]) -> Callable[[Request], Reply]:
    def ping(request: Request) -> Reply:
        """Say that the model is there; it is loaded for that."""
        scenario_of(request).served_now()
        return Reply(200, b"\n", JSON)

    return ping


def _invocations(scenario_of: Callable[[Request], Scenario]) -> Callable[[Request], Reply]:
    def invocations(request: Request) -> Reply:
        """Predict rows; they are in the ledger as those of every other path."""
        scenario = scenario_of(request)
        served = scenario.served_now()
        schema, content_type = served.schema, request.header(b"content-type")
        rows = tables.rows_of(request.body, content_type, schema, max_rows=served.limits.max_rows)
        if not rows:
            raise BadInput("there are no rows; send at least one")
        completed, arrays = scenario.checked(served, rows)
        answered = scenario.predict(served, completed, arrays, key=request.header(ARM_KEY))
        sent = {"x-releve-answer": answered.id, "x-releve-model": answered.model, "x-releve-arm": answered.arm}
        headers = tuple((name.encode(), value.encode()) for name, value in sent.items())
        decided, beside = answered.decided, dict[str, object]()
        if decided is not None:
            beside = {"decisions": decided.decisions, "expected_costs": decided.expected_costs, "rules": decided.rules}
        return json_reply(
            {"predictions": answered.sent, **beside}, headers=headers, request_id=request.request_id or answered.id
        )

    return invocations
