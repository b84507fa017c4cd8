"""The suite finds nothing wrong with a server that is right; its rows, its report, its command."""

import json
from pathlib import Path

import pytest

from conformance.oip import __main__ as command
from conformance.oip import report
from conformance.oip.check import FAILED, PASSED, SKIPPED, all_checks
from conformance.oip.samples import from_metadata, from_request
from tests.conformance.reference import METADATA, MODEL, Handler, answer, changed, listening, of_path, results_of


def test_a_server_that_is_right_passes_every_check():
    found = results_of(answer)

    assert [(result.check.name, result.found) for result in found if result.outcome != PASSED] == []
    assert len(found) >= 60


def test_every_check_rests_on_sentences_and_has_a_name_of_its_own():
    checks = all_checks()

    assert len({check.name for check in checks}) == len(checks)
    assert all(check.clauses and check.title for check in checks)
    assert all(clause.sentence and clause.section for check in checks for clause in check.clauses)


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
