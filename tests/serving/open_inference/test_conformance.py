"""The served scenarios pass every check of the suite."""

import httpx
import pytest

from conformance.oip.check import FAILED, SKIPPED, run
from conformance.oip.server import InferenceServer
from tests.serving.open_inference.served import NUMBERS, TABLES, Service
from tests.tables import MESSAGES

pytestmark = pytest.mark.slow

ONE_INPUT = {"inputs_go_by_their_names", "binary_inputs_in_their_order", "binary_beside_json"}
NO_TEXTS = {"texts_as_numbers", "binary_texts", "binary_texts_cut_short"}
NO_NUMBERS = {"numbers_as_texts", "numbers_as_objects", "whole_numbers_as_floats"}
SKIPS = {"numbers": ONE_INPUT | NO_TEXTS, "messages": NO_NUMBERS}


@pytest.mark.parametrize("name", TABLES)
def test_every_check_that_applies_is_passed(service: Service, name: str):
    with httpx.Client(base_url=service.address, timeout=30) as client:
        results = list(run(InferenceServer(client, name, example=None, control=True)))

    assert [(result.check.name, result.found) for result in results if result.outcome == FAILED] == []
    assert {result.check.name for result in results if result.outcome == SKIPPED} == SKIPS.get(name, set())
    assert len(results) >= 60


def test_a_model_without_an_onnx_form_says_so(service: Service):
    assert service.client.get(f"/v2/models/{MESSAGES}").json()["platform"] == "sklearn_skops"


def test_the_metadata_names_a_matrix_for_numbers_alone(service: Service):
    found = service.client.get(f"/v2/models/{NUMBERS}").json()

    assert (found["name"], found["versions"], found["platform"]) == (NUMBERS, ["one"], "onnx_onnxv1")
    (features,) = found["inputs"]
    assert (features["name"], features["datatype"], features["shape"]) == ("features", "FP64", [-1, 3])
    assert features["parameters"]["columns"] == '["a","b","c"]'
