import gzip
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from random import Random

import pytest

from releve.adapters.tables.sql import DatabaseUnavailable
from releve.core.errors import BadInput
from releve.domain.registry.events import BatchOrigin
from tasks.ingestion.ingest import ingest
from tasks.ingestion.pull import pull
from tasks.places import ScenarioState
from tests.tables import ROOT, SHOP, make_params

QUERY = "select kind, price, weight, bought, id from sales where id >= :since order by id"


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "sales.db"
    change(path, "create table sales (id integer, kind text, price real, weight real, bought text)")
    return path


def change(path, statement, rows=((),)):
    with closing(sqlite3.connect(path)) as connection, connection:
        for row in rows:
            connection.execute(statement, row)


def sell(path, *numbers, kind="bread"):
    change(path, "insert into sales values (?, ?, 20, null, 'yes')", [(number, kind) for number in numbers])


def log(path, *ids):
    change(path, "insert into log values (?, 1)", [(each,) for each in ids])


def pulled(tmp_path, database, **source):
    """Pull once; what the incoming folder holds then, by file."""
    state = ScenarioState(tmp_path / "var", SHOP)
    params = make_params(source={"url_env": "SALES", "query": QUERY, "watermark": "id", "since": 0, **source})
    count = pull(params.source, state, environ={"SALES": f"sqlite:///{database}"})
    files = sorted(state.incoming.glob("[!.]*"))
    return count, [[json.loads(line)["id"] for line in gzip.open(path, "rt")] for path in files]


def test_each_pull_asks_for_what_is_newer_than_the_one_before(tmp_path, database):
    sell(database, 1, 2)
    assert pulled(tmp_path, database) == (2, [[1, 2]])
    assert pulled(tmp_path, database) == (0, [[1, 2]])

    sell(database, 3)

    assert pulled(tmp_path, database) == (1, [[1, 2], [3]])


@pytest.mark.parametrize(
    "asked", ["id >= :since", "id > :since", ":since <= id", "not id < :since", "id >= :since - 2"]
)
def test_a_late_row_with_the_newest_watermark_is_taken_and_none_is_taken_twice(asked, tmp_path, database):
    query = f"select kind, price, weight, bought, id from sales where {asked} order by id"
    sell(database, 1, 2, 3, 3)
    assert pulled(tmp_path, database, query=query)[0] == 4

    sell(database, 3, kind="cheese")  # another row
    sell(database, 3)  # one that cannot be told from two that are there
    assert pulled(tmp_path, database, query=query) == (2, [[1, 2, 3, 3], [3, 3]])
    assert pulled(tmp_path, database, query=query)[0] == 0
    sell(database, 3, 3, 4)

    assert pulled(tmp_path, database, query=query) == (3, [[1, 2, 3, 3], [3, 3], [3, 3, 4]])
    assert pulled(tmp_path, database, query=query)[0] == 0


@pytest.mark.parametrize("asked", ["id >= :since", "id > :since"])
def test_many_runs_take_every_row_once_whenever_it_came(asked, tmp_path, database):
    query, random, sold = f"select kind, price, weight, bought, id from sales where {asked}", Random(7), []
    for newest in [1, 1, 2, 2, 2, 5, 5, 6]:
        new = [newest] * random.randrange(4) + [newest + 1] * random.randrange(3)
        sell(database, *new)
        sold += new
        pulled(tmp_path, database, query=query)

    _, files = pulled(tmp_path, database, query=query)

    assert sorted(number for file in files for number in file) == sorted(sold)


def test_rows_that_came_late_below_the_newest_are_taken_where_the_query_looks_back(tmp_path, database):
    query = "select kind, price, weight, bought, id from sales where id >= :since - 10 order by id"
    sell(database, 1, 20, 20)
    pulled(tmp_path, database, query=query)

    sell(database, 9, 10, 15, 20)

    assert pulled(tmp_path, database, query=query) == (3, [[1, 20, 20], [10, 15, 20]])
    assert pulled(tmp_path, database, query=query)[0] == 0


def test_a_row_of_the_newest_watermark_that_was_changed_comes_as_it_is_now(tmp_path, database):
    sell(database, 1, 2, 2)
    pulled(tmp_path, database)

    change(database, "update sales set price = 7 where rowid = 3")

    assert pulled(tmp_path, database) == (1, [[1, 2, 2], [2]])
    assert pulled(tmp_path, database)[0] == 0


@pytest.mark.parametrize("sign", [">=", ">"])
def test_a_result_that_is_cut_short_is_taken_piece_by_piece(sign, tmp_path, database):
    sell(database, 1, 2, 2, 2, 3, 4, 4, 5)
    query = f"{QUERY.replace('>=', sign)} limit 5"

    while pulled(tmp_path, database, query=query)[0]:
        continue

    _, files = pulled(tmp_path, database, query=query)
    assert sorted(number for file in files for number in file) == [1, 2, 2, 2, 3, 4, 4, 5]


WATERMARKS = {  # older, newest, newer; in the order of the database
    "integer": (1, 2**53 + 1, 2**53 + 2),
    "real": (0.1, 0.30000000000000004, 1e300),
    "text": ("10", "9", "a"),
    "date": ("2024-01-31", "2024-02-01", "2024-02-02"),
    "timestamp": ("2024-01-31 23:59:59", "2024-02-01 00:00:00.001", "2024-02-01 00:00:00.002"),
    "zoned": ("2024-01-31T23:00:00+01:00", "2024-02-01T00:00:00Z", "2024-02-01T00:00:00z"),
}


@pytest.mark.parametrize("sign", [">=", ">"])
@pytest.mark.parametrize("kind", WATERMARKS)
def test_watermarks_of_every_type_are_followed_as_the_database_orders_them(kind, sign, tmp_path, database):
    older, newest, newer = WATERMARKS[kind]
    change(database, "create table log (id, number integer)")
    query = f"select id, number from log where id {sign} :since order by id"
    source = {"query": query, "since": "0" if isinstance(older, str) else 0}
    log(database, newest, older)

    assert pulled(tmp_path, database, **source) == (2, [[older, newest]])
    log(database, newest, newer)
    assert pulled(tmp_path, database, **source)[1][1:] == [[newest, newer]]
    assert pulled(tmp_path, database, **source)[0] == 0


def test_a_first_run_may_begin_at_a_date(tmp_path, database):
    change(database, "create table log (id, number integer)")
    log(database, "1969-12-31", "1970-01-01", "2024-02-01")
    query = "select id, number from log where id >= :since order by id"

    assert pulled(tmp_path, database, query=query, since=date(1970, 1, 1)) == (2, [["1970-01-01", "2024-02-01"]])


@pytest.mark.parametrize("since", [date(1970, 1, 1), "a"])
def test_a_first_run_that_asks_numbers_from_a_date_on_is_told(since, tmp_path, database):
    assert pulled(tmp_path, database, since=since) == (0, [])
    sell(database, 1)

    with pytest.raises(BadInput, match=r"source\.since is .*, and id holds numbers, such as 1, which SQLite takes"):
        pulled(tmp_path, database, since=since)


def test_rows_without_a_watermark_are_not_asked_for(tmp_path, database):
    sell(database, 1, None, 2)

    assert pulled(tmp_path, database) == (2, [[1, 2]])


DIE = """
import os, signal, sys
from pathlib import Path
import tasks.ingestion.pull
from tests.tasks.ingestion.test_pull import pulled

write = tasks.ingestion.pull.write_bytes
def write_and_die(*arguments):
    if sys.argv[1] == "after the record":
        write(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
tasks.ingestion.pull.write_bytes = write_and_die
pulled(Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.parametrize("step", ["before the record", "after the record"])
def test_a_pull_that_is_killed_takes_every_row_once(step, tmp_path, database):
    sell(database, 1, 2, 2)
    died = subprocess.run([sys.executable, "-c", DIE, step, str(tmp_path), str(database)], cwd=ROOT, timeout=60)
    sell(database, 2, 3)

    _, files = pulled(tmp_path, database)

    assert died.returncode == -signal.SIGKILL
    assert sorted(number for file in files for number in file) == [1, 2, 2, 2, 3]
    assert pulled(tmp_path, database)[0] == 0


def test_a_pull_that_was_killed_before_its_file_had_its_name_is_finished_whatever_the_database_holds(
    tmp_path, database
):
    sell(database, 1, 2)
    pulled(tmp_path, database)
    (named,) = (ScenarioState(tmp_path / "var", SHOP).incoming).iterdir()
    named.rename(named.with_name(f".{named.name}"))
    change(database, "delete from sales")

    assert pulled(tmp_path, database) == (0, [[1, 2]])


def test_a_query_may_get_more_columns_and_its_rows_are_known_again(tmp_path, database):
    sell(database, 1, 2)
    pulled(tmp_path, database)
    sell(database, 2, 3)

    more = QUERY.replace("kind,", "kind, price * 2 as double,")

    assert pulled(tmp_path, database, query=more) == (2, [[1, 2], [2, 3]])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            {"query": QUERY.replace("price,", "price * 2 as price,")},
            "source.query or its columns were changed, and 1 of",
        ),
        ({"query": QUERY.replace("price,", "")}, "source.query or its columns were changed, and 1 of the 1 rows"),
        ({"watermark": "price"}, "source.watermark was 'id' in the runs before and is 'price' now"),
        ({"watermark": ""}, "source.watermark was 'id' in the runs before and is '' now"),
    ],
)
def test_a_change_after_which_nobody_can_tell_which_rows_are_new_is_refused(source, told, tmp_path, database):
    sell(database, 1, 2)
    pulled(tmp_path, database)
    sell(database, 3)

    with pytest.raises(BadInput, match=told) as refused:
        pulled(tmp_path, database, **source)

    assert str(ScenarioState(tmp_path / "var", SHOP).pulled / "query.json") in str(refused.value)
    assert pulled(tmp_path, database) == (1, [[1, 2], [3]])


def test_a_record_that_cannot_be_read_is_told(tmp_path, database):
    sell(database, 1, 2)
    pulled(tmp_path, database)
    (ScenarioState(tmp_path / "var", SHOP).pulled / "query.json").write_text('{"pulls": 1, "since": 2}')

    with pytest.raises(BadInput, match=r"query\.json does not say how far the query was followed"):
        pulled(tmp_path, database)


def test_a_pull_whose_record_is_gone_takes_all_again_into_the_same_file(tmp_path, database):
    sell(database, 1, 2)
    pulled(tmp_path, database)
    (ScenarioState(tmp_path / "var", SHOP).pulled / "query.json").unlink()
    sell(database, 3)

    assert pulled(tmp_path, database) == (3, [[1, 2, 3]])


def test_without_a_query_there_is_nothing_to_pull(tmp_path, database):
    assert pulled(tmp_path, database, query="") == (0, [])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"url_env": "OTHER"}, "source.url_env is 'OTHER', and no environment variable of that name"),
        ({"query": "select 1 as id"}, "source.watermark is set, but source.query does not say :since"),
        (
            {"query": "select 1 as id -- :since"},
            "source.query does not say :since; add `where id >= :since order by id`",
        ),
        ({"query": "select 1 as id, 2 as w where :since", "watermark": "", "since": ""}, "source.since is empty"),
        (
            {"query": "select 1 as id union all select 2 where :since = 0"},
            "does not answer with the rows whose id is 2, the newest, when :since is 2 or 1",
        ),
        ({"query": "select 1 as id, :since union all select 'x', 2"}, "id holds the (number 1|text x) and the (n|t)"),
        ({"query": "select x'00' as id, :since"}, "the column id holds bytes"),
        ({"since": ""}, "source.since is empty, which no number and no date is larger than"),
        ({"watermark": "day"}, "source.watermark is 'day', which is no column of source.query"),
        ({"query": "select null as id, :since as x"}, "a row of source.query has no watermark"),
        ({"query": "select x'00' as b, 1 as id, :since as s"}, "which is no number, text or date; cast it"),
    ],
)
def test_a_source_that_is_described_wrongly_is_told_and_leaves_no_file(source, told, tmp_path, database):
    sell(database, 1)

    with pytest.raises(BadInput, match=told):
        pulled(tmp_path, database, **source)

    assert list((tmp_path / "var").rglob("*.gz*")) == []


def test_a_database_that_is_away_is_told(tmp_path):
    with pytest.raises(DatabaseUnavailable, match=r"the database of source\.url_env did not answer"):
        pulled(tmp_path, tmp_path / "no" / "folder.db")


def test_the_rows_of_a_query_are_ingested_and_the_same_result_only_once(fresh, database, monkeypatch):
    sell(database, *range(1, 21))
    fresh.override(source={"url_env": "SALES_URL", "query": QUERY.replace(", id from", " from"), "since": 0})
    monkeypatch.setenv("SALES_URL", f"sqlite:///{database}")

    first, again = ingest(fresh.settings, SHOP), ingest(fresh.settings, SHOP)

    assert [(batch.rows, batch.rejected, batch.origin) for batch in first.batches] == [(20, 0, BatchOrigin.QUERY)]
    assert again.batches == ()
    assert len(again.duplicates) == 1
