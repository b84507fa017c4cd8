"""What ingestion leaves for the service of columns whose lags are features."""

import pandas as pd
import pytest

from releve.adapters.known_values import known_values_path, read_known_values
from releve.domain.features import clock
from releve.domain.features import known as known_values
from tasks.ingestion.ingest import ingest
from tests.tables import SHOP, shop_rows

AT = {"type": "date"}


@pytest.fixture
def timed(fresh):
    """A shop whose rows have a time, and yesterday's price as a feature."""
    fresh.override(columns={"at": AT}, time="at", features={"lags": {"price": [1], "bought": [1]}, "step": "day"})
    return fresh


def rows(days, *, start="2024-01-01"):
    return shop_rows(days).assign(at=pd.date_range(start, periods=days).astype("datetime64[us]"))


def known(shop):
    return read_known_values(known_values_path(shop.settings.home, SHOP)).columns


def test_the_newest_values_are_there_after_each_file(timed):
    timed.receive(rows(90), "one.parquet")
    ingest(timed.settings, SHOP)
    first = known(timed)
    timed.receive(rows(90, start="2024-03-31"), "two.parquet")
    ingest(timed.settings, SHOP)

    assert first["price"].values[-1] == rows(90)["price"].iloc[-1]
    assert first["bought"].values[-1] == rows(90)["bought"].iloc[-1]
    assert known(timed)["price"].times[-1] == first["price"].times[-1] + 90 * 86_400_000_000


def test_a_run_that_was_killed_before_is_made_up_for(timed):
    timed.receive(rows(90), "one.parquet")
    ingest(timed.settings, SHOP)
    before, path = known(timed), known_values_path(timed.settings.home, SHOP)

    for left in ("", path.read_text().replace('"data_version":"', '"data_version":"0')):
        path.write_text(left)
        ingest(timed.settings, SHOP)
        assert known(timed) == before


@pytest.mark.parametrize(("most", "is_told"), [(3, False), (2, True)])
def test_lags_that_reach_farther_than_what_is_kept_are_told(timed, monkeypatch, most, is_told):
    monkeypatch.setattr(known_values, "MOST_VALUES", most)
    monkeypatch.setattr(clock, "NEWEST_ROWS", 1)
    timed.receive(rows(90), "one.parquet")

    first, again = ingest(timed.settings, SHOP), ingest(timed.settings, SHOP)

    assert [len(each.values) for each in known(timed).values()] == [most, most]
    assert first.short_lags == again.short_lags
    assert first.short_lags.startswith("features.lags.price reaches 2 steps back, and the newest 2 values") is is_told


def test_without_lags_there_is_no_file(fresh):
    path = known_values_path(fresh.settings.home, SHOP)
    path.parent.mkdir(parents=True)
    path.write_text("of a scenario that had lags once")
    fresh.receive(shop_rows(90))

    ingest(fresh.settings, SHOP)

    assert not path.exists()


def test_a_file_that_brings_a_feature_of_ours_is_refused(timed):
    timed.receive(rows(90).assign(**{"price.lag_1": 1.0}))

    [refusal] = ingest(timed.settings, SHOP).refusals

    assert "has the unknown 'price.lag_1'" in refusal.reason
