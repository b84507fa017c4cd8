import pytest
import yaml

from releve.adapters.yaml_files import pipeline_text, with_settings
from releve.core.errors import BadInput
from releve.core.yaml_text import load_mapping
from tests.tables import ROOT

BUNDLED = (ROOT / "scenarios/digits/dvc.yaml").read_text()

TEXT = """# A table of ours.
target:
  name: bought

train:
  recipe: svm   # the best one
  options: {gamma: 0.001}

# The end.
columns:
  train: {type: number}  # of a railway
"""


def test_a_key_gets_its_value_and_everything_else_stays():
    text = with_settings(TEXT, {"train.recipe": "linear"}, source="a file")

    assert text == TEXT.replace("recipe: svm   #", "recipe: linear #")


def test_a_new_key_goes_into_its_section():
    text = with_settings(TEXT, {"train.last_batches": 5}, source="a file")

    assert yaml.safe_load(text)["train"] == {"last_batches": 5, "recipe": "svm", "options": {"gamma": 0.001}}
    assert [line for line in text.splitlines() if line not in TEXT.splitlines()] == ["  last_batches: 5"]


def test_a_new_section_goes_to_the_end():
    settings = {"trigger.policy": "schedule", "trigger.every_batches": 2, "gate.metric": "auc"}

    text = with_settings(TEXT, settings, source="a file")

    assert text.startswith(TEXT)
    read = yaml.safe_load(text)
    assert (read["trigger"], read["gate"]) == ({"policy": "schedule", "every_batches": 2}, {"metric": "auc"})


@pytest.mark.parametrize("text", ["search:\n  on: [age]\n", 'search:\n  "on": [age]\n', "search:\n  trials: 5\n"])
def test_what_opens_a_search_is_set_under_the_one_key_that_every_reader_of_yaml_sees(text):
    changed = with_settings(text, {"search.on": ["drift"]}, source="a file")

    assert load_mapping(changed, source="a file")["search"].items() >= {"on": ["drift"]}.items()


def test_writing_twice_is_writing_once():
    settings = {"trigger.policy": "static", "train.recipe": "linear"}
    once = with_settings(TEXT, settings, source="a file")

    assert with_settings(once, settings, source="a file") == once


@pytest.mark.parametrize(
    "text",
    [
        "train: {recipe: svm}\n",
        "train:\n  recipe:\n    svm\n",
        "train:\n",
        "",
        "# Nothing yet.\n",
        "train:\n    seed: 1",
    ],
)
def test_a_key_is_set_however_the_file_is_written(text):
    expected = yaml.safe_load(text) or {}
    expected["train"] = (expected.get("train") or {}) | {"recipe": "linear"}

    assert yaml.safe_load(with_settings(text, {"train.recipe": "linear"}, source="a file")) == expected


@pytest.mark.parametrize("value", ["no", "1e5", "2020-01-01", "a: b", "", None, [1, "two"], {"a": 1.5}])
def test_a_value_is_read_back_as_it_was_set(value):
    text = with_settings(TEXT, {"train.recipe": value}, source="a file")

    assert yaml.safe_load(text) == yaml.safe_load(TEXT) | {"train": {"recipe": value, "options": {"gamma": 0.001}}}


@pytest.mark.parametrize("text", ["train: [a", "train: 5\n", "- train\n", "train:\n  a: 1\ntrain:\n  a: 2\n"])
def test_what_is_no_mapping_of_sections_is_refused_in_one_line(text):
    with pytest.raises(BadInput, match=r"^a file is not valid YAML of sections with keys: .*$"):
        with_settings(text, {"train.recipe": "linear"}, source="a file")


def test_the_name_is_changed_and_the_seed_is_gone():
    pipeline = yaml.safe_load(pipeline_text(BUNDLED, scenario="churn"))

    stages = yaml.safe_load(BUNDLED)["stages"]
    del stages["seed"]
    assert pipeline["stages"] == stages
    assert {"scenario": "churn"} in pipeline["vars"]


def test_a_copy_of_a_copy_is_a_copy():
    once = pipeline_text(BUNDLED, scenario="churn")

    assert pipeline_text(once, scenario="churn") == once
    assert pipeline_text(pipeline_text(BUNDLED, scenario="other"), scenario="churn") == once


def test_a_file_that_names_no_scenario_is_refused():
    with pytest.raises(BadInput, match="restore it from git"):
        pipeline_text("stages: {}\n", scenario="churn")
