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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from releve.core.settings import LOOPBACK
from tests.serving.process import free_port

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
USER, PASSWORD = "ana", "sesame"
SECONDS = 60.0


class NoPostgresql(Exception):
    """The machine has no PostgreSQL server."""


@dataclass
class Server:
    """A server, where its files lie, and its process while it runs."""

    port: int
    folder: Path
    programs: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, again where it was killed, and wait until it answers."""
        data, port = self.folder / "data", str(self.port)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", data, "-k", self.folder, "-h", LOOPBACK, "-p", port, "-F"],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **_account(),
            )
        _wait(self, self.folder / "log")

    def kill(self) -> None:
        """SIGKILL to the server and to those that work for it; they hold its memory until they have ended."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, SECONDS)

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
    server = Server(free_port(), folder, programs)
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
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.process.send_signal(signal.SIGINT)  # ends the connections that are open
            server.process.wait(SECONDS)
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
            if server.process is None or server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)


if __name__ == "__main__":  # says in one line what is missing, before any test begins
    try:
        binaries()
    except NoPostgresql as missing:
        sys.exit(f"error: {missing}")
