"""Checks of inference requests: what is optional, what is echoed, which version answers."""

import json
from urllib.parse import quote

from conformance.oip.check import NotApplicable, check, expect
from conformance.oip.server import UNKNOWN, UNKNOWN_VERSION, InferenceServer, answered, refused, shown
from conformance.oip.specification import (
    ERROR_MESSAGE,
    INFERENCE,
    INFERENCE_ERROR,
    INFERENCE_FAILED,
    INPUT_NAME,
    INPUT_PARAMETERS,
    JSON_CONTENT,
    MODEL_VERSIONS,
    OUTPUT_PARAMETERS,
    PARAMETERS,
    POST_INFERENCE,
    REQUEST_BODY,
    REQUEST_ID,
    REQUEST_PARAMETERS,
    REQUEST_VERSION,
    RESPONSE_ID,
    RESPONSE_NAME,
    RESPONSE_VERSION,
)
from conformance.oip.tensors import same

PLAIN = {"text": "x", "number": 1.5, "whole": 3, "flag": True}


@check(INFERENCE)
def inference_answers(server: InferenceServer) -> None:
    """A request with inputs alone is answered with 200 and a response object."""
    server.infer(server.request())


@check(JSON_CONTENT)
def inference_content_type(server: InferenceServer) -> None:
    """The content type of a JSON response is application/json."""
    found = server.plain.response.headers.get("content-type", "")
    expect(found.split(";")[0] == "application/json", f"content-type is {found!r}")


@check(RESPONSE_NAME)
def response_names_the_model(server: InferenceServer) -> None:
    """The response has the model's name."""
    found = server.plain.values.get("model_name")
    expect(found == server.model, f"'model_name' is {found!r}")


@check(RESPONSE_VERSION)
def response_names_the_version(server: InferenceServer) -> None:
    """The response has a version as text, one of those listed; none where the model lists none."""
    found = server.plain.values.get("model_version")
    expect(found is None or isinstance(found, str), f"'model_version' is {found!r}")
    expect(found in server.versions, f"'model_version' is {found!r}, and the metadata lists {server.versions}")


@check(REQUEST_ID)
def id_is_returned(server: InferenceServer) -> None:
    """The id of the request is the id of the response."""
    found = server.infer(server.request(id="request-42")).values.get("id")
    expect(found == "request-42", f"'id' is {found!r}, 'request-42' was sent")


@check(REQUEST_ID, RESPONSE_ID)
def any_id_is_returned(server: InferenceServer) -> None:
    """An id of other letters, spaces and quotes is returned as it came."""
    for sent in ("42", ' a "b" \\c/ ', "prüfung-日本-👩‍🚀", "x" * 200):
        found = server.infer(server.request(id=sent)).values.get("id")
        expect(found == sent, f"'id' is {found!r}, {sent!r} was sent")


@check(REQUEST_ID)
def id_is_optional(server: InferenceServer) -> None:
    """Without an id the request is answered; an id in the response, if any, is a text."""
    found = server.plain.values.get("id")
    expect(found is None or isinstance(found, str), f"'id' is {found!r}")


@check(REQUEST_PARAMETERS)
def no_parameters(server: InferenceServer) -> None:
    """An empty object of parameters is answered."""
    server.infer(server.request(parameters={}))


@check(REQUEST_PARAMETERS, PARAMETERS)
def request_parameters(server: InferenceServer) -> None:
    """Parameters that are texts, numbers and truth values, and that the server does not know, are no error."""
    server.infer(server.request(parameters=PLAIN))


@check(INPUT_PARAMETERS)
def input_parameters(server: InferenceServer) -> None:
    """Inputs may have parameters, also none."""
    for parameters in ({}, PLAIN):
        request = server.request()
        for each in request["inputs"]:
            each["parameters"] = parameters
        server.infer(request)


@check(OUTPUT_PARAMETERS)
def output_parameters(server: InferenceServer) -> None:
    """Requested outputs may have parameters, also none."""
    for parameters in ({}, PLAIN):
        server.infer(
            server.request(outputs=[{"name": name, "parameters": parameters} for name in server.plain.outputs])
        )


@check(PARAMETERS)
def response_parameters(server: InferenceServer) -> None:
    """Parameters of the response and its outputs, if any, are texts, numbers and truth values."""
    for owner in (server.plain.values, *server.plain.values["outputs"]):
        parameters = owner.get("parameters")
        expect(parameters is None or isinstance(parameters, dict), f"'parameters' is {parameters!r}")
        for name, value in (parameters or {}).items():
            expect(isinstance(value, str | int | float | bool), f"the parameter '{name}' is {value!r}")


@check(INPUT_NAME)
def inputs_go_by_their_names(server: InferenceServer) -> None:
    """The order of the inputs changes nothing: each has its name."""
    if len(server.inputs) < 2:
        raise NotApplicable("the model has one input")
    request = server.request()
    request["inputs"].reverse()
    found = server.infer(request)
    for name, tensor in server.plain.outputs.items():
        expect(same(found.outputs[name].values, tensor.values), f"'{name}' differs when the inputs are sent backwards")


@check(REQUEST_VERSION, MODEL_VERSIONS)
def versions_can_infer(server: InferenceServer) -> None:
    """Every listed version can be asked, and says that it answered."""
    for version in server.versions:
        found = server.infer(server.request(), version=version).values.get("model_version")
        expect(found == version, f"'model_version' is {found!r}, version {version!r} was asked")


@check(REQUEST_VERSION, RESPONSE_VERSION)
def version_answers_as_itself(server: InferenceServer) -> None:
    """The version that answered gives the same answer when it is asked by its name."""
    version = server.plain.values.get("model_version")
    if version not in server.versions:
        raise NotApplicable("the response names no listed version")
    found = server.infer(server.request(), version=version)
    for name, tensor in server.plain.outputs.items():
        expect(same(found.outputs[name].values, tensor.values), f"'{name}' differs")


@check(INFERENCE_FAILED, INFERENCE_ERROR)
def unknown_model_cannot_infer(server: InferenceServer) -> None:
    """An inference of a model that is not there is an error in the protocol's form."""
    response = server.post(f"/v2/models/{UNKNOWN}/infer", server.request())
    refused(response, "a model that is not there")
    expect(response.status_code < 500, shown(response))


@check(INFERENCE_FAILED, INFERENCE_ERROR)
def unknown_version_cannot_infer(server: InferenceServer) -> None:
    """An inference of a version that is not there is an error in the protocol's form."""
    response = server.post(f"{server.path}/versions/{quote(UNKNOWN_VERSION)}/infer", server.request())
    refused(response, "a version that is not there")
    expect(response.status_code < 500, shown(response))


@check(ERROR_MESSAGE)
def errors_say_something(server: InferenceServer) -> None:
    """The message of an error is a text that is not empty."""
    message = refused(server.post(f"{server.path}/infer", {}), "a request without inputs")
    expect(message.strip(), "'error' is an empty text")


@check(POST_INFERENCE)
def inference_is_posted(server: InferenceServer) -> None:
    """GET of the inference endpoint is an HTTP error."""
    response = server.get(f"{server.path}/infer")
    expect(400 <= response.status_code < 500, shown(response))


@check(REQUEST_BODY)
def spaces_are_json(server: InferenceServer) -> None:
    """A request written with spaces and line breaks is the same request."""
    body = json.dumps(server.request(id="spaced"), indent=2).encode() + b"\n"
    found = answered(server.send(f"{server.path}/infer", body)).values.get("id")
    expect(found == "spaced", f"'id' is {found!r}")


@check(INFERENCE)
def inference_repeats(server: InferenceServer) -> None:
    """The same request is answered with the same outputs."""
    found = server.infer(server.request())
    for name, tensor in server.plain.outputs.items():
        expect(same(found.outputs[name].values, tensor.values), f"'{name}' differs the second time")
