"""Checks of the model metadata."""

from typing import Any

from conformance.oip.check import check, expect
from conformance.oip.server import UNKNOWN, UNKNOWN_VERSION, InferenceServer, object_of, refused, shown
from conformance.oip.specification import (
    GET_METADATA,
    METADATA_DATATYPE,
    METADATA_SHAPE,
    MODEL,
    MODEL_ERROR,
    MODEL_FAILED,
    MODEL_INPUTS,
    MODEL_NAME,
    MODEL_OUTPUTS,
    MODEL_PLATFORM,
    MODEL_VERSIONS,
    PLATFORMS,
    TENSOR_METADATA,
)
from conformance.oip.tensors import DATATYPES


def _tensors(server: InferenceServer) -> list[dict[str, Any]]:
    return [*(server.metadata.get("inputs") or []), *(server.metadata.get("outputs") or [])]


@check(MODEL)
def model_answers(server: InferenceServer) -> None:
    """GET of the model is answered with 200 and a JSON object."""
    object_of(server.get(server.path), "the model metadata")


@check(MODEL_NAME)
def model_name(server: InferenceServer) -> None:
    """The metadata has the name that the path has."""
    expect(server.metadata.get("name") == server.model, f"'name' is {server.metadata.get('name')!r}")


@check(MODEL_PLATFORM)
def model_platform(server: InferenceServer) -> None:
    """The platform is a text."""
    expect(isinstance(server.metadata.get("platform"), str), f"'platform' is {server.metadata.get('platform')!r}")


@check(PLATFORMS)
def platform_format(server: InferenceServer) -> None:
    """The platform is written <project>_<format>."""
    project, _, form = str(server.metadata.get("platform")).partition("_")
    expect(project and form, f"'platform' is {server.metadata.get('platform')!r}")


@check(MODEL_INPUTS)
def model_inputs(server: InferenceServer) -> None:
    """The metadata lists at least one input."""
    found = server.metadata.get("inputs")
    expect(isinstance(found, list) and found, f"'inputs' is {found!r}")


@check(MODEL_OUTPUTS)
def model_outputs(server: InferenceServer) -> None:
    """The metadata lists at least one output."""
    found = server.metadata.get("outputs")
    expect(isinstance(found, list) and found, f"'outputs' is {found!r}")


@check(TENSOR_METADATA)
def tensor_names(server: InferenceServer) -> None:
    """Every tensor has a name, a datatype and a shape."""
    for each in _tensors(server):
        expect(isinstance(each.get("name"), str) and each["name"], f"'name' is {each.get('name')!r}")
        expect(isinstance(each.get("datatype"), str), f"'datatype' of {each['name']} is {each.get('datatype')!r}")
        expect(isinstance(each.get("shape"), list), f"'shape' of {each['name']} is {each.get('shape')!r}")


@check(METADATA_DATATYPE)
def tensor_datatypes(server: InferenceServer) -> None:
    """Every datatype is one of the table."""
    for each in _tensors(server):
        expect(each["datatype"] in DATATYPES, f"the datatype of {each['name']} is {each['datatype']!r}")


@check(METADATA_SHAPE)
def tensor_shapes(server: InferenceServer) -> None:
    """Every dimension is a whole number, -1 where its size varies."""
    for each in _tensors(server):
        fine = all(type(size) is int and size >= -1 for size in each["shape"])
        expect(fine, f"the shape of {each['name']} is {each['shape']}")


@check(MODEL_VERSIONS)
def model_versions(server: InferenceServer) -> None:
    """The versions, if there are any, are texts."""
    found = server.metadata.get("versions") or []
    expect(isinstance(found, list) and all(isinstance(each, str) for each in found), f"'versions' is {found!r}")


@check(MODEL_VERSIONS)
def versions_can_be_asked(server: InferenceServer) -> None:
    """The metadata of every listed version can be asked for."""
    for version in server.versions:
        found = object_of(server.get(f"{server.path}/versions/{version}"), f"the metadata of version {version}")
        expect(found.get("name") == server.model, f"'name' for version {version} is {found.get('name')!r}")


@check(MODEL_VERSIONS, MODEL_INPUTS)
def versions_describe_tensors(server: InferenceServer) -> None:
    """The metadata of a listed version has inputs and outputs, too."""
    for version in server.versions:
        found = object_of(server.get(f"{server.path}/versions/{version}"), f"the metadata of version {version}")
        expect(found.get("inputs") and found.get("outputs"), f"version {version} lists none")


@check(MODEL_FAILED)
def unknown_model_status(server: InferenceServer) -> None:
    """The metadata of a model that is not there is an HTTP error."""
    response = server.get(f"/v2/models/{UNKNOWN}")
    expect(400 <= response.status_code < 500, shown(response))


@check(MODEL_ERROR)
def unknown_model_error(server: InferenceServer) -> None:
    """That error is an object with the text 'error'."""
    refused(server.get(f"/v2/models/{UNKNOWN}"), "a model that is not there")


@check(MODEL_FAILED)
def unknown_version_status(server: InferenceServer) -> None:
    """The metadata of a version that is not there is an HTTP error."""
    response = server.get(f"{server.path}/versions/{UNKNOWN_VERSION}")
    expect(400 <= response.status_code < 500, shown(response))


@check(MODEL_ERROR)
def unknown_version_error(server: InferenceServer) -> None:
    """That error is an object with the text 'error'."""
    refused(server.get(f"{server.path}/versions/{UNKNOWN_VERSION}"), "a version that is not there")


@check(GET_METADATA)
def metadata_is_read(server: InferenceServer) -> None:
    """The metadata is for GET: POST to the same path is an HTTP error."""
    response = server.post(server.path, {})
    expect(400 <= response.status_code < 500, shown(response))
