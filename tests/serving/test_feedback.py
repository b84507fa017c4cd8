"""Labels by the table's own id: the newest answer that carried it, all or none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from releve.adapters.prediction_ledger import cells
from releve.adapters.prediction_ledger.compaction import compact
from releve.adapters.prediction_ledger.hash_key import hidden_cells
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import BadInput
from releve.core.params import LedgerRules
from releve.core.settings import Settings
from releve.domain.schema.schema import Schema
from releve.serving.faults import Refused
from releve.serving.feedback import UnknownRows, write_labels
from releve.serving.requests import labels_of
from tests.factories import make_schema
from tests.serving.conftest import Running
from tests.tables import RENTALS, RENTALS_TABLE, rentals_row, rentals_schema

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerWriter]:
    """A ledger whose lines are eight hours apart, so that it has several days."""
    hours = count()
    writer = LedgerWriter(tmp_path, RENTALS, clock=lambda: START + timedelta(hours=8 * next(hours)))
    yield writer
    writer.close()


def answer(ledger: LedgerWriter, *stations: Any) -> str:
    rows = [rentals_row() if station is None else rentals_row(station=station) for station in stations]
    return ledger.answer(model="m:1", index=None, rows=rows, labels=[1.0] * len(rows), probabilities=None)


def labels_in(folder: Path) -> dict[str, Any]:
    return {row_id: label for row_id, (label, _) in LedgerReader(folder).labels().items()}


def test_an_own_id_names_its_newest_answer(ledger: LedgerWriter, tmp_path: Path):
    first = answer(ledger, "north", "south")
    for _ in range(4):
        answer(ledger, None, "west")
    newest = answer(ledger, "east", "north")

    write_labels(ledger, rentals_schema(), [("north", 5.0), ("south", 6.0), (f"{first}.0", 7.0)])

    assert labels_in(tmp_path) == {f"{newest}.1": 5.0, f"{first}.1": 6.0, f"{first}.0": 7.0}


@pytest.mark.parametrize("searched", [2, 40])
def test_other_spellings_of_an_id_are_the_same_id(ledger: LedgerWriter, tmp_path: Path, searched: int):
    request = answer(ledger, 17, " b\u00e9 \n", *(f"x{number}" for number in range(searched)))
    others = [(f"x{number}", 1.0) for number in range(searched)]

    write_labels(ledger, rentals_schema(), [("17", 5.0), ("b\u00e9", 6.0), *others])

    found = labels_in(tmp_path)
    assert (found[f"{request}.0"], found[f"{request}.1"], len(found)) == (5.0, 6.0, 2 + searched)


@pytest.mark.parametrize(
    ("column", "sent", "given"),
    [({"type": "number"}, 12, 12.0), ({"type": "category", "ignore_case": True}, "North", "NORTH")],
)
def test_ids_are_compared_as_the_column_keeps_them(ledger: LedgerWriter, tmp_path: Path, column, sent, given):
    columns = {**RENTALS_TABLE["columns"], "station": {**column, "feature": False}}
    request = answer(ledger, sent)

    write_labels(ledger, Schema.from_dict({**RENTALS_TABLE, "columns": columns}), [(given, 5.0)])

    assert labels_in(tmp_path) == {f"{request}.0": 5.0}


def test_an_unknown_own_id_refuses_them_all(ledger: LedgerWriter, tmp_path: Path):
    answer(ledger, "north")

    with pytest.raises(UnknownRows, match="id 'nowhere' is the 'station' of no answer; nothing was written") as error:
        write_labels(ledger, rentals_schema(), [("north", 5.0), ("nowhere", 6.0)])

    assert [(each.row, each.column) for each in error.value.problems] == [(1, "id")]
    assert labels_in(tmp_path) == {}


def test_an_old_answer_is_not_searched_for_without_end(ledger: LedgerWriter, monkeypatch: pytest.MonkeyPatch):
    answer(ledger, "north")
    for _ in range(3):
        answer(ledger, "south")
    monkeypatch.setattr(cells, "SEARCHED_BYTES", 1)

    with pytest.raises(UnknownRows, match=r"of no answer in the newest .* send the prediction's id"):
        write_labels(ledger, rentals_schema(), [("north", 5.0)])


def test_within_one_large_day_only_the_newest_answers_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = LedgerWriter(tmp_path, RENTALS, clock=lambda: START)
    answer(writer, "north")
    for number in range(20):
        answer(writer, f"pier {number}")
    monkeypatch.setattr(cells, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(cells, "SEARCHED_BYTES", 2500)

    write_labels(writer, rentals_schema(), [("pier 19", 5.0)])
    with pytest.raises(UnknownRows, match=r"of no answer in the newest .* send the prediction's id"):
        write_labels(writer, rentals_schema(), [("north", 5.0)])
    writer.close()


def test_an_id_that_several_workers_answered_names_the_newest_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    minutes = count()
    clock = partial(next, (START + timedelta(minutes=minute) for minute in minutes))
    writers = [LedgerWriter(tmp_path, RENTALS, clock=clock, worker=worker * 8) for worker in "ab"]
    monkeypatch.setattr(cells, "BLOCK_BYTES", 1)
    ids = [answer(writers[order], "north", f"pier {number}") for number, order in enumerate([0, 1, 0, 0, 1, 1, 0, 1])]

    write_labels(writers[0], rentals_schema(), [("north", 5.0), *((f"pier {n}", float(n)) for n in range(7))])

    expected = {f"{ids[7]}.0": 5.0} | {f"{ids[number]}.1": float(number) for number in range(7)}
    assert labels_in(tmp_path) == expected
    for writer in writers:
        writer.close()


def test_an_id_of_two_rows_of_one_request_names_neither(ledger: LedgerWriter, tmp_path: Path):
    answer(ledger, "north", "north")

    with pytest.raises(Refused, match="'north' stands in 2 rows of one request; send the prediction's id"):
        write_labels(ledger, rentals_schema(), [("north", 5.0)])

    assert labels_in(tmp_path) == {}


def test_one_row_gets_one_label_however_it_is_named(ledger: LedgerWriter, tmp_path: Path):
    request = answer(ledger, "north")

    write_labels(ledger, rentals_schema(), [("north", 5.0), (f"{request}.0", 5.0)])
    with pytest.raises(Refused, match="send one label an id"):
        write_labels(ledger, rentals_schema(), [("north", 5.0), (f"{request}.0", 6.0)])


@pytest.mark.parametrize("given", ["", " \t", None, True, [], {}])
def test_what_can_be_no_id_is_refused(given: Any):
    body = orjson.dumps({"labels": [{"id": given, "label": 1}]})

    with pytest.raises(Refused, match="expected the id of a predicted row, or its 'station'"):
        labels_of(body, rentals_schema(), max_rows=1)


def test_a_table_without_an_id_column_knows_predictions_alone(ledger: LedgerWriter):
    with pytest.raises(Refused, match="is 3, expected the id of a predicted row"):
        labels_of(b'{"labels": [{"id": 3, "label": 1}]}', make_schema(), max_rows=1)
    with pytest.raises(UnknownRows, match="'north' belongs to no answer"):
        write_labels(ledger, make_schema(), [("north", 1)])


@pytest.mark.slow
def test_the_service_takes_the_id_that_a_request_carried(rentals: Running):
    sent = rentals.post("/predict", rows=[rentals_row(station="pier 7")]).json()["predictions"][0]["id"]

    accepted = rentals.post("/feedback", labels=[{"id": "pier 7", "label": 12}])
    unknown = rentals.post("/feedback", labels=[{"id": "pier 8", "label": 12}])

    assert (accepted.status_code, accepted.json()["accepted"]) == (200, 1)
    assert LedgerReader(rentals.home / "ledger" / RENTALS).labels()[sent][0] == 12
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_answer")


def hide(ledger: LedgerWriter, home: Path, **rules: Any) -> Settings:
    """The ledger's owner hides columns of the rentals."""
    there = Settings(project=home, home=home, registry_url="", milvus_uri="")
    ledger.hidden = hidden_cells(
        there,
        LedgerRules(**{"keep_days": 0, "hash": (), "drop": (), "keep_clear": (), "push": False, **rules}),
        rentals_schema(),
    )
    return there


@pytest.mark.parametrize("compacted", [False, True])
def test_a_hashed_id_is_on_no_disk_and_still_finds_its_row(ledger: LedgerWriter, tmp_path: Path, compacted: bool):
    clear = answer(ledger, "south")
    hide(ledger, tmp_path / "home", hash=("station",))
    hashed = answer(ledger, "north", " north \n", "west")
    if compacted:
        ledger.sync()
        answer(ledger, None)  # two days later
        ledger.close()
        compact(tmp_path, now=START + timedelta(days=9))
        ledger = LedgerWriter(tmp_path, RENTALS, clock=lambda: START + timedelta(days=9))
        hide(ledger, tmp_path / "home", hash=("station",))

    write_labels(ledger, rentals_schema(), [("west", 5.0), ("south", 6.0)])

    assert labels_in(tmp_path) == {f"{hashed}.2": 5.0, f"{clear}.0": 6.0}
    with pytest.raises(Refused, match="stands in 2 rows"):
        write_labels(ledger, rentals_schema(), [("north", 5.0)])
    assert not [path for path in tmp_path.glob("answers*") if b"north" in path.read_bytes()]
    assert "station" not in LedgerReader(tmp_path).answers_to([f"{hashed}.0"]).features
    ledger.close()


def test_a_dropped_id_asks_for_the_predictions(ledger: LedgerWriter, tmp_path: Path):
    hide(ledger, tmp_path / "home", drop=("station",))
    sent = answer(ledger, "north")

    with pytest.raises(UnknownRows, match=r"'station' is not kept \(ledger.drop\): send the prediction's"):
        write_labels(ledger, rentals_schema(), [("north", 5.0)])
    write_labels(ledger, rentals_schema(), [(f"{sent}.0", 5.0)])

    assert labels_in(tmp_path) == {f"{sent}.0": 5.0}
    assert b"station" not in next(tmp_path.glob("answers*")).read_bytes()


def test_a_column_that_the_model_learns_from_cannot_be_hidden(ledger: LedgerWriter, tmp_path: Path):
    with pytest.raises(BadInput, match=r"ledger\.hash names 'temperature', which the model learns from"):
        hide(ledger, tmp_path, hash=(rentals_schema().features[0].name,))


def test_the_key_is_made_once_for_its_owner_and_another_key_makes_other_hashes(ledger: LedgerWriter, tmp_path: Path):
    there, column = hide(ledger, tmp_path, hash=("station",)), rentals_schema().column("station")
    made = ledger.hidden.hashes(column, ["north"])
    path = tmp_path / "ledger-key"

    hide(ledger, tmp_path, hash=("station",))
    again = ledger.hidden.hashes(column, ["north"])
    given = hidden_cells(
        replace(there, ledger_key="ours"),
        LedgerRules(keep_days=0, keep_clear=(), hash=("station",), drop=(), push=False),
        rentals_schema(),
    )

    assert again == made != given.hashes(column, ["north"])
    assert path.stat().st_mode & 0o777 == 0o600
