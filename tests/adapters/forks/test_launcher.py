"""A run that the launcher lets the fork server fork is, for whoever started it, the process that it would else be."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.adapters.forks.door import READY
from tests.processes import is_at_work
from tests.serving.process import wait_until

LIBRARIES = "libraries of the test"  # a folder that both the server and its runs import from
WAITS = """
    import os, sys, time
    from pathlib import Path
    print(os.getpid(), flush=True)
    while not Path(sys.argv[1]).exists():
        time.sleep(0.01)
    print("went on", flush=True)
    raise SystemExit(5)
"""


class Living:
    """A fork server as `make up` keeps one, and runs that are launched beside it."""

    def __init__(self, root: Path):
        self.folder = root / ("a folder with a long name " * 4) / "forks"
        self._libraries, self._log = root / LIBRARIES, root / "log"
        self._libraries.mkdir()
        self.environ = os.environ | {"PYTHONPATH": str(self._libraries), "PYTHONUNBUFFERED": "1"}
        self.begin()

    def begin(self) -> None:
        command = [sys.executable, "-m", "releve.adapters.forks.server", str(self.folder)]
        with self._log.open("a") as log:
            self.process = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)
        self.wait_until_loaded(1 + self.times_loaded)

    @property
    def times_loaded(self) -> int:
        return self._log.read_text().count(READY)

    def wait_until_loaded(self, times: int) -> None:
        wait_until(lambda: self.times_loaded >= times, self._log)

    def install_something(self) -> None:
        (self._libraries / f"library_{self.times_loaded}.py").touch()

    def launch(self, work: Path, code: str, *arguments: object, **environ: str) -> "subprocess.Popen[str]":
        """A run of `code`, as the module of `work` that it is put into."""
        (work / "step.py").write_text(textwrap.dedent(code))
        launcher = [sys.executable, "-m", "releve.adapters.forks.launcher", str(self.folder)]
        return subprocess.Popen(
            [*launcher, "step", *map(str, arguments)],
            cwd=work,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, work: Path, code: str, *arguments: object, **environ: str) -> tuple[str, str, int]:
        """Outputs and exit code."""
        process = self.launch(work, code, *arguments, **environ)
        output, errors = process.communicate(timeout=60)
        return output, errors, process.returncode


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    living = Living(tmp_path_factory.mktemp("living"))
    yield living
    living.process.kill()
    living.process.wait()


@contextmanager
def at_work(living: Living, work: Path, go: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A run that waits for `go`: its launcher, and the child's pid."""
    with living.launch(work, WAITS, go) as launcher:
        assert launcher.stdout
        yield launcher, int(launcher.stdout.readline())


def test_a_run_is_a_child_of_the_server_with_what_its_launcher_was_given(living: Living, tmp_path: Path) -> None:
    code = """
        import os, sys
        print(os.getcwd(), os.getppid(), sys.argv[1:], os.environ["GIVEN"], "prefect" in sys.modules)
        print("a warning", file=sys.stderr)
        raise SystemExit(7)
    """

    output, errors, ended = living.run(tmp_path, code, "a", "b c", GIVEN="x y")

    assert output == f"{tmp_path} {living.process.pid} ['a', 'b c'] x y True\n"
    assert (errors, ended) == ("a warning\n", 7)


def test_what_a_library_set_up_for_its_own_logging_is_no_other_programs(living: Living, tmp_path: Path) -> None:
    code = "import logging\nprint(logging.root.handlers, logging.root.level == logging.WARNING)"

    assert living.run(tmp_path, code)[0] == "[] True\n"


def test_what_is_imported_of_the_project_is_imported_anew_by_each_run(living: Living, tmp_path: Path) -> None:
    words = []
    for word in ("before", "after it was edited"):
        (tmp_path / "other.py").write_text(f"word = {word!r}")
        words.append(living.run(tmp_path, "from other import word\nprint(word)")[0])

    assert words == ["before\n", "after it was edited\n"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_run_that_a_signal_ended_looks_so(living: Living, tmp_path: Path, number: signal.Signals) -> None:
    *_, ended = living.run(tmp_path, f"import os\nos.kill(os.getpid(), {int(number)})")

    assert ended == -number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on(living: Living, tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
        import signal, time
        def end(number, frame):
            print("was told", flush=True)
            raise SystemExit(3)
        signal.signal({int(number)}, end)
        print("at work", flush=True)
        while True:
            time.sleep(0.01)
    """
    with living.launch(tmp_path, code) as launcher:
        assert launcher.stdout
        launcher.stdout.readline()

        launcher.send_signal(number)

        assert launcher.communicate(timeout=60)[0] == "was told\n"
        assert launcher.returncode == 3


def test_a_run_ends_when_its_launcher_is_killed(living: Living, tmp_path: Path) -> None:
    with at_work(living, tmp_path, tmp_path / "never") as (launcher, child):
        launcher.kill()

        wait_until(lambda: not is_at_work(child))


def test_runs_work_at_the_same_time(living: Living, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with at_work(living, tmp_path, go) as (one, first), at_work(living, tmp_path, go) as (other, second):
        go.touch()

        assert (one.wait(60), other.wait(60)) == (5, 5)
        assert first != second


def test_a_run_that_libraries_would_be_others_for_loads_them_itself(living: Living, tmp_path: Path) -> None:
    code = "import os\nprint(os.getppid(), os.environ['OMP_NUM_THREADS'])"

    output, errors, ended = living.run(tmp_path, code, OMP_NUM_THREADS="7")

    assert (output, ended) == (f"{os.getpid()} 7\n", 0)
    assert errors == "This run loads its libraries itself: the fork server was started with another OMP_NUM_THREADS\n"


def test_where_others_could_have_put_a_server_none_is_asked(living: Living, tmp_path: Path) -> None:
    living.folder.chmod(0o755)

    output, errors, _ = living.run(tmp_path, "import os\nprint(os.getppid())")

    living.folder.chmod(0o700)
    assert output == f"{os.getpid()}\n"
    assert errors.endswith(" is open to other users\n")


def test_a_library_that_is_installed_counts_for_the_next_run_and_the_server_loads_anew(
    living: Living, tmp_path: Path
) -> None:
    loaded = living.times_loaded
    living.install_something()
    code = "import os\nprint(os.getppid())"

    next_run = living.run(tmp_path, code)
    living.wait_until_loaded(loaded + 1)
    later_run = living.run(tmp_path, code)

    assert next_run[0] == f"{os.getpid()}\n"
    assert "packages were installed or removed" in next_run[1]
    assert later_run[:2] == (f"{living.process.pid}\n", "")


def test_the_server_computes_nothing_beside_its_forks(living: Living) -> None:
    tasks = Path(f"/proc/{living.process.pid}/task")
    if tasks.is_dir():
        names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
        assert len(names) <= 3, names


def test_a_run_goes_on_without_its_server_and_the_next_one_needs_none(living: Living, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with at_work(living, tmp_path, go) as (launcher, _):
        living.process.kill()
        living.process.wait()
        (tmp_path / "other").mkdir()
        next_run = living.run(tmp_path / "other", "import os\nprint(os.getppid())")
        go.touch()

        assert launcher.communicate(timeout=60)[0] == "went on\n"
        assert launcher.returncode == 5
    assert next_run[0] == f"{os.getpid()}\n"
    assert "This run loads its libraries itself: no fork server answers at " in next_run[1]
    living.begin()
    assert living.run(tmp_path, "import os\nprint(os.getppid())")[0] == f"{living.process.pid}\n"
