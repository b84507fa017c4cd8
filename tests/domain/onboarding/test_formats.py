"""What a file leaves in one reading is read and told; what it leaves in two is asked about, with settings that work."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from releve.domain.onboarding.issues import Issue
from releve.domain.onboarding.params_file import ScenarioDraft, SettingOverride, with_overrides
from releve.domain.schema.schema import Schema
from tasks.ingestion.intake import Intake, take_in
from tests.domain.onboarding.tables import BASE, ROWS, a_table, described, issue_texts

DAY = datetime(2024, 1, 1, 13, 5)
AMOUNTS = np.random.default_rng(7).uniform(1, 5000, ROWS).round(2).tolist()
INDIAN = [100_500.5 + 1000 * (n % 90 + 10) for n in range(ROWS)]  # 1,10,500.50 and so on


def dates(form: str, *, hours: int = 24) -> list[str]:
    return [(DAY + timedelta(hours=hours * n)).strftime(form) for n in range(ROWS)]


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def taken_in(frame: pd.DataFrame, found: ScenarioDraft, folder: Path) -> Intake:
    """The frame as a CSV file, ingested as the scaffold's params say."""
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    params = with_overrides(BASE, found.overrides, source="a test")
    taken = take_in(path, Schema.from_dict(found.table), params=params, work_dir=folder)
    taken.rows.close()
    return taken


def rows_of(frame: pd.DataFrame, found: ScenarioDraft, folder: Path) -> pd.DataFrame:
    """What of it is accepted, which is expected to be all."""
    taken = taken_in(frame, found, folder)
    assert taken.accepted == ROWS
    return pd.read_parquet(taken.rows.path)


def written(found: ScenarioDraft) -> dict[str, Any]:
    return {each.key: each.value for each in found.overrides if each.section == "ingest"}


def types(found: ScenarioDraft) -> dict[str, str]:
    return {name: spec["type"] for name, spec in found.table["columns"].items()}


def with_suggestions(frame: pd.DataFrame, issues: list[Issue], pick: int = 0, **roles: Any) -> ScenarioDraft:
    """The table again, with the first (or another) setting that each issue suggests."""
    suggestions = [issue.suggestions[min(pick, len(issue.suggestions) - 1)] for issue in issues if issue.suggestions]
    settings = tuple(
        SettingOverride(*key.split(".", 1), value, "as suggested")
        for suggestion in suggestions
        for key, value in suggestion.items()
    )
    return described(frame, settings=settings, **roles)


@pytest.mark.parametrize(
    ("form", "setting"),
    [
        ("%d.%m.%Y", "%d.%m.%Y"),
        ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M"),
        ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"),
        ("%d %b %Y", "%d %b %Y"),
        ("%B %d, %Y", "%B %d, %Y"),
        ("%Y%m%d", "%Y%m%d"),
        ("%d-%b-%y", "%d-%b-%y"),
        ("%y/%m/%d", "%y/%m/%d"),
        ("%a, %d %b %Y %H:%M:%S +0000", "%a, %d %b %Y %H:%M:%S %z"),
        ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Y"),
        ("%d/%b/%Y:%H:%M:%S +0000", "%d/%b/%Y:%H:%M:%S %z"),
        ("%d.%m.%Y, %H:%M Uhr", "%d.%m.%Y, %H:%M Uhr"),
        ("%d-%b-%y %I.%M.%S.%f %p", "%d-%b-%y %I.%M.%S.%f %p"),
        ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%SZ"),
        ("%Y%m%d %H:%M", "%Y%m%d %H:%M"),
        ("%G-W%V-%u", "%G-W%V-%u"),
    ],
)
def test_dates_in_another_form_are_read_where_the_column_decides(form: str, setting: str, tmp_path: Path) -> None:
    frame = a_table(day=dates(form))

    found = described(frame, time="day")

    assert written(found) == {"dates": {"day": setting}}
    assert types(found)["day"] == "date"
    assert taken_in(frame, found, tmp_path).accepted == ROWS
    assert repr(setting)[1:-1] in issue_texts(found, "type")


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S +0100", "%Y-%m-%d %H:%M:%S.%f +0000 UTC", "%Y-%m-%d %H:%M UTC"])
def test_an_iso_date_with_a_zone_behind_a_space_needs_no_setting(form: str, tmp_path: Path) -> None:
    frame = a_table(day=dates(form))

    found = described(frame, time="day")

    assert (types(found)["day"], written(found), issue_texts(found, "type")) == ("date", {}, "")
    assert taken_in(frame, found, tmp_path).accepted == ROWS


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S CET", "%Y-%m-%d %H:%M EST", "%G-W%V", "%B %dth, %Y"])
def test_dates_that_no_setting_reads_are_issues(form: str) -> None:
    found = described(a_table(day=dates(form)))

    assert written(found) == {} and types(found)["day"] != "date"
    assert "day looks like dates ('" in issue_texts(found, "type") and "a form that is not read" in issue_texts(
        found, "type"
    )


@pytest.mark.parametrize(
    ("cells", "is_issue"),
    [
        ([f"{amount / 1000:.2f}{'kM'[n % 2]}" for n, amount in enumerate(AMOUNTS)], True),
        ([f"{'<' * (n % 5 == 0)}{amount}" for n, amount in enumerate(AMOUNTS)], True),
        ([f"'{amount}" for amount in AMOUNTS], True),
        ([f"#{n}" for n in range(ROWS)], False),
        ([f"A{n}" for n in range(ROWS)], False),
        ([f"{n}B" for n in range(3)] * 70, False),
    ],
)
def test_numbers_that_no_setting_reads_are_issues(cells: list[str], is_issue: bool) -> None:
    found = described(a_table(v=cells[:ROWS]))

    assert written(found) == {} and types(found)["v"] == "category"
    assert ("v looks like numbers with more beside them than a unit" in issue_texts(found, "type")) is is_issue


@pytest.mark.parametrize(
    ("form", "minus", "setting"),
    [
        ("$ {}", "$ ({})", "($)"),
        ("{} \u20ac", "({}) \u20ac", "(\u20ac)"),
        ("{}", "{} -", "-"),
        ("{} \u20ac", "{} \u20ac-", "\u20ac-"),
        ("Rs. {}", "-Rs. {}", "Rs."),
        ("{} sq ft", "-{} sq ft", "sq ft"),
    ],
)
def test_signs_of_minus_and_units_of_accounts_are_read(form: str, minus: str, setting: str, tmp_path: Path) -> None:
    wanted = [amount if n % 4 else -amount for n, amount in enumerate(AMOUNTS)]
    frame = a_table(v=[(form if each > 0 else minus).format(f"{abs(each):.2f}") for each in wanted])

    found = described(frame)

    assert written(found) == {"units": {"v": setting}}
    assert rows_of(frame, found, tmp_path)["v"].tolist() == wanted


@pytest.mark.parametrize(
    ("cells", "setting", "wanted"),
    [
        ([f"{each} m2" for each in AMOUNTS], {"units": {"v": "m2"}}, AMOUNTS),
        # a way of its own, where the other columns write numbers otherwise
        ([f"{german(each)} €" for each in AMOUNTS], {"units": {"v": "1.234,5 €"}}, AMOUNTS),
        ([f"1,{n % 90 + 10},500.50" for n in range(ROWS)], {"csv_thousands": ","}, INDIAN),
    ],
    ids=["a digit in the unit", "its own way", "groups of two as in India"],
)
def test_amounts_are_read_with_the_setting_that_is_written(
    cells: list[str], setting: dict[str, Any], wanted: list[float], tmp_path: Path
) -> None:
    frame = a_table(v=cells)

    found = described(frame)

    assert written(found) == setting
    assert rows_of(frame, found, tmp_path)["v"].tolist() == wanted


def test_numbers_stored_as_text_are_numbers_in_files_with_types_and_whole_ones_names() -> None:
    texts = ["NA" if n % 10 == 0 else str(amount) for n, amount in enumerate(AMOUNTS)]
    frame = pd.DataFrame(a_table()).assign(v=texts, code=[str(10000 + n % 7) for n in range(ROWS)])

    found = described(frame, as_text=False)

    assert types(found)["v"] == "number" and found.table["columns"]["v"]["nullable"]
    assert types(found)["code"] == "category"
    assert written(found)["units"]["v"] == ""
    assert "v holds numbers that are stored as text, such as" in issue_texts(found, "type")


def test_dates_of_which_some_are_stored_as_text_are_dates_all(tmp_path: Path) -> None:
    moments = [DAY + timedelta(days=n) for n in range(ROWS)]
    frame = pd.DataFrame(a_table()).assign(
        day=pd.Series([f"{day:%d.%m.%Y}" if n % 3 == 0 else day for n, day in enumerate(moments)], dtype=object),
        other=pd.Series(["03/04/2024" if n == 5 else day for n, day in enumerate(moments)], dtype=object),
    )

    found = described(frame, as_text=False)

    assert written(found)["dates"] == {"day": "%d.%m.%Y"}
    assert (types(found)["day"], types(found)["other"]) == ("date", "date")


@pytest.mark.parametrize("marker", ["#N/A N/A", "#NV", "-nan", "1.#QNAN", "-1.#IND"])
def test_what_programs_print_for_no_number_is_missing(marker: str) -> None:
    found = described(a_table(v=[marker if n % 9 == 0 else str(amount) for n, amount in enumerate(AMOUNTS)]))

    assert found.table["columns"]["v"] == {"type": "number", "nullable": True}


def test_forms_may_be_mixed_and_months_too(tmp_path: Path) -> None:
    days = [(DAY + timedelta(days=n)).strftime(["%Y-%m-%d", "%d.%m.%Y", "%d.%m.%Y %H:%M"][n % 3]) for n in range(ROWS)]
    frame = a_table(day=days, month=[f"{2000 + n // 12}-{n % 12 + 1:02}" for n in range(ROWS)])

    found = described(frame)

    assert written(found)["dates"] == {"day": ["%d.%m.%Y", "%d.%m.%Y %H:%M"], "month": "%Y-%m"}
    assert taken_in(frame, found, tmp_path).accepted == ROWS


@pytest.mark.parametrize(("last", "setting"), [("28/03/2024", "%d/%m/%Y"), ("03/28/2024", "%m/%d/%Y")])
def test_one_cell_decides_whether_the_day_comes_first(last: str, setting: str) -> None:
    days = [f"{n * 7 % 12 + 1:02}/{n * 5 % 12 + 1:02}/2024" for n in range(ROWS - 1)]

    assert written(described(a_table(day=[*days, last])))["dates"] == {"day": setting}


@pytest.mark.parametrize(("pick", "first"), [(0, "%d/%m/%Y"), (1, "%m/%d/%Y")])
def test_what_no_cell_decides_is_asked_and_both_settings_work(pick: int, first: str, tmp_path: Path) -> None:
    days = [f"{n * 7 % 12 + 1:02}/{n * 5 % 12 + 1:02}/2024" for n in range(ROWS)]
    frame = a_table(day=days, other=days[::-1])

    found = described(frame)

    asked = [issue for issue in found.issues if issue.suggestions]
    assert written(found) == {} and [issue.leaves_out for issue in asked] == [("day",), ("other",)]
    again = with_suggestions(frame, asked, pick, time="day")
    assert written(again)["dates"] == {"day": first, "other": first}
    assert taken_in(frame, again, tmp_path).accepted == ROWS


def test_the_order_of_the_rows_decides_where_no_cell_does_and_is_an_issue() -> None:
    found = described(a_table(day=[f"{1 + n // 17:02}/{1 + n % 17 // 2:02}/2024" for n in range(ROWS)]))

    assert written(found)["dates"] == {"day": "%m/%d/%Y"}
    assert "month first: no cell says so, but only so are the rows in the order of time" in issue_texts(found, "type")


@pytest.mark.parametrize("cells", [["1.2.3", "10.0.1"], ["192.168.0.1", "10.0.0.1"], ["room 12", "room 5"], ["5", "6"]])
def test_what_is_no_date_stays_what_it_is(cells: list[str]) -> None:
    found = described(a_table(v=cells * (ROWS // 2)))

    assert written(found) == {} and types(found)["v"] in ("category", "number")


def test_an_impossible_date_is_rejected(tmp_path: Path) -> None:
    frame = a_table(day=["31.02.2024", *dates("%d.%m.%Y")[1:]])

    taken = taken_in(frame, described(frame), tmp_path)

    assert (taken.accepted, taken.quarantine.rows) == (ROWS - 1, 1)
    assert "not as ingest.dates says" in taken.quarantine.first


def test_amounts_are_read_where_all_columns_agree(tmp_path: Path) -> None:
    frame = a_table(
        price=[f"${each:,.2f}" for each in AMOUNTS],
        share=[f"{n % 100}%" for n in range(ROWS)],
        profit=[f"({each:,.2f})" if n % 2 else f"{each:,.2f}" for n, each in enumerate(AMOUNTS)],
    )

    found = described(frame)

    assert written(found) == {"csv_thousands": ",", "units": {"price": "$", "share": "%", "profit": "()"}}
    rows = rows_of(frame, found, tmp_path)
    assert rows["price"].tolist() == AMOUNTS and rows["share"].tolist() == [n % 100 for n in range(ROWS)]
    assert rows["profit"].tolist() == [-each if n % 2 else each for n, each in enumerate(AMOUNTS)]


def test_columns_that_contradict_each_other_are_not_read_but_asked_about(tmp_path: Path) -> None:
    frame = a_table(price=[german(each) for each in AMOUNTS], cost=[f"{each:,.2f}" for each in AMOUNTS])

    found = described(frame)

    assert written(found) == {} and {types(found)[name] for name in ("price", "cost")} == {"category"}
    again = with_suggestions(frame, [issue for issue in found.issues if issue.kind == "numerals"])
    rows = rows_of(frame, again, tmp_path)
    assert rows["price"].tolist() == rows["cost"].tolist() == AMOUNTS


@pytest.mark.parametrize(("pick", "value"), [(0, 6.718), (1, 6718)])
def test_a_comma_that_may_mean_either_is_asked_about(pick: int, value: float, tmp_path: Path) -> None:
    frame = a_table()[["sold"]].assign(n=[str(n % 7) for n in range(ROWS)], v=[f"6,{718 - n}" for n in range(ROWS)])

    found = described(frame)

    (asked,) = (issue for issue in found.issues if issue.kind == "numerals")
    assert types(found)["v"] == "category" and written(found) == {}
    again = with_suggestions(frame, [asked], pick)
    assert rows_of(frame, again, tmp_path)["v"].iloc[0] == value


@pytest.mark.parametrize("said", ["csv_decimal", "csv_thousands"])
def test_a_column_that_is_not_written_as_params_say_is_asked_about_with_its_own_way(said: str, tmp_path: Path) -> None:
    other = {"csv_decimal": german, "csv_thousands": lambda each: f"{each:,.2f}"}[said]
    own = {"csv_decimal": lambda each: f"{each:,.2f}", "csv_thousands": german}[said]
    frame = a_table()[["sold"]].assign(price=list(map(other, AMOUNTS)), cost=list(map(own, AMOUNTS)))
    settings = {"csv_decimal": ("csv_thousands=.", "csv_decimal=,"), "csv_thousands": ("csv_thousands=,",)}[said]
    roles = tuple(SettingOverride("ingest", *each.split("="), "as said") for each in settings)

    (asked,) = (issue for issue in described(frame, settings=roles).issues if issue.kind == "numerals")

    assert asked.text.startswith("cost writes numbers such as")
    own_way = [SettingOverride(*key.split(".", 1), value, "as asked") for key, value in asked.suggestions[0].items()]
    again = described(frame, settings=(*roles, *own_way))
    assert issue_texts(again, "numerals") == ""
    rows = rows_of(frame, again, tmp_path)
    assert rows["price"].tolist() == rows["cost"].tolist() == AMOUNTS


def test_a_column_that_no_way_reads_is_to_be_written_in_one_way() -> None:
    found = described(a_table(v=["1,5", "1.234,567,8"] * (ROWS // 2)))

    assert "Write them all in one way into the file" in issue_texts(found, "numerals")


@pytest.mark.parametrize("cells", [["1/28/2024", "28/1/2024"], ["1.38.47", "1.40.10"]])
def test_dates_that_no_one_form_reads_are_issues_so(cells: list[str]) -> None:
    found = described(a_table(d=cells * (ROWS // 2)))

    assert "no one form reads nearly all of its cells" in issue_texts(found, "type")


def test_several_units_are_issues_and_not_read() -> None:
    found = described(a_table(weight=["5 kg", "500 g", "2.5 kg", "1 kg"] * (ROWS // 4)))

    assert types(found)["weight"] == "category" and written(found) == {}
    assert "weight has numbers in several units (kg, g)" in issue_texts(found, "type")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1E5", "10E4", "203"], "category"),
        (["1.2e-5", "3E+08", "1.5"], "number"),
        (["1E5", "2.5", "3"], "number"),
        (["0x1F", "0x2A"], "category"),
        (["12A", "3B"], "category"),
        (["\u22125", "+3", "4"], "number"),
    ],
)
def test_codes_stay_codes_and_numbers_numbers(cells: list[str], kind: str) -> None:
    found = described(a_table(v=[cells[n % len(cells)] for n in range(ROWS)]))

    assert types(found)["v"] == kind


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
@pytest.mark.parametrize("marker", ["NA", "?", "\\N", "-", "null"])
def test_markers_make_no_category_of_numbers(share: float, marker: str, tmp_path: Path) -> None:
    cells = [marker if n < share * ROWS else str(each) for n, each in enumerate(AMOUNTS)]
    frame = a_table(v=cells)

    found = described(frame)

    assert found.table["columns"]["v"] == {"type": "number", "nullable": True}
    assert f"v holds {marker!r} in {share * ROWS:.0f} cells: taken as missing" in issue_texts(found, "missing")
    taken = taken_in(frame, found, tmp_path)
    assert taken.accepted == ROWS and f"v holds {marker!r} in {share * ROWS:.0f} cells" in taken.warnings[0]


@pytest.mark.parametrize("word", ["unknown", "-999", "k.A.", "s/d"])
def test_what_behaves_like_a_marker_is_an_issue_with_the_setting_that_reads_it(word: str, tmp_path: Path) -> None:
    frame = a_table(v=[word if n % 5 == 0 else str(n % 37) for n in range(ROWS)])

    found = described(frame)

    asked = [issue for issue in found.issues if issue.suggestions]
    assert f"v holds {word!r}" in asked[0].text or f"v holds {word} in" in asked[0].text
    again = with_suggestions(frame, asked)
    assert again.table["columns"]["v"]["type"] == "number"
    assert rows_of(frame, again, tmp_path)["v"].isna().sum() == ROWS // 5


@pytest.mark.parametrize("kept", ["text", "number"])
@pytest.mark.parametrize("marker", ["-999.9", "-99.99", "-999.0", "9999", "999.99"])
def test_nines_with_a_fraction_mean_missing_too(marker: str, kept: str, tmp_path: Path) -> None:
    cells = [marker if n % 20 == 0 else f"{n % 37 / 4 + 0.13:.2f}" for n in range(ROWS)]
    is_text = kept == "text"
    frame = a_table(v=cells)
    if not is_text:
        frame["v"] = frame["v"].astype(float)

    found = described(frame, as_text=is_text)

    (asked,) = (issue for issue in found.issues if issue.suggestions)
    assert f"v holds {float(marker):g} in 10 cells, and 0.13 to 9.13 else" in asked.text
    again = with_suggestions(frame, [asked], as_text=is_text)
    assert rows_of(frame, again, tmp_path)["v"].isna().sum() == ROWS // 20


@pytest.mark.parametrize("number", ["-98.9", "99", "-9", "12.5", "0"])
def test_other_numbers_far_away_are_no_markers(number: str) -> None:
    found = described(a_table(v=[number if n % 20 == 0 else str(1000 + n % 37) for n in range(ROWS)]))

    assert issue_texts(found, "marker") == ""


def test_one_setting_reads_all_that_may_mean_missing() -> None:
    cells = {"v": ["k.A." if n % 25 == 0 else str(n % 37) for n in range(ROWS)]}
    cells["w"] = ["-999" if n % 20 == 0 else "offen" if n % 20 == 1 else str(n % 31) for n in range(ROWS)]

    (asked,) = (issue for issue in described(a_table(**cells)).issues if issue.suggestions)

    assert asked.suggestions[0]["ingest.missing"][-3:] == ["k.A.", "offen", "-999"]


def test_seconds_since_1970_are_issues_as_a_time() -> None:
    found = described(a_table(at=[1_700_000_000 + 60 * n for n in range(ROWS)]), time="at")

    assert "at looks like seconds since 1970" in issue_texts(found, "hint") and types(found)["at"] == "number"


@pytest.mark.parametrize("day", ["1 mars 2024", "1. M\u00e4rz 2024", "1 de mayo de 2024"])
def test_months_in_another_language_are_issues(day: str) -> None:
    assert "names of months are read in English alone" in issue_texts(described(a_table(day=[day] * ROWS)), "type")


def test_nothing_is_written_for_a_column_that_a_word_keeps_from_being_numbers(tmp_path: Path) -> None:
    frame = a_table(weight=["unknown" if n % 4 == 0 else f"{each} kg" for n, each in enumerate(AMOUNTS)])

    found = described(frame)

    assert written(found) == {} and types(found)["weight"] == "category"
    again = with_suggestions(frame, [issue for issue in found.issues if issue.suggestions])
    assert written(again)["units"] == {"weight": "kg"} and types(again)["weight"] == "number"
    assert taken_in(frame, again, tmp_path).accepted == ROWS


def test_numbers_that_the_way_of_others_changes_are_issues() -> None:
    frame = a_table()[["sold"]].assign(
        price=[german(each) for each in AMOUNTS], visits=[f"{1 + n % 9}.{100 + n}" for n in range(ROWS)]
    )

    found = described(frame)

    assert written(found) == {"csv_thousands": ".", "csv_decimal": ","}
    assert "visits '1.100' is 1100" in issue_texts(found, "type")
