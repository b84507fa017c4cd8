"""Systems that a command asks, killed while it works: it says so, and completes once they are back."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from os import kill
from pathlib import Path
from signal import SIGKILL

import pytest

from releve.adapters.registry.registry import Registry
from releve.core.settings import LOOPBACK
from tests.drill.commands import COMMANDS, Command, check_that_the_release_answers, state_of, usual_end
from tests.drill.conftest import MOMENTS, Struck, chance
from tests.failures.whole import check_nothing_left_behind
from tests.postgresql import NoPostgresql, Server, running
from tests.projects import SCENARIO, Project, finish
from tests.serving.process import free_port, milvus_serving

ASK_MILVUS = ("release: first model", "release: refresh", "rollback", "index moves", "arms: shadow", "erase")
ASK_REGISTRY = ("ingest", "retrain: refresh", "release: refresh", "rollback", "index moves", "compare: promotes")


def named(names: tuple[str, ...]) -> list[Command]:
    return [command for command in COMMANDS if command.name in names]


def began(project: Project, command: Command, seconds: float, **environ: str) -> "subprocess.Popen[str]":
    process = project.start(command.step, **environ)
    assert process.stdout
    process.stdout.readline()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    return process


def moment_of(system: str, command: Command, part: int, seconds: float) -> float:
    return seconds * (part + chance(system, command.name, part).random()) / MOMENTS


@pytest.mark.parametrize("part", range(MOMENTS))
@pytest.mark.parametrize("command", named(ASK_MILVUS), ids=lambda command: command.name)
def test_a_command_whose_milvus_was_killed_completes_once_it_is_back(
    command: Command, part: int, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    usual = usual_end(command, work_dir)
    project, port = command.project(work_dir, tmp_path), free_port()
    served, milvus = project.registry.current(SCENARIO), Path(project.settings.milvus_uri)
    environ = {"RELEVE_MILVUS_URI": f"http://{LOOPBACK}:{port}"}
    milvus.mkdir(parents=True, exist_ok=True)
    with milvus_serving(milvus, port) as pid:
        process = began(project, command, moment_of("milvus", command, part, usual.seconds), **environ)
        struck(command.name, "Milvus killed", process.poll() is None)
        with suppress(ProcessLookupError):
            kill(pid, SIGKILL)
        code, output = finish(process)

    assert code == 0 or "IndexUnavailable" in output, output
    check_that_the_release_answers(project)
    with milvus_serving(milvus, port):
        if not command.undoes_itself or project.registry.current(SCENARIO) == served:
            code, output = finish(project.start(command.step, **environ))
            assert code == 0, output

    assert state_of(project) == usual.state
    check_nothing_left_behind(project)


@pytest.fixture(scope="module")
def postgresql_here() -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except NoPostgresql as missing:
            pytest.skip(str(missing))
        yield server


@pytest.mark.parametrize("part", range(MOMENTS))
@pytest.mark.parametrize("command", named(ASK_REGISTRY), ids=lambda command: command.name)
def test_a_command_whose_postgresql_was_killed_completes_once_it_is_back(
    command: Command, part: int, work_dir: Path, tmp_path: Path, struck: Struck, postgresql_here: Server
) -> None:
    usual = usual_end(command, work_dir)
    project, schema = command.project(work_dir, tmp_path), f"drill_{command.step.replace(' ', '_')}_{part}"
    postgresql_here.run(f"CREATE SCHEMA {schema}")
    url = f"{postgresql_here.url}?options=-csearch_path%3D{schema}"
    with closing(Registry(url)) as registry:
        registry.restore({SCENARIO: project.registry.events(SCENARIO)})
        served = registry.current(SCENARIO)
    process = began(project, command, moment_of("postgresql", command, part, usual.seconds), RELEVE_REGISTRY_URL=url)
    struck(command.name, "PostgreSQL killed", process.poll() is None)
    postgresql_here.kill()
    code, output = finish(process)
    postgresql_here.start()

    assert code == 0 or "RegistryUnavailable" in output, output
    with closing(Registry(url)) as registry:
        if not command.undoes_itself or registry.current(SCENARIO) == served:
            code, output = finish(project.start(command.step, RELEVE_REGISTRY_URL=url))
            assert code == 0, output
        assert state_of(project, registry) == usual.state
    check_nothing_left_behind(project)
