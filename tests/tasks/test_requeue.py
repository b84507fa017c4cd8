import json

import pytest

from releve.errors import BadInput, NotFound
from tasks.ingest import ingest
from tasks.requeue import requeue
from tests.tables import SHOP, shop_rows

pytestmark = pytest.mark.slow

ROWS = "".join(f"bread,{number},2,yes\n" for number in range(20))
SPOILED = f'kind,price,weight,bought\n{ROWS}bread,-1,2,yes\ntea,-2,,maybe\nbread,1,2,yes,surplus\n"a"b,1,2,yes\n'


def test_rejected_rows_come_back_once_each_as_they_were(fresh):
    fresh.receive_text(SPOILED)
    batch = ingest(fresh.settings, SHOP).batches[0]

    path = requeue(fresh.settings, SHOP, batch.batch)

    assert (batch.rows, batch.rejected) == (20, 4)
    assert path.read_text().splitlines() == [
        "kind,price,weight,bought",
        "bread,-1,2,yes",
        "tea,-2,,maybe",
        "bread,1,2,yes,surplus",
        '"a"b,1,2,yes',
    ]


def test_mended_rows_are_ingested_and_no_accepted_row_comes_twice(fresh):
    fresh.receive_text(SPOILED)
    first = ingest(fresh.settings, SHOP).batches[0]
    path = requeue(fresh.settings, SHOP, first.batch)
    fresh.receive_text(
        "kind,price,weight,bought\nbread,1,2,yes\ncheese,2,,no\nbread,1,2,yes\napple,1,2,yes\n", path.name
    )

    second = ingest(fresh.settings, SHOP).batches[0]

    assert (second.rows, second.rejected) == (4, 0)
    assert sum(batch.rows for batch in fresh.batches) == 24


def test_json_lines_come_back_as_json_lines(fresh):
    good = {"kind": "bread", "price": 1, "weight": None, "bought": "yes"}
    lines = [*[json.dumps(good)] * 20, json.dumps({**good, "price": -1}), "[1, 2]"]
    fresh.receive_text("\n".join(lines) + "\n", "today.jsonl")
    batch = ingest(fresh.settings, SHOP).batches[0].batch

    path = requeue(fresh.settings, SHOP, batch)

    assert path.name == f"{batch}-mended.jsonl"
    assert path.read_text().splitlines() == lines[-2:]


@pytest.mark.parametrize("batch", ["00000009-x", "../00000001", ""])
def test_a_batch_without_rejected_rows_is_told(batch, fresh):
    with pytest.raises(NotFound, match="has no rejected rows; there are some of: none"):
        requeue(fresh.settings, SHOP, batch)


def test_a_file_that_somebody_may_be_mending_is_not_written_over(fresh):
    fresh.receive_text(SPOILED)
    batch = ingest(fresh.settings, SHOP).batches[0].batch
    requeue(fresh.settings, SHOP, batch).write_text("half mended")

    with pytest.raises(BadInput, match="is there already"):
        requeue(fresh.settings, SHOP, batch)


def test_typed_cells_come_back_with_their_types(fresh):
    frame = shop_rows(20).astype({"price": object})
    frame.loc[0, "price"] = -1
    fresh.receive(frame)
    batch = ingest(fresh.settings, SHOP).batches[0].batch

    path = requeue(fresh.settings, SHOP, batch)

    assert path.suffix == ".jsonl"
    assert json.loads(path.read_text())["price"] == -1


def test_a_text_that_begins_like_json_comes_back_as_csv_where_it_came_so(fresh):
    fresh.receive_text(f'kind,price,weight,bought\n{ROWS}"{{a""b",1,2,yes\n"{{"b,1,2,yes\n')
    batch = ingest(fresh.settings, SHOP).batches[0].batch

    assert requeue(fresh.settings, SHOP, batch).suffix == ".csv"
