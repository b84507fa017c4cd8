"""The git branch `releve/<scenario>`, which only flows write; the user's tree, index and branch stay as they are.

Every commit on it holds the user's committed code (HEAD) and the files that flows own. Taking those files from
the branch and everything else from HEAD is why there is never a merge conflict.
"""

import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releve.core.errors import BadInput, Conflict, DiskFull, NotFound, ReleveError, Unavailable, storage_refusal
from releve.core.names import check_scenario_name

# Of scenarios/<name>/; and its results/ as a whole.
OWNED_BY_FLOWS = (
    *("batches.dvc", "batches.csv", "batches.json", "memory.dvc", "ledger.dvc", "brought.dvc", "inputs.yaml"),
    "dvc.lock",
)
NO_CODE = (*OWNED_BY_FLOWS, ".dvcignore")  # main may hide a scenario's pipeline from DVC, its branch does not
WRITTEN_BY_USERS = ("dvc.yaml", "inputs.yaml", "params.yaml")  # of scenarios/<name>/; no run works without them
NOT_THERE_YET = "0" * 40  # git's word for "this ref must not exist"
IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "releve"), ("EMAIL", "releve@localhost"))
}
PERSON = {"user.name": "releve", "user.email": "releve@localhost"}  # who commits where git knows nobody
LANGUAGE = {"LC_ALL": "C.UTF-8"}
REFUSED = "refs/releve/refused"  # experiments that the gate refused: as little in use as what a branch once had
MOST_LINES = 12  # of what git printed
UNWRITTEN = "unable to write"
WITHOUT_CONTENT = (b" missing\n", b" ambiguous\n")  # end a line of `git cat-file --batch` that no content follows
LEADS_NOWHERE = (b"symlink", b"dangling", b"loop", b"notdir")  # begin one of a link that is not in the commit
NO_COMMIT = "has no commit yet; every command reads params and schema from a commit: git add . && git commit"


class GitFailed(ReleveError):
    """git ended with an error; the message carries its own."""

    code = "git_failed"


class BranchMoved(Conflict):
    """Another run moved the scenario branch first."""

    code = "branch_moved"


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run git in `folder` under the project's own identity, without hooks; its output without the last newline."""
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", *arguments]
    done = _run(command, folder, capture_output=True, text=True)
    if check and done.returncode:
        raise _failure(arguments[0], folder, done.stderr.strip() or done.stdout)
    return str(done.stdout).strip("\n") if done.returncode == 0 else ""


@dataclass(frozen=True)
class GitObject:
    """A blob or a commit, and its text."""

    id: str
    text: str


def git_objects(folder: Path, names: Iterable[str]) -> list[GitObject | None]:
    """Read objects ("<revision>:<path>", or a commit), None where there is none; one process for all.

    A link within the commit is followed. Raise BadInput where `folder` is no git checkout, GitFailed.
    """
    asked = "".join(f"{name}\n" for name in names).encode()
    done = _run(["git", "cat-file", "--batch", "--follow-symlinks"], folder, input=asked, capture_output=True)
    if done.returncode:
        raise _failure("cat-file", folder, done.stderr.decode(errors="replace"))
    stream, objects = io.BytesIO(done.stdout), list[GitObject | None]()
    while head := stream.readline():
        if head.endswith(WITHOUT_CONTENT):
            objects.append(None)
            continue
        name, *_, size = head.split()
        text = stream.read(int(size)).decode(errors="replace")
        stream.readline()
        objects.append(None if name in LEADS_NOWHERE else GitObject(name.decode(), text))
    return objects


def git_texts(folder: Path, names: Iterable[str]) -> list[str | None]:
    """Read the same objects, as text alone."""
    return [each.text if each else None for each in git_objects(folder, names)]


def not_committed(names: list[str]) -> str:
    """Describe files that no commit has, so that no run uses them."""
    folders = dict.fromkeys(name.rpartition("/")[0] or name for name in names)
    return (
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not committed; every command reads "
        f"params and schema from a commit: git add {' '.join(folders)} && git commit"
    )


def _run(command: list[str], folder: Path, **options: Any) -> "subprocess.CompletedProcess[Any]":
    # What would lead git elsewhere goes; the project's identity and a language that we can read come.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | IDENTITY | LANGUAGE
    try:
        return subprocess.run(command, cwd=folder, env=environment, check=False, **options)
    except FileNotFoundError:
        if folder.is_dir():
            raise Unavailable("git is not installed, or not on the PATH; install it, then run the same again") from None
        raise NotFound(f"there is no folder {folder}; commands run from the project's folder") from None


def _remove(folder: Path) -> None:
    """Move it aside first: what a killed run started may still be writing into it, and would make it again."""
    aside = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(OSError):
        folder.rename(aside)
    for left in (aside, folder):
        shutil.rmtree(left, ignore_errors=True)


def _failure(what: str, folder: Path, printed: str) -> ReleveError:
    """Make one error of what git printed, which may have a line for each file that it could not write."""
    if "not a git repository" in printed:
        return BadInput(
            f"{folder} is no git checkout, and flows build what is committed: git init && git add . && git commit"
        )
    if refused := storage_refusal(printed):
        return refused
    lines = printed.strip().splitlines()
    if unwritten := next((line for line in lines if UNWRITTEN in line), ""):  # git keeps the reason to itself
        return DiskFull(
            f"git {what} found no space left in {folder} ({unwritten}); free some space there, then run the same again"
        )
    kept = lines if len(lines) <= MOST_LINES else [*lines[:3], "...", *lines[-3:]]
    return GitFailed(f"git {what} failed in {folder}: " + "\n".join(kept))


@dataclass
class Worktree:
    """A throw-away checkout in which one run works."""

    path: Path
    scenario: str
    head: str  # the user's commit that the code comes from
    tip: str | None  # the branch when the run began, or after this run's last commit

    @property
    def folder(self) -> Path:
        """scenarios/<scenario> in this checkout."""
        return self.path / "scenarios" / self.scenario

    def commit(self, message: str) -> str:
        """Record the scenario's files on top of the branch, without moving it; returns the revision.

        Nothing changed: the branch's own revision. Publish with `ScenarioBranch.move`.
        """
        written = [
            name for name in (f"scenarios/{self.scenario}", f"results/{self.scenario}") if (self.path / name).exists()
        ]
        git(self.path, "add", "-A", "--", *written)
        tree = git(self.path, "write-tree")
        if self.tip and git(self.path, "rev-parse", f"{self.tip}^{{tree}}") == tree:
            return self.tip
        parents = [self.head] if self.tip is None else [self.tip]
        if self.tip and git(self.path, "merge-base", self.head, self.tip, check=False) != self.head:
            parents.append(self.head)
        self.tip = git(self.path, "commit-tree", tree, *(f"-p{revision}" for revision in parents), "-m", message)
        return self.tip


class ScenarioBranch:
    """Reads and moves `releve/<scenario>` of the repository at `project`; worktrees have the user's files as
    `revision` has them."""

    def __init__(self, project: Path, scenario: str, *, revision: str = "HEAD"):
        self.project = project
        self.scenario = check_scenario_name(scenario)
        self.revision = revision
        self.name = f"releve/{scenario}"
        self._ref = f"refs/heads/{self.name}"

    def tip(self) -> str | None:
        """Return the branch's newest revision, or None before the first batch."""
        return git(self.project, "rev-parse", "--verify", "--quiet", self._ref, check=False) or None

    def read(self, name: str) -> str | None:
        """Read a file of scenarios/<scenario>/ as the branch has it, or None."""
        tip = self.tip()
        path = f"{tip}:scenarios/{self.scenario}/{name}"
        if tip is None or not git(self.project, "rev-parse", "--verify", "--quiet", path, check=False):
            return None
        return git(self.project, "show", path)

    def code_digest(self, revision: str) -> str:
        """Digest the files that people wrote, as `revision` has them: of every scenario, without what flows write, so
        that it is the same on the branch of each."""
        digest = hashlib.sha256()
        for entry in git(self.project, "ls-tree", "-r", "-z", revision).split("\0"):
            top, *rest = entry.partition("\t")[2].split("/")
            if top != "results" and not (top == "scenarios" and rest[1:2] and rest[1] in NO_CODE):
                digest.update(f"{entry}\n".encode())
        return digest.hexdigest()

    @contextmanager
    def worktree(self, work_dir: Path) -> Iterator[Worktree]:
        """Check out `revision` with the branch's own files, below `work_dir`; gone afterwards.

        One run per scenario at a time (see `scenario_lock`): what an earlier, killed run left is swept first.
        """
        head = self._head()
        with self.checkout(head, work_dir) as path:
            yield self._filled(path, head)

    def clone(self, folder: Path) -> Worktree:
        """Check out the same in `folder`, a repository with refs of its own that shares this one's objects.

        DVC keeps what it works on in refs that all worktrees of a repository share: here they are nobody else's.
        """
        head = self._head()
        objects = git(self.project, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        git(self.project, "init", "--quiet", "--template=", str(folder))
        alternates = folder / ".git" / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_text(f"{objects}\n", encoding="utf-8")
        for key, name in PERSON.items():  # DVC commits by git's own settings
            git(folder, "config", key, git(self.project, "config", key, check=False) or name)
        git(folder, "checkout", "--quiet", "--detach", head)
        tree = self._filled(folder, head)
        git(folder, "update-index", "--skip-worktree", ".dvcignore")  # what hides the other scenarios is no result
        return tree

    def _filled(self, path: Path, head: str) -> Worktree:
        """Bring the branch's own files into a checkout, and hide the other scenarios from DVC there."""
        tree = Worktree(path, self.scenario, head, self.tip())
        if tree.tip is not None:
            names = [f"scenarios/{self.scenario}/{name}" for name in OWNED_BY_FLOWS] + [f"results/{self.scenario}"]
            owned = git(path, "ls-tree", "-r", "--name-only", tree.tip, "--", *names).splitlines()
            if owned:
                git(path, "checkout", tree.tip, "--", *owned)
        # A scenario whose rows lie on its branch alone is hidden from `dvc repro` in the user's tree alone.
        (tree.folder / ".dvcignore").unlink(missing_ok=True)
        with (path / ".dvcignore").open("a", encoding="utf-8") as ignored:  # DVC reads every pipeline that it sees
            ignored.write(f"\n/scenarios/*\n!/scenarios/{self.scenario}\n")
        return tree

    @contextmanager
    def checkout(self, revision: str, work_dir: Path) -> Iterator[Path]:
        """Check out the files of `revision`, in a folder below `work_dir`; gone afterwards."""
        path = work_dir / self.scenario
        self.sweep(work_dir)  # what a killed run left
        try:
            git(self.project, "worktree", "add", "--detach", "--force", str(path), revision)
            yield path
        finally:
            self.sweep(work_dir)

    def sweep(self, work_dir: Path) -> None:
        """Remove the scenario's worktree, of this run or of one that was killed."""
        path = work_dir / self.scenario
        _remove(path)
        # Twice: git's record is locked while it makes a worktree, and stays so where it was killed then.
        git(self.project, "worktree", "remove", "--force", "--force", str(path), check=False)
        git(self.project, "worktree", "prune")

    def move(self, revision: str, *, expected: str | None) -> None:
        """Compare-and-swap: point the branch at `revision`. Raise BranchMoved when it is no longer at `expected`."""
        if revision == expected:
            return
        try:
            git(self.project, "update-ref", "-m", "releve", self._ref, revision, expected or NOT_THERE_YET)
        except GitFailed as error:
            if self.tip() == expected:  # nobody moved it: git could not write, or found the lock of a killed git
                raise GitFailed(f"{error}\nThe branch {self.name} is where it was; run the same again then") from None
            raise BranchMoved(
                f"the branch {self.name} was moved by another run meanwhile; nothing was lost, run the same again"
            ) from None

    def set_aside(self, name: str) -> str:
        """Keep the branch's history as refs/releve/archive/<scenario>/<name> and start over without a branch.

        Returns that ref, "" where there is no branch.
        """
        tip, kept = self.tip(), f"refs/releve/archive/{self.scenario}/{name}"
        if not tip:
            return ""
        git(self.project, "update-ref", kept, tip)
        git(self.project, "update-ref", "-d", self._ref, tip)
        return kept

    def keep_refused(self, revision: str, *, version: str) -> None:
        """Keep a revision that is to be found, and no refresh is to start from, below REFUSED."""
        git(self.project, "update-ref", f"{REFUSED}/{self.scenario}/{version}", revision)

    def maintain(self) -> None:
        """Let git pack its objects where they are many, as its own commands do: those that we commit with do not."""
        git(self.project, "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet", check=False)

    def uncommitted(self) -> list[str]:
        """List files of the user's tree whose edits are not committed, and so no part of any run."""
        return [line[3:] for line in git(self.project, "status", "--porcelain").splitlines()]

    def _head(self) -> str:
        head = git(self.project, "rev-parse", "--verify", "--quiet", self.revision, check=False)
        if not head:
            raise BadInput(f"{self.project} {NO_COMMIT}")
        wanted = [f"scenarios/{self.scenario}/{name}" for name in WRITTEN_BY_USERS]
        committed = git(self.project, "ls-tree", "--name-only", head, "--", *wanted).splitlines()
        if missing := [name for name in wanted if name not in committed]:
            raise BadInput(not_committed(missing))
        return head
