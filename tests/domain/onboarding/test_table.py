"""A whole table: what is no feature, what is told, in which order, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from releve.core.errors import BadInput
from releve.core.params import merge, parse
from releve.domain.onboarding.issues import KINDS
from releve.domain.onboarding.params_file import SettingOverride, overrides_for, params_text
from releve.domain.onboarding.table import NewTable, Roles, describe
from releve.domain.schema.schema import Schema
from tests.domain.onboarding.tables import BASE, ROWS, a_table, described, issue_texts, no_features

RANDOM = np.random.default_rng(5)
SHUFFLED = RANDOM.permutation(ROWS) + 1000
DAYS = [f"2024-{1 + n // 28:02d}-{1 + n % 28:02d}" for n in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "values", "is_left_out"),
    [
        ("instant", range(1, ROWS + 1), True),
        ("anything", range(5, 2 * ROWS + 5, 2), True),
        ("ticket_id", SHUFFLED, True),
        ("ticketId", SHUFFLED, True),
        ("population", SHUFFLED, False),
        ("paid", SHUFFLED / 7, False),
        ("token", [f"x{n:x}" for n in SHUFFLED], True),
        ("colour", ["red", "blue"] * (ROWS // 2), False),
    ],
)
def test_columns_that_name_or_count_the_rows_are_no_features(name: str, values, is_left_out: bool) -> None:
    found = described(a_table(**{name: list(values)}))

    assert no_features(found) == [name] * is_left_out
    assert (name in issue_texts(found, "id")) is is_left_out


def test_the_id_that_a_person_names_is_no_feature_and_its_faults_are_issues() -> None:
    ids = ["a", "a", "", *(f"c{n}" for n in range(ROWS - 3))]

    found = described(a_table(customer=ids), id="customer")

    assert found.table["id"] == "customer"
    assert no_features(found) == ["customer"]
    assert "but 1 row has the id of an earlier row and 1 row has none" in issue_texts(found, "id")
    assert "Rows with the same customer count once, as the last of them" in issue_texts(found, "id")


def test_an_id_without_faults_comes_last_and_is_no_category_of_many_values() -> None:
    names = [f"c{n}" for n in range(ROWS)]

    found = described(a_table(ticket=names, token=[f"t{n}" for n in range(ROWS)]), id="ticket")

    assert found.issues[-1].text == "ticket names the rows, and is no feature"
    assert [each.text for each in found.issues if "ticket" in each.text or "most of them rare" in each.text] == [
        "ticket names the rows, and is no feature"
    ]


def test_a_category_of_many_values_that_is_a_feature_is_an_issue() -> None:
    found = described(a_table(town=[f"town {n // 2}" for n in range(2 * 101)], rows=2 * 101))

    assert (
        issue_texts(found, "type")
        == "town has 101 different values, most of them rare; if they name single things, put 'feature: false'"
    )


def test_rows_that_share_their_time_are_issues_after_what_spoils_a_model() -> None:
    days = [DAYS[n // 2] for n in range(ROWS)]

    kinds = [issue.kind for issue in described(a_table(day=days, constant=["1"] * ROWS), time="day").issues]

    assert kinds == ["constant", "hint"]


def test_a_constant_column_is_no_feature() -> None:
    assert no_features(described(a_table(country=["FR"] * ROWS))) == ["country"]


def test_without_a_time_the_rows_count_as_they_stand() -> None:
    assert issue_texts(described(a_table()), "time").startswith("no column tells the time of a row")


def test_a_column_that_could_be_the_time_is_proposed() -> None:
    sentence = issue_texts(described(a_table(day=DAYS)), "time")

    assert sentence.endswith("and day grows with them; to have the rows of every file ordered by it, set TIME=day")


def test_the_time_is_written_and_stays_a_feature_when_it_is_a_date() -> None:
    found = described(a_table(day=DAYS), time="day")

    assert found.table["time"] == "day"
    assert found.table["columns"]["day"] == {"type": "date"}
    assert issue_texts(found, "time") == ""


def test_a_time_that_repeats_or_is_missing_is_an_issue_and_one_that_goes_back_is_what_it_is_for() -> None:
    days = [DAYS[1], DAYS[0], *DAYS[2:-2], DAYS[-3], ""]

    sentences = issue_texts(described(a_table(day=days), time="day"), "time")

    assert "1 row has the day of an earlier row" in issue_texts(described(a_table(day=days), time="day"), "hint")
    assert sentences == "day is missing in 1 row, whose place in time is unknown: it counts as the newest"


def test_a_number_that_grows_with_the_rows_is_an_issue_and_as_the_time_no_feature() -> None:
    frame = a_table(step=[n // 3 / 10 for n in range(ROWS)])

    assert no_features(described(frame, time="step")) == ["step"]
    assert no_features(described(frame)) == []
    assert "step only grows from row to row" in issue_texts(described(frame), "clock")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("{0}/{0}/2024", r"the time day looks like dates such as '1/1/2024'.* day first, SET=.* for mo"),
        ("day {}", r"the time 'day' holds 'day 1'; expected dates such as 2024-12-31"),
    ],
)
def test_a_time_that_cannot_be_read_is_refused_with_what_to_do(form: str, message: str) -> None:
    frame = a_table(day=[form.format(1 + n % 12) for n in range(ROWS)])

    with pytest.raises(BadInput, match=message):
        described(frame, time="day")


def test_rows_that_repeat_others_are_counted() -> None:
    frame = a_table()

    found = described(pd.concat([frame, frame.head(3)], ignore_index=True))

    sentence = issue_texts(found, "duplicates")
    assert sentence.startswith(
        "3 rows of 203 are the same as an earlier row in every column: a model that learned the one"
    )
    setting = sentence.partition(" put '")[2].rstrip("'")
    assert parse(merge(BASE.model_dump(), yaml.safe_load(setting)), source="the advice").batch.refuse == (
        "duplicate_rows",
    )


def test_columns_that_say_the_same_are_issues() -> None:
    frame = a_table(kind=["a", "b", "b", "c"] * (ROWS // 4), sort=["x", "y", "y", "z"] * (ROWS // 4))
    frame["inches"] = [f"{float(cell) / 2.54:.6f}" for cell in frame["length"]]

    assert issue_texts(described(frame), "mirror").splitlines() == [
        "length and inches say the same; one of them is enough",
        "kind and sort say the same; one of them is enough",
    ]


def test_whole_numbers_with_few_values_stay_numbers_and_are_issues() -> None:
    found = described(a_table(weekday=[n % 7 for n in range(ROWS)]))

    assert found.table["columns"]["weekday"] == {"type": "number", "min": 0}
    assert issue_texts(found, "hint").startswith("weekday holds few different whole numbers and is a number")


@pytest.mark.parametrize(("rows", "is_issue"), [(179, True), (180, False)])
def test_a_table_too_small_for_the_gate_is_an_issue(rows: int, is_issue: bool) -> None:
    assert bool(issue_texts(described(a_table(rows)), "size")) is is_issue


def test_lines_that_are_no_rows_are_issues_first() -> None:
    table = NewTable("t.csv", "utf-8", a_table(), True, True, ("line 7: has 3 cells, expected 4",))

    first = describe(table, Roles("sold"), base=BASE).issues[0]

    assert first.text == "1 line could not be read as a row: line 7: has 3 cells, expected 4"


def test_the_weightiest_is_an_issue_first() -> None:
    frame = a_table(constant=["1"] * ROWS, row_id=range(ROWS))
    frame["again"] = frame["sold"]

    kinds = [KINDS.index(issue.kind) for issue in described(frame).issues]

    assert kinds == sorted(kinds)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"target": "sould"}, "the target 'sould' is no column of the file; did you mean 'sold'?"),
        ({"target": "xyz"}, "there are: length, width, sold"),
        ({"target": "Old"}, "did you mean 'sold'?"),
        ({"target": "sold_in_euro"}, "did you mean 'sold'?"),
        ({"time": "lenght"}, "the time 'lenght' is no column of the file; did you mean 'length'?"),
        ({"id": "nr"}, "the id 'nr' is no column"),
        ({"time": "sold"}, "the target can be neither the time nor the id"),
    ],
)
def test_a_role_that_no_column_can_have_is_refused(roles: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        described(a_table(), **{"target": "sold", **roles})

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["_batch", "", " "], "rename it in the file"),
        (["two\nlines", "a\tb", "x" * 201], "a name has at most 200 characters, no line breaks"),
    ],
)
def test_a_name_that_no_column_may_have_is_refused(names: list[str], advice: str) -> None:
    for name in names:
        with pytest.raises(BadInput, match=advice):
            described(a_table(**{name: ["1", "2"] * (ROWS // 2)}))


def test_a_table_without_any_feature_left_is_refused() -> None:
    frame = a_table(row_id=range(ROWS)).drop(columns=["length", "width"])

    with pytest.raises(BadInput, match=r"no feature is left: row_id \(like an id"):
        described(frame)


@pytest.mark.parametrize(
    ("rows", "window", "new"),
    [
        (1000, None, None),
        (3000, None, None),
        (4000, 400, None),
        (17_379, 1700, 170),
        (10**6, 5000, 5000),
    ],
)
def test_windows_grow_with_the_table_within_limits_and_nothing_else_is_written(
    rows: int, window: int | None, new: int | None
) -> None:
    found = {f"{each.section}.{each.key}": each.value for each in overrides_for(rows, base=BASE)}

    sized = {"monitor.window_rows": window, "trigger.min_new_rows": new}
    assert found == {key: size for key, size in sized.items() if size}


def test_a_column_may_have_any_other_name() -> None:
    names = ["self", 'it\'s "q"', "=cmd()", "a.b", "# no comment", "{{x}}", "a: b", "é", "x" * 200]
    found = described(a_table(**{name: ["a", "b"] * (ROWS // 2) for name in names}))

    assert set(yaml.safe_load(params_text(found, scenario="odd"))["columns"]) == {*names, "length", "width"}


@pytest.mark.parametrize(
    ("time", "ids", "type"),
    [
        (None, range(ROWS), "category"),
        (None, [number / 2 for number in range(ROWS)], "number"),
        ("row_id", range(ROWS), "number"),
        (None, [f"2024-01-{1 + number % 28:02}" for number in range(ROWS)], "date"),
    ],
)
def test_whole_numbers_that_name_the_rows_are_names(time: str | None, ids: Any, type: str) -> None:
    found = described(a_table(row_id=ids), id="row_id", time=time)

    assert found.table["columns"]["row_id"]["type"] == type
    assert no_features(found) == ["row_id"]


def test_classes_that_differ_in_case_or_spaces_alone_are_one_and_an_issue() -> None:
    frame = a_table()
    spellings = ["yes", " yes", "Yes", "YES", "yes"]
    frame["sold"] = [spellings[n % 5] if sold == "yes" else sold for n, sold in enumerate(frame["sold"])]

    found = described(frame)

    assert found.table["target"]["classes"] == ["no", "yes"] and found.table["target"]["ignore_case"] is True
    assert "each is one class, which 'ignore_case: true' says" in issue_texts(found, "classes")
    assert "'yes' and" in found.seen["sold"] and "ignore_case: true" in params_text(found, scenario="x")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["0", "1", "?"], [0, 1]),
        (["0", "1", "NA", "NA", "NA"], [0, 1]),
        (["yes", "no", "none"], ["no", "yes"]),
        (["won", "lost", "N/A"], ["lost", "won"]),
        (["+", "-"], ["+", "-"]),
        (["0", "-"], ["-", "0"]),
        (["none", "mild", "severe"], ["mild", "none", "severe"]),
        (["ZA", "BW", "NA"], ["BW", "ZA"]),
    ],
)
def test_a_marker_in_the_target_is_no_label_unless_it_must_be_a_class(labels: list[str], classes: list[Any]) -> None:
    found = described(a_table().assign(sold=[labels[n % len(labels)] for n in range(ROWS)]))

    assert found.table["target"]["classes"] == classes
    assert ("no label" in issue_texts(found, "label")) is (len(classes) < len(set(labels)))


def test_a_class_that_a_marker_spells_is_kept_with_the_setting_that_is_suggested() -> None:
    frame = a_table().assign(sold=[["ZA", "BW", "NA"][n % 3] for n in range(ROWS)])
    (asked,) = (issue for issue in described(frame).issues if issue.suggestions)

    ((key, value),) = asked.suggestions[0].items()
    again = described(frame, settings=(SettingOverride(*key.split(".", 1), value, "as asked"),))

    assert again.table["target"]["classes"] == ["BW", "NA", "ZA"]


def test_a_category_keeps_namibia_and_it_is_an_issue() -> None:
    found = described(a_table(country=[["NA", "ZA", "BW"][n % 3] for n in range(ROWS)]))

    assert found.table["columns"]["country"] == {"type": "category", "categories": ["BW", "NA", "ZA"]}
    assert "country holds 'NA' in 67 cells: kept, as a category like any other" in issue_texts(found, "hint")


def test_categories_that_differ_in_case_alone_are_issues_with_a_line_that_works() -> None:
    found = described(a_table(city=[["Paris", "paris ", "PARIS", "Lyon"][n % 4] for n in range(ROWS)]))

    (asked,) = (issue for issue in found.issues if issue.suggestions)
    assert "'Paris' 50 x, 'paris' 50 x, 'PARIS' 50 x" in asked.text
    (spec,) = asked.suggestions[0].values()
    city = Schema.from_dict({**found.table, "columns": {**found.table["columns"], "city": spec}}).column("city")
    assert len({city.typed(name.title()) for name in ("PARIS", "paris", "Paris")}) == 1


def test_truth_values_of_any_case_are_two_categories() -> None:
    found = described(a_table(member=[["TRUE", "true", "False", "FALSE"][n % 4] for n in range(ROWS)]))

    assert found.table["columns"]["member"] == {"type": "category", "categories": ["False", "True"]}


def test_sentences_that_repeat_are_texts_where_there_are_more_than_can_be_listed() -> None:
    days = [f"please call me back on day {n} of the month" for n in range(40)]
    found = described(a_table(note=[days[n % 40] for n in range(ROWS)], short=[days[n % 20] for n in range(ROWS)]))

    assert found.table["columns"]["note"]["type"] == "text"
    assert found.table["columns"]["short"]["type"] == "category"


@pytest.mark.parametrize(("again", "is_named"), [(0, True), (4, True), (5, False)])
def test_names_of_which_hardly_one_comes_back_are_no_feature(again: int, is_named: bool) -> None:
    found = described(a_table(ticket=[f"K-{max(n, again)}" for n in range(ROWS)]))

    assert (no_features(found) == ["ticket"]) is is_named
