"""Each way in which a server departs from the protocol is found by the checks that are about it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from conformance.oip.check import FAILED
from tests.conformance.reference import Handler, answer, changed, of_path, results_of

Change = Callable[[Any], Any]


def failed(handler: Handler) -> set[str]:
    return {result.check.name for result in results_of(handler) if result.outcome == FAILED}


def infers(change: Change) -> Handler:
    return changed(of_path(r".*/infer"), change)


def outputs(change: Change) -> Handler:
    return infers(lambda values: values | {"outputs": [change(each) for each in values["outputs"]]})


def request_edited(edit: Callable[[dict[str, Any]], Any]) -> Handler:
    """A server that reads its JSON requests wrongly."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/infer") and "octet" not in request.headers["content-type"]:
            try:
                values = json.loads(request.content)
                edit(values)
            except (ValueError, LookupError, TypeError, AttributeError):
                return answer(request)
            request = httpx.Request("POST", request.url, content=json.dumps(values), headers={"content-type": "x"})
        return answer(request)

    return handler


def statuses(change: Callable[[httpx.Request, httpx.Response], httpx.Response]) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        response.read()
        return change(request, response)

    return handler


def rewritten(status: int, **values: Any) -> Handler:
    """A server whose errors of one status have another form."""
    return statuses(
        lambda _, response: httpx.Response(status, **values) if response.status_code == status else response
    )


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (changed(of_path("/v2/health/live"), lambda _: {}), {"live_body"}),
        (changed(of_path("/v2/health/ready"), lambda _: [True]), {"ready_body"}),
        (changed(of_path("/v2"), lambda each: each | {"name": ""}), {"server_name", "server_answers_with_a_slash"}),
        (changed(of_path("/v2/?"), lambda each: each | {"version": 2}), {"server_version"}),
        (changed(of_path("/v2/?"), lambda each: each | {"extensions": "binary_tensor_data"}), {"server_extensions"}),
        (changed(of_path(".*/ready"), lambda each: each | {"name": "other"}), {"model_ready_name", "version_ready"}),
        (changed(of_path("/v2/models/toy/ready"), lambda each: each | {"ready": "yes"}), {"model_ready_flag"}),
        (changed(of_path("/v2/models/toy"), lambda each: each | {"platform": "onnx"}), {"platform_format"}),
        (changed(of_path("/v2/models/toy"), lambda each: each | {"name": "other"}), {"model_name"}),
        (
            changed(of_path("/v2/models/toy"), lambda each: each | {"versions": ["3", "4"]}),
            {"version_ready", "versions_can_be_asked", "versions_describe_tensors", "versions_can_infer"},
        ),
        (changed(of_path(".*/versions/3"), lambda each: each | {"inputs": []}), {"versions_describe_tensors"}),
        (
            changed(of_path("/v2/models/toy"), lambda each: each | {"outputs": each["outputs"][:1]}),
            {"all_outputs_come_unasked"},
        ),
        (
            changed(
                of_path("/v2/models/toy"),
                lambda each: each | {"outputs": [one | {"datatype": "FP31"} for one in each["outputs"]]},
            ),
            {"tensor_datatypes", "output_datatypes_are_those_described"},
        ),
        (
            changed(
                of_path("/v2/models/toy"),
                lambda each: each | {"outputs": [one | {"shape": [None]} for one in each["outputs"]]},
            ),
            {"tensor_shapes", "output_shapes_are_those_described"},
        ),
        (infers(lambda each: each | {"model_name": "other"}), {"response_names_the_model"}),
        (
            infers(lambda each: each | {"model_version": "4"}),
            {"response_names_the_version", "versions_can_infer"},
        ),
        (
            infers(lambda each: {key: value for key, value in each.items() if key != "id"}),
            {"id_is_returned", "any_id_is_returned", "spaces_are_json"},
        ),
        (infers(lambda each: each | {"parameters": {"arms": ["a"]}}), {"response_parameters"}),
        (outputs(lambda each: each | {"parameters": {"classes": None}}), {"response_parameters"}),
        (outputs(lambda each: each | {"shape": [*each["shape"], 1]}), {"output_shapes_are_those_described"}),
        (
            outputs(lambda each: each | {"data": [0 for _ in each["data"]]} if each["name"] == "label" else each),
            {"output_elements", "binary_outputs_are_the_same_tensors", "binary_data_output"},
        ),
        (
            outputs(lambda each: each | {"data": each["data"][:-1]}),
            {"output_sizes", "a_batch_of_many_rows", "binary_outputs_are_the_same_tensors"},
        ),
        (outputs(lambda each: each | {"data": {"0": 1}}), {"output_data_is_an_array"}),
        (
            request_edited(lambda each: each.pop("outputs")),
            {"one_output_alone", "unknown_output", "binary_outputs", "binary_header"},
        ),
        (
            request_edited(lambda each: each["inputs"][0].update(data=each["inputs"][0]["data"][::-1])),
            {"rows_of_a_batch_answer_as_alone", "nested_is_flat", "binary_inputs_are_the_same_tensors"},
        ),
        (request_edited(lambda each: each.update(id=None)), {"id_is_returned", "any_id_is_returned"}),
        (rewritten(404, text="Not Found"), {"unknown_model_error", "unknown_version_error"}),
        (
            rewritten(400, json={"detail": [{"msg": "wrong"}]}),
            {"no_json", "no_inputs", "input_without_data", "unknown_output", "index_of_no_json"},
        ),
        (rewritten(400, json={"error": ""}), {"errors_say_something"}),
        (
            statuses(
                lambda _, each: httpx.Response(500, content=each.content) if each.status_code == 400 else each
            ),
            {"no_json", "negative_dimension", "too_few_elements", "missing_input", "index_of_no_json"},
        ),
        (
            statuses(lambda _, each: httpx.Response(200, json={"ready": True}) if each.status_code == 404 else each),
            {"unknown_model_is_not_ready", "unknown_version_is_not_ready", "unknown_model_status"},
        ),
        (
            statuses(lambda _, each: httpx.Response(200) if each.status_code == 405 else each),
            {"metadata_is_read", "inference_is_posted", "index_is_posted"},
        ),
        (changed(of_path("/v2/repository/index"), lambda _: []), {"index_lists_the_model", "index_of_the_ready"}),
        (
            changed(of_path("/v2/repository/index"), lambda each: [each[0] | {"state": None, "reason": None}]),
            {"index_states", "index_reasons"},
        ),
        (changed(of_path("/v2/repository/index"), lambda each: [each[0] | {"version": "9"}]), {"index_versions"}),
    ],
)  # fmt: skip
def test_a_departure_is_found_by_the_checks_that_are_about_it(handler: Handler, expected: set[str]):
    found = failed(handler)

    assert found >= expected


def binary_changed(change: Callable[[httpx.Response], tuple[bytes, dict[str, str]]]) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        if "inference-header-content-length" not in response.headers:
            return response
        content, headers = change(response)
        return httpx.Response(200, content=content, headers=headers)

    return handler


def _tail(response: httpx.Response, change: Callable[[bytes], bytes]) -> tuple[bytes, dict[str, str]]:
    size = int(response.headers["inference-header-content-length"])
    headers = {key: value for key, value in response.headers.items() if key != "content-length"}
    return response.content[:size] + change(response.content[size:]), headers


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (binary_changed(lambda each: _tail(each, lambda tail: tail[:-1])), {"binary_outputs", "binary_sizes"}),
        (binary_changed(lambda each: _tail(each, lambda tail: tail + b"\0")), {"binary_outputs", "binary_sizes"}),
        (
            binary_changed(lambda each: _tail(each, lambda tail: tail[:-8] + tail[-8:][::-1])),
            {"binary_outputs_are_the_same_tensors", "binary_data_output", "binary_both_ways"},
        ),
        (
            binary_changed(lambda each: (each.content, {"content-type": "application/octet-stream"})),
            {"binary_outputs", "binary_header"},
        ),
        (
            binary_changed(lambda each: (each.content, dict(each.headers) | {"content-type": "application/json"})),
            {"binary_content_type"},
        ),
        (
            binary_changed(lambda each: (each.content, dict(each.headers) | {"content-length": "7"})),
            {"binary_content_length"},
        ),
        (request_edited(lambda each: each.pop("parameters")), {"binary_data_output", "binary_data_overrides"}),
    ],
)
def test_a_departure_of_binary_tensors_is_found(handler: Handler, expected: set[str]):
    assert failed(handler) >= expected
