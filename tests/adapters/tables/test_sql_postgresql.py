"""What a PostgreSQL server answers, and what becomes of it on the way to a file."""

import pytest

from releve.adapters.tables.sql import DatabaseUnavailable, connected
from releve.core.errors import BadInput
from releve.domain.ingestion.queries import as_json

pytestmark = pytest.mark.system


@pytest.fixture
def shop(postgresql):
    """An empty schema, with two orders in it."""
    postgresql.run(
        "drop schema public cascade",
        "create schema public",
        "create table orders (id integer, kind text)",
        "insert into orders values (1, 'bread'), (2, '50%')",
    )
    return postgresql


def answer(url, query, since=None):
    with connected(url) as ask:
        found = ask(query, since)
        return [
            {name: as_json(value, name) for name, value in zip(found.names, row, strict=True)} for row in found.rows
        ]


CELLS = [
    ("1::smallint", 1),
    ("2147483648", 2**31),
    ("9223372036854775807", 2**63 - 1),
    ("9007199254740993::numeric", 2**53 + 1),
    ("12345678901234567890123.00::numeric(30,2)", 12345678901234567890123),
    ("12.50::numeric(10,2)", 12.5),
    ("0.1234567890123456789012345::numeric", 0.12345678901234568),
    ("'1e400'::numeric", "1.000000E+400"),
    ("'NaN'::numeric", None),
    ("'-Infinity'::numeric", "-Infinity"),
    ("0.1::real", 0.1),
    ("0.1::float8 + 0.2::float8", 0.30000000000000004),
    ("'NaN'::float8", None),
    ("'Infinity'::real", "Infinity"),
    ("'a'::text", "a"),
    ("''", ""),
    ("'ab'::char(5)", "ab"),
    ("' ab '::varchar(5)", " ab "),
    ("'ab'::name", "ab"),
    ("true", True),
    ("'2024-02-29'::date", "2024-02-29"),
    ("'infinity'::date", "infinity"),
    ("'0044-03-15 BC'::date", "0044-03-15 BC"),
    ("'10000-01-01'::date", "10000-01-01"),
    ("'2024-02-29 12:00:00.000001'::timestamp", "2024-02-29T12:00:00.000001"),
    ("'-infinity'::timestamp", "-infinity"),
    ("'2024-02-29 12:00+05:30'::timestamptz", "2024-02-29T06:30:00+00:00"),
    ("'infinity'::timestamptz", "infinity"),
    ("'12:30'::time", "12:30:00"),
    ("'24:00'::time", "24:00:00"),
    ("'12:30+02'::timetz", "12:30:00+02:00"),
    ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("'127.0.0.1'::inet", "127.0.0.1"),
    ("'10.0.0.0/8'::cidr", "10.0.0.0/8"),
    ("'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03"),
    ("'glad'::mood", "glad"),
    ("7::age", 7),
    ("B'101'", "101"),
    ("'5'::jsonb", 5),
    *(
        (f"null::{name}", None)
        for name in ("int", "numeric", "float8", "text", "bool", "date", "timestamptz", "uuid", "jsonb", "int[]")
    ),
    ("null::bytea", None),
    ("null::interval", None),
]


@pytest.fixture
def types(shop):
    shop.run("create type mood as enum ('sad', 'glad')", "create domain age as integer check (value > 0)")
    return shop


@pytest.mark.parametrize(("sql", "cell"), CELLS)
def test_a_value_becomes_what_a_person_means_by_it(sql, cell, types):
    assert answer(types.url, f"select {sql} as x") == [{"x": cell}]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            """'{"a": 1}'::json""",
            r"x holds an object \(\{'a': 1\}\), .*: x ->> 'key' AS key, or x::text AS x",
        ),
        ("""'[1, 2]'::jsonb""", r"x holds a list \(\[1, 2\]\), .* or x::text AS x where it is JSON"),
        ("array['a', 'b']", r"x holds a list .*: array_to_string\(x, ','\) AS x"),
        (r"'\x00ff'::bytea", r"x holds bytes .*: encode\(x, 'hex'\) AS x in PostgreSQL"),
        ("'1 day 02:00'::interval", r"x holds an interval \(1 day, 2:00:00\), .*: extract\(epoch FROM x\) AS x"),
        ("int4range(1, 5)", r"x holds a Range .*: x::text AS x"),
        ("row(1, 'a')", r"x holds a .*: x::text AS x"),
    ],
)
def test_a_value_that_is_no_cell_is_told_with_its_column_and_the_cast_to_write(sql, told, types):
    with pytest.raises(BadInput, match=f"source.query: the column {told}"):
        answer(types.url, f"select 1 as y, {sql} as x")


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Asia/Kathmandu", "+03"])
@pytest.mark.parametrize("style", ["ISO, DMY", "German", "SQL, MDY"])
def test_a_session_of_another_zone_or_style_gives_the_same_moments(zone, style, shop):
    shop.run(f"alter role ana set timezone = '{zone}'", f"alter role ana set datestyle = '{style}'")
    shop.run("alter role ana set intervalstyle = 'iso_8601'")
    try:
        rows = answer(shop.url, "select '2024-07-01T12:00:00Z'::timestamptz as at, '2024-07-01'::date as day")
        with pytest.raises(BadInput, match=r"x holds an interval \(1 day"):
            answer(shop.url, "select '1 day'::interval as x")
    finally:
        shop.run("alter role ana reset all")

    assert rows == [{"at": "2024-07-01T12:00:00+00:00", "day": "2024-07-01"}]


@pytest.mark.parametrize(
    "query",
    [
        "delete from orders",
        "drop table orders",
        "with gone as (delete from orders returning *) select * from gone",
        "select sneak()",
        "select sneak_in_write_mode()",
        "select 1; delete from orders",
        "select 1; commit; delete from orders",
        "select * into others from orders",
        "select * from orders for update",
    ],
)
def test_nothing_is_ever_written(query, shop):
    body = "begin %s delete from orders; return 1; end"
    write_mode = "perform set_config('transaction_read_only', 'off', true);"
    shop.run(f"create function sneak() returns int language plpgsql as $${body % ''}$$")
    shop.run(f"create function sneak_in_write_mode() returns int language plpgsql as $${body % write_mode}$$")

    with pytest.raises(BadInput, match=r"one SELECT"):
        answer(shop.url, query)

    assert shop.value("select count(*) from orders") == 2


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select knd from orders", 'column "knd" does not exist .*"orders.kind"'),
        ("select * from order_lines", 'relation "order_lines" does not exist'),
        ("select * frm orders", 'syntax error at or near "frm"'),
        ("select 1 / 0 from orders", "division by zero"),
        ("select * from orders where kind >= :since", "operator does not exist: text >= smallint"),
        ("selec 1", "source.query begins with 'selec'; expected one SELECT"),
        ("select id, id from orders", "two columns named 'id'"),
        ("select kind::int from orders", "invalid input syntax for type integer"),
    ],
)
def test_a_query_that_fails_is_told_in_the_words_of_the_database(query, told, shop):
    with pytest.raises(BadInput, match=told):
        answer(shop.url, query, 1)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select kind from orders where kind like '50%'", [{"kind": "50%"}]),
        ("select id::text as id, 5 % 3 as rest from orders limit 1;", [{"id": "1", "rest": 2}]),
        ("-- what's :since?\nselect ':since' as a, E'it\\'s :b' as b -- the end", [{"a": ":since", "b": "it's :b"}]),
        ("select (array[1, 2, 3])[1:2]::text as a ;  ", [{"a": "{1,2}"}]),
        ("with late as (select * from orders where id >= :since) select kind from late", [{"kind": "50%"}]),
        ("values (1, null)", [{"column1": 1, "column2": None}]),
    ],
)
def test_casts_percents_comments_and_a_last_semicolon_are_as_they_were_written(query, rows, shop):
    assert answer(shop.url, query, 2) == rows


def test_answers_are_about_one_moment(shop):
    with connected(shop.url) as ask:
        before = list(ask("select count(*) from orders", None).rows)
        shop.run("insert into orders values (3, 'late')")

        assert list(ask("select count(*) from orders", None).rows) == before

    assert answer(shop.url, "select count(*) as n from orders") == [{"n": 3}]


def test_a_wrong_password_is_told_and_never_shown(shop):
    with pytest.raises(DatabaseUnavailable, match="password authentication failed") as told:
        answer(shop.url_of("abracadabra"), "select 1")

    assert "abracadabra" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_database_that_is_away_or_not_there_is_told(shop):
    with pytest.raises(DatabaseUnavailable, match='database "nowhere" does not exist'):
        answer(shop.url.replace("/postgres", "/nowhere"), "select 1")
    with pytest.raises(DatabaseUnavailable, match="refused"):
        answer(shop.url.replace(str(shop.port), "9"), "select 1")


def test_a_server_that_goes_away_amid_the_rows_is_told(shop):
    with pytest.raises(DatabaseUnavailable, match="terminating connection"), connected(shop.url) as ask:
        rows = ask("select n, pg_backend_pid() as pid from generate_series(1, 100000) as n", None).rows
        _, pid = next(rows)
        shop.run(f"select pg_terminate_backend({pid})")
        list(rows)

    assert answer(shop.url, "select count(*) as n from orders") == [{"n": 2}]
