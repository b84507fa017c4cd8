"""Bodies that are broken in every way, over everything that takes one: refused in words, and nothing falls over.

In process, with real models, a real registry and ledger, and a Milvus.
"""

import asyncio
import json
import random
import re
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from releve.adapters.models import model_runtime
from releve.adapters.prefect.api import PrefectRuns
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK, Settings
from releve.domain.schema.schema import BATCH, ROW
from releve.serving import native
from releve.serving.application import Application
from releve.serving.edge.access import Access
from releve.serving.flow_runs import FlowRuns
from releve.serving.mlflow_scoring import routes as mlflow_scoring
from releve.serving.open_inference import routes as open_inference
from releve.serving.page import routes as page
from releve.serving.scenarios.scenarios import Scenarios
from tasks.release.index import as_entries
from tests.factories import SCENARIO, make_row
from tests.serving.conftest import registry_of
from tests.serving.mutations import JSON, LENGTH, Sent, broken
from tests.serving.open_inference.served import NUMBERS, release_tables
from tests.serving.test_mlflow_scoring import FORMS
from tests.tables import MESSAGES, RENTALS, rentals_row

pytestmark = pytest.mark.slow

BODIES = 2_000
PROTOCOLS = ("native", "v2", "mlflow", "page")
TEXTS = {"message": "win a prize", "sent": "2024-01-05T00:00:00"}
ROWS: dict[str, dict[str, Any]] = {
    SCENARIO: make_row(),
    NUMBERS: {"a": 1.5, "b": None, "c": 0.1},
    MESSAGES: TEXTS,
    RENTALS: rentals_row(station="north"),
}
Answer = tuple[int, dict[str, str], bytes]


class Service:
    """All scenarios at their own paths, and the flowers alone at the short ones, as BentoML's clients ask them."""

    def __init__(self, home: Path, milvus: str, stack: ExitStack) -> None:
        settings = Settings.from_environ({"RELEVE_HOME": str(home)}, cwd=home / "project")
        self._applications = []
        for only in ((), (SCENARIO,)):
            index, access = VectorIndex(milvus), Access({})
            scenarios = Scenarios(settings, registry=registry_of(home), index=index, only=only, poll_seconds=1)
            application = Application(access)
            stack.enter_context(closing(scenarios))
            stack.enter_context(closing(application))
            wait(scenarios.poll(), timeout=60)
            flow_runs = FlowRuns(PrefectRuns.of(settings), access)
            own = native.routes(scenarios, application.pools, flow_runs)
            people = page.routes(scenarios, application.pools, access, flow_runs)
            others = (*open_inference.routes(scenarios), *mlflow_scoring.routes(scenarios))
            application.offer([*own, *people, *others])
            self._applications.append(application)

    async def send(self, sent: Sent) -> Answer:
        """Post it as a server would hand it on."""
        alone = not sent.path.startswith(("/scenarios", "/v2", "/sign-in"))
        headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
        scope = {"type": "http", "method": "POST", "path": sent.path, "query_string": b"", "headers": headers}
        answered: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": sent.body, "more_body": False}

        async def answer(message: Any) -> None:
            answered.append(message)

        await self._applications[alone](scope, receive, answer)
        start, body = answered
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


@pytest.fixture(scope="module")
def service(milvus: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home, address = tmp_path_factory.mktemp("malformed"), f"http://{LOOPBACK}:{milvus}"
    with closing(VectorIndex(address)) as index:
        for name, (stored, frame) in release_tables(home).items():
            indexed = frame.assign(**{BATCH: "first.csv", ROW: range(len(frame))})
            entries = as_entries(indexed, model_runtime.load(stored.path, tag=stored.tag))
            index.build(f"releve_{name}_one", entries, scenario=name)
    with ExitStack() as stack:
        yield Service(home, address, stack)


def in_json(protocol: str, path: str, values: Any) -> Sent:
    return Sent(protocol, path, json.dumps(values).encode(), {"content-type": JSON})


async def good_requests(service: Service) -> list[Sent]:
    """One of every kind that takes a body."""
    made = []
    for name, row in ROWS.items():
        for prefix in (f"/scenarios/{name}", *([""] if name == SCENARIO else [])):
            predict = in_json("native", f"{prefix}/predict", {"rows": [row, row]})
            status, _, body = await service.send(predict)
            assert status == 200, body
            answered = json.loads(body)["predictions"][0]
            given = {"id": answered["id"], "label": answered.get("label", 3.5)}
            made += [
                predict,
                in_json("native", f"{prefix}/search", {"row": row, "limit": 3}),
                in_json("native", f"{prefix}/feedback", {"labels": [given]}),
                in_json("native", f"{prefix}/status", {}),
                in_json("mlflow", f"{prefix}/invocations", {"dataframe_records": [row, row]}),
            ]
        form = {f"feature.{column}": "" if cell is None else str(cell) for column, cell in row.items()}
        made += [a_form(f"/scenarios/{name}", form), a_form(f"/scenarios/{name}", {"row": json.dumps(row)})]
        inputs = [tensor(column, "BYTES" if isinstance(cell, str) else "FP64", [cell]) for column, cell in row.items()]
        made.append(in_json("v2", f"/v2/models/{name}/versions/one/infer", {"id": "x", "inputs": inputs}))
    made += [Sent("mlflow", "/invocations", body.encode(), {"content-type": type}) for type, body in FORMS.values()]
    matrix = tensor("features", "FP32", [1, 2, 0], shape=[1, 3])
    made += [
        in_json("native", f"/scenarios/{SCENARIO}/search", {"vector": [0.5] * 6, "label": 1}),
        in_json("mlflow", f"/scenarios/{NUMBERS}/invocations", {"inputs": [[1, 2.5, 0], [3, None, 0.1]]}),
        in_json("v2", f"/v2/models/{NUMBERS}/infer", {"inputs": [matrix], "outputs": [{"name": "label"}]}),
        in_json("v2", "/v2/repository/index", {"ready": True}),
        *(in_binary(f"/v2/models/{name}/infer", ROWS[name]) for name in (SCENARIO, MESSAGES, RENTALS)),
        a_form("/sign-in", {"token": "a-guess", "to": "/"}),
    ]
    return made


def tensor(name: str, datatype: str, data: list[Any], *, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def in_binary(path: str, row: dict[str, Any]) -> Sent:
    inputs, parts = [], []
    for name, cell in row.items():
        text = isinstance(cell, str)
        part = struct.pack("<I", len(cell)) + cell.encode() if text else struct.pack("<d", cell)
        parts.append(part)
        described = {"name": name, "datatype": "BYTES" if text else "FP64", "shape": [1, 1]}
        inputs.append({**described, "parameters": {"binary_data_size": len(part)}})
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return Sent("v2", path, b"".join([head, *parts]), {"content-type": "application/octet-stream"}).named(
        **{LENGTH: str(len(head))}
    )


def a_form(path: str, values: dict[str, str]) -> Sent:
    return Sent("page", path, urlencode(values).encode(), {"content-type": "application/x-www-form-urlencoded"})


def check_refusal(sent: Sent, answer: Answer) -> None:
    """Whether a refusal has the shape of its protocol, and says something."""
    _, headers, body = answer
    assert headers["x-request-id"] and b"Traceback" not in body
    if sent.protocol == "page":
        assert headers["content-type"].startswith("text/html") and re.match(rb"\s*<!doctype html>", body, re.I)
        return
    assert headers["content-type"] == JSON
    said = json.loads(body)
    match sent.protocol:
        case "native":
            assert said.keys() == {"error", "request_id"} and said["request_id"] == headers["x-request-id"]
            assert said["error"].keys() == {"code", "message", "problems"} and said["error"]["message"]
        case "v2":
            assert said.keys() == {"error"} and said["error"]
        case "mlflow":
            assert said.keys() == {"error_code", "message"} and said["message"]


def test_broken_bodies_are_refused_in_the_shape_of_their_protocol_and_good_ones_answered_after(service: Service):
    async def check_answered(good: list[Sent]) -> None:
        for sent in good:
            answer = await service.send(sent)
            assert answer[0] in (200, 303), (sent, answer)

    async def ask() -> Counter[tuple[str, int]]:
        chance, counts = random.Random(7), Counter[tuple[str, int]]()
        good = await good_requests(service)
        await check_answered(good)
        for _ in range(BODIES):
            protocol = chance.choice(PROTOCOLS)
            sent = broken(chance.choice([each for each in good if each.protocol == protocol]), chance)
            answer = await service.send(sent)
            counts[sent.protocol, answer[0]] += 1
            assert answer[0] < 500, (sent, answer)
            if answer[0] >= 400:
                check_refusal(sent, answer)
        await check_answered(good)
        return counts

    counts = asyncio.run(ask())

    assert {400, 413, 415} <= {status for _, status in counts}
    refused = sum(count for (_, status), count in counts.items() if status >= 400)
    assert refused > BODIES / 2, counts
