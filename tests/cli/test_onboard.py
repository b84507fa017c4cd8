import pytest

from releve.cli.onboard import split_settings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", []),
        ("  ", []),
        ("ingest.csv_decimal=,", ["ingest.csv_decimal=,"]),
        (" ingest.csv_decimal=,  split.holdout_rows=50 ", ["ingest.csv_decimal=,", "split.holdout_rows=50"]),
        ('ingest.missing=["not known", "$"]', ['ingest.missing=["not known", "$"]']),
        (
            "source.query=select * from t where t.id = 3 and t.x=4",
            ["source.query=select * from t where t.id = 3 and t.x=4"],
        ),
    ],
)
def test_settings_are_parted_where_the_next_one_begins(text, settings):
    assert split_settings(text) == settings
