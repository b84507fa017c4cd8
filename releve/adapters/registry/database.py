"""The registry's database: its tables, how it is opened, and its errors.

The only SQL that knows which database it speaks to is in `_prepare_sqlite` and `_limit_statements`.
"""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from releve.core.errors import BadInput, DiskFull, ReleveError, Unavailable, explained_storage, storage_error

SQLITE_WAIT_MS = 30_000  # how long a writer queues for the one write lock
SQLITE_RETRY_SECONDS = 0.02
POSTGRESQL_CONNECTION = {  # a server that is gone is noticed, whatever the network says of it
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # ms
}
POSTGRESQL_STATEMENT_MS = 30_000  # that one statement may take, its waiting for a lock included
MADE_MEANWHILE = ("42710", "42P07")  # duplicate_object and duplicate_table; of a row of its catalogue: IntegrityError
OF_THE_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
PRIMARY_CODE = 0xFF  # of an extended one
PROBED_BYTES = 65536  # what a registry that is written to asks for at least
BESIDE = ("-wal", "-shm")  # what SQLite's write-ahead log and its index are called behind the file's name
SQLITE_URI = "file:"  # begins a path that is written as a URI, percent-encoded
SECRET_PARAMETERS = ("password", "sslpassword")

METADATA = sa.MetaData()
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("scenario", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),  # canonical JSON
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
PAYLOAD = sa.JSON().with_variant(sa.Text(), "sqlite")  # what a payload is read as inside the database
POINTERS = sa.Table(  # a scenario without a row has no release
    "pointers",
    METADATA,
    sa.Column("scenario", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),  # of the event that put the release there
)
ARMS = sa.Table(  # a scenario without a row has no challenger on live traffic
    "arms",
    METADATA,
    sa.Column("scenario", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),  # of the event that started them
)


class RegistryUnavailable(Unavailable):
    """The registry's database cannot be reached or used now."""

    code = "registry_unavailable"


class RegistryFull(RegistryUnavailable, DiskFull):
    """No space is left for the registry."""

    code, status = DiskFull.code, DiskFull.status


def parse_url(url: str) -> sa.URL:
    """Raises BadInput, which does not repeat the URL: it may hold a password."""
    try:
        if not url.startswith("sqlite") and url.partition("?")[0].count("@") > 1:
            # What follows the first one would be taken for the host, and be shown.
            raise BadInput("RELEVE_REGISTRY_URL has more than one @; write %40 for those in name and password")
        found = sa.make_url(url)
        if found.get_backend_name() == "sqlite" and "/" in url.partition("?")[2]:
            raise BadInput(
                "the path in RELEVE_REGISTRY_URL has a '?', which begins the options of a URL; write it as a URI, such "
                "as sqlite:///file:/home/me/what%3F/registry.db?uri=true"
            )
        return found
    except (sa.exc.ArgumentError, ValueError):
        raise BadInput(
            "RELEVE_REGISTRY_URL is not a database URL; expected one like sqlite:////home/me/registry.db or "
            "postgresql+psycopg://user:password@host:5432/database"
        ) from None


def open_engine(url: sa.URL) -> sa.Engine:
    """Connect, and make the tables that are missing. `execution_options(writes=True)` gives an engine that writes."""
    if url.get_backend_name() == "sqlite":
        engine = _prepare_sqlite(sa.create_engine(url))
    else:
        engine = sa.create_engine(url, connect_args=POSTGRESQL_CONNECTION, pool_pre_ping=True)
        sa.event.listen(engine, "connect", _limit_statements)
    try:
        while not {*METADATA.tables} <= {*sa.inspect(engine).get_table_names()}:
            writing = engine.execution_options(writes=True)
            try:
                with writing.begin() as connection:
                    for table in METADATA.sorted_tables:
                        connection.execute(CreateTable(table, if_not_exists=True))
            except sa.exc.DBAPIError as error:
                if not _made_meanwhile(error):
                    raise
    except sa.exc.SQLAlchemyError:
        engine.dispose()
        raise
    return engine


def _made_meanwhile(error: sa.exc.DBAPIError) -> bool:
    """Whether PostgreSQL refused a table since another process was making it at the same moment."""
    return isinstance(error, sa.exc.IntegrityError) or getattr(error.orig, "sqlstate", "") in MADE_MEANWHILE


@contextmanager
def explained(url: sa.URL) -> Iterator[None]:
    """Raises RegistryUnavailable, without secrets, for whatever the database cannot do; lets IntegrityError through."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        cause = without_secrets(str(getattr(error, "orig", error)), url).strip()
        # `from None`: the driver's full message may repeat the password
        if refused := storage_error(error) or _refused_by_disk(error, url):
            kind = RegistryFull if isinstance(refused, DiskFull) else RegistryUnavailable
            raise kind(f"the registry at {shown(url)} cannot be used: {refused}") from None
        raise RegistryUnavailable(
            f"the registry at {shown(url)} cannot be used: {cause}. Is the database up, and RELEVE_REGISTRY_URL right?"
        ) from None


def _refused_by_disk(error: Exception, url: sa.URL) -> ReleveError | None:
    """What the disk says where SQLite tells no more than "disk I/O error" or "unable to open database file"."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    if code is None or code & PRIMARY_CODE not in OF_THE_DISK or not url.database:
        return None
    path = _file_of(url)
    try:
        with explained_storage(path), tempfile.TemporaryFile(dir=path.parent) as file:
            file.write(bytes(PROBED_BYTES))
            file.flush()
            with path.open("rb+"):
                return None
    except ReleveError as refused:
        return refused
    except FileNotFoundError:
        return None


def _file_of(url: sa.URL) -> Path:
    path = url.database or ""
    return Path(unquote(path.removeprefix(SQLITE_URI)) if path.startswith(SQLITE_URI) else path)


@dataclass(frozen=True)
class DatabaseFile:
    """The file behind an SQLite URL and what SQLite keeps beside it, by device and inode."""

    path: Path
    identity: tuple[int, int]
    beside: dict[Path, tuple[int, int]]  # the write-ahead log and its index

    @classmethod
    def of(cls, url: sa.URL) -> "DatabaseFile | None":
        """What is open after `open_engine`; None for any other database."""
        if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
            return None
        path = _file_of(url)
        beside = [path.with_name(path.name + suffix) for suffix in BESIDE]
        found = {each: identity for each in beside if (identity := _identity(each))}
        return cls(path, _identity(path) or (0, 0), found)

    def is_in_place(self, url: sa.URL) -> bool:
        """Whether its path still leads to it. Raises RegistryUnavailable where there is nothing."""
        now = _identity(self.path)
        if now is None:
            raise RegistryUnavailable(
                f"the registry at {shown(url)} was moved away or deleted: put the file back, from its backup if need be"
            )
        return now == self.identity

    def clear_remains(self) -> None:
        """Delete the log that belongs to it: SQLite would take it for one of the file that has come in its place."""
        for path, identity in self.beside.items():
            if _identity(path) == identity:
                path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def empty_log(engine: sa.Engine) -> None:
    """Have SQLite move its write-ahead log into the file, unless a reader is at work: whoever copies or replaces the
    file alone then has all of it. The next event does it otherwise: what was committed is never reported as failed."""
    if engine.dialect.name == "sqlite":
        with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            try:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {SQLITE_WAIT_MS}")


def shown(url: sa.URL) -> str:
    """The URL for people: passwords hidden."""
    return without_secrets(url.render_as_string(hide_password=True), url)


def without_secrets(text: str, url: sa.URL) -> str:
    """The text, with *** for every password of the URL."""
    for secret in [url.password, *(url.query.get(name) for name in SECRET_PARAMETERS)]:
        if secret:
            text = text.replace(str(secret), "***")
    return text


def _prepare_sqlite(engine: sa.Engine) -> sa.Engine:
    """One writer at a time, queued; readers never wait; what was committed survives a power cut."""
    if engine.url.database:
        _file_of(engine.url).parent.mkdir(parents=True, exist_ok=True)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver opens transactions of its own, too late to be IMMEDIATE
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_WAIT_MS}")
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and locks later can be refused; this one queues for the lock at once.
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _limit_statements(connection: Any, _record: Any) -> None:
    connection.execute(f"SET statement_timeout = {POSTGRESQL_STATEMENT_MS}")
    connection.commit()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """busy_timeout does not cover this switch: of processes that open a new file at once, some are refused at once."""
    deadline = time.monotonic() + SQLITE_WAIT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(SQLITE_RETRY_SECONDS)
