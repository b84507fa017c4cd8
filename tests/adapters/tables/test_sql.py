import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import OperationalError

from releve.adapters.tables.sql import DatabaseUnavailable, open_query, what_was_said
from releve.errors import BadInput


@pytest.fixture
def database(tmp_path):
    """A SQLite file with 120,000 orders."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table orders (id integer, kind text, price real)")
        connection.executemany("insert into orders values (?, ?, ?)", ((n, "bread", n / 2) for n in range(120_000)))
    return path


def read(path, query, **values):
    chunks = list(open_query(f"sqlite:///{path}", query, values).chunks)
    return [row for chunk in chunks for row in chunk.frame.to_numpy().tolist()], chunks


def test_rows_come_in_chunks_with_the_types_of_the_database(database):
    rows, chunks = read(database, "select * from orders order by id")

    assert len(chunks) > 1
    assert len(rows) == 120_000
    assert rows[3] == [3, "bread", 1.5]
    assert chunks[1].rows[0] == len(chunks[0].frame) + 1


def test_named_parameters_are_filled(database):
    rows, _ = read(database, "select id from orders where id > :since", since=119_997)

    assert rows == [[119_998], [119_999]]


@pytest.mark.parametrize("query", ["delete from orders", "drop table orders", "insert into orders values (1, 'a', 2)"])
def test_nothing_is_ever_written(query, database):
    with pytest.raises((BadInput, DatabaseUnavailable)):
        read(database, query)

    assert read(database, "select count(*) from orders")[0] == [[120_000]]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select id, price as id from orders", "two columns named 'id'"),
        ("select id from orders where id > :since", "source.query: .*since"),
    ],
)
def test_a_query_that_makes_no_table_is_refused(query, told, database):
    with pytest.raises(BadInput, match=told):
        read(database, query)


@pytest.mark.parametrize(
    ("said", "told"), [("", "OperationalError"), ("\n", "OperationalError"), ("gone\naway", "gone")]
)
def test_a_driver_that_says_nothing_is_told_by_the_kind_of_its_error(said, told):
    error = OperationalError("select 1", {}, sqlite3.OperationalError(said))

    assert what_was_said(error) == told


@pytest.mark.parametrize("url", ["no address", "nosuchdb://user:secret@host/name"])
def test_an_address_that_cannot_be_used_is_told_without_its_password(url):
    with pytest.raises(BadInput, match=r"source\.url_env") as told:
        list(open_query(url, "select 1").chunks)

    assert "secret" not in str(told.value)


def test_a_table_that_is_not_there_is_told(database):
    with pytest.raises(DatabaseUnavailable, match="no such table: sales"):
        read(database, "select * from sales")


def test_a_postgresql_address_is_understood_and_away():
    with pytest.raises((BadInput, DatabaseUnavailable)) as told:
        list(open_query("postgresql+psycopg://user:secret@127.0.0.1:9/name", "select 1").chunks)

    assert "secret" not in str(told.value)
