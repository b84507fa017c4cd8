"""`make up` as a server that is shared has it: registry and Prefect in PostgreSQL, a password, and CSRF tokens."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psycopg
import pytest

from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import FORKS, PREFECT, WORKER, prefect_api_url
from releve.adapters.local_stack.prefect_database import PrefectDatabaseUnavailable, check_database
from releve.adapters.prefect.api import PrefectRuns
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput
from releve.core.settings import LOOPBACK, PREFECT_DATABASE, Settings
from releve.domain.registry.chain import INGESTED
from tests import projects
from tests.adapters.local_stack.small import wait_until
from tests.postgresql import PASSWORD, USER, Server, running
from tests.projects import Project
from tests.serving.process import free_port

LOGIN = "operators:open-sesame"
SECONDS = 240  # a retry waits for 20 of them


def settings_with(**environ: str) -> Settings:
    return Settings.from_environ(environ, cwd=Path("/nowhere"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sesame", "begins with 'no driver'; expected postgresql.asyncpg://user:password@host:5432/database"),
        ("postgresql+psycopg://ana:sesame@a/b", r"begins with 'postgresql\+psycopg'; expected postgresql\+asyncpg://"),
        ("postgresql+asyncpg://ana:ses@me@a/b", "more than one @; write %40"),
        ("postgresql+asyncpg://ana:sesame@a:port/b", "is no address of a database; expected"),
    ],
)
def test_an_address_that_is_none_is_told_before_anything_starts_and_not_repeated(url: str, says: str) -> None:
    with pytest.raises(BadInput, match=f"PREFECT_API_DATABASE_CONNECTION_URL.*{says}") as caught:
        check_database(settings_with(PREFECT_API_DATABASE_CONNECTION_URL=url))

    assert "ses" not in str(caught.value).replace("host:5432", "")


def test_the_registry_and_prefect_do_not_share_a_database() -> None:
    with pytest.raises(BadInput, match="name the same database, and both want a table called events"):
        check_database(
            settings_with(
                RELEVE_REGISTRY_URL="postgresql+psycopg://ana:sesame@a/b",
                PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://other:sesame@a:5432/b",
            )
        )


def test_sqlite_is_not_asked(tmp_path: Path) -> None:
    check_database(Settings.from_environ({}, cwd=tmp_path))

    assert not [*tmp_path.iterdir()]


def test_a_database_that_is_away_is_told_without_the_password() -> None:
    port = free_port()

    with pytest.raises(PrefectDatabaseUnavailable, match=f"database at 127.0.0.1:{port} ") as caught:
        check_database(
            settings_with(PREFECT_API_DATABASE_CONNECTION_URL=f"postgresql+asyncpg://ana:sesame@{LOOPBACK}:{port}/b")
        )

    assert "sesame" not in str(caught.value)


@dataclass(frozen=True)
class Shared:
    """The stack, the PostgreSQL below it, and a project with a batch to ingest."""

    settings: Settings
    environ: dict[str, str]
    database: Server
    project: Project


@pytest.fixture(scope="module")
def shared(work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    project = projects.fresh_project(work_dir).copy(tmp_path_factory.mktemp("shared"))
    with running() as database:
        where = {"host": LOOPBACK, "port": database.port, "user": USER, "password": PASSWORD}
        with psycopg.connect(**where, dbname="postgres", autocommit=True) as connection:
            connection.execute("create database prefect")
        environ = {
            **{name: value for name, value in project.environ.items() if not name.startswith(("PREFECT_", "BENTOML_"))},
            "RELEVE_REGISTRY_URL": database.url,
            "RELEVE_PREFECT_PORT": str(free_port()),
            PREFECT_DATABASE: f"postgresql+asyncpg://{USER}:{PASSWORD}@{LOOPBACK}:{database.port}/prefect",
            "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
            "PREFECT_API_AUTH_STRING": LOGIN,
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        }
        settings = Settings.from_environ(environ, cwd=project.root)
        try:
            local_stack.up(settings, only=(PREFECT, FORKS, WORKER), environ=environ)
            yield Shared(settings, environ, database, project)
        finally:
            local_stack.down(settings)


@pytest.mark.slow
@pytest.mark.system
def test_nobody_is_let_in_without_the_password(shared: Shared) -> None:
    ask = f"{prefect_api_url(shared.settings)}/flow_runs/filter"

    assert httpx.post(ask, json={}, trust_env=False).status_code in (401, 403)
    assert httpx.post(ask, json={}, auth=("operators", "guess"), trust_env=False).status_code in (401, 403)


@pytest.mark.slow
@pytest.mark.system
def test_a_wrong_password_of_the_database_is_told_in_a_sentence_without_it(shared: Shared) -> None:
    wrong = shared.settings.prefect_database_url.replace(PASSWORD, "a-guess")

    with pytest.raises(PrefectDatabaseUnavailable, match=f'password authentication failed for user "{USER}"') as caught:
        check_database(replace(shared.settings, prefect_database=wrong))

    assert "a-guess" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.system
def test_where_postgresql_is_killed_during_a_run_the_run_or_the_same_command_completes(shared: Shared) -> None:
    shared.project.receive(1)
    environ = shared.environ | {"PREFECT_API_URL": prefect_api_url(shared.settings)}
    runs = PrefectRuns.of(Settings.from_environ(environ, cwd=shared.project.root), seconds=60)
    assert runs is not None

    runs.start("digits", "ingest", {}, key="struck")
    wait_until(lambda: state_of(runs) == "Running", SECONDS)
    shared.database.kill()
    shared.database.start()

    done = command(shared, "ingest", "digits")  # waits for the run, and finishes what it did not
    assert done.returncode == 0, done.stderr
    assert batches_of(shared) == 1
    shared.project.receive(2)
    runs.start("digits", "ingest", {}, key="afterwards")
    wait_until(lambda: state_of(runs) == "Completed", SECONDS)
    assert batches_of(shared) == 2


def state_of(runs: PrefectRuns) -> str:
    """Of the newest."""
    return runs.newest("digits", most=1)[0].state


def batches_of(shared: Shared) -> int:
    """That the registry knows, whose chain is whole."""
    with closing(Registry(shared.settings.registry_url)) as registry:
        registry.verify()
        return len(registry.events("digits", kinds=[INGESTED]))


def command(shared: Shared, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "releve", *arguments],
        cwd=shared.project.root,
        env=shared.environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
