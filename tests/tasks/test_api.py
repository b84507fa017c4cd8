"""The Python surface: every example of its docstrings runs, and what is wrong is said in one sentence."""

import doctest
import os
import re

import pandas as pd
import pytest

from releve import api
from releve.core.errors import BadInput, NotFound, ReleveError
from tests.tables import ROOT, SHOP
from tests.tasks.experiment.test_experiment import made_of
from tests.tasks.shop import BETTER, TRAINING, Shop

pytestmark = pytest.mark.slow

BREAD = {"price": 20.0, "weight": 1.5, "kind": "bread"}
EXAMPLES = [each for each in doctest.DocTestFinder().find(api, "api") if each.examples]
FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.fixture
def shop(tried: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    for name in [name for name in os.environ if name.startswith("RELEVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RELEVE_MILVUS_URI", tried.settings.milvus_uri)
    monkeypatch.setenv("RELEVE_SERVICE_PORT", str(tried.settings.service_port))
    monkeypatch.chdir(tried.root)
    return tried


def test_every_function_has_an_example():
    functions = {f"api.{name}" for name in api.__all__ if name[0].islower()}

    assert {each.name for each in EXAMPLES} == functions


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_examples_run(example, shop):
    example.globs.update(vars(api), tried=made_of(shop, BETTER))

    found = doctest.DocTestRunner(optionflags=FLAGS).run(example)

    assert found == doctest.TestResults(0, len(example.examples))


def test_commands_and_functions_of_one_name_are_about_the_same():
    from releve.cli.app import COMMANDS

    commands = {each.__name__ for panel in COMMANDS.values() for each in panel}
    data = {"predict", "search", "list_versions", "read_version", "read_schema", "compare_versions"}

    assert {name for name in api.__all__ if name[0].islower()} - commands == data


def test_answers_are_those_of_the_model_that_serves_in_the_order_of_the_rows(shop):
    rows = TRAINING.head(20)

    answers = api.predict(SHOP, rows)

    assert answers["label"].isin(["yes", "no"]).all() and len(answers) == 20
    assert answers[["probabilities.no", "probabilities.yes"]].sum(axis=1).tolist() == pytest.approx([1] * 20)
    alone = [api.predict(SHOP, rows.iloc[[place]])["probabilities.yes"].item() for place in (0, 7)]
    assert answers["probabilities.yes"].iloc[[0, 7]].tolist() == pytest.approx(alone)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"price": 20.0, "weight": 1.5}], "kind"),
        (
            [{"price": 20.0, "weight": 1.0, "kind": "bread"}, {"price": -1, "weight": 1.0, "kind": "bread"}],
            "row 1, price",
        ),
        ([{"price": "many", "weight": 1.0, "kind": "bread"}], "row 0, price"),
    ],
)
def test_rows_that_do_not_fit_are_named(rows, sentence, shop):
    with pytest.raises(BadInput, match=sentence):
        api.predict(SHOP, rows)


def test_no_rows_have_no_answers(shop):
    assert api.predict(SHOP, TRAINING.head(0)).empty


def test_a_row_finds_itself_first(shop):
    row = TRAINING.iloc[150]

    found = api.search(SHOP, row.drop("bought").to_dict(), limit=2)

    assert found["distance"].iloc[0] == pytest.approx(0, abs=1e-5)
    assert (found["batch"].iloc[0], found["row"].iloc[0]) == (shop.batches[1].batch, 50)
    with pytest.raises(BadInput, match="the row has no kind; expected every feature of shop"):
        api.search(SHOP, row.drop(["bought", "kind"]).to_dict())


def test_before_a_release_there_is_nothing_that_answers(ingested, monkeypatch):
    with pytest.raises(NotFound, match="no release of shop serves; call retrain and release first"):
        api.predict(SHOP, TRAINING.head(1), project=ingested.root)


def test_the_champion_comes_first_and_gains_are_intervals(shop):
    found = api.experiments(SHOP)

    assert found["name"].iloc[0] == api.current(SHOP).model
    assert found["gain"].isna().tolist() == [True, False, False, False]
    tried = found.iloc[1:]
    assert ((tried["gain_low"] <= tried["gain"]) & (tried["gain"] <= tried["gain_high"])).all()


def test_it_works_on_a_project_elsewhere_and_says_what_is_unknown(tried, tmp_path):
    assert isinstance(api.experiments(SHOP, project=tried.root), pd.DataFrame)
    with pytest.raises(NotFound, match="there is no scenario 'nix'"):
        api.experiment("nix", {}, project=tried.root)
    with pytest.raises(ReleveError):
        api.current(SHOP, project=tmp_path)


def test_it_imports_quickly_what_it_does_not_use():
    source = (ROOT / "releve/api.py").read_text()

    heavy = re.findall(r"^(?:import|from) (pandas|numpy|sklearn|dvc|prefect|tasks)", source, re.MULTILINE)
    assert heavy == []


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"price": [1.0, "PLANT"], "weight": [1.0, 2.0]}),
        pd.DataFrame([[1.0, 2.0]], columns=["price", "price"]),
    ],
)
def test_a_frame_that_is_no_table_is_refused_in_a_sentence_without_its_cells(rows, shop):
    with pytest.raises(BadInput, match=r"cannot be written as Parquet \(\w+\); give each column a name") as refused:
        api.ingest(SHOP, rows)

    assert "PLANT" not in str(refused.value)
    assert [*shop.state.incoming.glob("rows-*")] == []
