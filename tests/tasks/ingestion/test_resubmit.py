import csv
import json

import pytest

from releve.core.errors import BadInput, NotFound
from tasks.ingestion.ingest import ingest
from tasks.ingestion.resubmit import resubmit
from tests.tables import SHOP, shop_rows

pytestmark = pytest.mark.slow

ROWS = "".join(f"bread,{number},2,yes\n" for number in range(20))
SPOILED = f'kind,price,weight,bought\n{ROWS}bread,-1,2,yes\ntea,-2,,maybe\nbread,1,2,yes,surplus\n"a"b,1,2,yes\n'


def test_rejected_rows_come_back_once_each_as_they_were_with_line_column_value_and_reason(fresh):
    fresh.receive_text(SPOILED)
    batch = ingest(fresh.settings, SHOP).batches[0]

    path = resubmit(fresh.settings, SHOP, batch.batch)

    assert (batch.rows, batch.rejected) == (20, 4)
    with path.open(newline="") as file:
        header, first, second, third, fourth = csv.reader(file)
    assert header == ["_line", "_column", "_value", "_reason", "kind", "price", "weight", "bought"]
    assert first == ["22", "price", "-1.0", "is -1.0, expected at least 0", "bread", "-1", "2", "yes"]
    assert second[:3] == ["23", "price | kind | bought", "-2.0 | tea | maybe"]
    assert second[3].startswith("is -2.0, expected at least 0 | is 'tea', expected one of apple, bread, cheese | is 'm")
    assert second[4:] == ["tea", "-2", "", "maybe"]
    assert third[:2] + third[3:] == ["24", "(line)", "has 5 cells, expected 4", "bread", "1", "2", "yes", "surplus"]
    assert fourth[:3] == ["25", "(line)", '"a"b,1,2,yes']
    assert fourth[4:] == [""] * 4


def test_mended_rows_are_ingested_and_no_accepted_row_comes_twice(fresh):
    fresh.receive_text(SPOILED)
    first = ingest(fresh.settings, SHOP).batches[0]
    path = resubmit(fresh.settings, SHOP, first.batch)
    fixed = path.read_text().replace(",-1,2", ",1,2").replace("tea,-2,,maybe", "cheese,2,,no").replace(",surplus", "")
    fresh.receive_text(fixed.replace(",,,,\n", ",apple,1,2,yes\n"), path.name)

    second = ingest(fresh.settings, SHOP).batches[0]

    assert (second.rows, second.rejected, second.warnings) == (4, 0, ())
    assert sum(batch.rows for batch in fresh.batches) == 24


MENDED = "_line,_column,_value,_reason,kind,price,weight,bought\n"


def test_a_mended_file_is_held_against_no_batch_and_what_is_wrong_still_goes_back_alone(fresh):
    fresh.override(
        batch={"min_rows": 10, "refuse": ["row_count"]},
        columns={"kind": {"type": "category", "nullable": True}},
    )
    fresh.receive_text(f"kind,price,weight,bought\n{ROWS}")
    ingest(fresh.settings, SHOP)
    why = "22,price,-1.0,is -1.0; expected | at least 0,"
    fresh.receive_text(f"{MENDED}{why}tea,99,,yes\n{why}tea,99,,yes\n{why}tea,-1,,yes\n23,,,,a,b,c,d,e\n", "mine.csv")

    batch = ingest(fresh.settings, SHOP).batches[0]

    assert (batch.rows, batch.rejected, batch.warnings) == (2, 2, ())
    again = resubmit(fresh.settings, SHOP, batch.batch).read_text().splitlines()
    assert again[0] == MENDED.strip()
    assert again[1] == '4,price,-1.0,"is -1.0, expected at least 0",tea,-1,,yes'
    assert again[2].endswith('"has 9 cells, expected 8",a,b,c,d,e')


def test_a_mended_file_in_which_nothing_fits_is_refused(fresh):
    fresh.receive_text(f"{MENDED}22,price,-1.0,is,tea,-1,,yes\n", "mine.csv")

    found = ingest(fresh.settings, SHOP)

    assert "none of 1 row fits the schema" in found.refusals[0].reason


def test_json_lines_come_back_as_json_lines(fresh):
    good = {"kind": "bread", "price": 1, "weight": None, "bought": "yes"}
    lines = [*[json.dumps(good)] * 20, json.dumps({**good, "price": -1}), "[1, 2]"]
    fresh.receive_text("\n".join(lines) + "\n", "today.jsonl")
    batch = ingest(fresh.settings, SHOP).batches[0].batch

    path = resubmit(fresh.settings, SHOP, batch)

    assert path.name == f"{batch}-to-fix.jsonl"
    first, second = map(json.loads, path.read_text().splitlines())
    assert {name: first[name] for name in good} == {**good, "price": -1}
    assert (first["_line"], first["_column"], first["_reason"]) == (21, "price", "is -1, expected at least 0")
    assert (second["_line"], second["_value"], second.keys() & good.keys()) == (22, "[1, 2]", set())


@pytest.mark.parametrize("batch", ["00000009-x", "../00000001", ""])
def test_a_batch_without_rejected_rows_is_told(batch, fresh):
    with pytest.raises(NotFound, match="has no rejected rows; no batch has any"):
        resubmit(fresh.settings, SHOP, batch)


def test_a_file_that_somebody_may_be_editing_is_not_written_over(fresh):
    fresh.receive_text(SPOILED)
    batch = ingest(fresh.settings, SHOP).batches[0].batch
    resubmit(fresh.settings, SHOP, batch).write_text("half fixed")

    with pytest.raises(BadInput, match="is there already"):
        resubmit(fresh.settings, SHOP, batch)


def test_typed_cells_come_back_with_their_types(fresh):
    frame = shop_rows(20).astype({"price": object})
    frame.loc[0, "price"] = -1
    fresh.receive(frame)
    batch = ingest(fresh.settings, SHOP).batches[0].batch

    path = resubmit(fresh.settings, SHOP, batch)

    assert path.suffix == ".jsonl"
    assert json.loads(path.read_text())["price"] == -1


def test_a_text_that_begins_like_json_comes_back_as_csv_where_it_came_so(fresh):
    fresh.receive_text(f'kind,price,weight,bought\n{ROWS}"{{a""b",1,2,yes\n"{{"b,1,2,yes\n')
    batch = ingest(fresh.settings, SHOP).batches[0].batch

    assert resubmit(fresh.settings, SHOP, batch).suffix == ".csv"
