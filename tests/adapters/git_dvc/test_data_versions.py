"""Real DVC on a real repository; each call of it costs about a second or two."""

import shutil

import pytest

from releve.adapters.git_dvc import data_versions
from releve.adapters.git_dvc.data_versions import DataVersions, PipelineFailed, data_version, stage_record
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git
from tests.processes import is_at_work
from tests.repositories import SCENARIO, commit, make_repository, write
from tests.serving.process import wait_until

pytestmark = pytest.mark.slow

BATCHES = f"scenarios/{SCENARIO}/batches"
PIPELINE = """stages:
  double:
    wdir: ../..
    cmd: python -c "print(2 * int(input()))" < scenarios/shop/number.txt > scenarios/shop/double.txt
    deps: [scenarios/shop/number.txt]
    outs:
      - scenarios/shop/double.txt:
          cache: false
  fail:
    wdir: ../..
    cmd: python -c "raise SystemExit('the price of bread is missing')"
  ours:
    wdir: ../..
    cmd: python -m tasks.step scenarios/shop/ours.txt
    outs:
      - scenarios/shop/ours.txt:
          cache: false
  ours-fails:
    wdir: ../..
    cmd: python -m tasks.step nowhere/ours.txt
  sleep:
    wdir: ../..
    cmd: python -c "import os, time; print('process', os.getpid(), flush=True); time.sleep(120)"
"""
STEP = """import os, sys
from pathlib import Path
from tasks.place import NAME
Path(sys.argv[1]).write_text(f"{NAME} {os.environ['DVC_STAGE']}")
print("wrote", os.getcwd(), "by", os.getppid())
"""


def add(data, tree, name, text):
    write(tree.path / BATCHES / name, text)
    data.revise(BATCHES, added={name: tree.path / BATCHES / name}, removed=())


@pytest.fixture(scope="session")
def made_project(tmp_path_factory):
    """A project with one batch added, pushed and committed on the scenario's branch."""
    project = make_repository(tmp_path_factory.mktemp("dvc") / "project")
    write(project / f"scenarios/{SCENARIO}/dvc.yaml", PIPELINE)
    write(project / f"scenarios/{SCENARIO}/number.txt", "21\n")
    write(project / "tasks/step.py", STEP)
    write(project / "tasks/place.py", "NAME = 'the worktree'\n")
    write(project / "scenarios/bakery/dvc.yaml", "stages: [a pipeline of which nothing can be read\n")
    commit(project, "a pipeline")
    branch = ScenarioBranch(project, SCENARIO)
    with branch.worktree(project.parent / "work_dir") as tree:
        data = DataVersions(tree.path, project=project, home=project.parent / "home")
        add(data, tree, "0001.txt", "rows\n")
        data.push(f"{BATCHES}.dvc")
        branch.move(tree.commit("a batch"), expected=None)
    return project


@pytest.fixture
def project(made_project, tmp_path):
    return shutil.copytree(made_project, tmp_path / "project", symlinks=True)


@pytest.fixture
def tree(project, tmp_path):
    with ScenarioBranch(project, SCENARIO).worktree(tmp_path / "work_dir") as tree:
        yield tree


@pytest.fixture
def data(tree, project, tmp_path):
    return DataVersions(tree.path, project=project, home=tmp_path / "home")


def test_what_was_added_is_checked_out_of_the_shared_cache(tree, data, project):
    shutil.rmtree(project / "remote")

    data.checkout(f"{BATCHES}.dvc")

    assert (tree.path / BATCHES / "0001.txt").read_text() == "rows\n"


def test_a_cache_that_was_lost_is_made_up_for_by_the_remote(tree, data, project):
    shutil.rmtree(project / ".dvc" / "cache")

    data.checkout(f"{BATCHES}.dvc")

    assert (tree.path / BATCHES / "0001.txt").read_text() == "rows\n"


def test_the_projects_relative_remote_is_meant_from_a_worktree_too(project, tmp_path):
    stored = [path for path in (project / "remote").rglob("*") if path.is_file()]

    assert len(stored) == 2  # the file, and the list of the folder's files
    assert not (tmp_path / "work_dir" / "remote").exists()


def test_rows_that_neither_the_cache_nor_the_remote_has_are_told(data, project):
    shutil.rmtree(project / ".dvc" / "cache")
    shutil.rmtree(project / "remote")

    with pytest.raises(PipelineFailed, match=r"'dvc pull scenarios/shop/batches.dvc' failed"):
        data.checkout(f"{BATCHES}.dvc")


def test_a_remote_that_is_away_stops_the_push_and_says_so(tree, data, project):
    shutil.rmtree(project / "remote")
    write(project / "remote", "a file where the folder was")
    add(data, tree, "0002.txt", "more rows\n")

    with pytest.raises(PipelineFailed, match=r"'dvc push scenarios/shop/batches.dvc' failed:\n.*"):
        data.push(f"{BATCHES}.dvc")


def test_another_version_of_a_folder_has_another_content_hash(tree, data):
    data.checkout(f"{BATCHES}.dvc")
    before = data_version((tree.folder / "batches.dvc").read_text())

    add(data, tree, "0002.txt", "more rows\n")

    after = data_version((tree.folder / "batches.dvc").read_text())
    assert before != after
    assert before.endswith(".dir") and after.endswith(".dir")


def test_stages_run_with_this_python_and_tell_their_progress(tree, data):
    lines = []

    data.repro(f"scenarios/{SCENARIO}/dvc.yaml:double", progress=lines.append)

    assert (tree.folder / "double.txt").read_text() == "42\n"
    assert any("Running stage" in line for line in lines)
    record = stage_record((tree.folder / "dvc.lock").read_text(), "double")
    assert [dependency["path"] for dependency in record["deps"]] == ["scenarios/shop/number.txt"]


def test_a_stage_of_this_project_is_forked_and_runs_the_code_of_its_worktree(tree, data):
    lines = []

    data.repro(f"scenarios/{SCENARIO}/dvc.yaml:ours", progress=lines.append)

    assert (tree.folder / "ours.txt").read_text() == "the worktree scenarios/shop/dvc.yaml:ours"
    written = next(line for line in lines if line.startswith("wrote "))
    assert written == f"wrote {tree.path} by {data_versions._fork_server._server.pid}"
    assert data.cpu_seconds > 0


def test_a_stage_of_this_project_that_fails_gives_its_last_words_too(data):
    with pytest.raises(PipelineFailed, match=r"(?s)'dvc repro .*:ours-fails' failed:.*No such file or directory: 'now"):
        data.repro(f"scenarios/{SCENARIO}/dvc.yaml:ours-fails")


def test_a_pipeline_of_another_scenario_is_not_read_and_the_file_that_hides_it_is_not_committed(project, tree, data):
    data.repro(f"scenarios/{SCENARIO}/dvc.yaml:double")

    revision = tree.commit("a run")

    assert git(project, "diff", "--name-only", tree.head, revision, "--", ".dvcignore", "scenarios/bakery") == ""


def test_a_stage_that_fails_gives_its_last_words(data):
    with pytest.raises(PipelineFailed) as caught:
        data.repro(f"scenarios/{SCENARIO}/dvc.yaml:fail")

    assert "'dvc repro scenarios/shop/dvc.yaml:fail' failed" in str(caught.value)
    assert "the price of bread is missing" in str(caught.value)


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_cancelled_run_takes_its_stage_along(data, how):
    processes = []

    def cancel(line):
        if line.startswith("process"):
            processes.append(int(line.split()[1]))
            raise how

    with pytest.raises(how):
        data.repro(f"scenarios/{SCENARIO}/dvc.yaml:sleep", progress=cancel)

    wait_until(lambda: not is_at_work(processes[0]), seconds=60)  # killed, and being cleared away by the kernel


def test_the_projects_own_configuration_is_left_alone(project, data, made_project):
    assert (project / ".dvc" / "config").read_text() == (made_project / ".dvc" / "config").read_text()
    assert not (project / ".dvc" / "config.local").exists()


@pytest.mark.parametrize(
    ("url", "resolved"), [("../remote", "remote"), ("cache/../../far", "far"), ("s3://bucket/x", None), ("/abs", None)]
)
def test_only_relative_remotes_are_rewritten(url, resolved, tree, project, tmp_path):
    write(project / ".dvc" / "config.local", f"['remote \"local\"']\n    url = {url}\n    user = me\n")

    DataVersions(tree.path, project=project, home=tmp_path)

    written = (tree.path / ".dvc" / "config.local").read_text()
    assert f"url = {project / resolved if resolved else url}\n" in written
    assert "user = me" in written
