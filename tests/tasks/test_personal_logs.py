"""Cells of personal columns are in no log of a live service, and nowhere in what Prefect keeps of runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import yaml

from releve.domain.schema.personal import HIDDEN
from tests.prefect_server import prefect_serving
from tests.repositories import commit
from tests.serving.process import free_port, milvus_serving, serving, wait_until
from tests.tables import ROOT, SHOP
from tests.tasks.shop import Shop, market_rows
from tests.tasks.test_personal_data import COLUMNS, as_csv, persons, planted_in

pytestmark = pytest.mark.whole

BELOW = f"/scenarios/{SHOP}"
ATTENTION = 3  # the exit code of a run that set files aside


@dataclass(frozen=True)
class Lived:
    """What was written while the shop was trained, asked and monitored by its real parts."""

    logs: dict[str, bytes]  # of the service, of Prefect and of the commands, by their names
    replies: dict[str, bytes]  # of the service to what was wrong
    kept: bytes  # Prefect's database


@pytest.fixture(scope="module")
def lived(made_fresh: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("lived")
    shop = made_fresh.copy(folder)
    path = shop.files.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["columns"] |= COLUMNS
    values |= {"id": "customer", "ledger": {"keep_clear": ["town", "income"]}}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    commit(shop.root, "know the customers")
    ours = {"RELEVE_PROJECT": str(shop.root), "RELEVE_HOME": str(shop.settings.home)}
    prefect, milvus = folder / "prefect", free_port()
    prefect.mkdir()
    ports = {"RELEVE_SERVICE_PORT": str(shop.settings.service_port), "RELEVE_MILVUS_PORT": str(milvus)}
    with prefect_serving(prefect) as server, milvus_serving(folder / "milvus", milvus):
        environ = {**os.environ, **ours, **server.environ, **ports}

        def run(*arguments: str) -> tuple[int, bytes]:
            command = [sys.executable, "-m", "releve", *arguments]
            done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=500, check=False)
            return done.returncode, done.stdout + done.stderr

        logs = {}
        receive_all(shop)
        code, logs["retrain"] = run("retrain", SHOP)
        assert code == ATTENTION, logs["retrain"].decode()
        assert shop.registry.current(SHOP) is not None
        with serving(shop.settings.home, shop.root, milvus=milvus, RELEVE_SCENARIO=SHOP) as address:
            replies = ask_all(address)
        code, logs["monitor"] = run("monitor", SHOP)
        assert code == ATTENTION, logs["monitor"].decode()
        shop.receive(persons(market_rows(60, seed=9), first=900).assign(income="48151 EUR"), "all-bad.parquet")
        code, logs["again"] = run("retrain", SHOP)
        assert code == ATTENTION, logs["again"].decode()
    [service] = shop.settings.home.glob("service-*.log")
    logs |= {"service": service.read_bytes(), "server": (prefect / "server.log").read_bytes()}
    kept = b"".join(each.read_bytes() for each in prefect.rglob("*") if each.is_file())
    yield Lived(logs, replies, kept)


def receive_all(shop: Shop) -> None:
    """Good rows, rows that are rejected, and files that are refused."""
    good, bad = persons(market_rows(200, seed=2), first=0), persons(market_rows(50, seed=3), first=200).astype(object)
    bad.loc[:2, "income"] = "48151,5 EUR"
    bad.loc[3, "town"] = ""
    shop.receive(good, "day-1.parquet")
    shop.receive_text(as_csv(bad) + "PLANT-999,too,few\n", "day-2.csv")
    shop.receive_text(as_csv(good.head(9), header=False), "no-header.csv")
    (shop.state.incoming / "broken.parquet").write_bytes(b"PAR1 PLANT-997 PAR1")


def ask_all(address: str) -> dict[str, bytes]:
    """Ask for predictions, explanations and searches, give feedback; then all of it wrongly. Returns the refusals."""
    rows = persons(market_rows(20, seed=6), first=300).drop(columns="bought").astype(object)
    good: list[dict[str, Any]] = rows.where(rows.notna(), None).to_dict("records")
    row, bad = good[0], {**good[0], "income": "48151 EUR"}
    long = {**row, "mail": f"{'m' * 50}@planted.example"}
    plain = {name: cell for name, cell in row.items() if name not in ("customer", "mail")}
    wrong: dict[str, tuple[str, Any]] = {
        "a cell": ("/predict", {"rows": [bad]}),
        "a length": ("/predict", {"rows": [long]}),
        "a column": ("/predict", {"rows": [{**row, "PLANTED": 1}]}),
        "a search": ("/search", {"row": {**plain, "income": "48151 EUR"}}),
        "a filter": ("/search", {"row": plain, "filters": {"town": "Planttown A"}}),
        "an explanation": ("/explain", {"row": bad}),
        "feedback": ("/feedback", {"labels": [{"id": "PLANT-998", "label": "yes"}]}),
        "a label": ("/feedback", {"labels": [{"id": "PLANT-300", "label": "maybe"}]}),
        "no JSON": ("/predict", b'{"rows": [{"customer": "PLANT-996", "town": Planttown}]}'),
        "MLflow": ("/invocations", {"dataframe_records": [bad]}),
    }
    with httpx.Client(base_url=address, timeout=30, headers={"content-type": "application/json"}) as client:
        wait_until(lambda: client.get(f"{BELOW}/ready").status_code == 200)
        assert client.post(f"{BELOW}/predict", json={"rows": good}).status_code == 200
        assert client.post(f"{BELOW}/explain", json={"row": row}).status_code == 200
        given = client.post(f"{BELOW}/feedback", json={"labels": [{"id": "PLANT-300", "label": "yes"}]})
        assert given.status_code == 200, given.text
        replies = {}
        for name, (way, body) in wrong.items():
            content = body if isinstance(body, bytes) else httpx.Request("POST", address, json=body).content
            reply = client.post(f"{BELOW}{way}" if way != "/invocations" else way, content=content)
            assert 400 <= reply.status_code < 600, name
            replies[name] = reply.content
        form = {f"feature.{name}": str(cell) for name, cell in bad.items()}
        form_reply = client.post(BELOW, data=form, headers={"content-type": "application/x-www-form-urlencoded"})
        assert form_reply.status_code == 400
    return replies


def test_no_log_of_a_service_of_prefect_or_of_a_command_has_a_planted_cell(lived: Lived):
    found = {name: planted for name, log in lived.logs.items() if (planted := planted_in(log))}

    assert found == {}
    assert all(lived.logs[name] for name in ("service", "server", "retrain", "monitor", "again"))
    assert HIDDEN.encode() in b"".join(lived.logs.values())


def test_nothing_that_prefect_keeps_of_runs_has_one(lived: Lived):
    assert planted_in(lived.kept) == []
    assert SHOP.encode() in lived.kept and HIDDEN.encode() in lived.kept


def test_no_refusal_of_the_service_repeats_one(lived: Lived):
    """But for names of columns and ids, which are the sender's own words for what is unknown."""
    found = {name: planted for name, reply in lived.replies.items() if (planted := planted_in(reply))}

    assert found == {}
