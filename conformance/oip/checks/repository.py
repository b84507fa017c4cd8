"""Checks of the extension model_repository."""

from typing import Any

from conformance.oip.check import NotApplicable, check, expect
from conformance.oip.extensions import (
    INDEX,
    INDEX_EVERY,
    INDEX_FAILED,
    INDEX_NAME,
    INDEX_POST,
    INDEX_READY,
    INDEX_REASON,
    INDEX_STATE,
    INDEX_VERSION,
    LOAD,
    LOAD_FAILED,
    REPOSITORY_APIS,
    REPOSITORY_REPORTED,
    UNLOAD_FAILED,
)
from conformance.oip.server import REPOSITORY_EXTENSION, UNKNOWN, InferenceServer, refused, shown

PATH = "/v2/repository/index"


def _index(server: InferenceServer, request: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    server.need_extension(REPOSITORY_EXTENSION)
    response = server.post(PATH, request or {})
    expect(response.status_code == 200, shown(response))
    found = response.json()
    expect(isinstance(found, list) and all(isinstance(each, dict) for each in found), f"no array: {shown(response)}")
    return list(found)


@check(REPOSITORY_REPORTED)
def repository_is_reported(server: InferenceServer) -> None:
    """The server metadata lists model_repository."""
    server.need_extension(REPOSITORY_EXTENSION)


@check(INDEX, INDEX_POST)
def index_answers(server: InferenceServer) -> None:
    """POST of the index is answered with 200 and an array of objects."""
    _index(server)


@check(INDEX_EVERY, INDEX_NAME)
def index_lists_the_model(server: InferenceServer) -> None:
    """The index has the model by its name; every name is a text."""
    names = [each.get("name") for each in _index(server)]
    expect(all(isinstance(name, str) for name in names), f"the names are {names}")
    expect(server.model in names, f"{server.model!r} is not among {names[:10]}")


@check(INDEX_STATE)
def index_states(server: InferenceServer) -> None:
    """Every model of the index has its state as text."""
    for each in _index(server):
        expect(isinstance(each.get("state"), str), f"the state of {each.get('name')!r} is {each.get('state')!r}")


@check(INDEX_REASON)
def index_reasons(server: InferenceServer) -> None:
    """Every model of the index has a reason as text, empty where there is none."""
    for each in _index(server):
        expect(isinstance(each.get("reason"), str), f"the reason of {each.get('name')!r} is {each.get('reason')!r}")


@check(INDEX_VERSION)
def index_versions(server: InferenceServer) -> None:
    """The version of the model in the index, if any, is one that its metadata lists."""
    for each in _index(server):
        version = each.get("version")
        expect(version is None or isinstance(version, str), f"the version of {each.get('name')!r} is {version!r}")
        if each.get("name") == server.model and version and each.get("state") == "READY":
            expect(version in server.versions, f"version {version!r} is not among {server.versions}")


@check(INDEX_READY)
def index_of_the_ready(server: InferenceServer) -> None:
    """With 'ready' true the index has the model, which is ready, and none that the whole index has not."""
    ready, whole = _index(server, {"ready": True}), _index(server)
    expect(server.model in [each.get("name") for each in ready], f"{server.model!r} is missing")
    expect(all(each in whole for each in ready), "the index of the ready has other entries than the whole index")


@check(INDEX_READY)
def index_of_all(server: InferenceServer) -> None:
    """With 'ready' false the index is the whole index."""
    expect(_index(server, {"ready": False}) == _index(server), "the two differ")


@check(INDEX_POST)
def index_is_posted(server: InferenceServer) -> None:
    """GET of the index is an HTTP error."""
    server.need_extension(REPOSITORY_EXTENSION)
    response = server.get(PATH)
    expect(400 <= response.status_code < 500, shown(response))


@check(INDEX_FAILED)
def index_of_no_json(server: InferenceServer) -> None:
    """A body that is no JSON is an error in the protocol's form."""
    server.need_extension(REPOSITORY_EXTENSION)
    response = server.send(PATH, b"{")
    refused(response, "an index request that is no JSON")
    expect(response.status_code < 500, shown(response))


@check(LOAD_FAILED, REPOSITORY_APIS)
def load_of_an_unknown_model(server: InferenceServer) -> None:
    """Loading a model that is not there is an error in the protocol's form."""
    server.need_extension(REPOSITORY_EXTENSION)
    response = server.post(f"/v2/repository/models/{UNKNOWN}/load", {})
    refused(response, "loading a model that is not there")
    expect(response.status_code < 500, shown(response))


@check(LOAD, LOAD_FAILED)
def load_of_the_model(server: InferenceServer) -> None:
    """Loading the model is answered with 200, or refused in the protocol's form; it serves afterwards."""
    server.need_extension(REPOSITORY_EXTENSION)
    if not server.control:
        raise NotApplicable("it may change what serves: give --control to ask for it")
    response = server.post(f"/v2/repository/models/{server.model}/load", {})
    if response.status_code != 200:
        refused(response, "loading the model")
        expect(response.status_code < 500, shown(response))
    server.infer(server.request())


@check(UNLOAD_FAILED, REPOSITORY_APIS)
def unload_of_an_unknown_model(server: InferenceServer) -> None:
    """Unloading a model that is not there is done already, or an error in the protocol's form."""
    server.need_extension(REPOSITORY_EXTENSION)
    response = server.post(f"/v2/repository/models/{UNKNOWN}/unload", {})
    if response.status_code != 200:
        refused(response, "unloading a model that is not there")
        expect(response.status_code < 500, shown(response))
