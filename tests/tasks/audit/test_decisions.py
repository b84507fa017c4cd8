"""A part of the ledger, sent through another model version."""

import json

import pytest

from releve.cli.app import main
from releve.core.errors import BadInput
from releve.domain.prediction_log.decisions import DecisionCounts
from releve.domain.registry.chain import RELEASED
from tasks.audit.decisions import decisions
from tests.tasks.shop import NEWER, Shop

pytestmark = pytest.mark.whole
LONG_AGO = "2020-01-01"


def counted(blocks) -> DecisionCounts:
    counts = DecisionCounts()
    for block in blocks:
        counts.add(block)
    return counts


def versions(shop: Shop) -> list[str]:
    return [event.payload["release"]["model"] for event in shop.registry.events(shop.name, kinds=[RELEASED])]


def test_answers_that_another_version_would_give_otherwise_are_listed_one_by_one(replaced, monkeypatch):
    monkeypatch.setattr("tasks.audit.decisions.BLOCK_ROWS", 50)
    first, second = versions(replaced)
    answered = [replaced.answer(NEWER[start : start + 40], predicted=["no"] * 40) for start in (0, 40, 80)]

    blocks = list(decisions(replaced.settings, first, since=LONG_AGO))
    counts = counted(blocks)

    assert [block.answers for block in blocks] == [80, 40]
    changes = [change for block in blocks for change in block.changes]
    assert {change.id.rpartition(".")[0] for change in changes} <= set(answered)
    assert {(change.model, change.old, change.new) for change in changes} == {(second, "no", "yes")}
    assert counts.pairs == {("no", "yes"): counts.changed}
    assert 0 < counts.changed < counts.answers == 120


def test_rows_that_the_model_cannot_be_asked_are_counted_and_those_of_another_schema_are_asked(replaced):
    _, second = versions(replaced)
    broken, older = NEWER[:1].assign(price="dear"), NEWER[1:2].drop(columns="weight")  # a column that came later
    for rows in (broken, older.assign(colour="red")):
        replaced.answer(rows, predicted=["yes"])

    counts = counted(decisions(replaced.settings, second, since=LONG_AGO))

    assert (counts.answers, counts.refused) == (1, 1)
    assert "price" in counts.reason


def test_a_window_begins_and_ends(replaced):
    _, second = versions(replaced)
    replaced.answer(NEWER[:5], predicted=["no"] * 5)

    assert counted(decisions(replaced.settings, second, since=LONG_AGO, until="2020-01-02")).answers == 0
    assert counted(decisions(replaced.settings, second, since="2099-01-01")).answers == 0
    with pytest.raises(BadInput, match="nothing lies between"):
        list(decisions(replaced.settings, second, since="2020-01-02", until="2020-01-02"))
    with pytest.raises(BadInput, match="until is 'soon'"):
        list(decisions(replaced.settings, second, since=LONG_AGO, until="soon"))


def test_the_command_prints_each_change_and_then_the_counts(replaced, monkeypatch, capsys):
    first, _ = versions(replaced)
    replaced.answer(NEWER[:40], predicted=["no"] * 40)
    monkeypatch.setenv("RELEVE_PROJECT", str(replaced.root))
    monkeypatch.setenv("RELEVE_HOME", str(replaced.settings.home))

    assert main(["decisions", first, "--since", LONG_AGO]) == 0
    for_people = capsys.readouterr().out.splitlines()
    assert main(["decisions", first, "--since", LONG_AGO, "--json"]) == 0
    *changes, counts = map(json.loads, capsys.readouterr().out.splitlines())

    assert counts["pairs"] == [{"old": "no", "new": "yes", "answers": len(changes)}]
    assert f"{first} answers 40 rows, {len(changes)} of them" in for_people[len(changes)]
    assert for_people[0].endswith("no -> yes")
