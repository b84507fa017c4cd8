"""Canary and A/B: a challenger that answers a share of the requests, in the champion's place."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK
from releve.domain.arms.arms import Arm, ArmMode, ArmsEnded, ArmsOutcome, GuardKind
from releve.domain.arms.guards import MIN_FAILURES
from releve.domain.registry.chain import ARMS_ENDED
from releve.domain.schema.columns import NUMBER, Column
from releve.domain.schema.schema import Schema
from tests.factories import SCENARIO, make_entries, make_row, make_schema
from tests.serving.arms.worker import CHALLENGER, CHAMPION, Worker, headers_of
from tests.serving.conftest import release_first

ROWS = {"rows": [make_row()]}
INPUTS = {
    "inputs": [
        {"name": "length", "shape": [1], "datatype": "FP64", "data": [4.0]},
        {"name": "width", "shape": [1], "datatype": "FP64", "data": [2.5]},
        {"name": "weight", "shape": [1], "datatype": "FP64", "data": [1.0]},
        {"name": "colour", "shape": [1], "datatype": "BYTES", "data": ["red"]},
    ]
}
RECORDS = {"dataframe_records": [make_row()]}
FORM = urlencode({"row": orjson.dumps(make_row())}).encode()
PROTOCOLS = [
    ("/predict", ROWS, "application/json"),
    (f"/scenarios/{SCENARIO}/predict", ROWS, "application/json"),
    (f"/v2/models/{SCENARIO}/infer", INPUTS, "application/json"),
    ("/invocations", RECORDS, "application/json"),
    (f"/scenarios/{SCENARIO}", FORM, "application/x-www-form-urlencoded"),
]


def models_of(worker: Worker, keys: range) -> list[str]:
    """Who answers each key."""
    return [headers_of(worker.ask("/predict", ROWS, key=str(key)))["x-releve-model"] for key in keys]


def key_of(worker: Worker, arm: Arm) -> str:
    """A key whose requests are of that arm."""
    running = worker.registry.arms(SCENARIO)
    return next(str(key) for key in range(1000) if running.started.arm_of(str(key).encode()) is arm)


def ledger(worker: Worker) -> LedgerReader:
    return LedgerReader(worker.home / "ledger" / SCENARIO)


@pytest.mark.parametrize(("path", "body", "media_type"), PROTOCOLS)
def test_every_protocol_asks_the_arm_of_the_key_and_says_which_one_answered(worker, path, body, media_type):
    worker.start_arms(ArmMode.AB, 0.5)

    for arm, model in ((Arm.CHAMPION, CHAMPION), (Arm.CHALLENGER, CHALLENGER)):
        reply = worker.ask(path, body, key=key_of(worker, arm), media_type=media_type)

        assert reply.status == 200 and reply.request_id
        sent = headers_of(reply)
        assert (sent["x-releve-arm"], sent["x-releve-model"]) == (arm, model)

    answers = ledger(worker).answers()
    assert (answers.arms, answers.models) == (["champion", "challenger"], [CHAMPION, CHALLENGER])


def test_a_key_keeps_its_arm_as_the_share_grows_and_gets_it_back_when_the_arms_end(worker):
    worker.start_arms(ArmMode.CANARY, 0.2)
    few = models_of(worker, range(60))
    assert few == models_of(worker, range(60))

    number = worker.start_arms(ArmMode.AB, 0.6)
    many = models_of(worker, range(60))

    assert 0 < few.count(CHALLENGER) < many.count(CHALLENGER) < 60
    assert all(after == CHALLENGER for before, after in zip(few, many, strict=True) if before == CHALLENGER)

    ended = ArmsEnded(outcome=ArmsOutcome.STOPPED, champion=CHAMPION, challenger=CHALLENGER)
    worker.registry.end_arms(SCENARIO, ended, expected=number, reason="a test", actor="tests")
    worker.poll()
    assert set(models_of(worker, range(20))) == {CHAMPION}


def test_without_a_key_each_request_is_drawn(worker):
    worker.start_arms(ArmMode.AB, 0.5)

    arms = {headers_of(worker.ask("/predict", ROWS))["x-releve-arm"] for _ in range(40)}

    assert arms == {"champion", "challenger"}


def test_without_a_header_the_id_of_the_first_row_is_the_key(worker):
    worker.start_arms(ArmMode.AB, 0.5)
    scenario = worker.scenarios.get(SCENARIO)
    champion, trial = scenario.served, scenario.trial
    named = replace(champion, model=replace(champion.model, schema=replace(champion.schema, id="weight")))

    for cell in range(40):
        drawn = {trial.takes(named, "", [make_row(weight=cell), make_row(weight=-1)]) for _ in range(5)}
        assert drawn == {trial.running.started.arm_of(str(cell).encode()) is Arm.CHALLENGER}


def test_a_shadow_answers_no_request_and_is_not_loaded_here(worker):
    worker.start_arms(ArmMode.SHADOW)

    assert set(models_of(worker, range(20))) == {CHAMPION}
    assert worker.scenarios.get(SCENARIO).trial.challenger is None


def test_a_version_that_is_named_is_answered_by_itself(worker):
    worker.start_arms(ArmMode.AB, 0.5)

    path, key = f"/v2/models/{SCENARIO}/versions/one/infer", key_of(worker, Arm.CHALLENGER)

    assert headers_of(worker.ask(path, INPUTS, key=key))["x-releve-model"] == CHAMPION


def test_where_the_challenger_cannot_be_loaded_the_champion_answers_and_the_arms_end(worker):
    worker.start_arms(ArmMode.AB, 0.5, model_digest="0" * 64)
    key = key_of(worker, Arm.CHALLENGER)

    for _ in range(MIN_FAILURES - 1):
        assert headers_of(worker.ask("/predict", ROWS, key=key))["x-releve-arm"] == "champion"
    worker.poll()
    assert worker.registry.arms(SCENARIO)
    worker.ask("/predict", ROWS, key=key)
    worker.poll()

    assert worker.registry.arms(SCENARIO) is None
    (event,) = worker.registry.events(SCENARIO, kinds=[ARMS_ENDED])
    ended = event.read(ArmsEnded)
    assert (ended.outcome, ended.guard.kind, ended.guard.value) == (ArmsOutcome.GUARD, GuardKind.ERROR_RATE, 1.0)
    assert event.reason.startswith("the challenger failed at 100.0% of the newest 5 requests, and at most 5.0%")
    assert worker.registry.verify() == 3


def test_a_challenger_that_fails_is_answered_for_and_bad_requests_are_no_failure_of_it(worker):
    worker.start_arms(ArmMode.AB, 0.5)
    key = key_of(worker, Arm.CHALLENGER)

    for _ in range(2 * MIN_FAILURES):
        assert worker.ask("/predict", {"rows": [{"length": "long"}]}, key=key).status == 400
    worker.poll()
    assert worker.registry.arms(SCENARIO)

    trial = worker.scenarios.get(SCENARIO).trial
    wider = Schema((*make_schema().columns, Column("age", NUMBER)), make_schema().target)
    trial.challenger = replace(trial.challenger, model=replace(trial.challenger.model, schema=wider))
    for _ in range(MIN_FAILURES):
        assert headers_of(worker.ask("/predict", ROWS, key=key))["x-releve-model"] == CHAMPION
    worker.poll()
    assert worker.registry.arms(SCENARIO) is None


def test_another_release_ends_what_was_compared_with_the_one_before(worker, tmp_path: Path):
    worker.start_arms(ArmMode.AB, 0.9)

    release_first(tmp_path, worker.challenger)
    worker.poll()

    assert worker.scenarios.get(SCENARIO).trial is None
    assert headers_of(worker.ask("/predict", ROWS))["x-releve-arm"] == "champion"


def test_a_search_goes_to_the_index_of_its_arm(milvus: int, tmp_path: Path):
    worker = Worker(tmp_path, milvus=milvus)
    try:
        index = VectorIndex(f"http://{LOOPBACK}:{milvus}")
        embedder = worker.scenarios.get(SCENARIO).served.model.embedder
        for name in ("releve_flowers_one", "releve_flowers_two"):
            index.build(name, make_entries(embedder), scenario=SCENARIO)
        index.close()
        worker.start_arms(ArmMode.AB, 0.5)

        for arm, name in ((Arm.CHAMPION, "releve_flowers_one"), (Arm.CHALLENGER, "releve_flowers_two")):
            reply = worker.ask("/search", {"row": make_row()}, key=key_of(worker, arm))
            found = orjson.loads(reply.body)
            assert (found["index_version"], found["arm"]) == (name, arm)

        worker.start_arms(ArmMode.AB, 0.5, index="releve_flowers_gone")
        found = orjson.loads(worker.ask("/search", {"row": make_row()}, key=key_of(worker, Arm.CHALLENGER)).body)
        assert found["index_version"] == "releve_flowers_one"
    finally:
        worker.close()
