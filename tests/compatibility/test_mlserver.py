"""The conformance suite asks another server of the protocol: what it finds there stands in docs/compatibility.md."""

import subprocess
from pathlib import Path

import httpx
import pytest

from conformance.oip.check import FAILED, PASSED, run
from conformance.oip.server import InferenceServer
from tests.compatibility.environments import environment
from tests.factories import PROJECT
from tests.serving.process import free_port, running_process, wait_until

pytestmark = pytest.mark.compat

REQUIREMENTS = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22")


def test_where_mlserver_departs_is_what_we_wrote_down(tmp_path: Path):
    python = environment("mlserver", *REQUIREMENTS)
    ports = [free_port() for _ in range(3)]
    script = Path(__file__).with_name("make_mlserver_model.py")
    subprocess.run([python, script, tmp_path, *map(str, ports)], check=True, timeout=300)
    command = [str(python.with_name("mlserver")), "start", str(tmp_path)]
    address = f"http://127.0.0.1:{ports[0]}"
    one_request_each = httpx.Limits(max_keepalive_connections=0)  # it closes a connection after an error inside
    with (
        running_process(command, tmp_path / "mlserver.log", cwd=tmp_path, environ={}),
        httpx.Client(base_url=address, timeout=30, limits=one_request_each) as client,
    ):
        wait_until(lambda: _is_ready(client), tmp_path / "mlserver.log")
        results = list(run(InferenceServer(client, "iris", example=None, control=False)))

    written = (PROJECT / "docs" / "compatibility.md").read_text()
    departures = [result.check.name for result in results if result.outcome == FAILED]
    assert [name for name in departures if f"`{name}`" not in written] == []
    passed = sum(result.outcome == PASSED for result in results)
    assert f"{passed} passed, {len(departures)} failed" in written


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/v2/models/iris/ready").status_code == 200
    except httpx.TransportError:
        return False
