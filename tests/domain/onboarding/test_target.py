"""Which task a target column suggests."""

import re

import pytest

from releve.core.config_hint import settings_hint
from releve.core.errors import BadInput
from releve.domain.onboarding.params_file import SettingOverride
from releve.domain.onboarding.target import MOST_CLASSES, MOST_NUMBER_CLASSES, target_issues, target_spec
from tests.domain.onboarding.tables import ROWS, a_table, column, described


def spec(*cells: object, task: str | None = None, as_text: bool = True) -> dict[str, object]:
    found = target_spec(column(*cells, name="y", as_text=as_text), task=task)
    return {key: value for key, value in found.as_dict().items() if key != "name"}


def sentences(*cells: object) -> list[str]:
    profile = column(*cells, name="y")
    return [issue.text for issue in target_issues(profile, target_spec(profile, task=None).task)]


@pytest.mark.parametrize(
    ("common", "rare", "positive"),
    [
        ("blue", "red", "red"),  # the rarer one, where names do not tell
        ("1", "2", 2),
        ("2", "1", 1),
        ("f", "m", "m"),
        ("m", "f", "f"),
        ("x", "o", "o"),
        ("1", "0", 1),  # else the one that is called so, however common it is
        ("1", "-1", 1),
        ("2", "0", 2),
        ("yes", "no", "yes"),
        ("on", "off", "on"),
        ("Yes", "no", "Yes"),
        ("True", "False", "True"),
        ("t", "f", "t"),
        ("ja", "nein", "ja"),
        ("bad", "good", "bad"),
        ("maybe", "no", "maybe"),
        ("yes", "true", "true"),  # two of them: the rarer one
        ("no", "false", "false"),
    ],
)
def test_the_positive_class_is_the_one_that_is_called_so_else_the_rarer_one(
    common: str, rare: str, positive: object
) -> None:
    assert spec(common, common, rare)["positive"] == positive


@pytest.mark.parametrize(
    ("cells", "as_text", "classes"),
    [
        (["no", "yes", "yes", "yes"], True, ["no", "yes"]),
        (["0", "1", "1", "0"], True, [0, 1]),
        (["0.0", "1.0", "1"], True, [0, 1]),
        ([1, "1", 0, "0", 1.0], False, ["0", "1"]),  # a number and its text are one class
        ([True, False], False, ["False", "True"]),
    ],
)
def test_two_values_are_two_classes_and_the_positive_one_is_known_by_its_name(
    cells: list[object], as_text: bool, classes: list[object]
) -> None:
    assert spec(*cells, as_text=as_text) == {"task": "binary", "classes": classes, "positive": classes[1]}


@pytest.mark.parametrize(
    ("values", "task"), [(MOST_NUMBER_CLASSES, "multiclass"), (MOST_NUMBER_CLASSES + 1, "regression")]
)
def test_a_few_whole_numbers_are_classes_and_more_of_them_amounts(values: int, task: str) -> None:
    assert spec(*[str(number) for number in range(values)] * 5)["task"] == task


@pytest.mark.parametrize(("rows", "task"), [(15, "multiclass"), (14, "regression")])
def test_whole_numbers_that_hardly_repeat_are_amounts(rows: int, task: str) -> None:
    assert spec(*["1", "2", "3"] * 5, task=None)["task"] == "multiclass"
    assert spec(*(["1", "2", "3"] * 5)[:rows])["task"] == task


@pytest.mark.parametrize(
    ("cells", "limits"), [(["1.5", "2.5", "-3"], {}), ([str(number) for number in range(50)], {"min": 0})]
)
def test_other_numbers_are_a_regression_bounded_below_where_they_cannot_be_negative(
    cells: list[str], limits: dict[str, int]
) -> None:
    assert spec(*cells) == {"task": "regression", **limits}


def test_a_person_may_say_the_task() -> None:
    assert spec("1", "2", "3", "4", "5" * 1, *"12345" * 5, task="regression") == {"task": "regression", "min": 0}
    assert spec("1.5", "2.5", task="binary")["classes"] == ["1.5", "2.5"]


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (["", ""], None, "is empty in every row"),
        (["yes", "yes"], None, "always 'yes'"),
        (["a", "b"], "regression", "a regression needs numbers"),
        (["a", "b", "c"], "binary", "has 3 classes (a, b, c), not two"),
        (["a", "b"], "clustering", "expected binary, multiclass, regression"),
        ([f"name {number}" for number in range(MOST_CLASSES + 1)], None, "201 different values"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(cells: list[str], task: str | None, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        spec(*cells, task=task)

    assert message in str(refused.value)


@pytest.mark.parametrize("task", [None, "regression"])
def test_a_target_of_numbers_in_two_readings_is_refused_with_the_settings_that_read_it(task: str | None) -> None:
    with pytest.raises(BadInput) as refused:
        described(a_table()[["sold"]].assign(v=[f"6,{718 - n}" for n in range(ROWS)]), target="v", task=task)

    assert "the target v writes numbers such as '6,718', '6,717', '6,716'" in str(refused.value)
    assert "SET='ingest.csv_decimal=,' where '6,718' is 6.718 or SET='ingest.csv_thousands=,'" in str(refused.value)


def test_a_target_that_writes_its_numbers_otherwise_than_the_file_is_read_by_the_setting_that_is_asked_for() -> None:
    frame = a_table()[["sold"]].assign(size=[f"{n}.5" for n in range(ROWS)], v=[f"{n},25" for n in range(ROWS)])
    with pytest.raises(BadInput, match=re.escape("""add SET='ingest.units={"v":"1234,5"}'""")):
        described(frame, target="v")

    found = described(frame, target="v", settings=(SettingOverride("ingest", "units", {"v": "1234,5"}, "as asked"),))

    assert found.table["target"] == {"name": "v", "task": "regression"}
    assert found.table["columns"]["size"]["type"] == "number"


def test_names_of_classes_may_look_like_decimals_where_a_person_says_so() -> None:
    assert spec("1,5", "2,5", "1,5", task="binary")["classes"] == ["1,5", "2,5"]


@pytest.mark.parametrize(("rare", "is_issue"), [(19, True), (20, False)])
def test_a_class_of_few_rows_is_an_issue(rare: int, is_issue: bool) -> None:
    found = sentences(*["a"] * 100, *["b"] * rare)

    advice = "too few to learn from or to judge by; collect more, or merge classes"
    assert found == [f"y has classes with few rows: b ({rare} rows); {advice}"] * is_issue


@pytest.mark.parametrize(("rare", "is_asked"), [(1, True), (19, True), (20, False)])
def test_a_rare_word_beside_two_classes_may_mean_that_there_is_no_outcome_yet(rare: int, is_asked: bool) -> None:
    frame = a_table()
    frame.loc[frame.index[:rare], "sold"] = "open"

    found = described(frame)

    asked = [issue for issue in found.issues if issue.kind == "classes" and issue.suggestions]
    assert [issue.text.endswith(f"add {settings_hint(issue.suggestions[0])}") for issue in asked] == [True] * is_asked
    if is_asked:
        words = asked[0].suggestions[0]["ingest.missing"]
        again = described(frame, settings=(SettingOverride("ingest", "missing", words, "as asked"),))
        assert again.table["target"]["classes"] == ["no", "yes"] and again.table["target"]["task"] == "binary"
