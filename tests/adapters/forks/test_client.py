"""Children of the fork server are what new processes would be."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from releve.adapters.forks.client import ForkServer
from releve.adapters.forks.command import Command
from releve.adapters.forks.loaded import PROJECT

SECONDS = 30
LOADED = "releve/adapters/files.py"  # by the stage `code`
HAS_LOADED = """import sys
print("releve.adapters.files" in sys.modules)
import releve.adapters.files, releve.adapters.journal
print(releve.adapters.files.__file__)
print(releve.adapters.journal.__file__)
"""


@pytest.fixture
def server():
    server = ForkServer()
    yield server
    server._close()


@pytest.fixture
def command(tmp_path):
    """`python -m tasks.step ARGUMENT...` in a folder whose step has this code."""

    def written(code, *arguments, folder="work", environ=None, **options):
        package = tmp_path / folder / "tasks"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "step.py").write_text(textwrap.dedent(code))
        return Command("tasks.step", arguments, str(package.parent), environ or dict(os.environ), **options)

    return written


def run(server, command, **options):
    with server.start(command, **options) as process:
        return process.stdout.read(), process.wait()


def is_there(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def wait_until(happened):
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_has_the_arguments_folder_and_environment_of_its_command_and_no_other(server, command, tmp_path):
    code = """
        import os, sys
        print(sys.argv[1:], os.getcwd(), sorted(os.environ), os.getpgrp() == os.getpid(), __name__, flush=True)
        print("a warning", file=sys.stderr)
    """

    output, ended = run(server, command(code, "a", "b c", environ={"ONE": "1", "TWO": "2"}))

    assert ended == 0
    assert output == f"['a', 'b c'] {tmp_path / 'work'} ['ONE', 'TWO'] True __main__\na warning\n"


def test_each_child_runs_the_code_of_its_own_folder(server, command):
    codes = [command("from tasks.other import name\nprint(name)", folder=name) for name in ("old", "new")]
    for each, name in zip(codes, ("old", "new"), strict=True):
        with open(f"{each.folder}/tasks/other.py", "w") as file:
            file.write(f"name = {name!r}")

    assert [run(server, each)[0] for each in (*codes, codes[0])] == ["old\n", "new\n", "old\n"]


@pytest.mark.parametrize(("edited", "has_it"), [("", True), ("releve/adapters/journal.py", True), (LOADED, False)])
def test_a_child_has_the_code_of_the_server_as_if_it_were_its_folders_where_all_of_it_is_the_same(
    edited, has_it, server, tmp_path
):
    for package in ("releve", "tasks"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    if edited:
        with (tmp_path / edited).open("a") as file:
            file.write("\n# edited\n")
    (tmp_path / "tasks" / "step.py").write_text(HAS_LOADED)
    commands = [
        Command(module, (), str(tmp_path), dict(os.environ)) for module in ("tasks.pipeline.code", "tasks.step")
    ]

    run(server, commands[0])  # ends at once, without arguments
    output, _ = run(server, commands[1])

    assert output == f"{has_it}\n{tmp_path / LOADED}\n{tmp_path / 'releve/adapters/journal.py'}\n"


def test_libraries_are_loaded_before_the_fork_and_their_random_numbers_differ_between_children(server, command):
    code = """
        import sys
        print("numpy" in sys.modules)
        import numpy
        print(numpy.random.random())
    """

    outputs = [run(server, command(code, libraries=("numpy",)))[0].split() for _ in range(2)]

    assert [output[0] for output in outputs] == ["True", "True"]
    assert outputs[0][1] != outputs[1][1]


def test_what_skops_does_not_need_is_not_loaded_with_it_and_a_child_may_still_import_it(server, command):
    code = """
        import sys
        print([name in sys.modules for name in ("skops.io", "dask", "pytest")])
        import dask, pytest
        print(dask.__name__, pytest.__name__)
    """

    output, _ = run(server, command(code, libraries=("skops.io",)))

    assert output.splitlines() == ["[True, False, False]", "dask pytest"]


def test_skops_finds_scipy_before_other_libraries(server, command):
    code = """
        import sys
        names = list(sys.modules)
        print(sorted({name.partition(".")[0] for name in names[:names.index("scipy.special")]}), "yaml" in names)
    """

    output, _ = run(server, command(code, libraries=("yaml", "skops.io")))

    assert output == "['numpy', 'scipy'] True\n"


def test_a_child_looks_for_garbage_but_not_among_the_libraries(server, command):
    output, _ = run(server, command("import gc\nprint(gc.isenabled(), gc.get_freeze_count())", libraries=("numpy",)))

    enabled, left_alone = output.split()
    assert enabled == "True"
    assert int(left_alone) > 10_000


def test_a_library_that_cannot_be_loaded_is_the_childs_error_if_it_needs_it(server, command):
    assert run(server, command("print('fine')", libraries=("nothing_of_that_name",))) == ("fine\n", 0)
    output, ended = run(server, command("import nothing_of_that_name", libraries=("nothing_of_that_name",)))
    assert (output.splitlines()[-1], ended) == ("ModuleNotFoundError: No module named 'nothing_of_that_name'", 1)


def test_a_package_that_the_server_has_loaded_runs_as_one(server, tmp_path):
    command = Command("dvc", ("--version",), str(tmp_path), dict(os.environ), libraries=("dvc.cli", "dvc.logger"))

    assert run(server, command) == (f"{version('dvc')}\n", 0)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("raise SystemExit", 0),
        ("raise SystemExit('a reason')", 1),
        ("1 / 0", 1),
        ("import os; os._exit(9)", 9),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_a_child_ends_with_the_exit_code_of_a_process(server, command, code, expected):
    wanted = command(code)
    plain = subprocess.run([sys.executable, "-m", "tasks.step"], cwd=wanted.folder, capture_output=True, text=True)

    output, ended = run(server, wanted)

    assert ended == plain.returncode == expected
    assert output.splitlines()[-1:] == plain.stderr.splitlines()[-1:]


def test_what_works_in_the_background_and_what_runs_at_the_end_is_waited_for(server, command):
    code = """
        import atexit, threading, time
        atexit.register(print, "at the end")
        threading.Thread(target=lambda: (time.sleep(0.3), print("in the background"))).start()
    """

    assert run(server, command(code)) == ("in the background\nat the end\n", 0)


def test_its_cpu_seconds_are_known(server, command):
    with server.start(command("sum(range(10_000_000))")) as process:
        process.wait()

    assert 0.05 < process.cpu_seconds < SECONDS


def test_children_of_several_threads_work_at_the_same_time(server, command, tmp_path):
    meeting = """
        import sys, time
        from pathlib import Path
        Path(sys.argv[1]).touch()
        while not Path(sys.argv[2]).exists():
            time.sleep(0.01)
    """
    names = [str(tmp_path / name) for name in ("one", "two")]

    with ThreadPoolExecutor() as threads:
        ends = list(threads.map(lambda pair: run(server, command(meeting, *pair)), [names, names[::-1]]))

    assert ends == [("", 0), ("", 0)]


def test_a_file_that_is_kept_open_stays_locked_until_the_child_ends(server, command, tmp_path):
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    waits = "import sys, time\nprint('at work', flush=True)\nwhile not time.sleep(0.01): pass"

    with server.start(command(waits), kept_open=[lock]) as process:
        process.stdout.readline()
        os.close(lock)
        with open(tmp_path / "lock") as other:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_server_that_was_ended_is_started_again(server, command):
    assert run(server, command("print(1)")) == ("1\n", 0)
    server._server.kill()
    server._server.wait()

    assert run(server, command("print('again')")) == ("again\n", 0)  # of another length, or cached bytecode would do


def test_dvc_runs_its_next_stages_itself_when_the_server_is_killed(server, command):
    code = """
        import sys, time
        from pathlib import Path
        print("at work on", sys.argv[1], flush=True)
        while sys.argv[1] == "one" and not Path("go").exists():
            time.sleep(0.01)
    """
    folder = Path(command(code).folder)
    (folder / "dvc.yaml").write_text("stages: {all: {cmd: [python -m tasks.step one, python -m tasks.step two]}}")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=folder, check=True)
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    with server.start(Command("dvc", ("repro",), str(folder), os.environ | {"PATH": paths})) as process:
        assert "at work on one\n" in process.stdout
        server._server.kill()
        server._server.wait()
        (folder / "go").touch()
        output, ended = process.stdout.read(), process.wait()

    assert "at work on two\n" in output
    assert ended == 0


def test_a_child_goes_on_when_its_parent_is_killed_and_the_server_ends_after_it(command, tmp_path):
    code = """
        import os, sys, time
        from pathlib import Path
        print(os.getpid(), os.getppid(), flush=True)
        while not Path(sys.argv[1]).exists():
            time.sleep(0.01)
        Path(sys.argv[2]).touch()
    """
    wanted = command(code, str(tmp_path / "go"), str(tmp_path / "done"))
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from releve.adapters.forks.client import *\n"
            f"process = ForkServer().start(Command({wanted.module!r}, {wanted.arguments!r}, {wanted.folder!r}, {{}}))\n"
            "print(process.stdout.readline(), flush=True)\nprocess.wait()",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        child, its_server = map(int, parent.stdout.readline().split())
        parent.kill()
    assert is_there(child) and is_there(its_server)

    (tmp_path / "go").touch()

    wait_until((tmp_path / "done").exists)
    wait_until(lambda: not is_there(child) and not is_there(its_server))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are named on Linux alone")
def test_the_process_list_says_what_a_child_does(server, command):
    name = "from pathlib import Path\nprint(Path('/proc/self/comm').read_text(), end='')"

    assert run(server, command(name, "shop"))[0] == "tasks.step shop\n"
