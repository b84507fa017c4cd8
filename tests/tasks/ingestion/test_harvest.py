import contextvars
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from releve.adapters.files import write_parquet
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.scenario_lock import scenario_lock
from releve.domain.prediction_log.records import AnswerLine, answers_from, join_labels
from releve.domain.registry.chain import INGESTED
from releve.domain.registry.events import BatchOrigin
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame, row_problems
from tasks.backtest import read_rows
from tasks.ingestion.harvest import as_batch, harvest, unharvested, waiting_rows
from tasks.ingestion.ingest import ingest
from tasks.ingestion.resubmit import resubmit
from tests.tables import SHOP, rentals_row, rentals_schema, shop_rows

ROWS = shop_rows(30, seed=5)
LABELS = ROWS["bought"].tolist()
REQUEST, AT = "20240131-9f2c01ab.1a40.5e77c0", "2024-01-31T12:00:00.000000Z"


def answered(shop, *, labelled=30, rows=ROWS):
    return shop.answer(rows, predicted=["no"] * len(rows), labels=rows["bought"].tolist()[:labelled])


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


def test_nothing_answered_and_nothing_labelled_makes_no_file(fresh):
    assert harvest(fresh.settings, SHOP) == 0
    answered(fresh, labelled=0)

    assert harvest(fresh.settings, SHOP) == 0
    assert waiting(fresh) == []


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

    done = ingest(fresh.settings, SHOP)

    assert [(batch.rows, batch.rejected, batch.origin) for batch in done.batches] == [(30, 0, BatchOrigin.ANSWERS)]
    assert waiting_rows(fresh.settings, SHOP) == 0
    assert harvest(fresh.settings, SHOP) == 0


def test_a_file_that_is_called_like_a_harvest_is_a_file(fresh):
    fresh.receive(shop_rows(30, seed=8), "answers-0001.parquet")

    assert [batch.origin for batch in ingest(fresh.settings, SHOP).batches] == [BatchOrigin.FILE]


@pytest.mark.parametrize("missing", ["kind", "weight"])
def test_answers_without_a_single_cell_of_a_nullable_column_are_ingested_too(missing, fresh):
    answered(fresh, rows=ROWS.assign(**{missing: None}))

    harvest(fresh.settings, SHOP)

    assert ingest(fresh.settings, SHOP).batches[0].rows == 30


def flipped(labels):
    return ["no" if label == "yes" else "yes" for label in labels]


def test_a_label_that_was_corrected_is_harvested_again_once_and_counts_in_place_of_the_first(fresh):
    request = answered(fresh)
    harvest(fresh.settings, SHOP)
    ingest(fresh.settings, SHOP)

    fresh.label(request, flipped(LABELS[:10]))
    assert waiting_rows(fresh.settings, SHOP) == 10
    assert harvest(fresh.settings, SHOP) == 10
    corrected = ingest(fresh.settings, SHOP).batches

    assert [(batch.rows, batch.rejected, batch.superseded) for batch in corrected] == [(10, 0, 10)]
    assert counted_labels(fresh) == flipped(LABELS[:10]) + LABELS[10:]
    fresh.label(request, flipped(LABELS[:10]))
    assert harvest(fresh.settings, SHOP) == 0


def test_a_correction_that_is_taken_back_is_harvested_though_its_rows_were_ingested_before(fresh):
    request = answered(fresh)
    harvest(fresh.settings, SHOP)
    ingest(fresh.settings, SHOP)

    for labels in (flipped(LABELS), LABELS):
        fresh.label(request, labels)
        harvest(fresh.settings, SHOP)
        ingest(fresh.settings, SHOP)

    assert [(batch.rows, batch.superseded) for batch in fresh.batches] == [(30, 0), (30, 30), (30, 30)]
    assert counted_labels(fresh) == LABELS


def test_a_label_that_is_sent_again_as_it_was_is_no_correction(fresh):
    request = answered(fresh)
    harvest(fresh.settings, SHOP)

    fresh.label(request, LABELS)

    assert len(unharvested(fresh.settings, SHOP)) == 0


def test_of_the_answers_only_those_whose_label_is_new_are_read(fresh, monkeypatch):
    answered(fresh)
    harvest(fresh.settings, SHOP)
    request = answered(fresh, rows=shop_rows(5, seed=6), labelled=0)
    parsed, parse = [], AnswerLine.parse
    monkeypatch.setattr(AnswerLine, "parse", lambda value: parsed.append(value["id"]) or parse(value))

    assert len(unharvested(fresh.settings, SHOP)) == 0
    assert parsed == []
    fresh.label(request, ["yes"])
    assert waiting_rows(fresh.settings, SHOP) == 31
    assert set(parsed) == {request}


def test_a_correction_in_the_ten_thousandth_harvest_is_known_as_the_newest_label(fresh):
    request = answered(fresh)
    harvest(fresh.settings, SHOP)
    (fresh.state.harvest / "answers-0001.parquet").rename(fresh.state.harvest / "answers-9999.parquet")
    fresh.label(request, flipped(LABELS))
    harvest(fresh.settings, SHOP)
    (fresh.state.harvest / "answers-0002.parquet").rename(fresh.state.harvest / "answers-10000.parquet")

    assert len(unharvested(fresh.settings, SHOP)) == 0


def test_a_corrected_label_of_a_refused_harvest_is_harvested_without_the_others(fresh):
    request = refuse_harvest(fresh)
    limit_price(fresh, 100)

    fresh.label(request, flipped(LABELS[:1]))

    assert harvest(fresh.settings, SHOP) == 1
    assert [(batch.rows, batch.superseded) for batch in ingest(fresh.settings, SHOP).batches] == [(1, 0)]


def test_a_rejected_answer_that_a_person_fixes_is_still_that_answer(fresh):
    request = answered(fresh)
    harvest(fresh.settings, SHOP)
    limit_price(fresh, float(ROWS["price"].max()) - 0.01)
    batch = ingest(fresh.settings, SHOP).batches[0]
    limit_price(fresh, 100)
    resubmit(fresh.settings, SHOP, batch.batch).rename(fresh.state.incoming / "fixed.jsonl")
    assert [each.superseded for each in ingest(fresh.settings, SHOP).batches] == [0]

    fresh.label(request, flipped(LABELS))
    harvest(fresh.settings, SHOP)

    assert [each.superseded for each in ingest(fresh.settings, SHOP).batches] == [30]
    assert len(counted_labels(fresh)) == 30


def test_rows_that_were_answered_and_come_in_a_file_too_count_once_where_an_id_names_them(fresh):
    rows = ROWS.assign(order=[f"o{number}" for number in range(len(ROWS))])
    fresh.override(columns={"order": {"type": "category", "feature": False}}, id="order")
    answered(fresh, rows=rows)
    harvest(fresh.settings, SHOP)
    fresh.receive(rows.assign(bought=flipped(LABELS)), "the-same.parquet")

    both = ingest(fresh.settings, SHOP).batches

    assert [(batch.rows, batch.superseded) for batch in both] == [(30, 0), (30, 30)]
    assert counted_labels(fresh) == flipped(LABELS)
    told = fresh.registry.events(SHOP, kinds=[INGESTED])[-1].reason
    assert told.startswith("the-same.parquet: 30 rows accepted, 0 rejected, 30 in the place of older versions")


def counted_labels(shop):
    """The labels that a training reads."""
    truth = read_committed(shop.settings, SHOP)
    return read_rows(shop.settings, SHOP, truth.schema, truth.params)["bought"].tolist()


def in_another_run(work):
    """In a thread without this run's context, so that it is another holder of the scenario."""
    return ThreadPoolExecutor(1).submit(contextvars.Context().run, work)


def test_two_runs_at_once_harvest_every_answer_once(fresh):
    answered(fresh)
    start = threading.Barrier(2)

    def run():
        start.wait()
        return harvest(fresh.settings, SHOP)

    both = [in_another_run(run), in_another_run(run)]

    assert [run.result() for run in both] == [30, 30]
    assert waiting(fresh) == ["answers-0001.parquet"]
    assert pd.read_parquet(fresh.state.incoming / "answers-0001.parquet")["_answer_id"].is_unique


def test_harvesting_waits_until_the_run_that_holds_the_scenario_ends(fresh):
    answered(fresh)

    with scenario_lock(fresh.settings.home, SHOP, holder="ingest"):
        other = in_another_run(lambda: harvest(fresh.settings, SHOP))
        time.sleep(0.5)
        assert waiting(fresh) == []

    assert other.result() == 30


def test_a_run_that_holds_the_scenario_can_harvest_in_it(fresh):
    answered(fresh)

    with scenario_lock(fresh.settings.home, SHOP, holder="a test"):
        assert harvest(fresh.settings, SHOP) == 30


def refuse_harvest(shop):
    """Harvest answers that no longer fit: the owner has forbidden their prices since."""
    request = answered(shop)
    harvest(shop.settings, SHOP)
    limit_price(shop, 0)
    assert len(ingest(shop.settings, SHOP).refusals) == 1
    return request


def limit_price(shop, highest):
    shop.override(columns={"price": {"type": "number", "min": 0, "max": highest}})


def test_refused_answers_are_not_sent_again_and_newer_ones_are_harvested_beside_them(fresh):
    refuse_harvest(fresh)
    assert (waiting_rows(fresh.settings, SHOP), harvest(fresh.settings, SHOP), waiting(fresh)) == (0, 0, [])

    answered(fresh, rows=shop_rows(5, seed=6))

    assert waiting_rows(fresh.settings, SHOP) == 5
    assert harvest(fresh.settings, SHOP) == 5
    assert waiting(fresh) == ["answers-0002.parquet"]


def test_refused_answers_that_a_person_moves_back_are_ingested_once_the_schema_allows_them(fresh):
    refuse_harvest(fresh)
    limit_price(fresh, 100)
    (fresh.state.refused / "answers-0001.parquet").rename(fresh.state.incoming / "answers-0001.parquet")

    assert harvest(fresh.settings, SHOP) == 0
    assert [batch.rows for batch in ingest(fresh.settings, SHOP).batches] == [30]
    assert harvest(fresh.settings, SHOP) == 0


def test_refused_answers_that_a_person_fixes_are_ingested_instead_of_the_first_ones(fresh):
    refuse_harvest(fresh)
    fixed = pd.read_parquet(fresh.state.refused / "answers-0001.parquet").assign(price=0.0)
    (fresh.state.refused / "answers-0001.parquet").unlink()
    fresh.receive(fixed, "answers-0001.parquet")

    assert harvest(fresh.settings, SHOP) == 0
    ingest(fresh.settings, SHOP)
    limit_price(fresh, 100)

    assert harvest(fresh.settings, SHOP) == 0
    assert [batch.rows for batch in fresh.batches] == [30]


def harvested(tmp_path, *rows, labels, schema=None):
    """Answered rows and their labels, as a file that ingestion has read."""
    schema = schema or rentals_schema()
    record = {"id": REQUEST, "at": AT, "model": "m", "index": None, "arm": "champion", "scenario": "rentals"}
    record |= {"rows": [json.loads(json.dumps(row)) for row in rows], "labels": [1.5] * len(rows)}
    answers = answers_from([AnswerLine.parse(record | {"probabilities": None, "intervals": None, "latency_ms": None})])
    found = {f"{REQUEST}.{row}": (label, AT) for row, label in enumerate(labels)}
    write_parquet(tmp_path / "answers.parquet", as_batch(join_labels(answers, found), schema))
    return check_frame(schema, pd.read_parquet(tmp_path / "answers.parquet"))


def test_texts_dates_and_numbers_come_back_as_the_schema_types_them(tmp_path):
    rows = [rentals_row(day="2024-07-06T10:30:00+02:00"), rentals_row(note=None, temperature=None, casual=3)]

    checked = harvested(tmp_path, *rows, labels=[41.5, "7"])

    assert checked.problems == ()
    assert checked.accepted["day"].tolist() == [pd.Timestamp("2024-07-06T08:30:00")] * 2
    assert checked.accepted["note"].tolist() == ["sunny", ""]
    assert checked.accepted["rented"].tolist() == [41.5, 7.0]
    assert checked.accepted["casual"].tolist()[1] == 3.0 and checked.accepted["casual"].isna()[0]


def test_a_whole_number_that_no_parquet_column_holds_is_harvested_all_the_same(tmp_path):
    checked = harvested(tmp_path, rentals_row(temperature=10**30), rentals_row(temperature=1), labels=[1, 2])

    assert checked.accepted["temperature"].tolist() == [1e30, 1.0]


def test_a_time_that_was_not_sent_is_when_the_row_was_answered(tmp_path):
    schema = rentals_schema(day={"feature": False})
    row = {name: value for name, value in rentals_row().items() if name != "day"}

    checked = harvested(tmp_path, row, {**row, "day": "2023-01-01"}, labels=[1, 2], schema=schema)

    assert checked.accepted["day"].tolist() == [pd.Timestamp("2024-01-31T12:00:00"), pd.Timestamp("2023-01-01")]


def test_answers_without_any_column_that_is_no_feature_are_ingested(tmp_path):
    checked = harvested(tmp_path, rentals_row(), labels=[1])

    assert checked.problems == ()
    assert checked.accepted["station"].tolist() == [""]


def test_a_category_that_was_sent_as_a_number_is_harvested_as_its_text(tmp_path):
    schema = rentals_schema(season={"categories": ["1", "warm"]})

    checked = harvested(
        tmp_path, rentals_row(season=1), rentals_row(season="1"), rentals_row(), labels=[1] * 3, schema=schema
    )

    assert checked.accepted["season"].tolist() == ["1", "1", "warm"]


def test_a_category_that_is_no_feature_may_be_sent_as_anything(tmp_path):
    columns = {"x": {"type": "number"}, "source": {"type": "category", "feature": False}}
    schema = Schema.from_dict({"target": {"name": "rented", "task": "regression"}, "columns": columns})
    rows = [{"x": 1.0, "source": source} for source in ("web", 5, 2.5, True, None)] + [{"x": 1.0}]

    checked = harvested(tmp_path, *rows, labels=[1.0] * 6, schema=schema)

    assert row_problems(schema, rows) == []
    assert checked.problems == ()
    assert checked.accepted["source"].tolist() == ["web", "5", "2.5", "True", "", ""]
