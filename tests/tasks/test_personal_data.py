"""Cells of personal columns are in the rows, and in nothing that people read."""

import re
import subprocess
import zipfile
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import yaml

from releve import api
from releve.adapters.files import read_params, read_schema
from releve.adapters.prediction_ledger.hash_key import hidden_cells
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.cli.app import main
from releve.domain.schema.personal import HIDDEN
from releve.reporting.messages.alerts import AlertMessage
from tasks.evidence import write_evidence
from tasks.ingestion.ingest import ingest
from tasks.monitoring.alert import alert
from tasks.monitoring.monitor import monitor
from tasks.release.release import release
from tasks.reporting.fleet_page import write_fleet_page
from tasks.reporting.model_card import write_card
from tasks.reporting.page import write_page
from tasks.retraining.retrain import retrain
from tests.repositories import commit
from tests.tables import SHOP
from tests.tasks.shop import market_rows

pytestmark = pytest.mark.slow

COLUMNS = {
    "customer": {"type": "category", "feature": False, "personal": True},
    "mail": {"type": "text", "feature": False, "personal": True, "max_length": 40},
    "town": {"type": "category", "personal": True},
    "income": {"type": "number", "personal": True, "min": 0},
}
PLANTED = (  # in every cell of each of them; five digits alone stand in a digest now and then
    *(rb"PLANT-", rb"@planted\.example", rb"Planttown", rb"(?<![0-9a-f])48151(?![0-9a-f])|4\.815\d*e\+04"),
)
ROWS_LIE_IN = {  # of the home: files as they came, rejected rows, models with reference rows, ledger, remote, index
    *("incoming", "ingested", "refused", "quarantine", "bentoml", "ledger", "dvc-remote", "milvus.db"),
}


def persons(frame: pd.DataFrame, *, first: int, towns: str = "AB", income: float | None = None) -> pd.DataFrame:
    """The same rows, each of a person."""
    number = np.arange(first, first + len(frame))
    return frame.assign(
        customer=[f"PLANT-{each}" for each in number],
        mail=[f"m{each}@planted.example" for each in number],
        town=[f"Planttown {towns[each % len(towns)]}" for each in number],
        income=48151.0 + number / 1000 if income is None else income,
    )


def as_csv(frame: pd.DataFrame, *, header: bool = True) -> str:
    return frame.to_csv(index=False, header=header)


def answer(shop, frame: pd.DataFrame) -> None:
    """The champion answers these rows as the service would write it down, and labels of half of them come in."""
    hidden = hidden_cells(shop.settings, read_params(shop.root, SHOP).ledger, read_schema(shop.root, SHOP))
    rows = frame.drop(columns="bought").astype(object).where(frame.notna(), None).to_dict("records")
    with closing(LedgerWriter(shop.state.ledger, SHOP, clock=lambda: datetime.now(UTC))) as ledger:
        ledger.hidden = hidden
        model = shop.registry.current(SHOP).release.model
        request = ledger.answer(model=model, index=None, rows=rows, labels=["yes"] * len(rows), probabilities=None)
        ledger.label((f"{request}.{place}", "no") for place in range(len(rows) // 2))


@pytest.fixture(scope="module")
def shop(made_fresh, tmp_path_factory):
    """A shop that knows its customers, through its whole life: good rows, bad ones, refused files, a release, drift."""
    shop = made_fresh.copy(tmp_path_factory.mktemp("personal"))
    path = shop.files.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["columns"] |= COLUMNS
    values |= {"id": "customer", "ledger": {"keep_clear": ["town", "income"]}}
    values["gate"] |= {"slices": ["town", "income"], "protected": ["town"]}
    values["ingest"] = {"max_rejected_share": 0.5}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    commit(shop.root, "know the customers")
    return shop


@pytest.fixture(scope="module")
def said(shop, tmp_path_factory):
    """What the whole life of the shop said on the way."""
    told: list[str] = []
    good, bad = persons(market_rows(200, seed=2), first=0), persons(market_rows(50, seed=3), first=200).astype(object)
    bad.loc[:4, "income"] = "48151,5 EUR"
    bad.loc[5:8, "mail"] = "a-much-too-long-name-of-a-person@planted.example"
    bad.loc[9, "town"] = ""
    shop.receive(good, "day-1.parquet")
    shop.receive_text(as_csv(bad) + "PLANT-999,too,few\n", "day-2.csv")
    shop.receive_text('"PLANT-998 of Planttown"\n' + good.head(3).to_json(orient="records", lines=True), "day-3.jsonl")
    shop.receive_text(as_csv(good.assign(income="48151 EUR").head(9)), "all-bad.csv")
    shop.receive_text(as_csv(good.head(9), header=False), "no-header.csv")
    shop.receive_text("Planttown\n", "one-cell.csv")
    (shop.state.incoming / "encoding.csv").write_bytes(as_csv(good).replace("town A", "Plänttown ß").encode("cp850"))
    (shop.state.incoming / "broken.parquet").write_bytes(b"PAR1 PLANT-997 PAR1")
    told.append(repr(ingest(shop.settings, SHOP)))
    retrain(shop.settings, SHOP, reason="the first champion", progress=told.append)
    release(shop.settings, SHOP)
    moved = persons(market_rows(120, seed=5), first=500)
    for window in (moved, moved.assign(town="Planttown X", income=48151.0)):  # drift that is drawn, and broken data
        answer(shop, window)
        told.append(repr(monitor(shop.settings, SHOP)))
    model = shop.registry.current(SHOP).release.model
    messages: list[AlertMessage] = []
    alert(shop.settings, SHOP, emit=messages.append, environ={})
    told += map(repr, messages)
    assert messages
    write_card(shop.settings, model)
    write_page(shop.settings, SHOP)
    write_fleet_page(shop.settings)
    write_evidence(shop.settings, model, shop.settings.home / "pack.zip")
    return "\n".join(told)


def planted_in(content: bytes) -> list[bytes]:
    return [each for each in PLANTED if re.search(each, content)]


def test_the_cells_are_there_and_were_learned_from(shop, said):
    batches = shop.registry.events(SHOP, kinds=["ingested"])
    seen = yaml.safe_load(shop.branch_text(f"scenarios/{SHOP}/params.yaml"))["columns"]

    assert [each.payload["rejected"] for each in batches] == [0, 11, 1]
    assert seen.keys() >= COLUMNS.keys()
    files = [path.read_bytes() for path in shop.state.ingested.rglob("*") if path.is_file()]
    assert len(planted_in(b"".join(files))) == len(PLANTED)


def test_no_file_that_people_read_has_a_planted_cell(shop, said):
    home = shop.settings.home
    files = [path for path in home.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
    read = [path for path in files if path.relative_to(home).parts[0] not in ROWS_LIE_IN]

    found = {str(path.relative_to(home)): planted for path in read if (planted := planted_in(path.read_bytes()))}

    assert found == {}
    assert {path.relative_to(home).parts[0] for path in read} >= {
        "reports",
        "pages",
        "cards",
        "pack.zip",
        "registry.db",
    }


def test_no_part_of_the_pack_has_a_planted_cell(shop, said):
    with zipfile.ZipFile(shop.settings.home / "pack.zip") as archive:
        found = {name: planted for name in archive.namelist() if (planted := planted_in(archive.read(name)))}

    assert found == {}


def test_what_was_said_and_all_events_have_none(shop, said):
    events = "\n".join(repr(each.as_dict()) for each in shop.registry.events(SHOP))

    assert planted_in(said.encode()) == []
    assert planted_in(events.encode()) == []
    assert HIDDEN in events and HIDDEN in said
    assert said.count("Refusal(") == 5


def test_git_has_none(shop, said):
    patches = subprocess.run(
        ["git", "log", "-p", "--all", "--text", "--", f"scenarios/{SHOP}", f"results/{SHOP}"],
        cwd=shop.root,
        capture_output=True,
        check=True,
    ).stdout

    assert b"batches.csv" in patches and b"evaluation" in patches
    assert planted_in(patches) == []


def test_no_command_prints_one(shop, said, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(shop.root))
    monkeypatch.setenv("RELEVE_HOME", str(shop.settings.home))
    model = shop.registry.current(SHOP).release.model

    for command in (
        ["history", SHOP],
        ["history", SHOP, "--json"],
        ["models", SHOP],
        ["current", SHOP],
        ["card", model],
    ):
        assert main(command) == 0

    printed = capsys.readouterr()
    assert model in printed.out
    assert planted_in((printed.out + printed.err).encode()) == []


def test_the_ledger_hashes_what_nobody_learns_from(shop, said):
    written = b"".join(path.read_bytes() for path in (shop.settings.home / "ledger").rglob("*") if path.is_file())

    assert planted_in(written) == [*PLANTED[2:]]


def test_the_groups_of_a_personal_column_are_counted_and_not_named(shop, said):
    evaluation = shop.registry.events(SHOP, kinds=["challenged"])[-1].payload["evaluation"]

    assert {each["value"] for each in evaluation["groups"]} == {"part 1 of 2", "part 2 of 2"}
    assert {each["value"].partition(" ")[0] for each in evaluation["slices"]} == {"part"}


def test_python_finds_the_nearest_rows_and_says_the_id_of_none(shop, said, monkeypatch):
    for name, value in (("HOME", shop.settings.home), ("MILVUS_URI", shop.settings.milvus_uri)):
        monkeypatch.setenv(f"RELEVE_{name}", str(value))
    row = persons(market_rows(200, seed=2), first=0).drop(columns=["bought", "customer", "mail"]).iloc[0]

    found = api.search(SHOP, row.to_dict(), limit=3, project=shop.root)

    assert len(found) == 3 and found["row_id"].isna().all()
    assert planted_in(found.to_json().encode()) == []
