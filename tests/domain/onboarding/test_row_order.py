"""The order that the rows claim, held against their dates, and how the target changes along it."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.domain.onboarding.tables import ROWS, a_table, described, issue_texts

DAYS = [str(date(2024, 1, 1) + timedelta(days=n)) for n in range(ROWS)]
MIXED = [DAYS[n] for n in np.random.default_rng(3).permutation(ROWS)]


def test_a_file_that_is_newest_first_is_ordered_by_its_date() -> None:
    found = described(a_table(listed=DAYS[::-1]))

    assert found.table["time"] == "listed"
    assert found.issues[0].kind == "order"
    assert found.issues[0].text.startswith("the file is sorted newest first: listed decreases from row to row.")
    assert "as TIME=listed would" in found.issues[0].text


def test_it_still_is_where_neighbours_stand_out_of_order_and_a_date_is_missing() -> None:
    days = DAYS[::-1]
    days[::2], days[1::2] = days[1::2], days[::2]
    days[50] = ""

    assert described(a_table(listed=days)).table["time"] == "listed"


@pytest.mark.parametrize(
    "columns", [{"listed": DAYS}, {"listed": DAYS, "born": MIXED}, {"listed": DAYS, "due": DAYS[::-1]}]
)
def test_where_a_date_grows_with_the_rows_nothing_is_wrong(columns: dict[str, Any]) -> None:
    found = described(a_table(**columns))

    assert issue_texts(found, "order") == ""
    assert "time" not in found.table


def test_dates_in_no_order_are_asked_about() -> None:
    found = described(a_table(**{"listed on": MIXED}))

    assert "time" not in found.table
    assert issue_texts(found, "order").startswith("the rows are in no order of time: listed on goes back and forth.")
    assert issue_texts(found, "order").endswith("if listed on tells when a row came about, set TIME='listed on'")


@pytest.mark.parametrize("days", [DAYS, DAYS[::-1], MIXED])
def test_once_the_time_is_given_there_is_no_issue(days: list[str]) -> None:
    found = described(a_table(listed=days), time="listed")

    assert issue_texts(found, "order") == issue_texts(found, "time") == issue_texts(found, "hint") == ""


def test_a_time_that_runs_against_a_date_is_an_issue() -> None:
    found = described(a_table(step=range(ROWS), listed=DAYS[::-1]), time="step")

    assert issue_texts(found, "order").startswith("in the order of step, the rows are newest first by listed;")


def test_a_number_that_counts_down_is_asked_about() -> None:
    found = described(a_table(ticket=range(5000, 5000 - ROWS, -1)))

    assert "ticket counts down with the rows" in issue_texts(found, "order")
    assert "set TIME=ticket" in issue_texts(found, "order")


@pytest.mark.parametrize(
    ("step", "how"), [(1, ""), (-1, "by year and month the rows are newest first"), (7, "are in no order of time")]
)
def test_a_year_and_a_month_are_a_time_together(step: int, how: str) -> None:
    months = [(n * step) % ROWS for n in range(ROWS)]

    sentence = issue_texts(
        described(a_table(year=[2001 + n // 12 for n in months], month=[1 + n % 12 for n in months])), "order"
    )

    assert how in sentence
    assert bool(sentence) is bool(how)


def test_two_different_dates_are_no_order() -> None:
    assert issue_texts(described(a_table(born=[DAYS[0], DAYS[1]] * (ROWS // 2))), "order") == ""


def shares(found: Any) -> str:
    return next((line for line in found.summary if "oldest fifth" in line), "")


def labels(*per_hundred: int) -> list[str]:
    dice = np.random.default_rng(2)
    return [label for yes in per_hundred for label in dice.permutation(["yes"] * yes + ["no"] * (100 - yes)).tolist()]


def test_the_shares_of_the_positive_class_over_time_are_in_the_summary() -> None:
    found = described(a_table(500, sold=labels(40, 41, 42, 41, 40)))

    assert shares(found).endswith("yes 40%, 41%, 42%, 41%, 40%")
    assert issue_texts(found, "shift") == ""
    assert any(line.startswith("  positive class: yes (by its name;") for line in found.summary)


def test_they_follow_the_time_that_is_claimed() -> None:
    frame = a_table(500, sold=labels(10, 20, 30, 40, 50), day=[f"{3000 - n}" for n in range(500)])

    assert shares(described(frame, time="day")).endswith("yes 50%, 40%, 30%, 20%, 10%")


@pytest.mark.parametrize(("newest", "is_issue"), [(43, False), (62, True)])
def test_a_share_that_changes_much_is_an_issue_with_what_it_does_to_the_gate(newest: int, is_issue: bool) -> None:
    found = described(a_table(500, sold=labels(30, 33, 36, 40, newest)))

    assert ("the gate may refuse it" in issue_texts(found, "shift")) is is_issue
    assert (f"from 30% in the oldest fifth of the rows to {newest}%" in issue_texts(found, "shift")) is is_issue


def test_a_difference_that_few_rows_show_by_chance_is_no_issue() -> None:
    sold = [label for yes in (8, 10, 12, 9, 12) for label in ["yes"] * yes + ["no"] * (20 - yes)]

    assert issue_texts(described(a_table(100, sold=sold)), "shift") == ""


def test_rows_that_are_sorted_by_the_target_are_issues() -> None:
    frame = a_table(400).sort_values("sold", ignore_index=True)

    assert "the rows are sorted by sold" in issue_texts(described(frame), "order")


@pytest.mark.parametrize(("slope", "is_issue"), [(0.0, False), (3.0, True)])
def test_a_mean_that_changes_much_is_an_issue(slope: float, is_issue: bool) -> None:
    noise = np.random.default_rng(1).normal(0, 1, 500)
    frame = a_table(500, price=(100 + noise + slope * np.linspace(0, 1, 500)).round(3))

    found = described(frame.drop(columns="sold"), target="price")

    assert ("the mean of price changes with time" in issue_texts(found, "shift")) is is_issue
    assert shares(found).startswith("  mean, from the oldest fifth")


def test_the_summary_says_how_many_rows_have_no_label() -> None:
    frame = pd.concat([a_table(), a_table(50).assign(sold="")], ignore_index=True)

    assert "  without a label: 50 rows (20.0%)" in described(frame).summary
