import pytest

from releve.adapters.drift_report import ReportSubject
from releve.domain.drift.verdict import DriftState
from releve.domain.trigger.monitoring_run import AnsweredWindow
from tasks.monitoring.monitor import PAGE, compare_and_report, is_news, state_before
from tests.page_histories import drift, make_run
from tests.tables import make_params, shop_rows, shop_schema

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

RULE = make_params().monitor
SUBJECT = ReportSubject("shop", "shop:1", "2024-01-01T08:00:00+00:00", first_at=None, last_at=None)
MONDAY, TUESDAY, MONDAY_AFTER = "20240101T080000.000000Z", "20240102T080000.000000Z", "20240108T080000.000000Z"


def compared(folder, *, rows=300, shift=0.0):
    current = shop_rows(rows, seed=3, price_shift=shift)
    return compare_and_report(
        shop_rows(500), current, shop_schema(), RULE, subject=SUBJECT, before=NO_DRIFT, folder=folder
    )


def written(folder):
    return {path.name for path in folder.glob("*")}


@pytest.mark.slow
def test_a_page_is_made_weekly_and_at_every_alarm(tmp_path):
    assert compared(tmp_path / MONDAY).state == NO_DRIFT
    assert compared(tmp_path / TUESDAY).state == NO_DRIFT
    assert compared(tmp_path / MONDAY_AFTER).state == NO_DRIFT
    assert compared(tmp_path / "20240109T080000.000000Z", shift=50.0).state == DRIFT

    assert written(tmp_path / MONDAY) == {PAGE, "evidently.json"}
    assert written(tmp_path / TUESDAY) == {"evidently.json"}
    assert written(tmp_path / MONDAY_AFTER) == {PAGE, "evidently.json"}
    assert written(tmp_path / "20240109T080000.000000Z") == {PAGE, "evidently.json"}


def test_where_nothing_can_be_compared_nothing_is_written(tmp_path):
    assert compared(tmp_path / MONDAY, rows=199).state == INSUFFICIENT

    assert not (tmp_path / MONDAY).exists()


def a_run(state, last_at, *, model="shop:1"):
    return make_run(model=model, drift=drift(state), window=AnsweredWindow(300, last_at, last_at, 0))


@pytest.mark.parametrize(
    ("runs", "state"),
    [
        ([], NO_DRIFT),
        ([a_run(SUSPECTED, "2024-01-01")], SUSPECTED),
        ([a_run(SUSPECTED, "2024-01-02")], NO_DRIFT),  # a row of the present window was in that one too
        ([a_run(SUSPECTED, "2024-01-01"), a_run(DRIFT, "2024-01-03")], SUSPECTED),
        ([a_run(SUSPECTED, "2024-01-01", model="shop:0")], SUSPECTED),  # a refresh changes no row
        ([a_run(INSUFFICIENT, None)], NO_DRIFT),
    ],
)
def test_only_the_newest_run_over_other_rows_is_remembered(runs, state):
    assert state_before(runs, first_at="2024-01-02") == state


@pytest.mark.parametrize(
    ("state", "rows", "last_at", "news"),
    [
        ("drift", 300, "2024-01-02", False),
        ("drift", 301, "2024-01-02", True),
        ("drift", 300, "2024-01-03", True),
        ("no drift", 300, "2024-01-02", True),
    ],
)
def test_a_verdict_is_news_where_it_or_its_rows_are_other_ones_than_in_the_run_before(state, rows, last_at, news):
    before = AnsweredWindow(300, "2024-01-01", "2024-01-02", 0)
    window = AnsweredWindow(rows, "2024-01-01", last_at, 0)

    assert is_news(drift(state), window, [make_run(drift=drift("drift"), window=before)]) is news
    assert is_news(drift(state), window, [])
