"""The paths that belong to others' protocols: the Open Inference Protocol's /v2, and those of MLflow's scoring."""

from collections.abc import Mapping
from typing import Any

from releve.serving.open_inference import routes, tables
from releve.serving.open_inference.inference import LARGEST_SIZE, UNSUPPORTED
from releve.serving.open_inference.tensors import DATATYPES, MAX_DIMENSIONS
from releve.serving.openapi import shapes
from releve.serving.openapi.cells import JsonSchema
from releve.serving.openapi.operations import Operation
from releve.serving.served import Served

SCORING_ERROR, INFERENCE_ERROR = "ScoringError", "InferenceError"  # of `components`
DATATYPE: JsonSchema = {"enum": list(DATATYPES)}
BINARY = "in JSON, or with binary tensors behind it, as the header Inference-Header-Content-Length says"


def parts() -> dict[str, JsonSchema]:
    """The errors of both, and a label as MLflow's clients get it."""
    return {
        INFERENCE_ERROR: shapes.exact({"error": shapes.TEXT}),
        SCORING_ERROR: shapes.exact({"error_code": shapes.TEXT, "message": shapes.TEXT}),
        "Scored": {"type": ["string", "number"]},
    }


def scoring(
    prefix: str, row: Mapping[str, Any] | None, *, max_rows: int | None, parameters: tuple[JsonSchema, ...]
) -> list[Operation]:
    """What MLflow's clients ask below `prefix`."""

    def state(path: str, says: str) -> Operation:
        name = f"mlflow_{path}"
        return Operation("get", f"{prefix}/{path}", name, says, parameters=parameters, errors=SCORING_ERROR)

    return [
        Operation(
            "post",
            f"{prefix}/invocations",
            "invocations",
            "Predict rows by MLflow's scoring protocol, which has more forms of a table, and CSV",
            answers=shapes.part("Invocations"),
            asks=shapes.scoring_request(max_rows),
            example=None if row is None else {"dataframe_records": [row]},
            parameters=(*parameters, shapes.KEY_OF_ARM),
            errors=SCORING_ERROR,
        ),
        state("ping", "Say that the model is there: it is loaded for that"),
        state("health", "The same as /ping"),
        state("version", "Name the version of MLflow whose protocol this is"),
    ]


def inference(model: str, served: Served | None, row: Mapping[str, Any] | None) -> list[Operation]:
    """What /v2 offers; `model`: a name, or {model} where `served` and the row that it answers are None."""
    of_model = () if served else (_in_path("model", shapes.TEXT),)
    version = _in_path("version", {"enum": [routes.version_of(served.model.tag)]} if served else shapes.TEXT)
    example = _inference_example(served, row) if served and row else None

    def ask(method: str, path: str, name: str, says: str, **more: Any) -> Operation:
        return Operation(method, path, f"v2_{name}", says, errors=INFERENCE_ERROR, **more)

    health, about = {"live": shapes.FLAG}, {"name": shapes.TEXT, "version": shapes.TEXT}
    server = shapes.exact(about | {"extensions": {"type": "array", "items": shapes.TEXT}})
    made = [
        ask("get", "/v2/health/live", "live", "Say that the process lives", answers=shapes.exact(health)),
        ask("get", "/v2/health/ready", "ready", "Say whether this worker can answer",
            answers=shapes.exact(health | {"ready": shapes.FLAG})),
        ask("get", "/v2", "server", "Name the server and its extensions", answers=server),
        ask("get", "/v2/", "server_with_a_slash", "The same as /v2", answers=server),
        ask("post", "/v2/repository/index", "index", "List the models; the body may be empty",
            answers={"type": "array", "items": _entry()},
            asks={"type": "object", "properties": {"ready": shapes.FLAG}}, example={}, may_be_empty=True),
        *(
            ask("post", f"/v2/repository/models/{model}/{verb}", verb,
                "Refused: the registry decides what serves; asks for the operator token",
                parameters=of_model, refused=True)
            for verb in ("load", "unload")
        ),
    ]  # fmt: skip
    newest = f"/v2/models/{model}"
    for path, suffix, more in ((newest, "", ()), (f"{newest}/versions/{{version}}", "_of_version", (version,))):
        parameters = (*of_model, *more)
        made += [
            ask("get", path, f"model{suffix}", "Describe the tensors that a model takes and answers",
                answers=_metadata(), parameters=parameters),
            ask("get", f"{path}/ready", f"model_ready{suffix}", "Say that a model is there: it is loaded for that",
                answers=shapes.exact({"name": shapes.TEXT, "ready": shapes.FLAG}), parameters=parameters),
            ask("post", f"{path}/infer", f"infer{suffix}", f"Predict rows that come as tensors, {BINARY}",
                answers=_inference_answer(), asks=_inference_request(served), example=example,
                parameters=parameters if more else (*parameters, shapes.KEY_OF_ARM), binary=True),
        ]  # fmt: skip
    return made


def _in_path(name: str, schema: JsonSchema) -> JsonSchema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _inference_example(served: Served, row: Mapping[str, Any]) -> dict[str, Any]:
    schema, described = served.schema, tables.describe_inputs(served.schema)
    values, shape = [[row[column.name]] for column in schema.asked], [1]
    if tables.is_matrix(schema):
        values, shape = [[row[name] for name in schema.names]], [1, len(schema.names)]
    return {
        "inputs": [
            {"name": each["name"], "datatype": each["datatype"], "shape": shape, "data": data}
            for each, data in zip(described, values, strict=True)
        ]
    }


def _inference_request(served: Served | None) -> JsonSchema:
    """Describe a request in JSON. Parameters that are not known are let pass, as the protocol has it."""
    inputs: JsonSchema = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": shapes.TEXT,
            "shape": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": LARGEST_SIZE - 1},
                "maxItems": MAX_DIMENSIONS,
            },
            "datatype": DATATYPE,
            "data": {"type": "array", "description": "of all rows; null is a missing element"},
            "parameters": _parameters({}),
        },
    }
    if served is not None:
        schema = served.schema
        names = [each["name"] for each in tables.describe_inputs(schema)]
        inputs["properties"]["name"] = {"enum": list(dict.fromkeys([*names, *schema.by_name]))}
    outputs = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": shapes.TEXT, "parameters": _parameters({"binary_data": shapes.FLAG})},
    }
    wanted = shapes.or_null({"type": "array", "items": outputs}, "everything where it is left out")
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": shapes.or_null(shapes.TEXT),
            "parameters": _parameters({"binary_data_output": shapes.FLAG}),
            "inputs": shapes.items(inputs, most=len(served.schema.columns) if served else None),
            "outputs": wanted,
        },
    }


def _parameters(known: Mapping[str, JsonSchema]) -> JsonSchema:
    refused: dict[str, Any] = dict.fromkeys(UNSUPPORTED, False)
    return {"type": ["object", "null"], "properties": {**known, **refused}}


def _inference_answer() -> JsonSchema:
    tensor = _tensor({"data": {"type": "array"}}, least=0)
    named = {"model_name": shapes.TEXT, "model_version": shapes.TEXT, "id": shapes.TEXT}
    answer = shapes.exact({**named, "parameters": {"type": "object"}, "outputs": shapes.items(tensor)})
    return answer | {"required": [name for name in answer["required"] if name != "id"]}


def _metadata() -> JsonSchema:
    tensors = shapes.items(_tensor({}, least=-1))
    versions = {"type": "array", "items": shapes.TEXT}
    return shapes.exact(
        {"name": shapes.TEXT, "versions": versions, "platform": shapes.TEXT, "inputs": tensors, "outputs": tensors}
    )


def _tensor(more: Mapping[str, JsonSchema], *, least: int) -> JsonSchema:
    shape = {"type": "array", "items": {"type": "integer", "minimum": least}}
    fields = shapes.exact({"name": shapes.TEXT, "datatype": DATATYPE, "shape": shape, **more})
    return {**fields, "properties": {**fields["properties"], "parameters": {"type": "object"}}}


def _entry() -> JsonSchema:
    return shapes.exact(dict.fromkeys(("name", "version", "state", "reason"), shapes.TEXT))
