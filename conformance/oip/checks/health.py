"""Checks of health, readiness and server metadata."""

from conformance.oip.check import check, expect
from conformance.oip.server import UNKNOWN, UNKNOWN_VERSION, InferenceServer, object_of, shown
from conformance.oip.specification import (
    JSON_CONTENT,
    LIVE,
    LIVE_BODY,
    MODEL_READY,
    MODEL_READY_BODY,
    MODEL_READY_NAME,
    MODEL_VERSIONS,
    READY,
    READY_BODY,
    SERVER,
    SERVER_EXTENSIONS,
    SERVER_NAME,
    SERVER_PATH,
    SERVER_VERSION,
)


@check(LIVE)
def live_answers(server: InferenceServer) -> None:
    """GET /v2/health/live is answered with 200."""
    response = server.get("/v2/health/live")
    expect(response.status_code == 200, shown(response))


@check(LIVE_BODY)
def live_body(server: InferenceServer) -> None:
    """The answer of /v2/health/live is an object whose 'live' is true."""
    found = object_of(server.get("/v2/health/live"), "/v2/health/live")
    expect(found.get("live") is True, f"'live' is {found.get('live')!r}")


@check(READY)
def ready_answers(server: InferenceServer) -> None:
    """GET /v2/health/ready is answered with 200 while the model is ready."""
    response = server.get("/v2/health/ready")
    expect(response.status_code == 200, shown(response))


@check(READY_BODY)
def ready_body(server: InferenceServer) -> None:
    """The answer of /v2/health/ready is an object whose 'live' is true, as the specification has it."""
    found = object_of(server.get("/v2/health/ready"), "/v2/health/ready")
    expect(found.get("live") is True, f"'live' is {found.get('live')!r}")


@check(SERVER)
def server_answers(server: InferenceServer) -> None:
    """GET /v2 is answered with 200 and a JSON object."""
    object_of(server.get("/v2"), "/v2")


@check(SERVER_PATH)
def server_answers_with_a_slash(server: InferenceServer) -> None:
    """GET /v2/ is answered as /v2 is."""
    expect(object_of(server.get("/v2/"), "/v2/") == server.get("/v2").json(), "/v2/ and /v2 differ")


@check(JSON_CONTENT)
def server_content_type(server: InferenceServer) -> None:
    """The content type of the server metadata is application/json."""
    found = server.get("/v2").headers.get("content-type", "")
    expect(found.split(";")[0] == "application/json", f"content-type is {found!r}")


@check(SERVER_NAME)
def server_name(server: InferenceServer) -> None:
    """The server's name is a text that is not empty."""
    found = object_of(server.get("/v2"), "/v2").get("name")
    expect(isinstance(found, str) and found, f"'name' is {found!r}")


@check(SERVER_VERSION)
def server_version(server: InferenceServer) -> None:
    """The server's version is a text that is not empty."""
    found = object_of(server.get("/v2"), "/v2").get("version")
    expect(isinstance(found, str) and found, f"'version' is {found!r}")


@check(SERVER_EXTENSIONS)
def server_extensions(server: InferenceServer) -> None:
    """The server's extensions are an array of texts."""
    found = object_of(server.get("/v2"), "/v2").get("extensions")
    expect(isinstance(found, list) and all(isinstance(each, str) for each in found), f"'extensions' is {found!r}")


@check(MODEL_READY)
def model_ready_answers(server: InferenceServer) -> None:
    """GET .../ready of the model is answered with 200."""
    response = server.get(f"{server.path}/ready")
    expect(response.status_code == 200, shown(response))


@check(MODEL_READY_NAME)
def model_ready_name(server: InferenceServer) -> None:
    """The readiness of the model comes with its name."""
    found = object_of(server.get(f"{server.path}/ready"), "the model's readiness")
    expect(found.get("name") == server.model, f"'name' is {found.get('name')!r}")


@check(MODEL_READY_BODY)
def model_ready_flag(server: InferenceServer) -> None:
    """The readiness of the model has 'ready', which is true."""
    found = object_of(server.get(f"{server.path}/ready"), "the model's readiness")
    expect(found.get("ready") is True, f"'ready' is {found.get('ready')!r}")


@check(MODEL_READY, MODEL_VERSIONS)
def version_ready(server: InferenceServer) -> None:
    """Every version that the metadata lists can be asked whether it is ready."""
    for version in server.versions:
        found = object_of(server.get(f"{server.path}/versions/{version}/ready"), f"readiness of version {version}")
        expect(found.get("name") == server.model, f"'name' is {found.get('name')!r}")
        expect(isinstance(found.get("ready"), bool), f"'ready' is {found.get('ready')!r}")


@check(MODEL_READY)
def unknown_model_is_not_ready(server: InferenceServer) -> None:
    """A model that is not there is not called ready."""
    response = server.get(f"/v2/models/{UNKNOWN}/ready")
    ready = response.status_code == 200 and response.json().get("ready") is not False
    expect(not ready, f"the model {UNKNOWN} was called ready: {shown(response)}")


@check(MODEL_READY)
def unknown_version_is_not_ready(server: InferenceServer) -> None:
    """A version that is not there is not called ready."""
    response = server.get(f"{server.path}/versions/{UNKNOWN_VERSION}/ready")
    ready = response.status_code == 200 and response.json().get("ready") is not False
    expect(not ready, f"the version {UNKNOWN_VERSION} was called ready: {shown(response)}")
