"""The table of experiments beside the champion, as people and programs read it."""

import json

import pytest

from releve.cli.app import main
from releve.reporting.experiments import HEADS
from tests.tables import SHOP
from tests.tasks.experiment.test_experiment import made_of
from tests.tasks.shop import BETTER, NAIVE, Shop

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tried: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop that commands work on, and a table as wide as its cells."""
    monkeypatch.setenv("RELEVE_PROJECT", str(tried.root))
    monkeypatch.setenv("RELEVE_HOME", str(tried.settings.home))
    monkeypatch.setattr("releve.cli.output.WIDTH_WITHOUT_TERMINAL", 400)
    return tried


def lines_of(text: str, edge: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(edge)[1:-1]] for line in text.splitlines() if line.startswith(edge)]


def test_the_table_has_the_champion_first_without_a_gain_and_each_experiment_with_its_own(here, capsys):
    assert main(["experiments", SHOP]) == 0

    printed = capsys.readouterr().out
    [heads] = lines_of(printed, "┃")
    rows = [dict(zip(HEADS, line, strict=True)) for line in lines_of(printed, "│")]
    assert tuple(heads) == HEADS
    serving = here.registry.current(SHOP).release.model
    assert (rows[0]["experiment"], rows[0]["gain over what served"], rows[0]["gate"]) == (serving, "", "serves")
    assert rows[0]["score"].startswith("accuracy 0.")
    over = f"over {rows[0]['score'].split()[1]}"
    gains = {row["experiment"]: row["gain over what served"] for row in rows[1:] if row["experiment"]}
    assert len(gains) == 3
    assert gains[made_of(here, {}).name] == f"+0.000 [+0.000, +0.000] {over}"
    assert all(gain.endswith(over) for gain in gains.values())
    assert gains[made_of(here, BETTER).name].startswith("+0.")
    assert gains[made_of(here, NAIVE).name].startswith("-0.")


def test_programs_read_the_champion_beside_the_experiments_and_no_gain_of_it(here, capsys):
    assert main(["experiments", SHOP, "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    champion, made = printed["champion"], printed["experiments"]
    assert champion["model"] == here.registry.current(SHOP).release.model
    assert "gain" not in champion
    assert {each["champion_score"] for each in made} == {champion["score"]["value"]}


def test_where_none_was_made_the_table_has_the_champion_and_what_makes_one(released, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(released.root))
    monkeypatch.setenv("RELEVE_HOME", str(released.settings.home))

    assert main(["experiments", SHOP]) == 0

    printed = capsys.readouterr().out
    assert "serves" in printed
    assert f"no experiment of {SHOP} was made here yet: releve experiment {SHOP} --set" in printed
