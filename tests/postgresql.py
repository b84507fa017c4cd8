"""A PostgreSQL server of its own for a test run, from the system's packages, on this machine only."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from releve.core.settings import LOOPBACK
from tests.serving.process import free_port

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
USER, PASSWORD = "ana", "sesame"
SECONDS = 60.0


class NoPostgresql(Exception):
    """The machine has no PostgreSQL server."""


@dataclass(frozen=True)
class Server:
    """A running server, its process, and where its files lie."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return self.url_of(PASSWORD)

    def url_of(self, password: str) -> str:
        return f"postgresql+psycopg://{USER}:{password}@{LOOPBACK}:{self.port}/postgres"

    def run(self, *statements: str, **values: Any) -> None:
        """What somebody else commits, all of it at once."""
        with psycopg.connect(host=LOOPBACK, port=self.port, user=USER, password=PASSWORD, dbname="postgres") as other:
            for statement in statements:
                other.execute(statement, values or None)  # type: ignore[call-overload]

    def value(self, query: str) -> Any:
        """The first cell of an answer."""
        with psycopg.connect(host=LOOPBACK, port=self.port, user=USER, password=PASSWORD, dbname="postgres") as other:
            return other.execute(query).fetchone()[0]  # type: ignore[call-overload, index]


def binaries(places: tuple[str, ...] = PLACES) -> Path:
    """The folder of the newest server. Raises NoPostgresql, saying what to install."""
    on_path = shutil.which("initdb")
    found = sorted(
        (Path(path).parent for place in places for path in Path("/").glob(f"{place.lstrip('/')}/initdb")),
        key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()],
    )
    if not found and not (places == PLACES and on_path):
        raise NoPostgresql("these tests need a PostgreSQL server, and there is none; apt-get install postgresql")
    return found[-1] if found else Path(str(on_path)).parent


@contextmanager
def running() -> Iterator[Server]:
    """Start a server in a folder of its own; it is stopped, and the folder removed, at the end."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="releve-postgresql-"))  # short: a socket's path has 107 characters at most
    who = _account()
    (folder / "password").write_text(PASSWORD)
    if who:
        for path in (folder, folder / "password"):
            shutil.chown(path, who["user"], who["group"])
    process = None
    try:
        subprocess.run(
            [
                *(programs / "initdb", "--pgdata", folder / "data", "--username", USER),
                *("--pwfile", folder / "password", "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **who,
        )
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", LOOPBACK, "-p", str(port), "-F"],
                stdout=log,
                stderr=log,
                cwd=folder,
                **who,
            )
        server = Server(port, process)
        _wait(server, folder / "log")
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # ends the connections that are open
            process.wait(SECONDS)
        shutil.rmtree(folder)


def _account() -> dict[str, Any]:
    """Whom the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name for each in pwd.getpwall()}
    name = "postgres" if "postgres" in known else "nobody"
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return server.run("select 1")
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)


if __name__ == "__main__":  # says in one line what is missing, before any test begins
    try:
        binaries()
    except NoPostgresql as missing:
        sys.exit(f"error: {missing}")
