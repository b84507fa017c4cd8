import subprocess
from dataclasses import replace

import pytest
import yaml

from releve.adapters.git_dvc.committed import begin_run, read_committed
from releve.adapters.git_dvc.scenario_branch import git
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from tests.factories import SCENARIO, make_project
from tests.repositories import commit

OWN = f"scenarios/{SCENARIO}/params.yaml"


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environ({}, cwd=make_project(tmp_path, max_rows=5))


def edit(settings, *, max_rows):
    path = settings.project / OWN
    values = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**values, "service": {"max_rows": max_rows}}))


def most_rows(settings):
    return read_committed(settings, SCENARIO).params.service.max_rows


def test_what_is_committed_holds_and_what_is_not_is_named(settings):
    edit(settings, max_rows=7)

    found = read_committed(settings, SCENARIO)

    assert found.params.service.max_rows == 5
    assert found.schema.target.name == "kind"
    assert found.first_line == (
        f"params and schema of commit {git(settings.project, 'rev-parse', 'HEAD')[:12]}; "
        f"edits that are not committed are not used: {OWN}"
    )


def test_once_committed_an_edit_is_used_and_nothing_is_named(settings):
    edit(settings, max_rows=7)
    revision = commit(settings.project)

    found = read_committed(settings, SCENARIO)

    assert (found.params.service.max_rows, found.revision, found.unused) == (7, revision, ())


def test_an_edit_of_the_projects_params_is_named_too_and_so_is_a_file_that_is_gone(settings):
    (settings.project / "params.yaml").write_text("nonsense: [")
    (settings.project / OWN).unlink()

    assert read_committed(settings, SCENARIO).unused == ("params.yaml", OWN)


def test_a_mistake_that_is_committed_is_still_told_once_it_is_mended_with_what_is_not_committed(settings):
    path = settings.project / OWN
    right = path.read_text()
    path.write_text(right + "search: {secnds: 9}\n")
    commit(settings.project)

    with pytest.raises(BadInput, match=r"'search\.secnds' is not a known key") as before:
        read_committed(settings, SCENARIO)
    path.write_text(right)
    with pytest.raises(BadInput, match=rf"'search\.secnds' .*; edits that are not committed are not used: {OWN}$"):
        read_committed(settings, SCENARIO)

    assert "not committed" not in str(before.value)


def test_staged_is_not_committed(settings):
    edit(settings, max_rows=7)
    git(settings.project, "add", "--all")

    assert most_rows(settings) == 5


def test_other_line_ends_are_no_edit(settings):
    path = settings.project / OWN
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert read_committed(settings, SCENARIO).unused == ()


def test_a_run_keeps_the_commit_that_it_began_with(settings):
    told = []
    run = begin_run(settings, SCENARIO, tell=told.append)
    edit(settings, max_rows=7)
    commit(settings.project)

    assert (most_rows(run), most_rows(settings)) == (5, 7)
    assert told == [f"params and schema of commit {run.revision[:12]}"]


def test_a_merge_that_is_not_done_yet_changes_nothing(settings):
    git(settings.project, "checkout", "--quiet", "-b", "other")
    edit(settings, max_rows=6)
    commit(settings.project)
    git(settings.project, "checkout", "--quiet", "main")
    edit(settings, max_rows=7)
    commit(settings.project)
    git(settings.project, "merge", "other", check=False)

    found = read_committed(settings, SCENARIO)

    assert "<<<<<<<" in (settings.project / OWN).read_text()
    assert (found.params.service.max_rows, found.unused) == (7, (OWN,))


def test_a_detached_head_a_worktree_and_a_shallow_clone_have_commits_too(settings, tmp_path):
    git(settings.project, "checkout", "--quiet", "--detach")
    git(settings.project, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", settings.project.as_uri(), str(tmp_path / "shallow")], check=True
    )

    for place in (settings.project, tmp_path / "tree", tmp_path / "shallow"):
        assert most_rows(replace(settings, project=place)) == 5


def test_a_scenario_that_is_not_committed_is_told_with_the_command_that_commits_it(settings):
    folder = settings.project / "scenarios" / "mine"
    folder.mkdir()
    (folder / "params.yaml").write_text((settings.project / OWN).read_text())

    with pytest.raises(
        BadInput, match=r"^scenarios/mine/params.yaml is not committed; .*: git add scenarios/mine && git commit$"
    ):
        read_committed(settings, "mine")


def test_a_scenario_that_is_nowhere_is_told_with_those_that_are(settings):
    with pytest.raises(NotFound, match=rf"there is no scenario 'mine' .*there are: {SCENARIO}"):
        read_committed(settings, "mine")


def test_a_project_without_git_or_without_a_commit_is_told_so(settings, tmp_path):
    bare = tmp_path / "bare"
    (bare / "scenarios" / SCENARIO).mkdir(parents=True)
    for name in ("params.yaml", OWN):
        (bare / name).write_text((settings.project / name).read_text())

    with pytest.raises(BadInput, match=r"is no git checkout, .*git init"):
        read_committed(replace(settings, project=bare), SCENARIO)
    git(bare, "init", "--quiet")
    with pytest.raises(BadInput, match="has no commit yet"):
        read_committed(replace(settings, project=bare), SCENARIO)


def test_a_wrong_key_in_a_commit_is_named_with_its_file(settings):
    (settings.project / OWN).write_text("target: {name: kind}\nservices: {}\n")
    commit(settings.project)

    with pytest.raises(BadInput, match=f"params.yaml with {OWN}: 'services'"):
        read_committed(settings, SCENARIO)


def test_a_link_to_another_scenarios_params_is_followed_and_one_out_of_the_project_is_not(settings):
    for name, target in (("twin", f"../{SCENARIO}/params.yaml"), ("stray", "/etc/hostname")):
        (settings.project / "scenarios" / name).mkdir()
        (settings.project / "scenarios" / name / "params.yaml").symlink_to(target)
    commit(settings.project)

    assert read_committed(settings, "twin").params.service.max_rows == 5
    assert read_committed(settings, "twin").unused == ()
    with pytest.raises(BadInput):
        read_committed(settings, "stray")


@pytest.mark.parametrize("setting", [{"dates": {"lenght": "%d.%m.%Y"}}, {"units": {"lenght": "kg"}}])
def test_a_setting_about_a_column_that_is_none_is_refused_with_the_column_that_is_meant(settings, setting):
    path = settings.project / OWN
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "ingest": setting}))
    commit(settings.project)

    with pytest.raises(BadInput, match=r"ingest\.(dates|units) names 'lenght', .* did you mean 'length'"):
        read_committed(settings, SCENARIO)


def test_a_filter_of_the_index_is_a_category_column(settings):
    path = settings.project / OWN
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "index": {"filters": ["length"]}}))
    commit(settings.project)

    with pytest.raises(BadInput, match=r"index\.filters names the number 'length'; expected a category column"):
        read_committed(settings, SCENARIO)
