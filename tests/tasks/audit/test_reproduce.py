"""Answers that are given again, from the data remote alone."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.remakable import MODEL, outputs
from releve.adapters.git_dvc.scenario_branch import git
from releve.cli.app import main
from releve.core.errors import BadInput
from releve.domain.prediction_log.reproduction import Differs, ModelSource, Obstacle
from releve.reporting.messages.ledger import describe_reproduction
from releve.serving.served import Served
from tasks.audit.reproduce import reproduce
from tasks.history import last_challenger
from tasks.ingestion.ingest import ingest
from tasks.ledger import tidy_ledger
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.conftest import after
from tests.tasks.served import search, served_by, serving
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.whole
REQUESTS = 40  # to each release
NOTE = {"note": {"type": "text", "max_length": 40, "nullable": True}}


@pytest.fixture(scope="session")
def made_fifth(made_third, work_dir) -> Shop:
    """Five releases; the newest two read a text, so that scikit-learn serves them."""

    def make(shop: Shop) -> None:
        shop.override(columns=NOTE)
        for day in (5, 6):
            rows = market_rows(120, seed=day)
            shop.receive(rows.assign(note=rows["kind"].fillna("nothing") + " of today"), f"day-{day}.parquet")
            ingest(shop.settings, SHOP)
            retrain(shop.settings, SHOP, reason="newer rows")
            release(shop.settings, SHOP)

    return after(made_third, work_dir / "shop-fifth", make)


@pytest.fixture
def fifth(made_fifth, tmp_path) -> Shop:
    return made_fifth.copy(tmp_path)


def rows_for(served: Served, count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    rows = market_rows(count, seed=seed).assign(note="cheese of today")[served.schema.names].astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


def take_away(shop: Shop) -> None:
    """This machine loses all but its ledger, its registry and the clone."""
    shutil.rmtree(shop.settings.home / "bentoml")
    shutil.rmtree(shop.root / ".dvc" / "cache")


def forget_model(shop: Shop, model: str) -> None:
    """The remote loses a model, as tidying takes it away."""
    lock = git(
        shop.root, "show", f"{last_challenger(shop.registry, SHOP, model=model).revision}:scenarios/{SHOP}/dvc.lock"
    )
    digest = next(digest for path, digest in outputs(lock).items() if path.endswith(MODEL))
    assert DataCache(shop.settings.home / "dvc-remote").remove([digest])


def test_200_answers_of_five_releases_and_their_searches_come_out_again_from_the_remote_alone(fifth):
    releases = served_by(fifth)
    with serving(fifth) as scenario:
        answers = [
            scenario.predict(served, rows_for(served, 1, seed=number)).id
            for served in releases
            for number in range(REQUESTS)
        ]
        newest, row = releases[-1], rows_for(releases[-1], 1)[0]
        searches = [search(scenario, newest, row, label=label) for label in (None, "yes")]
    forget_model(fifth, releases[0].model.tag)
    take_away(fifth)

    found = list(reproduce(fifth.settings, answers + searches))

    assert [each for each in found if not each.is_same] == []
    assert len(found) == 5 * REQUESTS + 2
    assert [each.request for each in found] == answers + searches
    assert {served.model.description.runtime for served in releases} == {"onnx", "sklearn"}
    sources = Counter(each.source for each in found)
    assert sources == {ModelSource.REBUILT: REQUESTS, ModelSource.REMOTE: 4 * REQUESTS + 2}
    assert not any(each.is_altered for each in found)
    assert not (fifth.settings.home / "bentoml").exists()
    assert not (fifth.root / ".dvc" / "cache").exists()


def test_an_answer_that_was_another_is_shown_with_what_comes_out(released):
    [served] = served_by(released)
    with serving(released) as scenario:
        request = scenario.predict(served, rows_for(served, 3)).id
        found = search(scenario, served, rows_for(served, 1)[0], label=None)
    tamper(released, request, lambda line: line["labels"].__setitem__(1, "perhaps"))
    tamper(released, found, lambda line: line["neighbours"].pop(0))

    answer, neighbours = reproduce(released.settings, [f"{request}.2", found], from_store=True)

    assert [(each.place, each.what, each.recorded) for each in answer.differences] == [(1, Differs.LABEL, "perhaps")]
    assert {each.what for each in neighbours.differences} == {Differs.NEIGHBOUR}
    assert answer.source is ModelSource.STORE


COSTS = {"keep": {"no": 0, "yes": 50}, "offer": {"no": 5, "yes": 10}}
RULES = [{"column": "price", "operator": ">", "value": 30, "decision": "offer", "reason": "large orders"}]


def test_decisions_come_out_again_or_are_said_to_differ(released):
    released.override(decision={"costs": COSTS, "rules": RULES})
    retrain(released.settings, SHOP, reason="costs")
    release(released.settings, SHOP)
    served = served_by(released)[-1]
    with serving(released) as scenario:
        same, other, ruled = (scenario.predict(served, rows_for(served, 3)).id for _ in range(3))
    tamper(released, other, lambda line: line["decisions"].__setitem__(1, "call"))
    tamper(released, ruled, lambda line: line["rules"].__setitem__(0, "a whim"))
    tamper(released, ruled, lambda line: line["expected_costs"].__setitem__(2, 99.0))

    found = list(reproduce(released.settings, [same, other, ruled], from_store=True))

    assert found[0].is_same
    assert found[0].again.decisions == found[0].line.decisions
    assert [(each.place, each.what, each.recorded) for each in found[1].differences] == [(1, Differs.DECISION, "call")]
    assert [each.what for each in found[2].differences] == [Differs.RULE, Differs.EXPECTED_COST]
    assert "row 1: call was decided, " in describe_reproduction(found[1])


def test_decisions_whose_rule_asks_for_what_the_ledger_leaves_out_are_not_said_to_differ(released):
    column = {"branch": {"type": "category", "feature": False, "nullable": True}}
    rule = {"column": "branch", "operator": "==", "value": "north", "decision": "offer", "reason": "a new branch"}
    released.override(columns=column, decision={"costs": COSTS, "rules": [rule]})
    released.receive(market_rows(120, seed=5).assign(branch="north"), "day-5.parquet")
    ingest(released.settings, SHOP)
    retrain(released.settings, SHOP, reason="costs")
    release(released.settings, SHOP)
    served = served_by(released)[-1]
    with serving(released) as scenario:
        ruled, free = (
            scenario.predict(served, [{**row, "branch": branch} for row in rows_for(served, 3)]).id
            for branch in ("north", "south")
        )
    for request in (ruled, free):  # as `ledger.drop` has it
        tamper(released, request, lambda line: [row.pop("branch") for row in line["rows"]])

    found = list(reproduce(released.settings, [ruled, free], from_store=True))

    assert [each.obstacle for each in found] == [Obstacle.INPUTS_MISSING, None]
    assert "a rule of the decisions asks for branch, which is not in the ledger in clear" in found[0].detail
    assert found[1].is_same


def test_a_day_that_is_over_and_was_sent_to_the_remote_outlives_the_ledger_of_this_machine(released):
    released.override(ledger={"push": True})
    [served] = served_by(released)
    with serving(released, at=datetime(2026, 3, 1, 9, tzinfo=UTC)) as scenario:
        row = rows_for(served, 1)[0]
        ids = [scenario.predict(served, [row]).id, search(scenario, served, row, label="no")]
    tidy_ledger(released.settings, SHOP)

    finished = list(reproduce(released.settings, ids, from_store=True))
    shutil.rmtree(released.state.ledger)
    fetched = list(reproduce(released.settings, ids, from_store=True))
    [other] = reproduce(released.settings, [ids[0].replace("20260301", "20260302")])

    assert [each.is_same for each in (*finished, *fetched)] == [True] * 4
    assert other.obstacle is Obstacle.NOT_FOUND
    assert "2026-03-02 is in the ledger or in the data remote" in other.detail


def test_what_cannot_be_given_again_is_named_with_its_reason(released):
    [served] = served_by(released)
    with serving(released) as scenario:
        whole, dropped = (scenario.predict(served, rows_for(served, 1)).id for _ in range(2))
    tamper(released, dropped, lambda line: line["rows"][0].pop("price"))
    unknown = f"{whole[:-6]}ffffff"

    found = list(reproduce(released.settings, [whole, dropped, unknown], from_store=True))
    take_away(released)
    shutil.rmtree(released.settings.home / "dvc-remote")
    [lost] = reproduce(released.settings, [whole])

    reasons = {each.request: each.obstacle for each in found}
    assert reasons == {whole: None, dropped: Obstacle.INPUTS_MISSING, unknown: Obstacle.NOT_FOUND}
    assert "price" in next(each.detail for each in found if each.request == dropped)
    assert lost.obstacle is Obstacle.MODEL_LOST


def test_the_command_prints_what_comes_out_and_ends_with_1_where_it_is_not_the_same(released, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(released.root))
    monkeypatch.setenv("RELEVE_HOME", str(released.settings.home))
    [served] = served_by(released)
    with serving(released) as scenario:
        same, other = (scenario.predict(served, rows_for(served, 2)).id for _ in range(2))
    tamper(released, other, lambda line: line["labels"].__setitem__(0, "perhaps"))

    assert main(["reproduce", same, "--local"]) == 0
    assert capsys.readouterr().out.endswith("the same comes out again\n")
    assert main(["reproduce", other, "--local", "--json"]) == 1
    [found] = json.loads(capsys.readouterr().out)

    assert (found["same"], found["source"], found["line"]["model"]) == (False, "store", served.model.tag)
    assert [each["what"] for each in found["differences"]] == ["label"]
    assert len(found["again"]["probabilities"]) == 2


@pytest.mark.parametrize("text", ["../registry", "nonsense", "nonsense.0"])
def test_what_is_no_id_is_refused(released, text):
    with pytest.raises(BadInput, match=f"'{text}' is not the id of a request"):
        list(reproduce(released.settings, [text]))


def tamper(shop: Shop, request: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a line of the ledger; the lines after it stay where they are."""
    for path in shop.state.ledger.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        for place, line in enumerate(lines):
            values = json.loads(line)
            if values["id"] == request:
                change(values)
                written = json.dumps(values, separators=(",", ":")).encode()
                lines[place] = written.ljust(len(line) - 1) + b"\n"
                path.write_bytes(b"".join(lines))
