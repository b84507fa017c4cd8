import pandas as pd
import pytest

from tasks.harvest import harvest, unharvested, waiting_rows
from tasks.ingest import ingest
from tests.tables import SHOP, shop_rows

ROWS = shop_rows(30, seed=5)
LABELS = ROWS["bought"].tolist()


def answered(shop, *, labelled=30, rows=ROWS):
    shop.answer(rows, predicted=["no"] * len(rows), labels=rows["bought"].tolist()[:labelled])


def waiting(shop):
    return sorted(path.name for path in shop.state.incoming.glob("*"))


def test_labelled_answers_become_one_file_in_the_incoming_folder(fresh):
    answered(fresh, labelled=20)

    assert harvest(fresh.settings, SHOP) == 20

    assert waiting(fresh) == ["answers-0001.parquet"]
    batch = pd.read_parquet(fresh.state.incoming / "answers-0001.parquet")
    assert batch["bought"].tolist() == LABELS[:20]
    assert batch["price"].tolist() == ROWS["price"].tolist()[:20]
    assert batch["_answer_id"].is_unique


def test_nothing_labelled_makes_no_file(fresh):
    answered(fresh, labelled=0)

    assert harvest(fresh.settings, SHOP) == 0
    assert waiting(fresh) == []


def test_nothing_answered_makes_no_file(fresh):
    assert harvest(fresh.settings, SHOP) == 0


def test_harvesting_twice_brings_no_answer_twice(fresh):
    answered(fresh)

    harvest(fresh.settings, SHOP)

    assert harvest(fresh.settings, SHOP) == 30  # still the same file, not ingested yet
    assert waiting(fresh) == ["answers-0001.parquet"]
    assert len(unharvested(fresh.settings, SHOP)) == 0


def test_what_a_killed_run_did_not_deliver_is_delivered_again(fresh):
    answered(fresh)
    harvest(fresh.settings, SHOP)
    (fresh.state.incoming / "answers-0001.parquet").unlink()

    assert harvest(fresh.settings, SHOP) == 30
    assert waiting(fresh) == ["answers-0001.parquet"]


def test_labels_that_come_later_are_a_file_of_their_own(fresh):
    answered(fresh, labelled=10)
    harvest(fresh.settings, SHOP)
    answered(fresh, rows=shop_rows(5, seed=6))

    assert harvest(fresh.settings, SHOP) == 15
    assert waiting(fresh) == ["answers-0001.parquet", "answers-0002.parquet"]


def test_harvested_answers_are_ingested_like_any_file_and_then_wait_no_more(fresh):
    answered(fresh)
    assert waiting_rows(fresh.settings, SHOP) == 30
    harvest(fresh.settings, SHOP)
    assert waiting_rows(fresh.settings, SHOP) == 30

    found = ingest(fresh.settings, SHOP)

    assert [(batch.rows, batch.rejected) for batch in found.batches] == [(30, 0)]
    assert waiting_rows(fresh.settings, SHOP) == 0
    assert harvest(fresh.settings, SHOP) == 0


@pytest.mark.parametrize("missing", ["kind", "weight"])
def test_answers_without_a_single_cell_of_a_nullable_column_are_ingested_too(missing, fresh):
    answered(fresh, rows=ROWS.assign(**{missing: None}))

    harvest(fresh.settings, SHOP)

    assert ingest(fresh.settings, SHOP).batches[0].rows == 30
