"""The rows of a query, from any database that SQLAlchemy supports. Nothing is ever written there.

Rows come through a cursor that the server keeps, some at a time. The address, which holds a password, comes from
the environment and is in no message.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.registry.database import without_secrets
from releve.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

ROWS_AT_ONCE = 500  # that are fetched together; a row may hold long texts
READ_ONLY: dict[str, Sequence[str]] = {
    "sqlite": ("PRAGMA query_only = ON", "BEGIN"),
    "postgresql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SET LOCAL DateStyle = ISO",  # psycopg reads dates with a zone, and intervals, in these forms alone
        "SET LOCAL IntervalStyle = postgres",
        "SET LOCAL client_encoding = UTF8",
    ),
    **dict.fromkeys(
        ("mysql", "mariadb"),
        (
            # of the session: DROP TABLE ends a transaction before its right to write is checked
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        ),
    ),
}  # what begins a transaction that sees one moment and may not write
BEGINNINGS = ("select", "with", "values", "table", "from")  # of a query; `from` is DuckDB's


class DatabaseUnavailable(Unavailable):
    """The database could not be reached, or gave up."""

    code = "database_unavailable"


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The rows of a query, which can be iterated once."""

    names: list[str]
    rows: Iterator[tuple[Any, ...]]


Ask = Callable[[str, Any], QueryResult]  # a query, and what fills its :since


@contextmanager
def connected(url: str) -> Iterator[Ask]:
    """Yield a function that asks the database; all its answers are of one moment (for a dialect in READ_ONLY).

    Raise DatabaseUnavailable, and BadInput when the database refuses a query, while rows are taken, too.
    """
    address = _address(url)
    with _explained(address), _connection(address) as connection, ExitStack() as answers:
        yield lambda query, since: _ask(connection, query, since, answers)


def _address(url: str) -> "sa.URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if (
        not url.startswith("sqlite") and url.partition("?")[0].count("@") > 1
    ):  # what follows the first one would be taken for the host, and be shown
        raise BadInput("the address of source.url_env has more than one @; write %40 for those in name and password")
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise BadInput(
            "the address of source.url_env is no SQLAlchemy URL; expected one such as "
            "postgresql+psycopg://user:password@host/name"
        ) from None
    file = address.database if address.get_backend_name() == "sqlite" else None
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
        raise DatabaseUnavailable(  # SQLite would make an empty one
            f"the database of source.url_env did not answer: there is no file {file}"
        )
    return address


@contextmanager
def _connection(address: "sa.URL") -> Iterator["sa.Connection"]:
    """Open a connection in a transaction that may only read, and is rolled back."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(address, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            for statement in READ_ONLY.get(engine.dialect.name, ()):
                connection.exec_driver_sql(statement)
            if (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg"):
                _load_leniently(connection.connection.dbapi_connection)
            yield connection
    finally:
        engine.dispose()


def _load_leniently(connection: Any) -> None:
    """Keep what Python has no date for ('infinity', '0044-03-15 BC') as text: one such cell must not end the query.

    What pads char(n) means nothing, to the database either.
    """
    from psycopg import DataError
    from psycopg.types.datetime import DateLoader, TimeLoader, TimestampLoader, TimestamptzLoader, TimetzLoader
    from psycopg.types.string import TextLoader

    def lenient(loader: type[Any]) -> type[Any]:
        def load(self: Any, data: Any) -> Any:
            try:
                return loader.load(self, data)
            except DataError:
                return bytes(data).decode()

        return type(f"Lenient{loader.__name__}", (loader,), {"load": load})

    class UnpaddedLoader(TextLoader):
        def load(self, data: Any) -> Any:
            return str(super().load(data)).rstrip(" ")

    loaders = {
        "date": DateLoader,
        "time": TimeLoader,
        "timetz": TimetzLoader,
        "timestamp": TimestampLoader,
        "timestamptz": TimestamptzLoader,
    }
    for name, loader in loaders.items():
        connection.adapters.register_loader(name, lenient(loader))
    connection.adapters.register_loader("bpchar", UnpaddedLoader)


def _ask(connection: "sa.Connection", query: str, since: Any, answers: ExitStack) -> QueryResult:
    from sqlalchemy import bindparam, text
    from sqlalchemy.types import NullType

    first = re.search(r"\w+", TOKENS.sub(lambda token: token[0] if token["parameter"] else " ", query))
    if not first or first[0].lower() not in BEGINNINGS:  # not every database is one of READ_ONLY
        raise BadInput(f"source.query begins with {first[0] if first else ''!r}; expected one SELECT")
    statement, values = text(_escaped(query)), {}
    if says_since(query):
        statement = statement.bindparams(bindparam("since", type_=NullType()))  # as the driver has it, without a cast
        if connection.dialect.name == "sqlite" and isinstance(since, date):
            # SQLite has no dates: it keeps them as text, with a space before the time as its own functions write.
            since = since.isoformat(" ") if isinstance(since, datetime) else since.isoformat()
        values["since"] = since
    try:
        result = connection.execute(statement, values, execution_options={"stream_results": True})
    except OverflowError:
        raise BadInput(f"source.query: :since is {since}, which is larger than any number of the database") from None
    answers.callback(result.close)
    if not result.returns_rows:
        raise BadInput("source.query answers with no rows; expected a SELECT")
    names = list(result.keys())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"source.query answers with two columns named {twice[0]!r}; rename one: ... AS another_name")

    def rows() -> Iterator[tuple[Any, ...]]:
        try:
            for part in result.partitions(ROWS_AT_ONCE):
                yield from (tuple(row) for row in part)
        except UnicodeDecodeError as error:
            raise BadInput(
                f"source.query answers with the byte 0x{error.object[error.start]:02X} in a text, which is not UTF-8; "
                "convert the text in the query"
            ) from None

    return QueryResult(names, rows())


TOKENS = re.compile(
    r"""[eE]'(?:[^'\\]|\\.)*' | '[^']*' | "[^"]*" | `[^`]*`   # a text, or a name in quotes
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$                          # a text of PostgreSQL's
    | --[^\n]* | /\*.*?\*/                                     # a comment
    | (?<![:\w]):(?P<parameter>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)


def says_since(query: str) -> bool:
    """Whether :since is a parameter of the query, and not only part of a comment or a text."""
    return any(token["parameter"] == "since" for token in TOKENS.finditer(query))


def _escaped(query: str) -> str:
    """Escape a query for SQLAlchemy: a colon in a text or a comment begins no parameter."""

    def escaped(token: re.Match[str]) -> str:
        name = token["parameter"]
        if name and name != "since":
            raise BadInput(f"source.query: nothing fills :{name}; the only parameter is :since")
        return token[0] if name else token[0].replace(":", r"\:")

    return TOKENS.sub(escaped, query)


@contextmanager
def _explained(address: "sa.URL") -> Iterator[None]:
    from sqlalchemy.exc import InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError

    def message(error: Exception) -> str:
        return without_secrets(message_of(error), address)

    try:
        yield
    except NoSuchModuleError:
        raise BadInput(
            f"the address of source.url_env begins with {address.drivername}, which SQLAlchemy does not know"
        ) from None
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable(
            f"the database of source.url_env did not answer the query: {message(error)}"
        ) from None
    except SQLAlchemyError as error:
        raise BadInput(
            f"the database refuses source.query, which has to be one SELECT that writes nothing: {message(error)}"
        ) from None
    except ImportError as error:
        raise BadInput(f"the address of source.url_env needs a driver that is not installed: {error}") from None


def message_of(error: Exception) -> str:
    """Return the driver's message without the query and its values; the kind of its error where it has none."""
    cause = getattr(error, "orig", None) or error
    first = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
    hint = getattr(getattr(cause, "diag", None), "message_hint", None)
    return f"{first} ({hint})" if hint else first
