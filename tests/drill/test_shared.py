"""PostgreSQL below a whole `make up`, killed under a run: predictions go on, and the same command finishes the work."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from releve.adapters.local_stack import stack as local_stack
from releve.adapters.registry.registry import Registry
from releve.core.settings import LOOPBACK, PREFECT_DATABASE, Settings
from releve.domain.registry.chain import CHALLENGED, INGESTED
from tests import projects
from tests.drill.conftest import MOMENTS, Struck, chance
from tests.drill.test_servers import LONGEST, PORTS, a_row, ask
from tests.postgresql import PASSWORD, USER, NoPostgresql, Server, running
from tests.projects import NEW_WINDOW, SCENARIO, Project
from tests.serving.process import free_port, wait_until

RETRAIN_SECONDS = 10.0  # within which it is killed
AWAY_SECONDS = 40.0  # at most


@dataclass(frozen=True)
class SharedStack:
    """`make up` with its registry and Prefect in a PostgreSQL."""

    project: Project
    environ: dict[str, str]
    settings: Settings
    database: Server

    def retrain(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "releve", "retrain", SCENARIO], cwd=self.project.root, env=self.environ
        )

    def count(self, kind: str) -> int:
        with closing(Registry(self.settings.registry_url)) as registry:
            registry.verify(SCENARIO)
            return len(registry.events(SCENARIO, kinds=[kind]))

    def answers(self) -> bool:
        answer = ask(self.settings, f"/scenarios/{SCENARIO}/predict", {"rows": [a_row()]})
        return answer is not None and answer.is_success


@pytest.fixture(scope="module")
def shared(work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedStack]:
    project = projects.newer_project(work_dir).copy(tmp_path_factory.mktemp("shared"))
    try:
        with running() as database:
            where = {"host": LOOPBACK, "port": database.port, "user": USER, "password": PASSWORD}
            with psycopg.connect(**where, dbname="postgres", autocommit=True) as connection:
                connection.execute("create database prefect")
            own = {name: str(free_port()) for name in PORTS} | {
                "RELEVE_REGISTRY_URL": database.url,
                PREFECT_DATABASE: f"postgresql+asyncpg://{USER}:{PASSWORD}@{LOOPBACK}:{database.port}/prefect",
            }
            environ = {name: value for name, value in project.environ.items() if not name.startswith("PREFECT_")} | own
            del environ["RELEVE_MILVUS_URI"]
            settings = Settings.from_environ(environ, cwd=project.root)
            with closing(Registry(database.url)) as registry:
                registry.restore({SCENARIO: project.registry.events(SCENARIO)})
            try:
                local_stack.up(settings, environ=environ)
                yield SharedStack(project, environ, settings, database)
            finally:
                local_stack.down(settings)
    except NoPostgresql as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_retraining_below_which_postgresql_was_killed_is_finished_by_the_same_command(
    moment: int, shared: SharedStack, struck: Struck
) -> None:
    luck = chance("shared", moment)
    wait_until(shared.answers, seconds=LONGEST)
    shared.project.receive(NEW_WINDOW + 1 + moment)
    batches, challenges = shared.count(INGESTED), shared.count(CHALLENGED)
    retraining = shared.retrain()
    time.sleep(luck.uniform(3, 3 + RETRAIN_SECONDS))
    struck("retrain below a whole make up", "PostgreSQL killed", retraining.poll() is None)

    shared.database.kill()
    time.sleep(luck.uniform(0, AWAY_SECONDS))
    answered_meanwhile = shared.answers()
    shared.database.start()
    retraining.wait(LONGEST)
    again = shared.retrain().wait(LONGEST)

    assert answered_meanwhile
    assert again == 0
    assert (shared.count(INGESTED), shared.count(CHALLENGED)) == (batches + 1, challenges + 1)
    assert {each.state for each in local_stack.status(shared.settings)} == {"answering"}
