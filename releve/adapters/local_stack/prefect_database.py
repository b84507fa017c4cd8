"""The database of `make up`'s Prefect server, asked before the server is, whose log would say it in fifty lines."""

import asyncio
from contextlib import suppress

from releve.adapters.registry.database import parse_url
from releve.core.errors import BadInput, Unavailable
from releve.core.settings import PREFECT_DATABASE, Settings

DRIVERS = ("postgresql+asyncpg", "sqlite+aiosqlite")  # that Prefect has
SHAPE = "postgresql+asyncpg://user:password@host:5432/database"
SECONDS = 5.0


class PrefectDatabaseUnavailable(Unavailable):
    """The database of Prefect's server cannot be used now."""

    code = "prefect_database_unavailable"


def check_database(settings: Settings) -> None:
    """Connect where it is a server's. Raises BadInput, PrefectDatabaseUnavailable; neither repeats a password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    url = settings.prefect_database_url
    driver = url.partition("://")[0] if "://" in url else ""
    if driver not in DRIVERS:
        raise BadInput(f"{PREFECT_DATABASE} begins with {driver or 'no driver'!r}; expected {SHAPE}")
    if driver != DRIVERS[0]:
        return
    if url.partition("?")[0].count("@") > 1:  # what follows the first one would be taken for the host, and be shown
        raise BadInput(f"{PREFECT_DATABASE} has more than one @; write %40 for those in name and password")
    try:
        ours = make_url(url)
        host, port = ours.host, ours.port or 5432
    except (ArgumentError, ValueError):
        raise BadInput(f"{PREFECT_DATABASE} is no address of a database; expected {SHAPE}") from None
    registry = parse_url(settings.registry_url)
    if (registry.host, registry.port or 5432, registry.database) == (host, port, ours.database):
        raise BadInput(
            f"RELEVE_REGISTRY_URL and {PREFECT_DATABASE} name the same database, and both want a table called events; "
            "give Prefect a database of its own (create database prefect)"
        )
    if problem := asyncio.run(_problem(url)):
        raise PrefectDatabaseUnavailable(
            f"Prefect's database at {host}:{port} ({PREFECT_DATABASE}) does not let it in: {problem}"
        )


async def _problem(url: str) -> str:
    """What keeps from connecting, in the words of the driver, which name no password; "" for nothing."""
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    try:
        async with asyncio.timeout(SECONDS), engine.connect():
            return ""
    except TimeoutError:
        return f"no answer in {SECONDS:g} s"
    except SQLAlchemyError as error:
        return str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
    except Exception as error:  # the driver's own, before there is a connection: asyncpg has hundreds
        return (str(error) or type(error).__name__).splitlines()[0]
    finally:
        with suppress(Exception):
            await engine.dispose()
