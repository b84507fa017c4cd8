import re

import pytest

from releve.core.errors import BadInput
from releve.core.yaml_text import load_mapping


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gate: {margin: 1}\nx: 1\ngate: {}\n", "the key 'gate' is given twice, in line 1 and in line 3; keep one"),
        ("gate:\n  margin: 0.1\n  margin: 0.2\n", "the key 'margin' is given twice, in line 2 and in line 3"),
        ("columns: {a: {}, 'a': {}}\n", "the key 'a' is given twice, in line 1 and in line 1"),
    ],
)
def test_a_key_given_twice_is_refused_with_both_lines(text, problem):
    with pytest.raises(BadInput, match=re.escape(f"shop.yaml is not valid YAML: {problem}")):
        load_mapping(text, source="shop.yaml")


@pytest.mark.parametrize("key", ["on", '"on"', "off", "yes", "No", "y"])
def test_keys_are_texts_as_they_are_for_dvc_whatever_yaml_1_1_makes_of_them(key):
    from dvc.utils.serialize import parse_yaml

    text = f"search: {{{key}: [drift]}}\n"

    assert load_mapping(text, source="a test") == parse_yaml(text, "a test") == {"search": {key.strip('"'): ["drift"]}}


def test_a_key_that_is_a_text_in_one_line_and_a_boolean_of_yaml_1_1_in_another_is_given_twice():
    with pytest.raises(BadInput, match="the key 'on' is given twice, in line 2 and in line 3"):
        load_mapping('search:\n  on: []\n  "on": [age]\n', source="a test")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "shop.yaml holds nothing; expected keys and values"),
        ("- a", "shop.yaml holds a list; expected keys and values"),
        ("hello", "shop.yaml holds only 'hello'; expected keys and values"),
        (b"\xff\xfe", "shop.yaml is not UTF-8 text (byte 1)"),
        ("a: 2024-13-01", "shop.yaml is not valid YAML"),
        ("[" * 5000, "shop.yaml is not valid YAML: it is nested deeper than 100 levels"),
        ("- " * 1_000_000, "shop.yaml is not valid YAML: it is nested deeper than 100 levels"),
    ],
)
def test_what_is_no_document_of_keys_and_values_is_refused_in_one_sentence(text, problem):
    with pytest.raises(BadInput, match=re.escape(problem)):
        load_mapping(text, source="shop.yaml")


def test_a_merge_key_may_be_overridden_and_anchors_are_read():
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\n"

    assert load_mapping(text, source="a test")["own"] == {"a": 1, "b": 3}
