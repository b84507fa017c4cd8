"""What is decided by an answer, over every protocol that answers, and in the ledger."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.domain.arms.arms import RunningArms
from releve.domain.registry.events import ModelReleased
from releve.serving.openapi.document import scenario_document, service_document
from releve.serving.shadow.shadow import Shadow
from tests.domain.decision.tables import a_rule, make_table
from tests.events import make_arms_started
from tests.factories import SCENARIO, make_release, make_row, make_schema, make_stored_model
from tests.serving.arms.worker import Worker
from tests.tables import make_params

COSTS = {"water": {0: 0, 1: 1, 2: 5}, "cut": {0: 5, 1: 1, 2: 0}, "ask": 2}
RULE = a_rule(column="colour", operator="==", value="white", decision="ask", reason="white ones are asked about")
ROWS = [make_row(length=0.1), make_row(length=9.9), make_row(length=0.1, colour="white")]
DECISIONS = ["water", "cut", "ask"]
RULES = [None, None, "white ones are asked about"]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    home = tmp_path_factory.mktemp("deciding")
    worker = Worker(home)
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def before(worker: Worker) -> bytes:
    """An answer of the release before, which decides nothing."""
    return worker.ask("/predict", {"rows": ROWS}).body


@pytest.fixture(scope="module")
def deciding(worker: Worker, before: bytes) -> Worker:
    """The release that serves decides."""
    table = make_table(costs=COSTS, rules=[RULE], schema=make_schema())
    policy = table.fit(np.empty((0, 3)), np.empty(0))
    stored = make_stored_model(worker.home, "three", decision=policy)
    current = worker.registry.current(SCENARIO)
    payload = ModelReleased(release=make_release(stored))
    worker.registry.move(SCENARIO, payload, expected=current.number, reason="costs", actor="tests")
    worker.poll()
    return worker


def answers(worker: Worker, path: str, values: Any) -> dict[str, Any]:
    reply = worker.ask(path, values)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def test_a_model_without_costs_answers_and_keeps_what_it_did_before(before: bytes, worker: Worker) -> None:
    assert [list(each) for each in json.loads(before)["predictions"]] == [
        ["id", "label", "probability", "probabilities"]
    ] * 3
    [segment] = (worker.home / "ledger" / SCENARIO).glob("answers-*.jsonl")
    assert "decisions" not in json.loads(segment.read_text().splitlines()[0])


def test_every_row_says_what_is_decided_what_it_costs_and_which_rule_fired(deciding: Worker) -> None:
    predictions = answers(deciding, "/predict", {"rows": ROWS})["predictions"]

    assert [each["decision"] for each in predictions] == DECISIONS
    assert [each["rule"] for each in predictions] == RULES
    chances = [list(each["probabilities"].values()) for each in predictions]
    expected = [chances[0] @ np.array([0, 1, 5]), chances[1] @ np.array([5, 1, 0]), 2]
    assert [each["expected_cost"] for each in predictions] == pytest.approx(expected, abs=1e-5)


def test_the_ledger_keeps_what_was_decided(deciding: Worker) -> None:
    sent = answers(deciding, "/predict", {"rows": ROWS})["predictions"]

    kept = LedgerReader(deciding.home / "ledger" / SCENARIO).answers(model=f"{SCENARIO}:three")

    newest = kept.take(range(len(kept))[-3:])
    assert (newest.decisions, newest.rules) == (DECISIONS, RULES)
    assert newest.expected_costs == [each["expected_cost"] for each in sent]


def test_the_open_inference_protocol_has_tensors_of_it_that_its_metadata_lists(deciding: Worker) -> None:
    names = ("length", "width", "weight", "colour")
    kinds = ("FP64", "FP64", "FP64", "BYTES")
    columns = [
        {"name": name, "shape": [3], "datatype": kind, "data": [row[name] for row in ROWS]}
        for name, kind in zip(names, kinds, strict=True)
    ]

    found = answers(deciding, f"/v2/models/{SCENARIO}/infer", {"inputs": columns})["outputs"]
    one = {"inputs": columns, "outputs": [{"name": "rule"}]}
    [rule] = answers(deciding, f"/v2/models/{SCENARIO}/infer", one)["outputs"]

    data = {each["name"]: each["data"] for each in found}
    assert list(data) == ["label", "probabilities", "decision", "expected_cost", "rule"]
    assert data["decision"] == DECISIONS
    assert data["rule"] == rule["data"] == ["", "", RULES[2]]


def test_mlflows_answer_has_it_beside_the_predictions(deciding: Worker) -> None:
    found = answers(deciding, "/invocations", {"dataframe_records": ROWS})

    assert list(found) == ["predictions", "decisions", "expected_costs", "rules"]
    assert (found["decisions"], found["rules"]) == (DECISIONS, RULES)


def test_the_page_says_what_is_decided(deciding: Worker) -> None:
    form = "row=" + json.dumps(ROWS[2])

    reply = deciding.ask(f"/scenarios/{SCENARIO}", form.encode(), media_type="application/x-www-form-urlencoded")

    assert "white ones are asked about" in reply.body.decode()


def test_the_description_of_the_service_has_what_answers_have(deciding: Worker) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    served = deciding.scenarios.get(SCENARIO).served_now()
    prediction = answers(deciding, "/predict", {"rows": ROWS})["predictions"][2]
    invocation = answers(deciding, "/invocations", {"dataframe_records": ROWS})

    for document in (scenario_document(SCENARIO, served, prefix=""), service_document()):
        for name, value in (("Prediction", prediction), ("Invocations", invocation)):
            schema = {**document["components"]["schemas"][name], "components": document["components"]}
            jsonschema.validate(value, schema)


def test_a_shadow_writes_down_what_it_would_have_decided(tmp_path: Path) -> None:
    table = make_table(costs=COSTS, rules=[RULE], schema=make_schema())
    policy = table.fit(np.empty((0, 3)), np.empty(0))
    champion, challenger = make_stored_model(tmp_path, "one"), make_stored_model(tmp_path, "two", decision=policy)
    started = make_arms_started(champion.tag).model_copy(update={"challenger": make_release(challenger)})
    running = RunningArms(7, "2026-01-01T00:00:00+00:00", started, only_shadow=True)
    clock = lambda: datetime.now(UTC)  # noqa: E731
    shadow = Shadow(tmp_path, SCENARIO, running, make_params().arms, clock=clock)
    folder = tmp_path / "ledger" / SCENARIO
    with closing(shadow), closing(LedgerWriter(folder, SCENARIO, clock=clock)) as ledger:
        ledger.answer(model=champion.tag, index=None, rows=ROWS, labels=[0, 0, 0], probabilities=[[1, 0, 0]] * 3)
        shadow.look()
        shadow.answer(1)

    [line] = LedgerReader(folder).shadows()
    assert (line.error, line.decisions, line.rules) == ("", DECISIONS, RULES)
