"""The rows that a query answers with, from any database that SQLAlchemy speaks to. Nothing is ever written there.

Rows come through a cursor that the server keeps, a chunk at a time. The address, which holds a password, comes from
the environment and is in no message.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from releve.adapters.tables.chunks import Chunk, Table, chunk_rows, frame_of, numbered
from releve.errors import BadInput, Unavailable


class DatabaseUnavailable(Unavailable):
    """The database could not be reached, or gave up."""

    code = "database_unavailable"


def open_query(url: str, query: str, values: Mapping[str, Any] | None = None) -> Table:
    """The rows of `query`; `values` fill its named parameters, as in `where id > :since`.

    Raises DatabaseUnavailable, and BadInput when the database refuses the query, while chunks are taken.
    """
    return Table(_chunks(url, query, dict(values or {})), "sql")


def _chunks(url: str, query: str, values: dict[str, Any]) -> Iterator[Chunk]:
    from sqlalchemy import text

    with _told(), _reading(url) as connection:
        result = connection.execute(text(query), values)
        if not result.returns_rows:
            raise BadInput("source.query answers with no rows; expected a SELECT")
        names, read = list(result.keys()), 0
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadInput(f"source.query answers with two columns named {twice[0]!r}; rename one: ... AS another_name")
        for part in result.partitions(chunk_rows(len(names))):
            yield Chunk(frame_of([tuple(row) for row in part], names), numbered(range(read + 1, read + len(part) + 1)))
            read += len(part)


@contextmanager
def _reading(url: str) -> Iterator[Any]:
    """A connection that may read and nothing else; what it began is rolled back."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as plain:
            connection = plain.execution_options(stream_results=True, yield_per=chunk_rows(1))
            if statement := READ_ONLY.get(engine.dialect.name):
                connection.exec_driver_sql(statement)
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET TRANSACTION READ ONLY",
}  # how a database is told that nothing is to be written


@contextmanager
def _told() -> Iterator[None]:
    from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError

    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        raise BadInput(f"the address of source.url_env is none that SQLAlchemy knows: {type(error).__name__}") from None
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable(
            f"the database of source.url_env did not answer the query: {what_was_said(error)}"
        ) from None
    except SQLAlchemyError as error:
        raise BadInput(f"the database refuses source.query: {what_was_said(error)}") from None
    except ImportError as error:
        raise BadInput(f"the address of source.url_env needs a driver that is not installed: {error}") from None


def what_was_said(error: Exception) -> str:
    """What the driver said, without the query and its values; the kind of its error where it said nothing."""
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).strip().splitlines()), type(cause).__name__)
