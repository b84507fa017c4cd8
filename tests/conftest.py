"""What holds for every test.

Tables here are small: a second thread of scikit-learn's has nothing to compute and spins, which on a busy machine costs
several times the processor time of the sum itself. So tests, and the processes they start, compute in one thread;
tests of how many threads compute say otherwise (`many_threads`).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

    from tests.clusters import Cluster
    from tests.postgresql import Server
    from tests.prefect_server import PrefectServer

THREADS = "OMP_NUM_THREADS"  # read once, when scikit-learn is loaded: so it is set before any test module is
os.environ[THREADS] = "1"

# What a person has set for a project of their own leads no test to it; RELEVE_TEST_* is for the tests.
OWN = (
    "RELEVE_",
    "MILVUS_",
    "PREFECT_API_",
    "PREFECT_UI_URL",
    "PREFECT_HOME",
    "BENTOML_HOME",
    "OTEL_",
    "OPENLINEAGE_",
    "TRACEPARENT",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
)
for name in [name for name in os.environ if name.startswith(OWN) and not name.startswith("RELEVE_TEST_")]:
    del os.environ[name]

# Folders of which many a file asks the same server, and with whose files they are tested.
TOGETHER = {
    "tests/adapters/local_stack/": "local stack",
    "tests/adapters/vectors/": "vectors",
    "tests/flows/": "flows",
    "tests/serving/": "servers",
    "tests/adapters/prefect/": "servers",
}


# What takes longest begins, the longest first: at the end one worker would have nothing while another still has it.
LONGEST = (
    "tests/serving/",
    "tests/flows/",
    "tests/documents/",
    "tests/test_notebooks.py",
    "tests/adapters/local_stack/",
)
LONG = ("slow", "whole", "system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Then come the other files with long tests, and in the end the short ones, which fill what time there is."""
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in LONG)}

    def place(item: pytest.Item) -> tuple[int, bool]:
        first = next((number for number, path in enumerate(LONGEST) if item.nodeid.startswith(path)), len(LONGEST))
        return first, item.path not in long

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadFileScheduling | None":
    """By file, as the Makefile asks, and by folder where the files share servers: one worker starts them for all."""
    from xdist.scheduler import LoadFileScheduling

    class ByFileAndFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((together for folder, together in TOGETHER.items() if file.startswith(folder)), file)

    return ByFileAndFolder(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started from now on may compute in more than one thread."""
    monkeypatch.setenv(THREADS, "2")


@pytest.fixture(scope="session")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where prepared projects lie, for every worker of this run: its own folder is one below the run's."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "prepared"


@pytest.fixture(scope="session")
def postgresql() -> "Iterator[Server]":
    """A PostgreSQL server of this run; the run ends where the machine has none, as nothing may be skipped silently."""
    from tests.postgresql import NoPostgresql, running

    try:
        with running() as server:
            yield server
    except NoPostgresql as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def cluster() -> "Iterator[Cluster]":
    """A scheduler and two workers of this run, each a process of its own; no test ends them."""
    from tests.clusters import running_cluster

    with running_cluster(workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[PrefectServer]":
    """A Prefect server that knows how to retrain and to monitor the digits and flowers."""
    from flows.monitor import monitor
    from flows.retrain import retrain
    from tests.prefect_server import prefect_serving

    with prefect_serving(tmp_path_factory.mktemp("prefect")) as server:
        for flow in (retrain, monitor):
            server.deploy(flow, "digits", "flowers")
        yield server
