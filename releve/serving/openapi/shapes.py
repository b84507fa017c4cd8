"""The objects that are asked and answered, as JSON Schema."""

from collections.abc import Mapping

from releve.domain.decision.costs import UnitPrices
from releve.domain.decision.policy import DecisionTable
from releve.domain.neighbours.index_design import DistanceMetric
from releve.domain.neighbours.vectors import MAX_TEXT_BYTES
from releve.domain.prediction_log.records import ROW_ID
from releve.domain.registry.release import Release
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.serving.flow_runs import KEY
from releve.serving.openapi.cells import NOT_BLANK, JsonSchema, label_schema
from releve.serving.requests import Flow
from releve.serving.routes import ARM_KEY

TEXT: JsonSchema = {"type": "string"}

IN_INDEX = r"^[^\x00-\x1f]*$"
METRIC: JsonSchema = {
    "enum": [metric.value for metric in DistanceMetric],
    "description": "of the distances: L2 is the squared Euclidean one, COSINE is 1 - the cosine, IP the negated inner "
    "product; a smaller one is nearer",
}
FLAG: JsonSchema = {"type": "boolean"}
COUNT: JsonSchema = {"type": "integer", "minimum": 0}
NUMBER: JsonSchema = {"type": "number"}
SHARE: JsonSchema = {"type": "number", "minimum": 0, "maximum": 1}
CELL: JsonSchema = {"type": ["string", "number", "boolean", "null"]}
IDEMPOTENCY_KEY: JsonSchema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {**TEXT, "pattern": f"^{KEY.pattern}$"},
    "description": "requests with one key start one run of the flow",
}
KEY_OF_ARM: JsonSchema = {
    "name": ARM_KEY.decode(),
    "in": "header",
    "required": False,
    "schema": TEXT,
    "description": "requests with one key are answered by one arm, while a challenger is tried on live traffic",
}
ANY_ROW: JsonSchema = {
    "type": "object",
    "description": "an object of feature names and values; which ones, depends on the scenario",
    "additionalProperties": CELL,
    "examples": [{"signed_up": "2024-05-01", "tenure_months": 3, "plan": "basic"}],
}


def part(name: str) -> JsonSchema:
    """Refer to a schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: JsonSchema, description: str = "") -> JsonSchema:
    """Allow null too."""
    described = {"description": description} if description else {}
    return {"anyOf": [schema, {"type": "null"}], **described}


def exact(properties: Mapping[str, JsonSchema]) -> JsonSchema:
    """Describe an object that has all these fields and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def items(schema: JsonSchema, *, most: int | None = None, least: int = 1) -> JsonSchema:
    """Describe a list of one or more."""
    return {"type": "array", "items": schema, "minItems": least, **({} if most is None else {"maxItems": most})}


def search_request(
    label: JsonSchema,
    *,
    dimension: int | None,
    most: int,
    default: int,
    text: JsonSchema | None,
    kept: Mapping[str, JsonSchema] | None,
) -> JsonSchema:
    """Describe a question for neighbours: near a row, a vector or a text, null being none.

    `text`: None where the table has not one text column. `kept`: categories to filter by; None for whatever ones.
    """
    vector: JsonSchema = {"type": "array", "items": NUMBER}
    vector |= {} if dimension is None else {"minItems": dimension, "maxItems": dimension}
    limit = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    near: dict[str, JsonSchema] = {
        "row": or_null(part("Row"), "near this one, which is embedded here"),
        "vector": or_null(vector, "near this one: an embedding, not raw values"),
    }
    types = {"row": "object", "vector": "array"}
    if text is not None:
        near["text"] = or_null(text, "near a row of which only its text is known")
        types["text"] = "string"
    return {
        "type": "object",
        "properties": {
            **near,
            "limit": {**limit, "description": "neighbours at most"},
            "label": or_null(label, "only neighbours of this class"),
            "filters": or_null(filters(label, kept), "only neighbours of which each of these holds"),
        },
        "additionalProperties": False,
        "oneOf": [
            {
                "required": [name],
                "properties": {other: {"type": types[other] if other == name else "null"} for other in near},
            }
            for name in near
        ],
    }


def filters(label: JsonSchema, kept: Mapping[str, JsonSchema] | None) -> JsonSchema:
    """Describe what neighbours can be filtered by."""
    name: JsonSchema = {**TEXT, "maxLength": MAX_TEXT_BYTES, "pattern": IN_INDEX}
    ends = {"type": "object", "properties": {"from": name, "to": name}, "minProperties": 1}
    batch = {"anyOf": [name, {**ends, "additionalProperties": False}]}
    described = "the batch of a row, refused where the index has none of it, or all from one to another by their names"
    columns = {column: {"allOf": [cell, {"if": TEXT, "then": name}]} for column, cell in (kept or {}).items()}
    return {
        "type": "object",
        "properties": {"batch": {**batch, "description": described}, **columns}
        | ({} if label == {"type": "null"} else {"label": label}),
        "additionalProperties": {"type": ["string", "integer", "null"]} if kept is None else False,
    }


def answered(head: Mapping[str, JsonSchema]) -> JsonSchema:
    """Describe an answer of a model; `head` is what else it has."""
    who = {
        "request_id": TEXT,
        "scenario": TEXT,
        "model_version": TEXT,
        "index_version": or_null(TEXT, "null where a packed model serves without an index"),
        "arm": {**TEXT, "description": "which of the models that share the traffic answered"},
    }
    return exact(who | dict(head))


def prediction(schema: Schema, table: DecisionTable | None = None) -> JsonSchema:
    """Describe the answer for one row; `table`: of a model with costs."""
    answer = _answer(schema)
    return answer if table is None else exact(answer["properties"] | decided(table))


def decided(table: DecisionTable) -> dict[str, JsonSchema]:
    """Describe what is decided by the answer for one row."""
    named: list[JsonSchema] = [{"enum": list(table.costs.decisions)}] if table.costs.decisions else []
    number: list[JsonSchema] = [NUMBER] if isinstance(table.costs, UnitPrices) else []
    unit = f", in {table.unit}" if table.unit else ""
    return {
        "decision": {"anyOf": [*number, *named]},
        "expected_cost": {**NUMBER, "description": f"of the decision{unit}"},
        "rule": or_null(TEXT, "the reason of the business rule that decided; null where none did"),
    }


def _answer(schema: Schema) -> JsonSchema:
    row_id = {**TEXT, "pattern": f"^{ROW_ID.pattern}$", "description": "what /feedback calls this row"}
    target = schema.target
    if target.task == REGRESSION:
        interval = {**items(NUMBER, most=2, least=2), "description": "low and high"}
        missing = "the true number lies within with the confidence of the model card; null where it has none"
        return exact({"id": row_id, "value": NUMBER, "interval": or_null(interval, missing)})
    return exact(
        {
            "id": row_id,
            "label": {"enum": list(target.classes), "description": f"the class of '{target.name}' that is most likely"},
            "probability": {**SHARE, "description": "of that class"},
            "probabilities": exact({str(label): SHARE for label in target.classes}),
        }
    )


def invocations(table: DecisionTable | None, *, max_rows: int | None = None) -> JsonSchema:
    """Describe an answer of MLflow's protocol; `table`: of a model with costs, which decides beside it."""
    scored = {"predictions": items(part("Scored"), most=max_rows)}
    if table is None:
        return exact(scored)
    names = {"decision": "decisions", "expected_cost": "expected_costs", "rule": "rules"}
    return exact(scored | {names[name]: items(each, most=max_rows) for name, each in decided(table).items()})


def any_invocations() -> JsonSchema:
    """Describe the same of whatever scenario."""
    scored = {"predictions": items(part("Scored"))}
    more = {"decisions": items({"type": ["string", "number"]}), "expected_costs": items(NUMBER)}
    return {"anyOf": [exact(scored), exact({**scored, **more, "rules": items(or_null(TEXT))})]}


def any_prediction() -> JsonSchema:
    """Describe the answer for one row of whatever scenario."""
    fields = {"id": TEXT, "label": {"type": ["string", "integer"]}, "probability": SHARE}
    fields |= {"probabilities": {"type": "object", "additionalProperties": SHARE}}
    values = {"id": TEXT, "value": NUMBER, "interval": or_null({"type": "array"})}
    money = {"decision": {"type": ["string", "number"]}, "expected_cost": NUMBER, "rule": or_null(TEXT)}
    return {"anyOf": [exact(each | more) for each in (fields, values) for more in ({}, money)]}


def neighbour(schema: Schema | None) -> JsonSchema:
    """Describe one row that the model learned from; None for one of whatever scenario."""
    label: JsonSchema = {"type": ["string", "number"]}
    if schema is not None:
        label = NUMBER if schema.target.task == REGRESSION else {"enum": list(schema.target.classes)}
    return exact(
        {
            "label": label,
            "distance": {**NUMBER, "description": "between the vectors, by the `metric`; a smaller one is nearer"},
            "batch": {**TEXT, "description": "the incoming file that the row came with"},
            "row": {**COUNT, "description": "its position there"},
            "row_id": or_null(TEXT, "what the table's own `id` column calls it"),
        }
    )


def explain_request(label: JsonSchema, *, is_value: bool | None) -> JsonSchema:
    """Describe a question for an explanation; `is_value`: whether a number is predicted, None for whatever scenario."""
    above = {**NUMBER, "exclusiveMinimum": 0}
    by = {"type": "null"} if is_value is False else above
    return {
        "type": "object",
        "properties": {
            "row": part("Row"),
            "label": or_null(label, "the class whose probability is explained; null for the one that is answered"),
            "by": or_null(by, "how far a number has to move to count as changed; null for half its interval"),
        },
        "required": ["row"],
        "additionalProperties": False,
    }


def explanation(label: JsonSchema) -> JsonSchema:
    """Describe an explanation."""
    moved = {
        "feature": TEXT,
        "moved": {**NUMBER, "description": "the answer, away from the reference: a Shapley value"},
        "standard_error": or_null({**NUMBER, "minimum": 0}, "of `moved`; null where it is exact"),
    }
    change = {
        "feature": TEXT,
        "to": {**CELL, "description": "the cell that a reference row has"},
        "size": {**SHARE, "description": "of a number or date the distance as a share of its range, else 1"},
        "label": or_null(label, "that is answered then; null of a number"),
        "answer": {**NUMBER, "description": "the number that is answered then, or the probability of that label"},
    }
    return answered(
        {
            "label": or_null(label, "the class whose probability is explained; null of a number"),
            "answer": {**NUMBER, "description": "the number, or the probability of that class"},
            "reference": {
                **NUMBER,
                "description": "mean answer to the reference rows; with all `moved` it is `answer`",
            },
            "reference_rows": COUNT,
            "exact": {**FLAG, "description": "false where `moved` are estimates, which have a standard error"},
            "features": {"type": "array", "items": exact(moved), "description": "the strongest first"},
            "changed_by": or_null(NUMBER, "how far a number had to move to count as changed; null of classes"),
            "changes": {
                "type": "array",
                "items": exact(change),
                "description": "of one cell, that would change the answer; the smallest first",
            },
            "nearest_in": {**TEXT, "description": "the index, or `reference rows` where none can be searched now"},
            "metric": METRIC,
            "nearest": {"type": "array", "items": part("Neighbour"), "description": "labelled rows"},
            "asked_rows": {**COUNT, "description": "of the model, to find all this"},
        }
    )


def label_item(schema: Schema) -> JsonSchema:
    """Describe one label of /feedback."""
    return exact({"id": feedback_id(schema), "label": label_schema(schema.target)})


def feedback_id(schema: Schema) -> JsonSchema:
    """Describe what names an answered row."""
    if schema.id is None:
        return {**TEXT, "description": "the `id` of a prediction"}
    own = f"the `id` of a prediction, or the '{schema.id}' of a row: then its newest answer"
    return {"anyOf": [{**TEXT, "pattern": NOT_BLANK}, NUMBER], "description": own}


def scoring_request(max_rows: int | None) -> JsonSchema:
    """Describe the forms of a table of MLflow's protocol that name every cell; arrays of numbers are left out."""
    rows = items(part("Row"), most=max_rows)
    columns = {"type": "object", "additionalProperties": {"type": "array"}, "minProperties": 1}
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": TEXT, "uniqueItems": True},
            "data": {"type": "array", "items": {"type": "array", "items": CELL}, "minItems": 1},
            "index": {"type": "array"},
        },
        "additionalProperties": False,
    }
    forms = {
        "dataframe_records": rows,
        "dataframe_split": split,
        "instances": rows,
        "inputs": {"anyOf": [rows, columns]},
    }
    return {
        "type": "object",
        "properties": forms,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def status() -> JsonSchema:
    """Describe what /status says."""
    return exact(
        {
            "request_id": TEXT,
            "scenario": TEXT,
            "release": or_null(part("Release"), "null without a registry's release"),
            "model_version": or_null(TEXT),
            "since": or_null({**TEXT, "description": "ISO 8601, UTC"}),
            "loaded": {**FLAG, "description": "whether the model is in memory; if not, the next request loads it"},
            "naive": or_null(FLAG, "whether the naive answer serves; null before it is loaded"),
            "registry_reachable": or_null(FLAG, "null where a packed model serves without a registry"),
            "index_reachable": or_null(FLAG, "null where there is no index"),
            "ledger_problem": or_null(TEXT, "why no answer can be written, and so none is given"),
            "rows_answered": {**COUNT, "description": "by this worker since it started"},
        }
    )


def wanted_run() -> JsonSchema:
    """Describe a run to start."""
    search = {**FLAG, "default": False, "description": "whether other recipes are tried, too, which takes longer"}
    retrain = {"flow": {"const": Flow.RETRAIN.value}, "search": search}
    monitor = {"flow": {"const": Flow.MONITOR.value}}
    return {"oneOf": [{**exact(fields), "required": ["flow"]} for fields in (retrain, monitor)]}


def started_run() -> JsonSchema:
    """Describe the run that was started."""
    new = {**FLAG, "description": "false where an earlier request with this key had started it"}
    return exact({"request_id": TEXT, "scenario": TEXT, "new": new, "run": flow_run()})


def runs() -> JsonSchema:
    """Describe the runs of a scenario."""
    return exact({"request_id": TEXT, "scenario": TEXT, "runs": {"type": "array", "items": flow_run()}})


def flow_run() -> JsonSchema:
    """Describe a run of Prefect."""
    return exact(
        {
            "id": TEXT,
            "name": TEXT,
            "state": {**TEXT, "description": "as Prefect names it: Scheduled, Late, Running, Completed, Failed, ..."},
            "message": {**TEXT, "description": "of the state: what came out, or why it failed"},
            "created": {**TEXT, "description": "ISO 8601, UTC"},
            "url": {**TEXT, "description": "its page in Prefect"},
        }
    )


def model_ready() -> JsonSchema:
    """Describe what /ready says."""
    follows = {**FLAG, "description": "whether the next release takes its place"}
    return exact({"request_id": TEXT, "scenario": TEXT, "model_version": TEXT, "follows": follows})


def scenarios() -> JsonSchema:
    """Describe the list of the scenarios."""
    entry = {"scenario": TEXT, "model_version": or_null(TEXT), "since": or_null(TEXT), "loaded": FLAG}
    return exact({"scenarios": {"type": "array", "items": exact(entry)}})


def release_parts() -> dict[str, JsonSchema]:
    """Return the schema of a release, and those that it refers to."""
    written = Release.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    parts: dict[str, JsonSchema] = written.pop("$defs", {})
    return {"Release": written, **parts}


def error() -> JsonSchema:
    """Describe an error on the project's own paths."""
    row = {"type": ["integer", "null"], "description": "from 0, in the order sent; null where it is about none"}
    problem = exact({"row": row, "column": {"type": ["string", "null"]}, "reason": TEXT})
    told = exact({"code": TEXT, "message": TEXT, "problems": {"type": "array", "items": problem}})
    return exact({"error": told, "request_id": TEXT})
