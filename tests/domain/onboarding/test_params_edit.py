import pytest
import yaml

from releve.core.errors import BadInput
from releve.domain.onboarding.params_edit import with_settings

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

    assert text == TEXT.replace("recipe: svm   #", "recipe: linear   #")


def test_a_new_key_goes_into_its_section():
    text = with_settings(TEXT, {"train.last_batches": 5}, source="a file")

    assert yaml.safe_load(text)["train"] == {"last_batches": 5, "recipe": "svm", "options": {"gamma": 0.001}}
    assert [line for line in text.splitlines() if line not in TEXT.splitlines()] == ["  last_batches: 5"]


def test_a_new_section_goes_to_the_end():
    settings = {"trigger.policy": "auto", "trigger.max_new_rows": 0, "gate.rule": "not_worse"}

    text = with_settings(TEXT, settings, source="a file")

    assert text.startswith(TEXT)
    read = yaml.safe_load(text)
    assert (read["trigger"], read["gate"]) == ({"policy": "auto", "max_new_rows": 0}, {"rule": "not_worse"})


def test_writing_twice_is_writing_once():
    settings = {"trigger.policy": "auto", "train.recipe": "linear"}
    once = with_settings(TEXT, settings, source="a file")

    assert with_settings(once, settings, source="a file") == once


@pytest.mark.parametrize(
    ("text", "said"),
    [("train: {recipe: svm}\n", "'train' in one line"), ("train:\n  recipe:\n    svm\n", "over several lines")],
)
def test_what_cannot_be_set_safely_is_left_to_a_person(text, said):
    with pytest.raises(BadInput, match=said):
        with_settings(text, {"train.recipe": "linear"}, source="a file")
