"""What an image would hold, without an engine: its lock, installed by hashes, and the files that it copies."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from releve.adapters.files import write_document
from releve.adapters.models.description import GoldenRequests
from tasks.delivery.bento import pack
from tests.adapters.local_stack.small import write_project
from tests.deploy.files import CONTAINERS, copied, instructions, tracked
from tests.factories import PROJECT
from tests.prefect_server import prefect_serving
from tests.projects import released_project
from tests.serving.process import free_port, running_process, wait_until

pytestmark = pytest.mark.compat

SERVICE, WORKER = sorted(CONTAINERS)
TOKEN = "a-token-of-the-test-alone"


def environment_of(container: Path) -> Path:
    """The Python of an environment with the packages of an image, each checked against its hash."""
    lock = next(name for name in copied(container) if name.endswith(".lock"))
    folder = PROJECT / "var" / "compat" / f"image-{container.stem}"
    stamp, wanted = folder / "lock", (PROJECT / lock).read_text()
    if not stamp.is_file() or stamp.read_text() != wanted:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        install = [*uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", PROJECT / lock]
        subprocess.run([*install, "--python", folder / "bin" / "python"], check=True)
        stamp.write_text(wanted)  # last: what was interrupted is begun again
    return folder / "bin" / "python"


def place(container: Path, folder: Path) -> None:
    """Copy what the image copies, as git has it."""
    for name in copied(container):
        for file in tracked():
            if file.is_relative_to(name):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / file, folder / file)


def command_of(container: Path) -> list[str]:
    return re.findall(r'"([^"]*)"', dict(instructions(container))["CMD"])


def test_the_service_answers_from_the_files_and_packages_of_its_image_alone(work_dir: Path, tmp_path: Path):
    python, app = environment_of(SERVICE), tmp_path / "app"
    project = released_project(work_dir).copy(tmp_path)
    golden = pack(project.settings, "digits").golden
    write_document(tmp_path / "golden.json", golden)
    place(SERVICE, app)
    port = free_port()
    command = [str(python), *command_of(SERVICE)[1:]]
    assert command[-4:] == ["--host", "0.0.0.0", "--port", "3000"]
    command[-1], command[-3] = str(port), "127.0.0.1"  # no test listens beyond this machine
    environ = project.environ | {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "PYTHONPATH": "",
        "BENTOML_HOME": str(project.settings.home / "bentoml"),
        "RELEVE_REGISTRY_URL": project.settings.registry_url,
        "RELEVE_TOKEN_READ": TOKEN,
    }
    with running_process(command, tmp_path / "service.log", cwd=app, environ=environ):
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/readyz"), tmp_path / "service.log")
        sent = {"authorization": f"Bearer {TOKEN}"}
        asked = httpx.post(
            f"{address}/scenarios/digits/predict", json={"rows": list(golden.golden.rows)}, headers=sent, timeout=60
        )

    assert asked.status_code == 200, asked.text
    assert GoldenRequests.model_validate(golden).golden.are_answered_by(
        [each["label"] for each in asked.json()["predictions"]], task=golden.task
    )
    done = subprocess.run(
        [python, "-c", "import psycopg, releve.serving.shadow.process"],
        cwd=app,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # the shadow runs in the same image


def test_the_workers_packages_run_every_command_a_stage_and_the_prefect_server(work_dir: Path, tmp_path: Path):
    python = environment_of(WORKER)
    project = released_project(work_dir).copy(tmp_path)
    environ = project.environ | {"PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONPATH": str(project.root)}
    probes = (
        ["-m", "releve", "run-stage", "--", "digits", "train"],
        ["-m", "prefect", "server", "start", "--help"],
        ["-m", "prefect", "worker", "start", "--help"],
        ["-m", "releve", "deploy", "--help"],
        ["-c", "import flows.retrain, flows.lifecycle, psycopg, asyncpg, s3fs, distributed, evidently"],
        ["-c", "import releve.adapters.forks.server"],
    )
    for arguments in probes:
        done = subprocess.run(
            [python, *arguments],
            cwd=project.root,
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout[-2000:] + done.stderr[-2000:])


def test_the_workers_script_runs_a_flow_in_a_fork_and_says_that_it_is_well(tmp_path: Path):
    python, project, home = environment_of(WORKER), tmp_path / "project", tmp_path / "home"
    project.mkdir()
    write_project(project)
    health, script = free_port(), PROJECT / "deploy" / "containers" / "worker.sh"
    with prefect_serving(tmp_path / "server") as server:
        environ = server.environ | {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "PYTHONPATH": f"{project}:{PROJECT}",
            "RELEVE_PROJECT": str(project),
            "RELEVE_HOME": str(home),
            "PREFECT_HOME": str(tmp_path / "client"),
            "PREFECT_WORKER_WEBSERVER_PORT": str(health),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
        }
        subprocess.run([python, "-m", "releve", "deploy"], cwd=project, env=os.environ | environ, check=True)
        log = tmp_path / "worker.log"
        with running_process(["sh", str(script)], log, cwd=project, environ=environ) as pid:
            try:
                wait_until((home / "run" / "forks" / "socket").exists, log)
                wait_until(lambda: answers(f"http://127.0.0.1:{health}/health"), log)
                before = len(log.read_text())  # a run may have been due while the fork server was loading
                found = server.post("/deployments/filter", {"deployments": {"name": {"any_": ["retrain"]}}})
                run = server.post(
                    f"/deployments/{found[0]['id']}/create_flow_run", {"parameters": {"scenario": "digits"}}
                )
                wait_until((project / "ran-retrain").exists, log)
                wait_until(lambda: f"'{run['name']}' - Finished" in log.read_text(), log)
            finally:
                os.killpg(pid, signal.SIGKILL)  # as a container's end does: the fork server is no child of the worker

    assert "loads its libraries itself" not in log.read_text()[before:]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
