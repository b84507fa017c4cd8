"""The suite finds nothing wrong with a server that is right, and finds each departure of one that is not."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.oip import __main__ as command
from conformance.oip import report
from conformance.oip.check import FAILED, PASSED, SKIPPED, Result, all_checks, run
from conformance.oip.samples import from_metadata, from_request
from conformance.oip.server import Server
from tests.conformance.reference import METADATA, MODEL, Handler, answer, changed, client_of, listening

Change = Callable[[Any], Any]


def results_of(handler: Handler, **options: Any) -> list[Result]:
    with client_of(handler) as client:
        return list(run(Server(client, MODEL, **{"example": None, "control": True} | options)))


def failed(handler: Handler) -> set[str]:
    return {result.check.name for result in results_of(handler) if result.outcome == FAILED}


def of_path(pattern: str) -> Callable[[httpx.Request], bool]:
    return lambda request: re.fullmatch(pattern, request.url.path) is not None


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


def test_a_server_that_is_right_passes_every_check():
    found = results_of(answer)

    assert [(result.check.name, result.found) for result in found if result.outcome != PASSED] == []
    assert len(found) >= 60


def test_every_check_rests_on_sentences_and_has_a_name_of_its_own():
    checks = all_checks()

    assert len({check.name for check in checks}) == len(checks)
    assert all(check.clauses and check.title for check in checks)
    assert all(clause.sentence and clause.section for check in checks for clause in check.clauses)


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


def test_extensions_that_are_not_reported_are_skipped_with_the_reason():
    found = results_of(changed(of_path("/v2/?"), lambda each: each | {"extensions": []}))

    assert [result for result in found if result.outcome == FAILED] == []
    reasons = {result.found for result in found if result.outcome == SKIPPED}
    assert reasons == {
        "the server does not report the extension binary_tensor_data",
        "the server does not report the extension model_repository",
    }


def test_a_model_without_described_inputs_is_asked_with_a_request_that_is_given():
    bare = changed(of_path("/v2/models/toy"), lambda each: each | {"inputs": []})
    example = {
        "inputs": [
            {"name": "size", "datatype": "FP64", "shape": [2, 2], "data": [[1, 2], [3, 4]]},
            {"name": "kind", "datatype": "BYTES", "shape": [2, 1], "data": ["good", "bad"]},
        ]
    }

    assert {result.check.name for result in results_of(bare, example=example) if result.outcome == FAILED} == {
        "model_inputs"
    }
    assert "inference_answers" in {result.check.name for result in results_of(bare) if result.outcome == SKIPPED}


def test_rows_come_from_what_the_metadata_offers():
    size, kind = from_metadata(METADATA["inputs"])

    assert size.rows == ((1.0, 2.0), (4.0, 3.0), (0.5, 6.0)) and size.tensor((0, 1, 2)).shape == (3, 2)
    assert [row[0] for row in kind.rows] == ["good", "bad", "good"]
    whole, real, flag, text = from_metadata(
        [
            {"name": "a", "datatype": "INT64", "shape": [-1], "parameters": {"min": 10, "max": 20}},
            {"name": "b", "datatype": "FP32", "shape": [-1, 2], "parameters": {"min": -1}},
            {"name": "c", "datatype": "BOOL", "shape": [-1, 1]},
            {"name": "d", "datatype": "BYTES", "shape": [2, 3]},
        ]
    )
    assert [row[0] for row in whole.rows] == [12, 18, 15]
    assert real.rows[0] == (-0.75, -0.75)
    assert [row[0] for row in flag.rows] == [True, False, True]
    assert text.tensor((0,)).shape == (2, 3) and not text.batched
    (given,) = from_request([{"name": "x", "datatype": "INT8", "shape": [2, 2], "data": [1, 2, 3, 4]}])
    assert given.rows == ((1, 2), (3, 4))


def test_the_report_shows_sentences_of_what_failed():
    found = results_of(changed(of_path("/v2/health/live"), lambda _: {}))

    table = report.as_table(found, verbose=False)

    line = table.index("FAILED  live_body")
    assert '"live" : $bool' in table[line:] and "'live' is None" in table[line:]
    assert table.endswith(f"{len(found) - 1} passed, 1 failed, 0 skipped, of {len(found)} checks")
    written = report.as_json(found, url="http://toy", model=MODEL)
    assert written["counts"] == {"passed": len(found) - 1, "failed": 1, "skipped": 0}
    assert next(each for each in written["checks"] if each["name"] == "live_body")["clauses"][0]["section"]


@pytest.mark.parametrize(("handler", "code"), [(answer, 0), (changed(of_path("/v2/health/live"), lambda _: {}), 1)])
def test_the_command_ends_as_the_checks_do(tmp_path: Path, capsys: pytest.CaptureFixture, handler: Handler, code: int):
    with listening(handler) as address:
        assert command.main([address, "--json", str(tmp_path / "found.json")]) == code

    assert f"{code} failed, 1 skipped" in capsys.readouterr().out  # loading wants --control
    written = json.loads((tmp_path / "found.json").read_text())
    assert (written["model"], written["url"]) == (MODEL, address)


def test_a_server_that_is_away_is_said_to_be(capsys: pytest.CaptureFixture):
    assert command.main(["http://127.0.0.1:1"]) == 2
    assert "error: http://127.0.0.1:1 cannot be checked" in capsys.readouterr().err
