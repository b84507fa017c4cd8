import shutil
import subprocess

import pytest

from releve.adapters.git_dvc.scenario_branch import (
    OWNED_BY_FLOWS,
    WRITTEN_BY_USERS,
    BranchMoved,
    GitFailed,
    ScenarioBranch,
    git,
)
from releve.core.errors import BadInput, Unavailable
from tests.repositories import SCENARIO, anonymous_environment, commit, known_identity, make_repository, snapshot, write


@pytest.fixture
def project(tmp_path):
    return make_repository(tmp_path / "project")


@pytest.fixture
def work_dir(tmp_path):
    return tmp_path / "worktrees"


def branch_of(project):
    return ScenarioBranch(project, SCENARIO)


def run(project, work_dir, *, message="a run", **files):
    """One run of a flow: write the scenario's files, commit, move the branch."""
    branch = branch_of(project)
    with branch.worktree(work_dir) as tree:
        started_at = tree.tip
        for name, text in files.items():
            write(tree.folder / name.replace("_", "."), text)
        branch.move(tree.commit(message), expected=started_at)
    return branch.tip()


def shown(project, revision, path):
    return git(project, "show", f"{revision}:{path}")


def make_dirty(project):
    write(project / "code.py", "answer = 'not staged'\n")
    write(project / "staged.py", "x = 1\n")
    git(project, "add", "staged.py")
    write(project / "untracked.txt", "mine\n")
    write(project / f"scenarios/{SCENARIO}/inputs.yaml", "rows: edited\n")


def test_before_the_first_run_there_is_no_branch(project):
    branch = branch_of(project)

    assert branch.tip() is None
    assert branch.read("inputs.yaml") is None


def test_a_run_writes_the_branch_and_nothing_that_the_user_sees(project, work_dir):
    make_dirty(project)
    before = snapshot(project)

    run(project, work_dir, batches_csv="batch\n")

    assert snapshot(project) == before
    assert branch_of(project).read("batches.csv") == "batch"


def test_a_run_that_fails_leaves_no_branch_no_worktree_and_the_users_tree_alone(project, work_dir):
    make_dirty(project)
    before = snapshot(project)

    with pytest.raises(ZeroDivisionError), branch_of(project).worktree(work_dir) as tree:
        write(tree.folder / "batches.csv", "half")
        tree.commit("never published")
        _ = 1 / 0

    assert snapshot(project) == before
    assert branch_of(project).tip() is None
    assert not (work_dir / SCENARIO).exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_a_worktree_holds_the_committed_code_and_the_branchs_own_files(project, work_dir):
    run(project, work_dir, inputs_yaml="rows: batches\n", batches_csv="one\n")
    write(project / "code.py", "answer = 2\n")
    commit(project)
    write(project / "code.py", "answer = 'not committed'\n")

    with branch_of(project).worktree(work_dir) as tree:
        assert (tree.path / "code.py").read_text() == "answer = 2\n"
        assert (tree.folder / "inputs.yaml").read_text() == "rows: batches\n"
        assert (tree.folder / "batches.csv").read_text() == "one\n"


@pytest.mark.parametrize("name", OWNED_BY_FLOWS)
def test_every_file_that_flows_own_comes_from_the_branch(name, project, work_dir):
    branch = branch_of(project)
    with branch.worktree(work_dir) as tree:
        write(tree.folder / name, "the flow's\n")
        branch.move(tree.commit("a run"), expected=None)
    write(project / f"scenarios/{SCENARIO}/{name}", "the user's\n")
    commit(project)

    with branch.worktree(work_dir) as tree:
        assert (tree.folder / name).read_text() == "the flow's\n"


def test_a_file_of_the_scenario_that_flows_do_not_own_comes_from_the_user(project, work_dir):
    run(project, work_dir, batches_csv="one\n")
    write(project / f"scenarios/{SCENARIO}/params.yaml", "newer: true\n")
    commit(project)

    tip = run(project, work_dir, batches_csv="two\n")

    assert shown(project, tip, f"scenarios/{SCENARIO}/params.yaml") == "newer: true"


def test_a_pipeline_that_dvc_passes_by_in_the_users_tree_is_seen_in_runs_and_on_the_branch(project, work_dir):
    ignore = write(project / f"scenarios/{SCENARIO}/.dvcignore", "dvc.yaml\n")
    commit(project)

    for text in ("one\n", "two\n"):
        tip = run(project, work_dir, batches_csv=text)

        assert git(project, "ls-tree", "--name-only", tip, f"scenarios/{SCENARIO}/.dvcignore") == ""
    assert ignore.read_text() == "dvc.yaml\n"


def test_a_run_continues_the_users_commit_then_the_branch_and_newer_code_is_a_second_parent(project, work_dir):
    def parents(revision):
        return git(project, "rev-parse", f"{revision}^@").split()

    base = git(project, "rev-parse", "HEAD")
    first, second = (run(project, work_dir, batches_csv=text) for text in ("one\n", "two\n"))
    write(project / "code.py", "answer = 2\n")
    head = commit(project)
    third = run(project, work_dir, batches_csv="three\n")

    assert (parents(first), parents(second), parents(third)) == ([base], [first], [second, head])
    assert shown(project, third, "code.py") == "answer = 2"


def test_several_commits_of_one_run_follow_each_other(project, work_dir):
    branch = branch_of(project)

    with branch.worktree(work_dir) as tree:
        write(tree.folder / "batches.csv", "one\n")
        first = tree.commit("first")
        write(tree.folder / "batches.csv", "two\n")
        second = tree.commit("second")

    assert git(project, "rev-parse", f"{second}^@").split() == [first]


def test_a_run_that_changes_nothing_leaves_the_branch_where_it_is(project, work_dir):
    first = run(project, work_dir, batches_csv="one\n")

    assert run(project, work_dir, batches_csv="one\n") == first


def test_results_are_committed_and_other_strays_are_not(project, work_dir):
    branch = branch_of(project)
    with branch.worktree(work_dir) as tree:
        write(tree.path / f"results/{SCENARIO}/metrics.json", "{}\n")
        write(tree.path / "stray.txt", "x")
        write(tree.folder / "batches/0001.parquet", "rows that DVC keeps")
        tip = tree.commit("a run")

    assert git(project, "ls-tree", "-r", "--name-only", tip, "--", "results", "stray.txt", "scenarios").split() == [
        f"results/{SCENARIO}/metrics.json",
        *(f"scenarios/{SCENARIO}/{name}" for name in (".gitignore", "dvc.yaml", "inputs.yaml", "params.yaml")),
    ]


def test_of_two_runs_the_later_loses_politely_and_nothing_of_the_first_is_lost(project, work_dir):
    branch = branch_of(project)
    with branch.worktree(work_dir) as tree:
        write(tree.folder / "batches.csv", "slow\n")
        slow = tree.commit("slow")
    fast = run(project, work_dir, batches_csv="fast\n")

    with pytest.raises(BranchMoved, match="releve/shop was moved by another run meanwhile; nothing was lost"):
        branch.move(slow, expected=None)

    assert branch.tip() == fast


def test_a_branch_that_moved_on_is_not_moved_from_an_old_revision_and_stays_where_it_is_asked_to(project, work_dir):
    first = run(project, work_dir, batches_csv="one\n")
    second = run(project, work_dir, batches_csv="two\n")

    with pytest.raises(BranchMoved):
        branch_of(project).move(git(project, "rev-parse", "HEAD"), expected=first)
    branch_of(project).move(second, expected=second)

    assert branch_of(project).tip() == second


def test_a_repository_without_a_commit_is_told_so(tmp_path, work_dir):
    folder = tmp_path / "empty"
    folder.mkdir()
    git(folder, "init", "--quiet")

    with pytest.raises(BadInput, match=r"has no commit yet; .*git add"), branch_of(folder).worktree(work_dir):
        pass


def test_a_scenario_that_is_not_committed_is_told_so(project, work_dir):
    write(project / "scenarios/other/dvc.yaml", "stages: {}\n")

    with (
        pytest.raises(BadInput, match=r"scenarios/other/dvc.yaml, .* are not committed.*git add scenarios/other"),
        ScenarioBranch(project, "other").worktree(work_dir),
    ):
        pass


@pytest.mark.parametrize("name", WRITTEN_BY_USERS)
def test_a_file_of_the_scenario_that_was_left_out_of_the_commit_is_named(name, project, work_dir):
    git(project, "rm", "--quiet", "--cached", f"scenarios/{SCENARIO}/{name}")
    git(project, "commit", "--quiet", "-m", "one too few")

    with (
        pytest.raises(BadInput, match=rf"^scenarios/shop/{name} is not committed; .*git add scenarios/shop"),
        branch_of(project).worktree(work_dir),
    ):
        pass


@pytest.mark.parametrize("name", ["../shop", "Shop", "", "a b", "--all"])
def test_a_name_that_could_become_another_path_or_an_option_is_refused(name, project):
    with pytest.raises(BadInput, match="scenario name"):
        ScenarioBranch(project, name)


def test_the_worktree_of_a_killed_run_is_swept(project, work_dir):
    left = branch_of(project).worktree(work_dir)
    write(left.__enter__().folder / "batches.csv", "half\n")

    tip = run(project, work_dir, inputs_yaml="rows: batches\n")

    assert git(project, "ls-tree", "--name-only", tip, f"scenarios/{SCENARIO}/batches.csv") == ""
    assert not (work_dir / SCENARIO).exists()


@pytest.mark.parametrize("leave", ["a folder", "a record", "a record that is locked"])  # as while git makes it
def test_half_of_a_killed_runs_worktree_is_swept_too(leave, project, work_dir):
    if leave == "a folder":
        write(work_dir / SCENARIO / "something.txt", "x")
    else:
        left = branch_of(project).worktree(work_dir)  # kept, as its end would sweep
        left.__enter__()
        shutil.rmtree(work_dir)
        if "locked" in leave:
            write(project / ".git" / "worktrees" / SCENARIO / "locked", "initializing")

    assert run(project, work_dir, batches_csv="one\n")
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_it_works_where_git_knows_nobody(project, work_dir, tmp_path, monkeypatch):
    for name, value in anonymous_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert known_identity(project) == ""

    tip = run(project, work_dir, batches_csv="one\n")

    assert git(project, "log", "-1", "--format=%an <%ae> %cn", tip) == "releve <releve@localhost> releve"


def test_the_users_hooks_and_git_variables_do_not_reach_a_run(project, work_dir, tmp_path, monkeypatch):
    for name in ("pre-commit", "post-checkout", "reference-transaction"):
        hook = write(project / ".git" / "hooks" / name, f"#!/bin/sh\ntouch {tmp_path}/hooked\nexit 1\n")
        hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))

    run(project, work_dir, batches_csv="one\n")

    assert not (tmp_path / "hooked").exists()
    assert not (tmp_path / "index").exists()


def test_a_branch_that_is_set_aside_can_be_found_again(project, work_dir):
    branch_of(project).set_aside("20260530")
    assert git(project, "for-each-ref", "refs/releve") == ""  # there was none to set aside
    tip = run(project, work_dir, batches_csv="one\n")

    branch_of(project).set_aside("20260531")

    assert branch_of(project).tip() is None
    assert git(project, "rev-parse", f"refs/releve/archive/{SCENARIO}/20260531") == tip


def test_edits_that_no_run_will_see_are_listed(project):
    assert branch_of(project).uncommitted() == []

    make_dirty(project)

    assert branch_of(project).uncommitted() == [
        "code.py",
        f"scenarios/{SCENARIO}/inputs.yaml",
        "staged.py",
        "untracked.txt",
    ]


def test_what_git_says_reaches_the_person(project):
    with pytest.raises(GitFailed, match=r"git rev-parse failed in .*Needed a single revision"):
        git(project, "rev-parse", "--verify", "nothing")


def test_a_folder_that_is_no_checkout_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"is no git checkout, .*git init && git add \. && git commit"):
        git(tmp_path, "rev-parse", "HEAD")


def test_without_git_one_sentence_says_so(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(Unavailable, match="git is not installed"):
        git(project, "rev-parse", "HEAD")


def test_a_clone_with_detached_head_works_too(project, work_dir):
    subprocess.run(["git", "checkout", "--quiet", "--detach"], cwd=project, check=True)

    assert run(project, work_dir, batches_csv="one\n")


def test_the_digest_of_the_code_stays_while_flows_write_and_changes_with_what_people_write(project, work_dir):
    branch = branch_of(project)
    write(project / "scenarios" / branch.scenario / ".dvcignore", "dvc.yaml\n")
    commit(project)
    on_main = branch.code_digest("HEAD")
    first = run(project, work_dir, batches_csv="batch\n")
    second = run(project, work_dir, batches_csv="batch\nanother\n", inputs_yaml="rows: batches\n")
    write(project / "code.py", "answer = 'newer'\n")
    commit(project)
    newer = run(project, work_dir, batches_csv="batch\n")

    assert on_main == branch.code_digest(first) == branch.code_digest(second) != branch.code_digest(newer)


def test_loose_objects_are_packed_once_they_are_many(project):
    for number in range(1000):  # git guesses how many there are from one of 256 folders
        write(project / "notes" / str(number), str(number))
    commit(project)  # which would pack them itself, in the background, were they many then
    git(project, "config", "gc.auto", "1")
    packs = project / ".git" / "objects" / "pack"
    assert not list(packs.glob("*.pack"))

    branch_of(project).maintain()

    assert list(packs.glob("*.pack"))
