"""Rows are erased by their id, with the real DVC, registry, ledger and Milvus Lite."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from releve import api
from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.data_versions import data_version
from releve.adapters.git_dvc.experiments import take_over
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.prediction_ledger.reader import LedgerReader, find_answer, find_request
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, Conflict, NotFound, Unavailable
from releve.domain.erasure.erasure import Place, RowsErased
from releve.domain.neighbours import row_changes
from releve.domain.prediction_log.reproduction import Obstacle
from releve.domain.registry.chain import ERASED
from releve.reporting.messages.erasure import describe_erasure
from releve.reporting.messages.ledger import describe_reproduction
from tasks import erasure
from tasks.audit.reproduce import reproduce
from tasks.erasure import erase
from tasks.experiment.experiment import RowsErasedMeanwhile, experiment
from tasks.ingestion.harvest import harvest
from tasks.ingestion.ingest import ingest
from tasks.ledger import tidy_ledger
from tasks.release.index import searched_rows
from tasks.release.index_refresh import refresh_index, roll_back_index
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.serving.process import free_port
from tests.tables import SHOP
from tests.tasks.conftest import after
from tests.tasks.served import search, served_by, serving
from tests.tasks.shop import NAIVE, NEWER, TRAINING, Shop, moved

pytestmark = pytest.mark.whole
ZOE = "customer-0007"
DAY = datetime(2026, 3, 10, 12, tzinfo=UTC)
CUSTOMERS = [f"customer-{number:04d}" for number in range(len(TRAINING))]


@pytest.fixture(scope="session")
def made_named(made_fresh, work_dir) -> Shop:
    """A release of a table with an id: Zoe's row is in the first batch, and came again, corrected, in the second."""

    def make(shop: Shop) -> None:
        shop.override(columns={"customer": {"type": "category", "feature": False}}, id="customer")
        named = TRAINING.assign(customer=CUSTOMERS)
        shop.receive(named[:100], "day-1.parquet")
        shop.receive(pd.concat([named[100:], named[7:8].assign(bought="no")]), "day-2.csv")
        ingest(shop.settings, SHOP)
        retrain(shop.settings, SHOP, reason="the first champion")
        release(shop.settings, SHOP)

    return after(made_fresh, work_dir / "shop-named", make)


@pytest.fixture
def named(made_named, tmp_path) -> Shop:
    return made_named.copy(tmp_path)


def ask(shop: Shop, *customers: str, day: datetime = DAY) -> str:
    """One request for rows of these customers; returns its id."""
    rows = [{"kind": "bread", "price": 20.0, "weight": 1.5, "customer": each} for each in customers]
    with closing(LedgerWriter(shop.state.ledger, SHOP, clock=lambda: day)) as ledger:
        return ledger.answer(
            model="shop:1",
            index="i",
            rows=rows,
            labels=["no"] * len(rows),
            probabilities=[[0.75, 0.25]] * len(rows),
            latency_ms=1.5,
        )


def objects_with(shop: Shop, text: str) -> list[Path]:
    """Parquet files and texts of cache, remote and state that hold a text in clear, models and the registry aside."""
    places = [shop.root / ".dvc" / "cache" / "files", shop.settings.home]
    found = []
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        if "bentoml" in path.parts or "milvus.db" in path.parts:
            continue
        content = path.read_bytes()
        if content[:4] == b"PAR1":
            content = pd.read_parquet(path).to_csv().encode()
        if text.encode() in content:
            found.append(path)
    return found


def counts_of(shop: Shop) -> list[tuple[int, int, int]]:
    return [(each.rows, each.erased, each.superseded) for each in shop.batches]


def test_a_row_leaves_batches_files_ledger_and_index_and_what_stays_is_named(named):
    request = ask(named, "customer-0001", ZOE)
    with closing(LedgerWriter(named.state.ledger, SHOP, clock=lambda: DAY)) as ledger:
        ledger.label([(f"{request}.0", "yes"), (f"{request}.1", "yes")])
        ledger.shadow(of=request, model="shop:2", index=None, labels=["no", "no"], probabilities=None, latency_ms=1.0)
        found = [{"label": "no", "distance": 0.0, "batch": "x", "row": 7, "row_id": ZOE}]
        question = {"row": {"price": 20.0, "customer": "customer-0001"}, "vector": None, "limit": 1, "label": None}
        search = ledger.search(model="shop:1", index="i", question=question, neighbours=found)
    serving, before = named.registry.current(SHOP).release, named.branch.tip()

    done = erase(named.settings, SHOP, [ZOE], reason="a request by letter")

    assert done.counts == {
        Place.BATCHES: 2,
        Place.QUARANTINE: 0,
        Place.FILES: 2,
        Place.HARVEST: 0,
        Place.LABELS: 1,
        Place.SHADOWS: 1,
        Place.SEARCHES: 1,
        Place.ANSWERS: 1,
        Place.INDEX: 1,
    }
    assert counts_of(named) == [(100, 1, 0), (101, 1, 0)]
    rows = api.read_version(SHOP, project=named.root)
    assert (len(rows), ZOE in set(rows["customer"])) == (199, False)
    assert rows["_row"].tolist()[6:9] == [6, 8, 9]  # a position names the same row for ever
    pd.testing.assert_frame_equal(rows, api.read_version(SHOP, before, project=named.root))
    assert find_answer(named.state.ledger, f"{request}.1") is None
    assert find_answer(named.state.ledger, f"{request}.0").features["customer"] == "customer-0001"
    assert list(LedgerReader(named.state.ledger).labels()) == [f"{request}.0"]
    assert LedgerReader(named.state.ledger).answers().ids == [f"{request}.0"]
    assert find_request(named.state.ledger, search).neighbours == []
    assert [each.obstacle for each in reproduce(named.settings, [search])] == [Obstacle.ERASED]
    with closing(VectorIndex(named.settings.milvus_uri)) as index:
        assert index.complete(serving.index, len(searched_rows(named.settings, serving.model)))
        assert index.complete(serving.index, serving.index_rows - 1)
    assert done.models == (serving.model,)
    left = objects_with(named, ZOE)
    assert {path.parent.parent.name for path in left} <= {"md5"}  # what DVC keeps of the model that serves
    text = "\n".join(describe_erasure(done))
    assert serving.model in text
    assert "git's history" in text
    events = named.registry.events(SHOP, kinds=[ERASED])
    assert [each.read(RowsErased).is_finished for each in events] == [False, True]
    assert ZOE not in json.dumps([each.as_dict() for each in events])
    assert named.registry.verify(SHOP)


def test_the_other_rows_of_a_request_and_what_a_search_found_beside_it_are_given_again(named):
    [served] = served_by(named)
    rows = [{"kind": "bread", "price": 20.0, "weight": 1.5, "customer": each} for each in ("a", ZOE, "b")]
    zoes = {**rows[1], **TRAINING.loc[7, ["kind", "price", "weight"]].astype(object).to_dict()}
    with serving(named) as scenario:
        partly, wholly = (scenario.predict(served, asked).id for asked in (rows, rows[1:2]))
        found, of_zoe = (search(scenario, served, row, label=None) for row in (zoes | {"customer": "a"}, zoes))
    assert ZOE in {each["row_id"] for each in find_request(named.state.ledger, found).neighbours}

    erase(named.settings, SHOP, [ZOE], reason="asked for")
    results = {each.request: each for each in reproduce(named.settings, [partly, wholly, found, of_zoe])}

    assert [each.request for each in results.values() if each.obstacle is Obstacle.ERASED] == [wholly, of_zoe]
    assert results[partly].is_same and results[found].is_same
    assert [label is None for label in results[partly].again.labels] == [False, True, False]
    assert "row 1; the others are compared" in describe_reproduction(results[partly])
    assert "a row that it found was erased" in describe_reproduction(results[found])
    assert len(results[found].again) == 9


def test_rows_that_come_in_after_an_erasure_are_found_beside_those_that_are_left(named):
    before = named.registry.current(SHOP).release
    erase(named.settings, SHOP, [ZOE], reason="a request by letter")
    named.receive(NEWER.assign(customer=[f"customer-new-{number}" for number in range(len(NEWER))]), "day-3.parquet")
    ingest(named.settings, SHOP)

    done = refresh_index(named.settings, SHOP)

    assert done.new == len(NEWER)
    assert done.release.index_rows == before.index_rows - 1 + len(NEWER)


def test_a_row_is_erased_from_an_index_whose_rows_were_all_written_once_more_and_it_still_goes_back(named, monkeypatch):
    monkeypatch.setattr(row_changes, "MAX_ENDED", 0)
    before = named.registry.current(SHOP).release
    named.receive(TRAINING[:1].assign(customer=CUSTOMERS[0], price=99.0), "day-3.parquet")
    ingest(named.settings, SHOP)
    newer = refresh_index(named.settings, SHOP)

    done = erase(named.settings, SHOP, [ZOE], reason="a request by letter")
    back = roll_back_index(named.settings, SHOP, reason="a wrong price")

    assert (newer.new, newer.gone) == (2, 2)  # Zoe's too: what a model learned is stored without its corrections
    version = newer.release.index_version
    assert (version.first > 0, version.ended) == (True, ())
    assert done.counts[Place.INDEX] == 2
    assert (back.index_version, back.index_rows) == (before.index_version, before.index_rows - 1)


def test_after_an_erasure_the_index_goes_back_to_what_is_left_of_the_rows_before(named):
    before = named.registry.current(SHOP).release
    named.receive(NEWER.assign(customer="customer-new"), "day-3.parquet")
    ingest(named.settings, SHOP)
    newer = refresh_index(named.settings, SHOP).release
    erase(named.settings, SHOP, [ZOE], reason="a request by letter")

    back = roll_back_index(named.settings, SHOP, reason="wrong labels")
    forth = roll_back_index(named.settings, SHOP, reason="they were right")

    assert (back.index_version, back.index_rows) == (before.index_version, before.index_rows - 1)
    assert (forth.index_version, forth.index_rows) == (newer.index_version, newer.index_rows - 1)


def test_finished_days_are_rewritten_in_the_remote_too_and_an_open_segment_is_finished_by_the_next_run(named):
    named.override(ledger={"push": True})
    alone, old = ask(named, ZOE, day=DAY), ask(named, "customer-0001", day=DAY)
    tidy_ledger(named.settings, SHOP, now=DAY + timedelta(days=1))
    (named.state.ledger / "answers-20260310.parquet").unlink()  # the remote alone has that day
    today = datetime.now(UTC)
    service = LedgerWriter(named.state.ledger, SHOP, clock=lambda: today)
    served = service.answer(
        model="shop:1", index="i", rows=[{"customer": ZOE}], labels=["no"], probabilities=[[0.5, 0.5]]
    )

    first = erase(named.settings, SHOP, [ZOE], reason="asked for")
    service.close()
    second = erase(named.settings, SHOP, [ZOE], reason="asked for")
    third = erase(named.settings, SHOP, [ZOE], reason="asked for")

    assert first.counts[Place.ANSWERS] == 1
    [segment] = first.open_segments
    assert f"NOT YET: {segment}" in "\n".join(describe_erasure(first))
    assert (second.counts, second.open_segments) == ({**dict.fromkeys(second.counts, 0), Place.ANSWERS: 1}, ())
    assert (third.counts.total(), bool(third.before)) == (0, True)
    remote = DataCache(named.settings.home / "dvc-remote")
    listed = remote.listed(data_version(named.branch_text(f"scenarios/{SHOP}/ledger.dvc")))
    assert ZOE not in pd.read_parquet(remote.place(listed["answers-20260310.parquet"])).to_csv()
    assert {path.parent.parent.name for path in objects_with(named, ZOE)} <= {"md5"}
    assert find_request(named.state.fetched_ledger, alone).erased == [0]
    assert find_answer(named.state.fetched_ledger, f"{old}.0") is not None
    assert find_request(named.state.ledger, served).erased == [0]


KILLED_AT = ("opened.erase", "erase_lines", "move", "drop", "erase_from_indexes")
KILLED = """
import os, signal, sys
from pathlib import Path
from releve.core.settings import Settings
from tasks import erasure

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

moment = sys.argv[1]
if moment == "opened.erase":
    erasure.OpenBatches.erase = die
elif moment == "move":
    erasure.ScenarioBranch.move = die
elif moment == "erase_lines":
    real = erasure.erase_lines
    erasure.erase_lines = lambda folder, kind, *rest: die() if kind == "answers" else real(folder, kind, *rest)
else:
    setattr(erasure, moment, die)
settings = Settings.from_environ(os.environ, cwd=Path.cwd())
erasure.erase(settings, "shop", [sys.argv[2]], reason="asked for")
"""


def test_a_run_that_is_killed_at_any_moment_is_completed_by_the_next_one(named):
    request = ask(named, ZOE)
    named.label(request, ["yes"])
    environment = {
        **os.environ,
        "RELEVE_HOME": str(named.settings.home),
        "RELEVE_REGISTRY_URL": named.settings.registry_url,
        "RELEVE_MILVUS_URI": named.settings.milvus_uri,
    }

    for moment in KILLED_AT:
        command = [sys.executable, "-c", KILLED, moment, ZOE]
        run = subprocess.run(command, cwd=named.root, env=environment, check=False, capture_output=True, text=True)
        assert run.returncode == -signal.SIGKILL, run.stderr
    done = erase(named.settings, SHOP, [ZOE], reason="asked for")

    serving = named.registry.current(SHOP).release
    assert done.counts[Place.INDEX] == 1
    assert counts_of(named) == [(100, 1, 0), (101, 1, 0)]
    assert list(LedgerReader(named.state.ledger).labels()) == []
    assert {path.parent.parent.name for path in objects_with(named, ZOE)} <= {"md5"}
    with closing(VectorIndex(named.settings.milvus_uri)) as index:
        assert index.complete(serving.index, serving.index_rows - 1)
    assert named.registry.events(SHOP, kinds=[ERASED])[-1].read(RowsErased).is_finished


def test_the_next_retraining_knows_nothing_of_the_row(named):
    erase(named.settings, SHOP, [ZOE], reason="asked for")
    named.receive(NEWER.assign(customer=[f"newer-{number}" for number in range(len(NEWER))]), "day-3.parquet")
    ingest(named.settings, SHOP)

    made = retrain(named.settings, SHOP, reason="without the erased row")

    rows = searched_rows(named.settings, made.model)
    assert made.rows == 319
    assert ZOE not in set(rows["customer"])
    assert rows["_row"].tolist()[6:9] == [6, 8, 9]


def test_what_was_tried_on_the_rows_as_they_were_is_forgotten_with_its_files(named):
    made = experiment(named.settings, SHOP, changes=NAIVE)
    cached = len(objects_with(named, ZOE))

    done = erase(named.settings, SHOP, [ZOE], reason="asked for")

    assert done.experiments == 1
    assert "  1 experiment, which held such rows: make them again to compare them" in describe_erasure(done)
    assert git(named.root, "for-each-ref", "--format=%(refname)", "refs/exps") == ""
    assert git(named.root, "ls-tree", made.revision, "scenarios/shop/dvc.lock")  # until git collects what nothing names
    left = [path for path in objects_with(named, ZOE) if path.is_relative_to(named.root / ".dvc/cache")]
    assert len(left) < cached
    assert done.shared == 0


@pytest.mark.parametrize("moment", ["while a stage runs", "while it is saved"])
def test_an_experiment_during_which_rows_are_erased_is_not_kept(named, monkeypatch, moment):
    before, erased = objects_with(named, ZOE), []

    def erase_now() -> None:
        if not erased:
            erased.append(erase(named.settings, SHOP, [ZOE], reason="asked for"))

    def save(*arguments: Any) -> None:
        erase_now()
        take_over(*arguments)

    if moment == "while it is saved":
        monkeypatch.setattr("tasks.experiment.experiment.take_over", save)

    def listen(line: str) -> None:
        if moment == "while a stage runs" and "package" in line:
            erase_now()

    with pytest.raises(
        RowsErasedMeanwhile, match=r"rows of shop .* were erased while it ran, so that nothing of it is"
    ):
        experiment(named.settings, SHOP, changes=NAIVE, progress=listen)

    assert git(named.root, "for-each-ref", "--format=%(refname)", "refs/exps") == ""
    assert {*objects_with(named, ZOE)} < {*before}


def test_rows_in_quarantine_and_harvested_answers_are_erased_by_the_answer_too(named):
    named.override(ledger={"hash": ["customer"]})
    wrong = NEWER[:30].assign(customer=["another", ZOE, *CUSTOMERS[20:48]])
    wrong.loc[:1, "price"] = -1.0
    named.receive(wrong, "wrong.parquet")
    answers = named.answer(NEWER[:3].assign(price=[1.0, 2.0, 3.0]), predicted=["no"] * 3, labels=["yes", "no", "yes"])
    harvest(named.settings, SHOP)
    ingest(named.settings, SHOP)

    done = erase(named.settings, SHOP, [ZOE, f"{answers}.1"], reason="asked for")

    assert done.counts[Place.QUARANTINE] == 1
    assert done.counts[Place.HARVEST] == 1
    assert counts_of(named)[2:] == [(3, 1, 0), (28, 0, 28)]
    assert len(pd.read_parquet(next(named.state.quarantine.iterdir()))) == 1
    assert list(LedgerReader(named.state.ledger).labels()) == [f"{answers}.0", f"{answers}.2"]
    assert harvest(named.settings, SHOP) == 0  # nothing is delivered a second time
    assert not list(named.state.incoming.iterdir())


def test_ids_of_any_letters_are_erased_and_no_other_row_with_them(made_fresh, tmp_path):
    odd = ['O\'Brien "x" \\', "é 😀", "-dash", "null", "a|b.*(c)[d]", "' or 1==1 or '", "x" * 5000, "../../x", "17"]
    shop = made_fresh.copy(tmp_path)
    shop.override(columns={"customer": {"type": "category", "feature": False}}, id="customer")
    shop.receive(TRAINING.assign(customer=[*odd, *CUSTOMERS[len(odd) :]]), "day-1.parquet")
    ingest(shop.settings, SHOP)
    request = ask(shop, *odd, CUSTOMERS[50])

    done = erase(shop.settings, SHOP, odd, reason="asked for")

    assert (done.counts[Place.BATCHES], done.counts[Place.ANSWERS]) == (len(odd), len(odd))
    assert find_request(shop.state.ledger, request).left == [len(odd)]
    assert set(api.read_version(SHOP, project=shop.root)["customer"]) == set(CUSTOMERS[len(odd) :])


def test_once_every_row_is_erased_searches_find_none_and_newer_rows_wait_for_a_retraining(named):
    serving = named.registry.current(SHOP).release

    erase(named.settings, SHOP, CUSTOMERS, reason="all of them asked")

    with closing(VectorIndex(named.settings.milvus_uri)) as index:
        assert index.complete(serving.index, 0)
    with pytest.raises(BadInput, match=r"all rows of data version .* were erased; ingest newer ones"):
        refresh_index(named.settings, SHOP)
    named.receive(NEWER.assign(customer=[f"newer-{number}" for number in range(len(NEWER))]), "day-3.parquet")
    ingest(named.settings, SHOP)
    with pytest.raises(BadInput, match=f"every row that searches beside {serving.model} would find was erased"):
        refresh_index(named.settings, SHOP)


def test_without_milvus_nothing_is_touched_and_a_failure_on_the_way_says_what_to_do(named, monkeypatch):
    before, away = named.branch.tip(), moved(named.settings, milvus_uri=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(IndexUnavailable, match="cannot list the collections"):
        erase(away, SHOP, [ZOE], reason="asked for")

    assert named.branch.tip() == before
    assert named.registry.events(SHOP, kinds=[ERASED]) == []
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "check_index", lambda settings, scenario: None)
        with pytest.raises(Unavailable, match="has begun and is not finished: run the same again"):
            erase(away, SHOP, [ZOE], reason="asked for")
    assert erase(named.settings, SHOP, [ZOE], reason="asked for").counts[Place.INDEX] == 1


def test_a_registry_that_knows_nothing_of_the_scenario_stops_an_erasure_that_nobody_would_remember(named, tmp_path):
    tip, empty = named.branch.tip(), replace(named.settings, registry_url=f"sqlite:///{tmp_path}/empty.db")

    with pytest.raises(Conflict, match=r"releve/shop has batches, and the registry has nothing of shop"):
        erase(empty, SHOP, [ZOE], reason="a request by letter")
    untouched = named.branch.tip()
    done = erase(named.settings, SHOP, [ZOE], reason="a request by letter")

    assert untouched == tip
    assert done.counts[Place.BATCHES] == 2


def test_a_dry_run_says_what_would_leave_and_touches_nothing(named):
    request = ask(named, "customer-0001", ZOE)
    named.receive(NEWER.assign(customer=ZOE), "day-3.parquet")
    before = named.branch.tip()

    found = erase(named.settings, SHOP, [ZOE], reason="asked for", dry_run=True)

    assert {place: count for place, count in found.counts.items() if count} == {Place.BATCHES: 2, Place.ANSWERS: 1}
    assert describe_erasure(found)[0] == "would erase: 1 id"
    assert describe_erasure(found)[-1] == "nothing was touched"
    assert named.branch.tip() == before
    assert named.registry.events(SHOP, kinds=[ERASED]) == []
    assert find_answer(named.state.ledger, f"{request}.1") is not None
    assert [path.name for path in named.state.incoming.iterdir()] == ["day-3.parquet"]


def test_what_cannot_be_erased_is_refused_before_anything_is_touched(named, made_ingested, tmp_path):
    before = named.branch.tip()

    with pytest.raises(NotFound, match="nobody is nowhere: searched were 2 batches"):
        erase(named.settings, SHOP, [ZOE, "nobody"], reason="asked for")
    with pytest.raises(BadInput, match="the reason names an id"):
        erase(named.settings, SHOP, [ZOE], reason=f"{ZOE} wrote a letter")
    with pytest.raises(BadInput, match="this table has no id column"):
        erase(made_ingested.copy(tmp_path / "other").settings, SHOP, [ZOE], reason="asked for")

    assert named.branch.tip() == before
    assert named.registry.events(SHOP, kinds=[ERASED]) == []
