"""Data and pipelines by version: DVC, run as its own process in a worktree that shares the project's cache."""

import os
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from releve.adapters import telemetry
from releve.adapters.forks.client import ForkServer
from releve.adapters.forks.command import Command, ForkedProcess
from releve.adapters.forks.libraries import DVC
from releve.adapters.git_dvc.data_cache import DataCache
from releve.adapters.git_dvc.dvc_configuration import configuration, remote_folder, write_configuration
from releve.core.environments import CHOSEN
from releve.core.errors import (
    ReleveError,
    StorageRefused,
    Unavailable,
    explained_storage,
    storage_refusal,
)
from releve.core.params import Data

PYTHON_FOLDER = str(Path(sys.executable).parent)  # stages call `python`: it must be the one that runs this
LINES_OF_AN_ERROR = 15
STEP_ERROR = "error: "  # how tasks.pipeline.stage begins an error that a person can fix
_fork_server = ForkServer()  # of this process, for all scenarios
ADVICE = ("To track the changes with git", "Use `dvc push`")


class PipelineFailed(ReleveError):
    """`dvc` ended with an error; the message carries its last lines."""

    code = "pipeline_failed"


class PipelineKilled(PipelineFailed, Unavailable):
    """`dvc` was killed, as by a machine that is out of memory: no verdict on what it made."""

    code = "pipeline_killed"
    status, exit_code = Unavailable.status, Unavailable.exit_code


class RemoteUnavailable(PipelineFailed, Unavailable):
    """The DVC remote is away, or refuses."""

    code = "remote_unavailable"
    status, exit_code = Unavailable.status, Unavailable.exit_code


class DataVersions:
    """DVC in one worktree of `project`; `remote` is where params.yaml (`data`) wants rows to be pushed."""

    def __init__(
        self,
        worktree: Path,
        *,
        project: Path,
        home: Path,
        lock_fd: int | None = None,
        remote: Data | None = None,
        cache: Path | None = None,
    ):
        """`cache`: a folder to use in the place of the project's cache."""
        self._worktree = worktree
        self.cpu_seconds = 0.0  # of DVC and its stages so far
        self._environment = {
            **{key: value for key, value in os.environ.items() if key != CHOSEN},  # its file may be older than that
            "PATH": f"{PYTHON_FOLDER}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "RELEVE_HOME": str(home),
            "RELEVE_PROJECT": str(worktree),
            "DVC_NO_ANALYTICS": "1",
        }
        self._kept_open = () if lock_fd is None else (lock_fd,)
        config = configuration(project, remote)
        if cache is not None:
            config["cache"]["dir"] = str(cache)
        self._cache = DataCache(Path(config["cache"]["dir"]))
        self._remote_folder = remote_folder(config)
        write_configuration(worktree / ".dvc" / "config.local", config)

    def checkout(self, *targets: str) -> None:
        """Link the data of `targets` (.dvc files) in from the cache, from the remote where the cache lost it.

        Every file is checked against its hash: `dvc checkout` links an altered cache file in without a word. Such a
        file is set aside and fetched anew; raise PipelineFailed when neither the cache nor the remote has it as it was.
        """
        for target in targets:
            version = data_version((self._worktree / target).read_text())
            with explained_storage(self._worktree):
                altered = self._cache.set_altered_aside(version)
                is_whole = self._cache.link((self._worktree / target).with_suffix(""), version)
            if not is_whole:
                self._pull(target, altered)

    def _pull(self, target: str, altered: list[Path]) -> None:
        try:
            self._dvc("pull", "--force", target)
        except PipelineFailed as error:
            if not altered:
                raise
            raise PipelineFailed(
                f"files of {target} were altered in the cache, and the remote does not give them back. Their present "
                f"content is kept as {', '.join(map(str, altered))}. Bring the remote back, or push from a clone that "
                f"has them whole, and run the same again. {error}"
            ) from None

    def revise(self, target: str, *, added: Mapping[str, Path], removed: Collection[str]) -> None:
        """Make a new version of a folder without having its other files here: what `dvc add` would make of them all.

        `added`: file -> where it lies; it takes the place of one of that name. Raise DiskFull, StorageRefused.
        """
        dvc_file = self._worktree / f"{target}.dvc"
        with explained_storage(self._cache.root):
            files = self.files(target) | {name: self._cache.put(path) for name, path in added.items()}
            files = {name: digest for name, digest in files.items() if name not in removed}
            if not files:
                dvc_file.unlink(missing_ok=True)
                return
            out = {"md5": self._cache.put_list(files), "nfiles": len(files), "hash": "md5", "path": dvc_file.stem}
            dvc_file.write_text(yaml.safe_dump({"outs": [out]}, sort_keys=False))

    def files(self, target: str) -> dict[str, str]:
        """Read file -> md5 of a folder's present version; {} where there is none."""
        dvc_file = self._worktree / f"{target}.dvc"
        if not dvc_file.is_file():
            return {}
        version = data_version(dvc_file.read_text())
        if not self._cache.place(version).is_file():
            self._dvc("fetch", f"{target}.dvc")
        return self._cache.listed(version)

    def push(self, *targets: str, runs: bool = False) -> None:
        """Copy what these targets need to the remote. Raise RemoteUnavailable; trying again later is safe.

        `runs`: also which inputs made which outputs, so that another machine need not run the same again. Half-written
        files of an earlier push that was killed, or found the disk full, are removed after a day.
        """
        try:
            self._dvc("push", *(["--run-cache"] if runs else []), *targets)
        except (PipelineFailed, StorageRefused) as error:
            raise RemoteUnavailable(
                f"the rows could not be pushed to the DVC remote, so nothing has moved. {error}"
            ) from None
        for cache in (self._cache, *([DataCache(self._remote_folder)] if self._remote_folder else [])):
            cache.sweep()

    def place(self, target: str, version: str, *, without: tuple[str, ...] = ()) -> None:
        """Copy the files of a folder's `version` to `target`, those whose names begin with one of `without` left out.

        The cache gives them, or the remote. Raise PipelineFailed for one that neither has.
        """
        if not self._present(version, without=without):
            dvc_file = self._worktree / f"{target}.dvc"
            out = {"md5": version, "hash": "md5", "path": dvc_file.stem}
            dvc_file.write_text(yaml.safe_dump({"outs": [out]}))
            with suppress(PipelineFailed):  # those that are left out may be gone
                self._dvc("fetch", f"{target}.dvc")
            dvc_file.unlink()
            if not self._present(version, without=without):
                raise PipelineFailed(f"neither DVC's cache nor its remote has all of {target} as of {version}")
        shutil.rmtree(self._worktree / target, ignore_errors=True)
        for name, digest in self._cache.listed(version).items():
            if not name.startswith(without):
                place = self._worktree / target / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._cache.place(digest), place)

    def _present(self, version: str, *, without: tuple[str, ...]) -> bool:
        files = self._cache.listed(version) if self._cache.place(version).is_file() else None
        return files is not None and all(
            self._cache.place(digest).is_file() for name, digest in files.items() if not name.startswith(without)
        )

    def repro(
        self,
        target: str,
        *,
        anew: bool = False,
        keep: bool = True,
        pull: bool = False,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Run the stages that `target` needs and that are out of date, or all of them; `progress` gets each line.

        Without `keep` nothing gets into the cache. `pull`: what other machines made and pushed is taken from there.
        """
        is_advice = False

        def forward(line: str) -> None:
            """Leave out what DVC tells a person to type next: it would be typed in a worktree that is about to go."""
            nonlocal is_advice
            is_advice = is_advice or line.startswith(ADVICE)
            if line and not is_advice:
                progress(line)

        chosen = {"--force": anew, "--no-commit": not keep, "--pull": pull}
        options = [option for option, is_chosen in chosen.items() if is_chosen]
        self._dvc("--wait-for-lock", "repro", *options, target, progress=forward)

    def restore(self, outputs: Mapping[str, str]) -> None:
        """Link what stages made in from the cache, by path -> version of each folder, every file checked.

        Raise PipelineFailed for a folder that the cache has no more as it was made.
        """
        for path, version in outputs.items():
            with explained_storage(self._worktree):
                altered = self._cache.set_altered_aside(version)
                is_whole = self._cache.link(self._worktree / path, version)
            if not is_whole:
                kept = f"; what was altered there is kept as {', '.join(map(str, altered))}" if altered else ""
                raise PipelineFailed(f"DVC's cache has no more all files of {path} as they were made{kept}")

    def save_experiment(self, name: str, *, target: str, message: str) -> None:
        """Save what git would commit here as a DVC experiment on top of HEAD: `dvc exp save`."""
        self._dvc("exp", "save", "--name", name, "--message", message, target)

    def _dvc(self, *arguments: str, progress: Callable[[str], None] = lambda line: None) -> None:
        # The scenario's lock stays open in the child: should this process be killed, the child's work is still
        # guarded until it ends.
        environment = self._environment | telemetry.carried()
        command = Command("dvc", arguments, str(self._worktree), environment, DVC)
        process = _fork_server.start(command, kept_open=self._kept_open)
        lines = _follow(process, progress)
        self.cpu_seconds += process.cpu_seconds
        if process.returncode:
            words = " ".join(word for word in arguments if not word.startswith("-"))
            # A step of ours (`tasks.pipeline.stage`) prints what a person can do.
            reason = next(
                (line.removeprefix(STEP_ERROR) for line in reversed(lines) if line.startswith(STEP_ERROR)), ""
            )
            if refused := storage_refusal(reason or "\n".join(lines)):
                raise type(refused)(reason) if reason else refused
            if process.returncode < 0:
                raise PipelineKilled(f"'dvc {words}' was killed by signal {-process.returncode}; run the same again")
            raise PipelineFailed(reason or f"'dvc {words}' failed:\n" + "\n".join(lines[-LINES_OF_AN_ERROR:]))


def data_version(dvc_file: str) -> str:
    """Read the content hash from a .dvc file's text."""
    return str(yaml.load(dvc_file, yaml.CSafeLoader)["outs"][0]["md5"])


def stage_record(lock_file: str, stage: str) -> dict[str, Any]:
    """Read a stage from dvc.lock's text: its command, dependencies, parameters and outputs."""
    return dict(yaml.load(lock_file, yaml.CSafeLoader)["stages"][stage])


def _follow(process: ForkedProcess, progress: Callable[[str], None]) -> list[str]:
    """Read the lines that a process prints until it ends."""
    import signal

    lines = []
    with process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                progress(lines[-1])
        except BaseException:  # a cancelled run takes its stages along, whatever cancelled it
            # Nobody has waited for DVC yet, so its number still names its group, even if it died.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    return [line for line in lines if line]
