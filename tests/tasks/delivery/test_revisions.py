"""Every scenario at two commits, really built; what both have in common is built once."""

from dataclasses import replace
from pathlib import Path

import pytest

from releve.adapters.git_dvc.scenario_branch import git
from releve.cli.app import main
from releve.core.errors import BadInput
from tasks.delivery.revisions import compare_with
from tests.tasks.shop import BETTER_RECIPE, Shop


def test_a_commit_that_is_none_is_named(fresh: Shop) -> None:
    for wrong in ("origin/mian", "--all", ""):
        with pytest.raises(BadInput, match="is no commit"):
            next(compare_with(fresh.settings, wrong))


def test_a_scenario_without_rows_here_is_told_and_breaks_nothing(fresh: Shop) -> None:
    [found] = compare_with(fresh.settings, "HEAD")

    assert (found.before, found.after, found.is_broken) == (None, None, False)
    assert found.problem


@pytest.mark.slow
def test_a_change_is_compared_on_the_rows_of_the_branch_and_no_change_is_told(
    challenged: Shop, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = git(challenged.root, "rev-parse", "HEAD")
    (challenged.root / "docs.md").write_text("no code\n")
    challenged.override()
    said: list[str] = []

    [same] = compare_with(challenged.settings, base, progress=said.append)

    assert same.is_same
    assert not [line for line in said if line.startswith("Running stage") and ":code" not in line]  # DVC had them

    challenged.override(train=BETTER_RECIPE)
    monkeypatch.setenv("RELEVE_PROJECT", str(challenged.root))
    monkeypatch.setenv("RELEVE_HOME", str(challenged.settings.home))
    assert main(["changes", base, "--out", str(tmp_path / "changes.md")]) == 0

    text = capfd.readouterr().out
    assert "## shop" in text and "Better by accuracy, on the same" in text and "Best naive baseline" in text
    assert (tmp_path / "changes.md").read_text() == text
    assert git(challenged.root, "worktree", "list").count("\n") == 0


@pytest.mark.slow
def test_a_change_that_breaks_a_scenario_fails(challenged: Shop) -> None:
    challenged.override(columns={"colour": {"type": "category", "values": ["red"]}})

    [found] = compare_with(replace(challenged.settings), "HEAD~1")

    assert found.is_broken
    assert (found.before is None, found.after) == (False, None)
