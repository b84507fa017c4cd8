import gzip
import json
import sqlite3
from contextlib import closing

import pytest

from releve.adapters.tables.sql import DatabaseUnavailable
from releve.errors import BadInput
from tasks.ingest import ingest
from tasks.places import ScenarioState
from tasks.pull import pull
from tests.tables import SHOP, make_params

QUERY = "select kind, price, weight, bought, id from sales where id > :since order by id"


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "sales.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table sales (id integer, kind text, price real, weight real, bought text)")
    return path


def sell(path, *numbers):
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = [(number, "bread", number, None, "yes") for number in numbers]
        connection.executemany("insert into sales values (?, ?, ?, ?, ?)", rows)


def pulled(tmp_path, database, **source):
    """Pull once; what the incoming folder holds then, by file."""
    state = ScenarioState(tmp_path / "var", SHOP)
    params = make_params(source={"url_env": "SALES", "query": QUERY, "watermark": "id", "since": 0, **source})
    count = pull(params.source, state, environ={"SALES": f"sqlite:///{database}"})
    files = sorted(state.incoming.iterdir()) if state.incoming.is_dir() else []
    return count, [[json.loads(line)["id"] for line in gzip.open(path, "rt")] for path in files]


def test_each_pull_asks_for_what_is_newer_than_the_one_before(tmp_path, database):
    sell(database, 1, 2)
    assert pulled(tmp_path, database) == (2, [[1, 2]])
    assert pulled(tmp_path, database) == (0, [[1, 2]])

    sell(database, 3)

    assert pulled(tmp_path, database) == (1, [[1, 2], [3]])


def test_a_pull_that_was_killed_before_it_was_recorded_is_made_up_for(tmp_path, database):
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

    assert [(batch.rows, batch.rejected) for batch in first.batches] == [(20, 0)]
    assert again.batches == ()
    assert len(again.duplicates) == 1
