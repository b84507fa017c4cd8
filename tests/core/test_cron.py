"""Schedules of params.yaml: what Prefect would refuse, or never run, is refused where it is written."""

from datetime import UTC, datetime

import pytest
from pydantic_core import PydanticCustomError

from releve.core.cron import check_cron, check_time_zone

GOOD = ("30 2 * * *", "*/15 0-6,22 * * mon-fri", "0 0 29 2 *", "0 0 31 1-2 *", "0 0 30/1 4 sun", "0 0 * feb 7")


@pytest.mark.parametrize("text", GOOD)
def test_prefect_finds_the_next_time_of_what_is_taken(text: str) -> None:
    from prefect._vendor.croniter import croniter

    assert check_cron(text) == text
    assert croniter(text, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@daily", "should have five fields"),
        ("* * * * * *", "should have five fields"),
        ("60 * * * *", "should have a minute of 0 to 59, as a number, a range, a list or a step, and not '60'"),
        ("*/0 * * * *", "should have a minute"),
        ("0 22-2 * * *", "should have a hour"),
        ("0 0 * * 5#3", "should have a day of the week"),
        ("0 0 30 2 *", "should have a day of the month that one of its months has"),
        ("0 0 31 4,jun,9/2 *", "should have a day of the month that one of its months has"),
        ("0 0 30,31 feb mon", "should have a day of the month that one of its months has"),
    ],
)
def test_what_never_comes_or_is_no_cron_is_refused(text: str, message: str) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        check_cron(text)

    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["", "europe/paris", "+02:00", "../UTC", "Europe", "posixrules"])
def test_a_time_zone_is_one_that_prefect_knows(name: str) -> None:
    assert check_time_zone("Europe/Paris") == "Europe/Paris"
    with pytest.raises(PydanticCustomError, match="should be a time zone of the IANA database"):
        check_time_zone(name)
