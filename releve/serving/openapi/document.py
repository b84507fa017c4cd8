"""The OpenAPI documents: of one scenario with its own features and classes, and of a service of several."""

from collections.abc import Mapping
from typing import Any

from releve import __version__
from releve.domain.prediction_log.records import EXAMPLE_ID
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.serving.edge.encodings import WINDOWS
from releve.serving.native import MAX_NEIGHBOURS
from releve.serving.open_inference.inference import BINARY
from releve.serving.openapi import protocols, shapes
from releve.serving.openapi.cells import JsonSchema, answering_row, cell_schema, label_schema, row_schema
from releve.serving.openapi.operations import Operation
from releve.serving.search_questions import DEFAULT_LIMIT
from releve.serving.served import Served

Document = dict[str, Any]
VERSION = "3.1.0"
JSON = "application/json"
ERRORS = {
    400: "the request is wrong; nothing of it was done",
    401: "a token is asked for, and none was sent that is known",
    403: "the token is known, and has not the role that this asks for",
    404: "no such scenario, answer or path",
    405: "the path is asked with another method",
    408: "the request did not come whole within the time",
    413: "more rows or bytes than one request may carry",
    415: "the body is said to be something else than JSON, or in a content-encoding that is not read",
    429: "this token has asked too often",
    500: "something failed inside the service; its log tells more under the request's id",
    503: "nothing is released, too much is asked at once, or an outside system is away; ask again later",
    504: "there was no answer within the time",
    507: "a disk is full, and no answer is given that cannot be written down; ask again later",
}
WITHOUT_BODY = frozenset({400, 408, 413, 415, 507})  # what only a request with a body can bring
READINESS = ("/readyz", "/v2/health/ready")  # which try the ledger's disk
HEADERS = {
    405: ("Allow", "the methods of the path"),
    415: ("Accept-Encoding", "the content-encodings that are read; only where the body had another"),
    429: ("Retry-After", "seconds"),
    503: ("Retry-After", "seconds"),
}
COMPRESSED = f"as it is, or with the header content-encoding {' or '.join(WINDOWS)}"


def scenario_document(name: str, served: Served, *, prefix: str) -> Document:
    """Describe one scenario at `prefix`, "" for a service of it alone, by the model that serves now."""
    schema, target, decision = served.schema, served.schema.target, served.model.description.decision
    table = decision.table if decision else None
    row = answering_row(schema, served.model.description.golden.rows)
    label = {"type": "null"} if target.task == REGRESSION else label_schema(target)
    search = shapes.search_request(
        label,
        dimension=served.model.embedder.dimension,
        most=MAX_NEIGHBOURS,
        default=DEFAULT_LIMIT,
        text=cell_schema(schema.column(schema.texts[0])) if len(schema.texts) == 1 else None,
        kept={name: cell_schema(schema.column(name)) for name in served.filters},
    )
    operations = _operations(prefix, search, row, _example_label(schema), max_rows=served.limits.max_rows)
    operations += [*protocols.inference(name, served, row), _explain(prefix, row, schema)]
    parts = {
        **protocols.parts(),
        "Row": row_schema(schema) | {"examples": [row]},
        "Prediction": shapes.prediction(schema, table),
        "Invocations": shapes.invocations(table, max_rows=served.limits.max_rows),
        "Neighbour": shapes.neighbour(schema),
        "Label": shapes.label_item(schema),
        "Scored": shapes.NUMBER if target.task == REGRESSION else {"enum": list(target.classes)},
    }
    kind = "a number" if target.task == REGRESSION else f"one of {len(target.classes)} classes"
    about = f"Predicts '{target.name}', {kind}, from {len(schema.asked)} features. Now served: {served.model.tag}."
    return _document(name, about, operations, parts)


def service_document() -> Document:
    """Describe a service of several scenarios; each has a document of its own."""
    search = shapes.search_request(
        {"type": ["string", "integer"]},
        dimension=None,
        most=MAX_NEIGHBOURS,
        default=DEFAULT_LIMIT,
        text=shapes.TEXT,
        kept=None,
    )
    name = {"name": "scenario", "in": "path", "required": True, "schema": shapes.TEXT, "description": "/ lists them"}
    operations = _operations("/scenarios/{scenario}", search, None, None, parameters=(name,))
    operations += protocols.inference("{model}", None, None)
    operations.append(_explain("/scenarios/{scenario}", None, None, parameters=(name,)))
    own = {"type": "object", "description": "OpenAPI 3.1"}
    operations.append(
        Operation(
            "get",
            "/scenarios/{scenario}/openapi.json",
            "describe",
            "Describe one scenario: its features, classes and limits",
            own,
            parameters=(name,),
        )
    )
    label = {"type": ["string", "number"]}
    parts = {
        **protocols.parts(),
        "Row": shapes.ANY_ROW,
        "Prediction": shapes.any_prediction(),
        "Invocations": shapes.any_invocations(),
        "Neighbour": shapes.neighbour(None),
        "Label": shapes.exact({"id": {"type": ["string", "integer"]}, "label": label}),
    }
    about = "Every scenario is asked in the same form; /scenarios/{scenario}/openapi.json has the features of one."
    return _document("Relève", about, operations, parts)


def _operations(
    prefix: str,
    search: JsonSchema,
    row: Mapping[str, Any] | None,
    label: Any,
    *,
    max_rows: int | None = None,
    parameters: tuple[JsonSchema, ...] = (),
) -> list[Operation]:
    """List what every scenario offers; `row` and `label` are examples, None for none."""
    return [
        *_questions(prefix, search, row, label, max_rows=max_rows, parameters=parameters),
        *protocols.scoring(prefix, row, max_rows=max_rows, parameters=parameters),
        *_runs(prefix, parameters),
        *_states(prefix, parameters),
        Operation("get", "/", "scenarios", "List the scenarios that are served", shapes.scenarios()),
        Operation(
            "get",
            "/readyz",
            "ready",
            "Say whether this worker can answer: 503 where it cannot",
            shapes.exact({"ready": shapes.FLAG}),
        ),
    ]


def _questions(
    prefix: str,
    search: JsonSchema,
    row: Mapping[str, Any] | None,
    label: Any,
    *,
    max_rows: int | None,
    parameters: tuple[JsonSchema, ...],
) -> list[Operation]:
    """What is asked with a body."""
    part, some, known = shapes.part, shapes.items, row is not None
    return [
        Operation(
            "post",
            f"{prefix}/predict",
            "predict",
            "Predict rows; every answer is in the prediction ledger before it is sent",
            answers=shapes.answered({"naive": shapes.FLAG, "predictions": some(part("Prediction"))}),
            asks=shapes.exact({"rows": some(part("Row"), most=max_rows)}),
            example={"rows": [row]} if known else None,
            parameters=(*parameters, shapes.KEY_OF_ARM),
        ),
        Operation(
            "post",
            f"{prefix}/search",
            "search",
            "Find the training rows nearest to a row, a text or a vector",
            answers=shapes.answered(
                {"metric": shapes.METRIC, "neighbours": {"type": "array", "items": part("Neighbour")}}
            ),
            asks=search,
            example={"row": row, "limit": 5} if known else None,
            parameters=(*parameters, shapes.KEY_OF_ARM),
        ),
        Operation(
            "post",
            f"{prefix}/feedback",
            "feedback",
            "Tell what turned out true; one wrong item refuses them all, and the newest label of a row counts",
            answers=shapes.exact({"request_id": shapes.TEXT, "accepted": shapes.COUNT}),
            asks=shapes.exact({"labels": some(part("Label"), most=max_rows)}),
            example={"labels": [{"id": EXAMPLE_ID, "label": label}]} if known else None,
            parameters=parameters,
        ),
    ]


def _explain(
    prefix: str, row: Mapping[str, Any] | None, schema: Schema | None, *, parameters: tuple[JsonSchema, ...] = ()
) -> Operation:
    """What tells why; of whatever scenario without a schema."""
    asked: JsonSchema = {"type": ["string", "integer"]}
    answered, is_value = asked, None
    if schema is not None:
        is_value = schema.target.task == REGRESSION
        asked = {"type": "null"} if is_value else label_schema(schema.target)
        answered = {"type": "null"} if is_value else {"enum": list(schema.target.classes)}
    return Operation(
        "post",
        f"{prefix}/explain",
        "explain",
        "Explain what is answered to a row: what each feature moved, and what would change it; asks for the token to "
        "explain, or the operator's",
        answers=shapes.explanation(answered),
        asks=shapes.explain_request(asked, is_value=is_value),
        example={"row": row} if row is not None else None,
        parameters=parameters,
    )


def _runs(prefix: str, parameters: tuple[JsonSchema, ...]) -> list[Operation]:
    """What operators start."""
    return [
        Operation(
            "post",
            f"{prefix}/runs",
            "start_run",
            "Start a run of a flow in Prefect: retrain or monitor; asks for the operator token",
            answers=shapes.started_run(),
            asks=shapes.wanted_run(),
            example={"flow": "retrain", "search": False},
            parameters=(*parameters, shapes.IDEMPOTENCY_KEY),
        ),
        Operation(
            "get",
            f"{prefix}/runs",
            "runs",
            "List the newest runs that were started here, and how each stands; asks for the operator token",
            shapes.runs(),
            parameters=parameters,
        ),
    ]


def _states(prefix: str, parameters: tuple[JsonSchema, ...]) -> list[Operation]:
    """What a scenario says of itself."""
    path, says = f"{prefix}/status", "Say what serves, and what can be reached"
    return [
        Operation("get", path, "status", says, shapes.status(), parameters=parameters),
        Operation("post", path, "status_by_post", says, shapes.status(), parameters=parameters),
        Operation(
            "get",
            f"{prefix}/ready",
            "model_ready",
            "Load the model if need be, and say which version answers",
            shapes.model_ready(),
            parameters=parameters,
        ),
    ]


def _document(title: str, about: str, operations: list[Operation], parts: Mapping[str, JsonSchema]) -> Document:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _written(operation)
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": __version__, "description": about},
        "paths": paths,
        "security": [{}, {"token": []}],
        "components": {
            "schemas": {**parts, "Error": shapes.error(), **shapes.release_parts()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "where the service asks for tokens"}
            },
        },
    }


def _written(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {} if operation.answers is None else {"schema": operation.answers}}
    if operation.binary:
        content[BINARY] = {}
    written: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {} if operation.refused else {"200": {"description": "the answer", "content": content}},
    }
    if operation.parameters:
        written["parameters"] = list(operation.parameters)
    if operation.asks is not None:
        example = {} if operation.example is None else {"example": operation.example}
        content = {JSON: {"schema": operation.asks, **example}}
        written["requestBody"] = {
            "description": COMPRESSED,
            "required": not operation.may_be_empty,
            "content": content,
        }
    for status, description in ERRORS.items():
        if operation.method == "post" or operation.path in READINESS or status not in WITHOUT_BODY:
            response: dict[str, Any] = {
                "description": description,
                "content": {JSON: {"schema": shapes.part(operation.errors)}},
            }
            if status in HEADERS:
                header, says = HEADERS[status]
                response["headers"] = {header: {"description": says, "schema": shapes.TEXT}}
            written["responses"][str(status)] = response
    return written


def _example_label(schema: Schema) -> Any:
    target = schema.target
    if target.task != REGRESSION:
        return target.classes[0]
    return target.min if target.min is not None else min(0.0, target.max or 0.0)
