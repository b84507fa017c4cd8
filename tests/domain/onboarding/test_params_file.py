"""params.yaml as it is written: YAML reads back what was inferred, whatever names and values a table has."""

import pytest
import yaml

from releve.domain.onboarding.params_file import SettingOverride, joined, params_text
from releve.domain.schema.schema import TABLE_KEYS, Schema
from tests.domain.onboarding.tables import BASE, ROWS, a_table, described

ODD_NAMES = [
    "yes",
    "no",
    "on",
    "1",
    "1.5",
    "null",
    "a: b",
    "a # b",
    "- a",
    "é è",
    "'",
    '"',
    "{x}",
    "a, b",
    "2024-01-01",
    "? q",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_column_name_is_read_back(name: str) -> None:
    found = described(a_table(**{name: [n / 7 for n in reversed(range(ROWS))]}))

    assert list(yaml.safe_load(params_text(found, scenario="x"))["columns"]) == ["length", "width", name]


@pytest.mark.parametrize("value", ODD_NAMES)
def test_any_category_is_read_back_as_text(value: str) -> None:
    cells = [value, "other word"] * (ROWS // 2)
    found = described(a_table(kind=cells))

    assert yaml.safe_load(params_text(found, scenario="x"))["columns"]["kind"] == found.table["columns"]["kind"]


def test_lists_that_are_set_twice_add_up_and_take_away() -> None:
    usual = list(BASE.ingest.missing)
    given = [
        SettingOverride("ingest", "missing", value, "")
        for value in ([*usual, "k.A."], [each for each in usual if each != "-"], [*usual, "open", "k.A."])
    ]

    (together,) = joined(given, base=BASE)

    assert together.value == [*(each for each in usual if each != "-"), "k.A.", "open"]


def test_yes_and_no_stay_texts_among_the_classes() -> None:
    text = params_text(described(a_table()), scenario="x")

    assert "classes: ['no', 'yes'], positive: 'yes'" in text
    assert Schema.from_dict(yaml.safe_load(text)).target.classes == ("no", "yes")


def test_everything_is_read_back_and_every_line_has_its_comment() -> None:
    found = described(a_table(4000, day=["2024-01-01"] * 2000 + ["2024-01-02"] * 2000), time="day")
    text = params_text(found, scenario="x")

    values = yaml.safe_load(text)

    assert {key: values[key] for key in TABLE_KEYS if key in values} == found.table
    assert values["monitor"] == {"window_rows": 400}
    lines = [line for line in text.splitlines() if line and not line.startswith("#") and not line.endswith(":")]
    assert all(" # " in line for line in lines)


def test_a_value_that_cannot_be_printed_does_not_break_a_comment() -> None:
    found = described(a_table(odd=["line\nbreak\x00"] * ROWS))

    assert list(yaml.safe_load(params_text(found, scenario="x"))["columns"]) == ["length", "width", "odd"]
