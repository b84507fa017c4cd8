import shlex
from pathlib import Path

import pytest

from releve.cli import onboard
from releve.cli.onboard import split_settings
from releve.core.settings import Settings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", []),
        ("  ", []),
        ("ingest.csv_decimal=,", ["ingest.csv_decimal=,"]),
        (" ingest.csv_decimal=,  monitor.window_rows=50 ", ["ingest.csv_decimal=,", "monitor.window_rows=50"]),
        ('ingest.missing=["not known", "$"]', ['ingest.missing=["not known", "$"]']),
        (
            "source.query=select * from t where t.id = 3 and t.x=4",
            ["source.query=select * from t where t.id = 3 and t.x=4"],
        ),
    ],
)
def test_settings_are_parted_where_the_next_one_begins(text, settings):
    assert split_settings(text) == settings


def test_the_command_that_sends_rejected_rows_again_can_be_typed_whatever_the_file_is_called(monkeypatch, capsys):
    folder = Path("/home/ana's files")
    monkeypatch.setattr(
        onboard, "begin", lambda scenario: Settings.from_environ({"RELEVE_HOME": str(folder)}, cwd=folder)
    )
    monkeypatch.setattr("tasks.ingestion.resubmit.resubmit", lambda *_: folder / "a b$(touch c).csv")

    onboard.resubmit("shop", "00000001")

    command = capsys.readouterr().out.partition("send it: ")[2]
    assert shlex.split(command) == ["mv", f"{folder}/a b$(touch c).csv", f"{folder}/incoming/shop/"]
