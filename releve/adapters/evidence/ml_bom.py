"""A bill of materials of a model in CycloneDX 1.6, checked against the schema that its library ships.

The library writes components; it has no class for a model card or for data, which are added to what it wrote.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from releve.core.errors import BadInput

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
MODEL, DATA = "model", "data"  # references within the document


@dataclass(frozen=True)
class MeasuredScore:
    """A figure of a model; `low` and `high` end its interval, None where it has none."""

    metric: str
    value: float
    slice: str = ""  # of the rows; "" for all of them
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class BomContents:
    """What the bill lists; "" and None for what nobody knows."""

    scenario: str
    version: str
    digest: str  # sha256 over the model's files
    files: Mapping[str, str]  # sha256 by name
    made_at: str  # ISO 8601, UTC
    task: str
    architecture: str
    input: str
    output: str
    data_version: str
    rows: int | None
    personal: tuple[str, ...]  # columns
    owner: str
    purpose: str
    limits: str
    scores: tuple[MeasuredScore, ...]
    properties: Mapping[str, str]
    lock: str  # text of a lock file


def ml_bom(contents: BomContents) -> str:
    """Write the bill as JSON. Raises BadInput where it does not fit the schema."""
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL

    model = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=contents.scenario,
        version=contents.version,
        bom_ref=MODEL,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=contents.digest)] if contents.digest else [],
        properties=[Property(name=f"releve:{name}", value=value) for name, value in contents.properties.items()],
        components=[
            Component(
                type=ComponentType.FILE,
                name=name,
                bom_ref=f"file:{name}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
            )
            for name, digest in contents.files.items()
        ],
    )
    libraries = [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"pkg:pypi/{name}@{version}",
            purl=PackageURL("pypi", None, name, version),
        )
        for name, version in PIN.findall(contents.lock)
    ]
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{contents.scenario}:{contents.version} {contents.digest}"),
        metadata=BomMetaData(component=model, timestamp=datetime.fromisoformat(contents.made_at)),
        components=libraries,
    )
    bom.register_dependency(model, libraries)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"]["component"]["modelCard"] = _model_card(contents)
    if contents.data_version:
        document["components"].insert(0, _data(contents))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise BadInput(f"the bill of materials does not fit CycloneDX 1.6: {str(problem.data)[:300]}")
    return text


def _model_card(contents: BomContents) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "approach": {"type": "supervised"},
        "task": contents.task,
        "modelArchitecture": contents.architecture,
    }
    if contents.data_version:
        parameters["datasets"] = [{"ref": DATA}]
    for key, said in (("inputs", contents.input), ("outputs", contents.output)):
        if said:
            parameters[key] = [{"format": said}]
    card: dict[str, Any] = {"modelParameters": {key: value for key, value in parameters.items() if value}}
    if contents.scores:
        card["quantitativeAnalysis"] = {"performanceMetrics": [_metric(each) for each in contents.scores]}
    said_of = {"useCases": contents.purpose, "technicalLimitations": contents.limits}
    if considered := {key: [text] for key, text in said_of.items() if text}:
        card["considerations"] = considered
    return card


def _metric(score: MeasuredScore) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": score.metric, "value": repr(score.value)}
    if score.slice:
        metric["slice"] = score.slice
    if score.low is not None and score.high is not None:
        metric["confidenceInterval"] = {"lowerBound": repr(score.low), "upperBound": repr(score.high)}
    return metric


def _data(contents: BomContents) -> dict[str, Any]:
    data: dict[str, Any] = {"type": "dataset", "name": f"{contents.scenario} {contents.data_version}"}
    if contents.rows is not None:
        data["description"] = f"{contents.rows} labelled rows"
    if contents.personal:
        data["sensitiveData"] = [f"{name}: says something of a person" for name in contents.personal]
    if contents.owner:
        data["governance"] = {"owners": [{"organization": {"name": contents.owner}}]}
    name = f"{contents.scenario}-data"
    return {"type": "data", "bom-ref": DATA, "name": name, "version": contents.data_version, "data": [data]}
