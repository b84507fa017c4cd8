"""Cards of real model versions."""

from datetime import UTC, datetime

import pytest

from releve.adapters.git_dvc.data_history import DataHistory
from releve.cli.app import main
from releve.core.errors import BadInput, NotFound
from releve.reporting.markdown import render_markdown
from tasks.history import last_challenger
from tasks.reporting.model_card import card_of, gather, write_card
from tests.tables import SHOP

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).date()


def test_a_card_holds_the_lineage_that_makes_the_model_again(challenged):
    found = last_challenger(challenged.registry, SHOP)

    record = gather(challenged.settings, found.model, today=TODAY)

    assert record.lineage["data version"] == found.data_version
    assert record.lineage["git revision"] == found.revision == challenged.branch.tip()
    assert all(record.lineage.values())
    assert record.data.batches == 2
    assert record.data.at == DataHistory(challenged.root, SHOP).versions()[-1].at
    assert record.description.environment.keys() >= {"python", "platform", "scikit-learn"}
    assert record.state == "challenger"


def test_the_members_on_the_card_are_those_that_were_fitted_and_their_weights_sum_to_one(challenged):
    found = last_challenger(challenged.registry, SHOP)

    members = gather(challenged.settings, found.model, today=TODAY).ensemble.members

    assert all(member.recipe and member.rows for member in members)
    assert sum(member.weight for member in members) == pytest.approx(1, abs=1e-3)
    assert all(member.name in render_markdown(card_of(challenged.settings, found.model)) for member in members)


def test_the_card_of_a_previous_champion_tells_of_its_life(replaced):
    first, second = (event.payload["model"] for event in replaced.registry.events(SHOP, kinds=["challenged"]))

    old, new = (gather(replaced.settings, model, today=TODAY) for model in (first, second))

    assert (old.state, new.state) == ("previous champion", "champion")
    assert [event.kind for event in new.history] == ["challenged", "released"]
    assert new.evaluation.champion and not old.evaluation.champion


def test_the_card_says_what_the_params_of_its_own_revision_said(challenged):
    model = last_challenger(challenged.registry, SHOP).model
    challenged.override(card={"purpose": "a later thought"})

    assert "a later thought" not in render_markdown(card_of(challenged.settings, model))


def test_a_card_is_written_as_markdown_and_as_a_page(challenged):
    model = last_challenger(challenged.registry, SHOP).model

    paths = write_card(challenged.settings, model)

    assert [path.suffix for path in paths] == [".md", ".html"]
    assert {path.parent for path in paths} == {challenged.settings.home / "cards" / SHOP}
    assert all(model in path.read_text() for path in paths)


def test_the_command_prints_the_card_or_writes_the_page(challenged, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(challenged.root))
    monkeypatch.setenv("RELEVE_HOME", str(challenged.settings.home))
    model = last_challenger(challenged.registry, SHOP).model

    assert main(["card", model]) == 0
    printed = capsys.readouterr().out
    assert main(["card", model, "--html", str(tmp_path / "card.html")]) == 0

    assert f"\n# Model card: {model}\n" in printed
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")


def test_a_model_whose_files_are_gone_has_a_card_that_says_so(challenged):
    import shutil

    model = last_challenger(challenged.registry, SHOP).model
    shutil.rmtree(challenged.settings.home / "bentoml")

    card = card_of(challenged.settings, model)

    assert card.missing > 0
    assert model in card.title


@pytest.mark.parametrize(("model", "error"), [("shop:none", NotFound), ("../shop:1", BadInput), ("", BadInput)])
def test_there_is_no_card_of_what_nobody_knows(model, error, challenged):
    with pytest.raises(error):
        card_of(challenged.settings, model)
