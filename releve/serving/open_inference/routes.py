"""/v2: health, metadata, inference and the index of models, every scenario being a model."""

from collections.abc import Callable

import orjson

from releve import __version__
from releve.core.errors import BadInput, NotFound, ReleveError
from releve.domain.schema.cells import format_value
from releve.serving import requests
from releve.serving.open_inference import inference, tables
from releve.serving.routes import ARM_KEY, Reply, Request, Role, Route, Runs, json_reply
from releve.serving.scenarios.scenario import Scenario, ScenarioAnswers
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.served import Served

EXTENSIONS = ["binary_tensor_data", "model_repository"]
PLATFORMS = {"onnx": "onnx_onnxv1", "sklearn": "sklearn_skops"}  # by what runs a model; the first is the protocol's
Handler = Callable[[Request], Reply]


def routes(scenarios: Scenarios) -> list[Route]:
    """List what `/v2` offers."""

    def ready(_: Request) -> Reply:
        scenarios.check_ready()
        return json_reply({"live": True, "ready": True})

    described = {"name": "releve", "version": __version__, "extensions": EXTENSIONS}
    made = [
        Route("GET", "/v2/health/live", lambda _: json_reply({"live": True}), error, role=Role.ANYONE),
        Route("GET", "/v2/health/ready", ready, error, runs=Runs.DISK, role=Role.ANYONE),
        *(Route("GET", path, lambda _: json_reply(described), error) for path in ("/v2", "/v2/")),
        Route("POST", "/v2/repository/index", _index(scenarios), error),
    ]
    for verb in ("load", "unload"):
        path = f"/v2/repository/models/{{model}}/{verb}"
        made.append(Route("POST", path, _refuse_control(scenarios), error, role=Role.OPERATE))
    for prefix in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        made += [
            Route("GET", prefix, _metadata(scenarios), error),
            Route("GET", f"{prefix}/ready", _model_ready(scenarios), error),
            Route("POST", f"{prefix}/infer", _infer(scenarios), error),
        ]
    return made


def error(fault: ReleveError, _: str) -> Reply:
    """Say a fault as the protocol has it: {"error": message}."""
    return Reply(fault.status, orjson.dumps({"error": str(fault)}))


def _metadata(scenarios: Scenarios) -> Handler:
    def metadata(request: Request) -> Reply:
        scenario, served = _asked(scenarios, request)
        return json_reply(
            {
                "name": scenario.name,
                "versions": [version_of(served.model.tag)],
                "platform": PLATFORMS[served.model.description.runtime],
                "inputs": tables.describe_inputs(served.schema),
                "outputs": _outputs(served),
            }
        )

    return metadata


def _model_ready(scenarios: Scenarios) -> Handler:
    def model_ready(request: Request) -> Reply:
        """Say so once the model is in memory: who asks is about to ask for more."""
        scenario, _ = _asked(scenarios, request)
        return json_reply({"name": scenario.name, "ready": True})

    return model_ready


def _infer(scenarios: Scenarios) -> Handler:
    def infer(request: Request) -> Reply:
        """Answer rows; they are in the ledger as those of every other path."""
        scenario, served = _asked(scenarios, request)
        asked = inference.read(
            request.body,
            request.header(inference.HEADER_LENGTH.encode()) or None,
            max_rows=served.limits.max_rows,
            max_inputs=len(served.schema.columns),
        )
        wanted = asked.wanted([each["name"] for each in _outputs(served)])
        rows = tables.rows_of(served.schema, asked.inputs)
        if not rows:
            raise BadInput("the inputs have no rows; send at least one")
        key = None if "version" in request.parameters else request.header(ARM_KEY)  # a version is asked for by itself
        completed, arrays = scenario.checked(served, rows)
        answered = scenario.predict(served, completed, arrays, key=key)
        outputs = tables.answer_tensors(
            answered.served.schema, answered.sent, answered.probabilities, answered.intervals, answered.decided
        )
        values = {"model_name": scenario.name, "model_version": version_of(answered.model)}
        values |= {} if asked.id is None else {"id": asked.id}
        body, headers = inference.write(values | {"parameters": _parameters(answered)}, outputs, wanted)
        media_type = headers.pop("content-type").encode()
        sent = {"x-releve-model": answered.model, "x-releve-arm": answered.arm, **headers}
        encoded = tuple((name.encode(), value.encode()) for name, value in sent.items())
        return Reply(200, body, media_type, encoded, request.request_id or answered.id)

    return infer


def _index(scenarios: Scenarios) -> Handler:
    def index(request: Request) -> Reply:
        """List the released scenarios; each is ready, as a model that is not in memory is loaded when it is asked."""
        ready = requests.read_object(request.body).get("ready", False) if request.body else False
        if not isinstance(ready, bool):
            raise BadInput(f"'ready' is {format_value(ready)}, expected true or false")
        return json_reply([_entry(scenario) for scenario in scenarios.released()])

    return index


def _refuse_control(scenarios: Scenarios) -> Handler:
    def refuse(request: Request) -> Reply:
        """Refuse: what serves is decided by releases, and written in the registry."""
        name = scenarios.get(request.parameters["model"]).name
        raise BadInput(
            f"which model of {name} serves is decided by its releases: use make release or make rollback; "
            "models are loaded when they are asked, and leave when memory is short"
        )

    return refuse


def _asked(scenarios: Scenarios, request: Request) -> tuple[Scenario, Served]:
    """Return the scenario and what serves. Raises NotFound for another version, UnknownScenario, NotLoaded."""
    scenario = scenarios.get(request.parameters["model"])
    served = scenario.served_now()
    version, found = request.parameters.get("version"), version_of(served.model.tag)
    if version is not None and version != found:
        raise NotFound(f"{scenario.name} has no version {format_value(version)} to ask; {found} is the one that serves")
    return scenario, served


def _outputs(served: Served) -> list[tables.Description]:
    intervals, decision = served.model.description.intervals, served.model.description.decision
    return tables.describe_outputs(
        served.schema,
        confidence=intervals.confidence if intervals else None,
        table=decision.table if decision else None,
    )


def _entry(scenario: Scenario) -> dict[str, str]:
    served, current = scenario.served, scenario.current
    tag = served.model.tag if served else current.release.model if current else ""
    reason = "" if served else "it is loaded when it is asked"
    return {"name": scenario.name, "version": version_of(tag), "state": "READY", "reason": reason}


def version_of(tag: str) -> str:
    """Return what the protocol calls the version of a model."""
    return tag.partition(":")[2]


def _parameters(answered: ScenarioAnswers) -> dict[str, str | bool]:
    """Say who answered; /feedback calls row n `{answer_id}.{n}`."""
    index = {"index_version": answered.index} if answered.index is not None else {}
    return {"answer_id": answered.id, "arm": answered.arm, "naive": answered.served.is_naive, **index}
