"""A data contract in the Open Data Contract Standard (ODCS) 3.1, checked against its JSON schema."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from releve.core.errors import BadInput
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, TEXT, Column
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Target

VERSION = "v3.1.0"
LOGICAL_TYPES = {NUMBER: "number", DATE: "timestamp", CATEGORY: "string", TEXT: "string", IMAGE: "string"}
PHYSICAL_TYPES = {NUMBER: "double", DATE: "timestamp[us]", IMAGE: "PNG or JPEG as base64"}


@dataclass(frozen=True)
class ContractedTable:
    """The table that a contract is about; "" for what nobody has said."""

    scenario: str
    schema: Schema
    data_version: str
    made_at: str  # ISO 8601, UTC; "" where nothing tells
    rows: int | None
    purpose: str
    limits: str
    owner: str


def data_contract(table: ContractedTable) -> str:
    """Write the contract as YAML. Raises BadInput where it does not fit the standard's schema."""
    said = {"purpose": table.purpose, "limitations": table.limits}
    schema = table.schema
    document: dict[str, Any] = {
        "apiVersion": VERSION,
        "kind": "DataContract",
        "id": table.scenario,
        "name": table.scenario,
        "version": table.data_version,
        "status": "active",
        "description": {key: text for key, text in said.items() if text},
        "schema": [
            {
                "name": table.scenario,
                "logicalType": "object",
                "physicalType": "table",
                "properties": [*(_property(each, schema) for each in schema.columns), _target(schema.target)],
            }
        ],
    }
    if table.owner:
        document["team"] = {"name": table.owner}
    if table.rows is not None:
        document["customProperties"] = [{"property": "labelledRows", "value": table.rows}]
    if table.made_at:
        document["contractCreatedTs"] = table.made_at
    _check(document)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _property(column: Column, schema: Schema) -> dict[str, Any]:
    """Describe a column. A cell that is no feature is never required."""
    roles = [role for role, name in (("orders rows", schema.time), ("names rows", schema.id)) if name == column.name]
    options: dict[str, Any] = {"maxLength": column.max_length} if column.type == TEXT and column.max_length else {}
    for key, limit in (("minimum", column.min), ("maximum", column.max)):
        if limit is not None:
            options[key] = limit if isinstance(limit, int | float) else f"{limit.isoformat()}Z"
    return {
        "name": column.name,
        "logicalType": LOGICAL_TYPES[column.type],
        "physicalType": PHYSICAL_TYPES.get(column.type, "string"),
        "required": column.feature and not column.nullable,
        **({"primaryKey": True, "primaryKeyPosition": 1} if column.name == schema.id else {}),
        **({"logicalTypeOptions": options} if options else {}),
        **({"classification": "personal"} if column.personal else {}),
        **({"quality": [_one_of(column.categories)]} if column.categories else {}),
        "tags": ["seen by the model" if column.feature else "not seen by the model", *roles],
    }


def _target(target: Target) -> dict[str, Any]:
    limits = {"minimum": target.min, "maximum": target.max}
    options = {key: limit for key, limit in limits.items() if limit is not None}
    is_number = target.task == REGRESSION
    return {
        "name": target.name,
        "logicalType": "number" if is_number else "string",
        "physicalType": "double" if is_number else "string",
        "required": True,
        **({"logicalTypeOptions": options} if options else {}),
        **({} if is_number else {"quality": [_one_of(tuple(map(str, target.classes)))]}),
        "tags": ["target"],
    }


def _one_of(values: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": list(values)},
        "mustBe": 0,
        "dimension": "conformity",
    }


def _check(document: dict[str, Any]) -> None:
    from jsonschema import Draft201909Validator

    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
    problem = next(iter(Draft201909Validator(schema).iter_errors(document)), None)
    if problem is not None:
        raise BadInput(f"the data contract does not fit ODCS {VERSION}: {problem.json_path}: {problem.message[:200]}")
