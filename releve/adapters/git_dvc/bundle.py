"""The repository in one file: the user's commit and the branches of scenarios, as `git bundle` writes them."""

from pathlib import Path

from releve.adapters.git_dvc.scenario_branch import git
from releve.core.errors import BadInput, Conflict

SCENARIO_REFS = ("refs/heads/releve", "refs/releve")  # branches, and those of scenarios that were started over


def scenario_refs(project: Path) -> dict[str, str]:
    """Read ref -> revision of every scenario's branch, old ones too."""
    listed = git(project, "for-each-ref", "--format=%(refname) %(objectname)", *SCENARIO_REFS).splitlines()
    return dict(line.split(" ", 1) for line in listed)


def head(project: Path) -> str:
    """Read the user's commit. Raise BadInput where there is none."""
    found = git(project, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if not found:
        raise BadInput(f"{project} has no commit yet, so there is nothing to back up: git add . && git commit")
    return found


def write_bundle(project: Path, path: Path) -> None:
    """Write the user's branch and every scenario's, whole histories: `git clone` of it makes a project again."""
    globs = [f"--glob={ref}/*" for ref in SCENARIO_REFS]
    own = git(project, "symbolic-ref", "--quiet", "HEAD", check=False)
    git(project, "bundle", "create", "--quiet", str(path), "HEAD", *([own] if own else []), *globs)


def fetch_bundle(project: Path, path: Path, refs: dict[str, str]) -> None:
    """Bring the branches of scenarios in, all or none. Raise Conflict where one is there with another history.

    The user's own branch stays as it is.
    """
    there = scenario_refs(project)
    if other := [ref for ref, revision in there.items() if ref in refs and revision != refs[ref]]:
        raise Conflict(
            f"{project} has {', '.join(other)} already, with another history than the backup: restore in a fresh clone"
        )
    if missing := [ref for ref in refs if ref not in there]:
        git(project, "fetch", "--quiet", "--no-tags", "--atomic", str(path), *(f"{ref}:{ref}" for ref in missing))


def has_commit(project: Path, revision: str) -> bool:
    """Whether the user's HEAD has this commit in its history."""
    merge_base = git(project, "merge-base", revision, "HEAD", check=False)
    return merge_base == revision
