import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.exc import OperationalError

from releve.adapters.tables.sql import DatabaseUnavailable, connected, message_of, says_since
from releve.core.errors import BadInput


@pytest.fixture
def database(tmp_path):
    """A SQLite file with 120,000 orders."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table orders (id integer, kind text, price real)")
        connection.executemany("insert into orders values (?, ?, ?)", ((n, "bread", n / 2) for n in range(120_000)))
    return path


def answer(url, query, since=0):
    with connected(url) as ask:
        found = ask(query, since)
        return [dict(zip(found.names, row, strict=True)) for row in found.rows]


def read(path, query, since=0):
    return [list(row.values()) for row in answer(f"sqlite:///{path}", query, since)]


def test_rows_come_with_the_types_of_the_database(database):
    rows = read(database, "select * from orders order by id")

    assert len(rows) == 120_000
    assert rows[3] == [3, "bread", 1.5]


@pytest.mark.parametrize(
    ("since", "ids"), [(119_998, [119_998, 119_999]), (119_999, [119_999]), (date(1970, 1, 1), [])]
)
def test_since_is_filled_in(since, ids, database):
    rows = read(database, "select id from orders where id >= :since", since)

    assert rows == [[each] for each in ids]


def test_a_date_is_asked_for_as_sqlite_keeps_dates(database):
    asked = [date(1970, 1, 1), datetime(1970, 1, 1, 12), datetime(1970, 1, 1, 12, tzinfo=UTC)]

    assert [read(database, "select :since as s", since) for since in asked] == [
        [["1970-01-01"]],
        [["1970-01-01 12:00:00"]],
        [["1970-01-01 12:00:00+00:00"]],
    ]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select 1 where 1 >= :since", True),
        ("select ':since'", False),
        ("select 1 -- :since", False),
        ("select 1 /* it's\n:since */", False),
        ("select a::since", False),
        ("select ':' || :since || ':'", True),
        ('select "a:since", `:since`, $$ :since $$, $x$ :since $x$', False),
        ("select 'it''s', :since", True),
        ("select E'it\\'s', :since", True),
        ("select :sinces", False),
    ],
)
def test_since_counts_where_it_is_no_part_of_a_text_or_a_comment(query, says):
    assert says_since(query) is says


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("select ':x' as a", ":x"),
        ("select '{\"a\":1}' as a", '{"a":1}'),
        ("select '50%' as a;", "50%"),
        ("select 5 % 3 as a -- :since's rest", 2),
        ("/* :since, 'a' */ select 'C:\\:d' as a ; -- done", "C:\\:d"),
    ],
)
def test_colons_percents_comments_and_a_last_semicolon_are_as_they_were_written(query, value, database):
    assert answer(f"sqlite:///{database}", query) == [{"a": value}]


def test_answers_are_about_one_moment(database):
    with connected(f"sqlite:///{database}") as ask:
        first = next(ask("select count(*) from orders", 0).rows)
        with closing(sqlite3.connect(database)) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("pragma busy_timeout = 0")
            with other:
                other.execute("insert into orders values (1, 'late', 1)")
        second = next(ask("select count(*) from orders", 0).rows)

    assert first == second == (120_000,)


@pytest.mark.parametrize("query", ["delete from orders", "drop table orders", "insert into orders values (1, 'a', 2)"])
def test_nothing_is_ever_written(query, database):
    with pytest.raises((BadInput, DatabaseUnavailable)):
        read(database, query)

    assert read(database, "select count(*) from orders") == [[120_000]]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select id, price as id from orders", "two columns named 'id'"),
        ("select id from orders where id > :until", "nothing fills :until; the only parameter is :since"),
        ("select 1; select 2", "one SELECT that writes nothing: .*one statement"),
        ("", "one SELECT|no rows"),
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

    assert message_of(error) == told


@pytest.mark.parametrize(
    "url",
    [
        "no address",
        "",
        "nosuchdb://user:secret@host/name",
        "postgresql+psycopg://user:very@secret@host/name",
        "postgresql+psycopg://user:secret@host:port/name",
        "postgresql+nosuchdriver://user:secret@host/name",
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_password(url):
    with pytest.raises(BadInput, match=r"source\.url_env") as told:
        answer(url, "select 1")

    assert "secret" not in str(told.value)


def test_a_table_that_is_not_there_is_told(database):
    with pytest.raises(DatabaseUnavailable, match="no such table: sales"):
        read(database, "select * from sales")


def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path):
    with pytest.raises(DatabaseUnavailable, match=r"there is no file .*shop\.db"):
        answer(f"sqlite:///{tmp_path}/shop.db", "select 1")

    assert list(tmp_path.iterdir()) == []


def test_a_number_that_no_column_can_hold_is_told(database):
    with pytest.raises(BadInput, match="larger than any number of the database"):
        read(database, "select id from orders where id >= :since", 10**30)


def test_a_postgresql_address_is_understood_and_away():
    with pytest.raises((BadInput, DatabaseUnavailable)) as told:
        answer("postgresql+psycopg://user:secret@127.0.0.1:9/name", "select 1")

    assert "secret" not in str(told.value)
