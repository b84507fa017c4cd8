"""A scenario's query, followed over several runs on a real PostgreSQL server."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from releve.adapters.tables.sql import DatabaseUnavailable
from releve.core.errors import BadInput
from tasks.ingestion.ingest import ingest
from tasks.ingestion.pull import pull
from tasks.places import ScenarioState
from tests.tables import ROOT, SHOP, make_params

pytestmark = pytest.mark.system


@pytest.fixture
def sales(postgresql):
    postgresql.run("drop schema public cascade", "create schema public")
    return postgresql


def pulled(tmp_path, server, **source):
    """Pull once; what came in all runs, file by file."""
    state = ScenarioState(tmp_path / "var", SHOP)
    params = make_params(source={"url_env": "SALES", "watermark": "at", **source})
    pull(params.source, state, environ={"SALES": server.url})
    return [[json.loads(line)["n"] for line in gzip.open(path, "rt")] for path in sorted(state.incoming.glob("[!.]*"))]


WATERMARKS = {  # type: the first :since, then older, newest and newer
    "smallint": (0, "1", "2", "3"),
    "bigint": (0, "1", "9007199254740993", "9007199254740994"),
    "numeric": (0, "0.1", "12345678901234567890.1", "12345678901234567890.11"),
    "double precision": (0, "0.1", "0.30000000000000004", "1e300"),
    "real": (0.0, "0.1", "0.7", "1e30"),
    "text": ("", "10", "9", "a"),
    "char(5)": ("", "a", "b", "c"),
    "date": (date(1970, 1, 1), "2024-01-31", "2024-02-01", "2024-02-02"),
    "timestamp": (date(1970, 1, 1), "2024-01-31", "2024-02-01 12:00:00.000001", "2024-02-01 12:00:00.000002"),
    "timestamptz": (
        datetime(1970, 1, 1, tzinfo=UTC),
        "2024-03-31 00:59:59.999999+00",
        "2024-03-31 02:00+01",
        "2024-03-31 02:00+00",
    ),
    "uuid": (
        "00000000-0000-0000-0000-000000000000",
        "018dcccc-0000-7000-8000-000000000001",
        "018dcccc-0000-7000-8000-000000000002",
        "018dcccc-0000-7000-8000-000000000003",
    ),
}


@pytest.mark.parametrize("form", [">= :since", "> :since"])
@pytest.mark.parametrize("kind", WATERMARKS)
def test_rows_committed_late_with_the_newest_watermark_are_taken_once(kind, form, tmp_path, sales):
    since, older, newest, newer = WATERMARKS[kind]
    sales.run(f"create table sales (n integer, at {kind})")
    source = {
        "query": f"select n, at from sales where at {form} order by at, n",
        "since": "0" if since == "" else since,
    }
    sales.run(f"insert into sales values (1, '{older}'), (2, '{newest}'), (2, '{newest}'), (0, null)")
    assert pulled(tmp_path, sales, **source) == [[1, 2, 2]]

    sales.run(f"insert into sales values (2, '{newest}'), (3, '{newest}')")
    assert pulled(tmp_path, sales, **source)[1:] == [[2, 3]]
    assert pulled(tmp_path, sales, **source)[2:] == []
    sales.run(f"insert into sales values (4, '{newest}'), (5, '{newer}')")

    assert pulled(tmp_path, sales, **source)[2:] == [[4, 5]]
    assert pulled(tmp_path, sales, **source)[3:] == []


def test_texts_in_an_order_that_is_not_pythons_are_followed_with_at_least_and_else_refused(tmp_path, sales):
    sales.run('create table sales (n integer, at text collate "en-x-icu")')
    sales.run("insert into sales values (1, 'a'), (2, 'B'), (3, 'B')")
    query, source = "select n, at from sales where at > :since order by at, n", {"since": "0"}

    with pytest.raises(BadInput, match="write `where at >= :since order by at`"):
        pulled(tmp_path, sales, query=query, **source)
    query = query.replace(">", ">=")
    assert pulled(tmp_path, sales, query=query, **source) == [[1, 2, 3]]
    sales.run("insert into sales values (4, 'B'), (5, 'c')")

    assert pulled(tmp_path, sales, query=query, **source) == [[1, 2, 3], [4, 5]]
    assert pulled(tmp_path, sales, query=query, **source) == [[1, 2, 3], [4, 5]]


def test_rows_committed_late_below_the_newest_are_taken_where_the_query_looks_back(tmp_path, sales):
    sales.run("create table sales (n integer, at timestamptz)")
    query = "select n, at from sales where at >= :since - interval '1 hour' order by at"
    source = {"query": query, "since": date(1970, 1, 1)}
    sales.run("insert into sales values (1, '2024-01-01 00:00Z'), (2, '2024-01-01 12:00Z')")
    pulled(tmp_path, sales, **source)

    sales.run("insert into sales values (3, '2024-01-01 11:30Z'), (4, '2024-01-01 12:00Z')")

    assert pulled(tmp_path, sales, **source) == [[1, 2], [3, 4]]
    assert pulled(tmp_path, sales, **source) == [[1, 2], [3, 4]]


def test_what_a_run_over_a_server_that_goes_away_began_is_not_there(tmp_path, sales):
    sales.run(
        "create table sales (n integer, at integer)", "insert into sales select n, n from generate_series(1, 9) n"
    )
    query = "select n, at, case when n > 8 then pg_terminate_backend(pg_backend_pid()) end as x from sales "
    query += "where at >= :since order by at"

    with pytest.raises(DatabaseUnavailable):
        pulled(tmp_path, sales, query=query, since=0)

    assert list((tmp_path / "var").rglob("*.gz")) == []
    assert list((tmp_path / "var").rglob("*.json")) == []


def test_rows_in_are_rows_accepted_and_rejected_over_runs(fresh, sales, monkeypatch):
    sales.run("create table sales (kind text, price numeric, weight float8, bought char(5), at timestamptz)")
    query = "select kind, price, weight, bought from (select * from sales where at >= :since order by at) as new"
    fresh.override(
        source={
            "url_env": "SALES_URL",
            "query": query.replace("bought from", "bought, at from"),
            "watermark": "at",
            "since": "1970-01-01",
        },
        columns={
            "kind": {"type": "category"},
            "price": {"type": "number"},
            "weight": {"type": "number", "nullable": True},
            "at": {"type": "date", "feature": False},
        },
    )
    monkeypatch.setenv("SALES_URL", sales.url)
    batches = []
    for price in ("1.5", "'Infinity'", "2"):
        sales.run(
            "insert into sales select 'bread', 3, 'NaN', 'yes', '2024-01-01 12:00Z' from generate_series(1, 20)",
            f"insert into sales values ('bread', {price}, null, 'no', '2024-01-01 12:00Z')",
        )
        batches += ingest(fresh.settings, SHOP).batches

    assert [(batch.rows, batch.rejected) for batch in batches] == [(21, 0), (20, 1), (21, 0)]
    assert ingest(fresh.settings, SHOP).batches == ()


PULL = """
import re, sys
from pathlib import Path
from tests.tasks.ingestion.test_pull_postgresql import ScenarioState, SHOP, make_params, pull
query = f"select n, repeat('x', 100) as x, n as at from generate_series(1, {sys.argv[3]}) n where n >= :since"
source = make_params(source={"url_env": "U", "query": query, "watermark": "at", "since": 0}).source
assert pull(source, ScenarioState(Path(sys.argv[1]), SHOP), environ={"U": sys.argv[2]}) == int(sys.argv[3])
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])  # ru_maxrss would be the parent's
"""


def test_two_hundred_thousand_rows_take_no_more_memory_than_a_few(tmp_path, sales):
    def peak(rows):
        command = [sys.executable, "-c", PULL, str(tmp_path / str(rows)), sales.url, str(rows)]
        return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)

    few, many = peak(2_000), peak(200_000)

    assert many < few + 20_000, f"{few:,} and {many:,} KiB"
