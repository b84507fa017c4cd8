"""Small real git repositories with one scenario, as a user has them."""

import subprocess
from pathlib import Path

from releve.adapters.git_dvc.scenario_branch import git

SCENARIO = "shop"
DVC_CONFIG = """[core]
    remote = local
    analytics = false
['remote "local"']
    url = ../remote
"""
FILES = {
    ".dvc/config": DVC_CONFIG,
    ".gitignore": "/.dvc/tmp\n/.dvc/cache\n/.dvc/config.local\n/remote\n",
    "code.py": "answer = 1\n",
    f"scenarios/{SCENARIO}/dvc.yaml": "stages: {}\n",
    f"scenarios/{SCENARIO}/inputs.yaml": "rows: seed\n",
    f"scenarios/{SCENARIO}/params.yaml": "target: {}\n",
    f"scenarios/{SCENARIO}/.gitignore": "/batches\n",
}


def make_repository(folder: Path) -> Path:
    """A repository on the branch `main` with FILES in one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in FILES.items():
        write(folder / name, text)
    commit(folder, "the first commit")
    return folder


def commit(folder: Path, message: str = "a commit") -> str:
    """Commit everything as the user would; returns the revision."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def pack(folder: Path) -> None:
    """One file instead of one for each object: a copy of the repository then costs a tenth."""
    git(folder, "repack", "-a", "-d", "--quiet")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def snapshot(folder: Path) -> dict[str, str]:
    """What the user sees: branch, index, status and every file of the tree."""
    files = {
        str(path.relative_to(folder)): path.read_bytes().hex()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", "cache", "tmp", "var", "remote"} & set(path.relative_to(folder).parts)
    }
    told = ("symbolic-ref HEAD", "rev-parse HEAD", "ls-files --stage", "status --porcelain", "stash list")
    return files | {words: git(folder, *words.split()) for words in told}


def anonymous_environment(home: Path) -> dict[str, str]:
    """Variables under which git knows nobody: no global configuration."""
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


def known_identity(folder: Path) -> str:
    """Who git says commits here, without any help from us."""
    done = subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip()
