"""/explain of a worker: true to the model that serves, asked by who may, and in nobody's way."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from math import factorial
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest

from releve.adapters.models import model_runtime
from releve.adapters.models.model_runtime import REFERENCE_ROWS_FILE
from releve.core.errors import TooLarge
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from releve.serving.edge.access import Access
from releve.serving.explain import explaining, patient
from releve.serving.explain.explaining import explain_row, nearest_references, written
from releve.serving.explain.questions import explain_question
from releve.serving.faults import TimedOut
from releve.serving.openapi.document import scenario_document
from releve.serving.requests import check_rows
from releve.serving.routes import Reply, Request, Role, Runs
from releve.serving.scenarios.scenario import Scenario
from tests.factories import SCENARIO, make_row
from tests.serving.arms.worker import CHAMPION, Worker, headers_of
from tests.serving.tables import packed
from tests.tables import MESSAGES, MESSAGES_TABLE, RENTALS, RENTALS_TABLE, messages_rows, rentals_row, rentals_rows

PATH = f"/scenarios/{SCENARIO}/explain"
ROW = make_row(length=3.0)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    made = Worker(tmp_path_factory.mktemp("explain"))
    yield made
    made.close()


def explained(worker: Worker, **changes: Any) -> dict[str, Any]:
    reply = worker.ask(PATH, {"row": ROW, **changes})
    assert reply.status == 200, reply.body
    found: dict[str, Any] = json.loads(reply.body)
    return found


def error_of(reply: Reply | None) -> tuple[int, str]:
    assert reply is not None
    return reply.status, json.loads(reply.body)["error"]["code"]


def brute_force(model: model_runtime.Model, row: dict[str, Any], place: int) -> dict[str, float]:
    """Mix the cells of whole rows, have the model answer every coalition, and weigh by the definition."""
    names, moved = model.schema.names, dict.fromkeys(model.schema.names, 0.0)
    references = [each.cells for each in model.references.rows]
    players = len(names)
    for reference in references:
        mixed = [
            {name: (row if coalition >> at & 1 else reference)[name] for at, name in enumerate(names)}
            for coalition in range(2**players)
        ]
        output = model.answer(arrays_of_rows(model.schema, mixed))
        game = output.labels if output.probabilities is None else output.probabilities[:, place].astype(float)
        for at, name in enumerate(names):
            for coalition in range(2**players):
                if not coalition >> at & 1:
                    size = coalition.bit_count()
                    weight = factorial(size) * factorial(players - size - 1) / factorial(players) / len(references)
                    moved[name] += weight * (game[coalition | 1 << at] - game[coalition])
    return moved


def test_values_are_those_of_the_model_that_serves(asked: Worker):
    served = asked.scenarios.get(SCENARIO).served_now()

    found = explained(asked)

    moved = {each["feature"]: each["moved"] for each in found["features"]}
    assert moved == pytest.approx(brute_force(served.model, ROW, place=found["label"]), abs=1e-6)
    assert found["answer"] - found["reference"] == pytest.approx(sum(moved.values()), abs=1e-12)
    assert [*moved] == sorted(moved, key=lambda name: -abs(moved[name]))
    assert found["exact"] and found["features"][0]["standard_error"] is None


def test_the_answer_is_the_one_of_predict_and_another_class_can_be_asked_for(asked: Worker):
    predicted = json.loads(asked.ask(f"/scenarios/{SCENARIO}/predict", {"rows": [ROW]}).body)["predictions"][0]

    own, other = explained(asked), explained(asked, label=2)

    assert (own["label"], own["model_version"]) == (predicted["label"], CHAMPION)
    assert own["answer"] == pytest.approx(predicted["probability"], abs=1e-6)
    assert other["label"] == 2 and other["answer"] == pytest.approx(predicted["probabilities"]["2"], abs=1e-6)
    assert other["changes"] == own["changes"]  # of the decision, whichever class is explained


def test_a_told_change_changes_the_answer_as_it_says(asked: Worker):
    changes = explained(asked)["changes"]

    assert changes and [each["size"] for each in changes] == sorted(each["size"] for each in changes)
    for each in changes:
        rows = [{**ROW, each["feature"]: each["to"]}]
        predicted = json.loads(asked.ask(f"/scenarios/{SCENARIO}/predict", {"rows": rows}).body)["predictions"][0]
        assert predicted["label"] == each["label"] != explained(asked)["label"]
        assert predicted["probability"] == pytest.approx(each["answer"], abs=1e-6)


def test_without_an_index_the_nearest_labelled_rows_are_among_the_references(asked: Worker):
    reference = asked.scenarios.get(SCENARIO).served_now().model.references.rows[3]

    found = explained(asked, row=dict(reference.cells))

    assert found["nearest_in"] == "reference rows" and found["metric"] == "L2"
    assert [found["nearest"][0][name] for name in ("row", "label", "distance")] == [3, reference.label, 0.0]
    assert [each["distance"] for each in found["nearest"]] == sorted(each["distance"] for each in found["nearest"])


def test_an_index_that_does_not_answer_in_time_costs_no_explanation(asked: Worker, monkeypatch: pytest.MonkeyPatch):
    async def hangs(*given: Any) -> None:
        raise TimedOut("Milvus", 6.0)

    monkeypatch.setattr(Scenario, "search", hangs)

    assert explained(asked)["nearest_in"] == "reference rows"


def test_what_is_answered_is_what_the_document_says(asked: Worker):
    document = scenario_document(SCENARIO, asked.scenarios.get(SCENARIO).served_now(), prefix="")
    operation = document["paths"]["/explain"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    parts = {"components": document["components"]}

    found = explained(asked, **body["example"])

    jsonschema_rs.validate({**parts, **body["schema"]}, body["example"])
    jsonschema_rs.validate({**parts, **operation["responses"]["200"]["content"]["application/json"]["schema"]}, found)


def test_an_explanation_is_no_prediction(asked: Worker):
    scenario = asked.scenarios.get(SCENARIO)
    before = scenario.rows_answered

    reply = asked.ask(PATH, {"row": ROW})

    assert scenario.rows_answered == before
    assert headers_of(reply)["x-releve-model"] == CHAMPION


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "'row' is missing"),
        ({"row": [ROW]}, "'row' is a list; send the one row as an object"),
        ({"row": {**ROW, "length": 11}}, "length is 11, expected at most 10"),
        ({"row": ROW, "label": 3}, "'label' is 3, expected one of 0, 1, 2"),
        ({"row": ROW, "by": 1}, "'by' is for numbers, and 'kind' has classes"),
        ({"row": ROW, "rows": []}, "unknown field 'rows'"),
    ],
)
def test_a_wrong_question_is_refused_by_name(asked: Worker, values: dict[str, Any], says: str):
    reply = asked.ask(PATH, values)

    assert reply.status == 400
    assert says in json.loads(reply.body)["error"]["message"]


@pytest.mark.parametrize("by", [0, -1, True, "1", float("1e308") * 10])
def test_how_far_a_number_moves_is_a_number_above_0(by: Any):
    body = json.dumps({"row": {}, "by": by}).replace("Infinity", "1e999").encode()

    with pytest.raises(Exception, match=r"'by' is|not JSON"):
        explain_question(body, Schema.from_dict(RENTALS_TABLE))


@pytest.mark.parametrize(
    ("held", "status"), [(Role.READ, 403), (Role.LABEL, 403), (Role.EXPLAIN, 200), (Role.OPERATE, 200), (None, 401)]
)
def test_it_is_asked_with_its_own_token_or_the_operators(asked: Worker, held: Role | None, status: int, monkeypatch):
    tokens = {role: f"{role}-0123456789abcdef" for role in Role if role is not Role.ANYONE}
    monkeypatch.setattr(asked.application, "_access", Access(tokens))
    headers = [(b"authorization", f"Bearer {tokens[held]}".encode())] if held else []

    body = json.dumps({"row": ROW}).encode()
    reply = asyncio.run(asked.application.reply(Request("POST", PATH, {}, b"", headers, body, "")))

    assert reply is not None and reply.status == status


def test_a_token_to_explain_gives_no_labels():
    access = Access({Role.EXPLAIN: "explain-0123456789", Role.OPERATE: "operate-0123456789"})

    access.check(Role.READ, "Bearer explain-0123456789")
    for role in (Role.LABEL, Role.OPERATE):
        with pytest.raises(Exception, match=f"of the role explain, this path asks for one of {role}"):
            access.check(role, "Bearer explain-0123456789")


def test_predictions_are_answered_while_explanations_wait_and_more_of_them_are_refused(asked: Worker):
    pool, held = asked.application.pools[Runs.EXPLAIN], threading.Event()
    body = json.dumps({"row": ROW}).encode()

    async def story() -> tuple[tuple[int, str], int]:
        blocking = [asyncio.create_task(pool.run(held.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await asked.application.reply(Request("POST", PATH, {}, b"", [], body, ""))
        rows = json.dumps({"rows": [ROW]}).encode()
        predicted = await asked.application.reply(
            Request("POST", f"/scenarios/{SCENARIO}/predict", {}, b"", [], rows, "")
        )
        held.set()
        await asyncio.gather(*blocking)
        assert predicted is not None
        return error_of(refused), predicted.status

    assert asyncio.run(story()) == ((503, "overloaded"), 200)


def test_a_model_without_reference_rows_says_so(tmp_path: Path):
    folder = packed(tmp_path / MESSAGES, MESSAGES_TABLE, accepted(MESSAGES_TABLE, messages_rows()))
    (folder / REFERENCE_ROWS_FILE).unlink()
    model = model_runtime.load(folder, tag="messages:one")

    with pytest.raises(
        explaining.NotExplainable, match=r"messages:one has no reference rows.* make retrain SCENARIO=messages"
    ):
        explain(model, {"message": "hello", "sent": None})


def accepted(table, frame):
    return check_frame(Schema.from_dict(table), frame).accepted


def explain(
    model: model_runtime.Model, row: dict[str, Any], *, hidden: frozenset[str] = frozenset(), **asked: Any
) -> explaining.Explained:
    how = {"hidden": hidden, "answered": asked.pop("answered", int), "seconds": asked.pop("seconds", 8.0)}
    question = explain_question(json.dumps({"row": row, **asked}).encode(), model.schema)
    return explain_row(model, question, check_rows([row], model.schema), **how)


@pytest.fixture(scope="module")
def rentals_model(tmp_path_factory: pytest.TempPathFactory) -> model_runtime.Model:
    """Texts, dates, images, a missing number; served by scikit-learn."""
    frame = accepted(RENTALS_TABLE, rentals_rows())
    folder = packed(tmp_path_factory.mktemp("models") / RENTALS, RENTALS_TABLE, frame, recipe="hist_gradient_boosting")
    return model_runtime.load(folder, tag="rentals:one")


def test_a_number_over_every_kind_of_column_is_explained_by_columns_of_the_table(rentals_model):
    row = rentals_row(temperature=None)

    found = explain(rentals_model, row)

    moved = found.explanation.contributions
    answer = rentals_model.answer(check_rows([row], rentals_model.schema)).labels[0]
    assert rentals_model.schema.target.task == REGRESSION and rentals_model.description.runtime == "sklearn"
    assert dict(zip(rentals_model.schema.names, moved.values, strict=True)) == pytest.approx(
        brute_force(rentals_model, row, 0), abs=1e-6 * abs(answer)
    )
    assert moved.answer == pytest.approx(answer)
    assert found.by == pytest.approx(70.0, rel=1e-4)  # half of the interval
    assert nearest_references(found)[0]["row_id"] in ("north", "south")


def test_how_far_a_number_has_to_move_is_the_callers_to_say(rentals_model):
    near, far = (explain(rentals_model, rentals_row(), by=by) for by in (0.5, 1e6))

    assert near.by == 0.5 and near.explanation.changes
    for each in near.explanation.changes:
        assert abs(each.outputs[0] - near.explanation.contributions.answer) >= 0.5
    assert not far.explanation.changes


def test_the_same_answer_to_every_row_is_moved_by_nothing(tmp_path: Path):
    folder = packed(tmp_path / RENTALS, RENTALS_TABLE, accepted(RENTALS_TABLE, rentals_rows()), recipe="constant")
    model = model_runtime.load(folder, tag="rentals:one")
    model = replace(model, description=model.description.model_copy(update={"intervals": None}))

    found = explain(model, rentals_row())

    moved = found.explanation.contributions
    assert (moved.values.tolist(), moved.answer, found.by) == ([0.0] * 5, pytest.approx(moved.reference), 0.0)
    assert not found.explanation.changes


def test_a_model_that_is_too_slow_for_any_estimate_says_how_much_it_would_take_and_what_helps(
    rentals_model, monkeypatch
):
    monkeypatch.setattr(patient.PatientModel, "affordable", lambda self: 10)

    asked = r"an estimate takes \d+ rows of the model; one explanation may ask 0 in its time"
    with pytest.raises(TooLarge, match=asked + ": more where the service is less busy, or the model has fewer members"):
        explain(rentals_model, rentals_row())


def test_cells_of_hidden_columns_are_not_told(rentals_model):
    hidden = frozenset({"temperature", "station"})

    found = explain(rentals_model, rentals_row(), hidden=hidden, by=0.5)
    told = written(found, nearest_references(found), index=None, metric="L2", hidden=hidden)

    assert told["changes"] and "temperature" not in {each["feature"] for each in told["changes"]}
    assert {each["row_id"] for each in told["nearest"]} == {None}
    assert len(told["features"]) == len(rentals_model.schema.names)


def test_an_explanation_ends_with_its_time(rentals_model):
    with pytest.raises(TimedOut, match="the explanation gave no answer within 0 seconds"):
        explain(rentals_model, rentals_row(), seconds=0.0)


def test_a_slow_model_is_explained_by_estimates(rentals_model, monkeypatch):
    monkeypatch.setattr(patient.PatientModel, "affordable", lambda self: 160 + 340)

    moved = explain(rentals_model, rentals_row()).explanation.contributions

    assert moved.errors is not None and moved.errors.any()
    assert moved.values.sum() == pytest.approx(moved.answer - moved.reference, rel=1e-9)


@pytest.fixture
def asking(rentals_model) -> patient.PatientModel:
    """What asks a model patiently; others are answered a row at each look."""
    arrays = check_rows([rentals_row()], rentals_model.schema)
    rows, looks = explaining.HybridRows(rentals_model.schema, arrays, rentals_model.reference_arrays), count()
    return patient.PatientModel(rentals_model, rows, seconds=8.0, answered=lambda: next(looks))


def test_a_model_is_asked_in_pieces_with_rests(asking):
    rows = 3 * patient.FIRST_PIECE + 1
    began, used = time.perf_counter(), time.thread_time()

    outputs = asking(np.ones((rows, 5), dtype=bool), np.zeros(rows, dtype=np.intp))

    assert outputs.shape == (rows, 1) and len(np.unique(outputs)) == 1
    assert time.thread_time() - used < 0.8 * (time.perf_counter() - began)


def test_it_rests_longer_while_others_are_answered(asking):
    quiet = replace(asking, answered=int)

    assert asking.affordable() > 0
    assert quiet.affordable() > 0
    assert (asking.rest, quiet.rest) == (patient.LONG_REST, patient.REST)


def test_turns_of_threads_are_short_for_as_long_as_it_takes():
    usual = sys.getswitchinterval()

    with patient.short_turns():
        assert sys.getswitchinterval() == pytest.approx(patient.SHORT_TURN)

    assert sys.getswitchinterval() == usual
