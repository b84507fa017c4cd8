"""What DVC keeps of a refresh that can be made again from its inputs, and what else uses the same files.

Inputs are batches and the memory that a refresh leaves to the next one. DVC's own `gc` deletes whatever no listed
commit names, and knows of one repository: a forgotten branch would lose its rows. Here a list of files leaves, and no
other.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from releve.adapters.git_dvc.data_cache import LIST, DataCache
from releve.adapters.git_dvc.data_versions import RemoteUnavailable
from releve.adapters.git_dvc.dvc_configuration import Configuration, as_nested, configuration, remote_folder
from releve.adapters.git_dvc.scenario_branch import REFUSED, ScenarioBranch, git, git_texts
from releve.core.params import Data

DECIDING = (".json", ".lock")  # the manifests of the stage `code`, and requirements.lock
MD5 = re.compile(r"\b([0-9a-f]{32}(?:\.dir)?)\b")  # in YAML as in JSON; a text too many keeps a file too many
BUILD, MODEL, MEMORY = "/build/", "/build/model", "/build/memory"  # of scenarios/<name>: what the stages write
RESULTS = "results/"  # git holds them, and DVC for its run cache a second time
MEMBERS = "members/"  # what of the memory only the next refresh reads
SCENARIO_REF = re.compile(r"refs/(?:heads/releve|releve/archive)/([^/]+)")
# Of scenarios/<name>: what names files of the cache.
TRACKED = ("dvc.lock", "batches.dvc", "memory.dvc", "ledger.dvc", "brought.dvc")
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def outputs(lock_file: str) -> dict[str, str]:
    """Read path -> md5 of every output of every stage from dvc.lock's text."""
    stages = (yaml.load(lock_file, Loader=Loader) or {}).get("stages", {}).values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", ()) if "md5" in out}


def made_with(lock_file: str) -> list[Any]:
    """List what of dvc.lock's text, beside rows and answers, decides what a refresh makes: code, libraries, settings.

    Of the rest it names the paths: one without a memory is a first model.
    """
    stages = (yaml.load(lock_file, Loader=Loader) or {}).get("stages", {})
    return [
        [name, stage.get("params"), dep["path"], dep["md5"] if dep["path"].endswith(DECIDING) else ""]
        for name, stage in sorted(stages.items())
        for dep in stage.get("deps", ())
    ]


@dataclass(frozen=True)
class RefreshFiles:
    """What DVC keeps of one refresh that can be made again, as md5s."""

    model: frozenset[str]  # the packaged model, a copy of the one in the model store
    others: frozenset[str]  # rows, fitted members and the like, which no later refresh reads


def refresh_files(lock_file: str, cache: DataCache) -> RefreshFiles:
    """List what the stages of a refresh wrote below build/, of its memory the fitted members alone.

    `cache` has the lists of folders; files of a folder whose list it has not are not named.
    """
    model, others = set(), set()
    for path, digest in outputs(lock_file).items():
        files = folder_files(digest, cache)
        if path.endswith(MEMORY):
            others |= {md5 for name, md5 in files.items() if name.startswith(MEMBERS)}
        elif path.endswith(MODEL):
            model |= {digest, *files.values()}
        elif BUILD in path or path.startswith(RESULTS):
            others |= {digest, *files.values()}
    return RefreshFiles(frozenset(model), frozenset(others))


def folder_files(digest: str, cache: DataCache) -> dict[str, str]:
    """Read file -> md5 of a folder; {} for a single file, and where `cache` has no list of the folder."""
    return cache.listed(digest) if digest.endswith(LIST) and cache.place(digest).is_file() else {}


def in_use(project: Path, scenario: str, cache: DataCache) -> set[str]:
    """List every md5 that something needs as it is, with the files of each folder.

    That is what the tip of any branch, tag or archive names for its scenario (a user's for `scenario`), and what the
    user's own tree has.
    """
    refs = git(project, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    names = [f"HEAD:scenarios/{scenario}/{name}" for name in TRACKED]
    for line in refs:
        revision, _, ref = line.partition(" ")
        if ref.startswith(REFUSED):
            continue
        owner = SCENARIO_REF.match(ref)
        names += [f"{revision}:scenarios/{owner[1] if owner else scenario}/{name}" for name in TRACKED]
    texts = [text for text in git_texts(project, dict.fromkeys(names)) if text]
    own = (project / "scenarios" / scenario / name for name in TRACKED)
    texts += [path.read_text() for path in own if path.is_file()]
    named = {digest for text in texts for digest in MD5.findall(text)}
    return named | {md5 for digest in named for md5 in folder_files(digest, cache).values()}


def earlier_files(branch: ScenarioBranch, names: Sequence[str], cache: DataCache, *, newest: bool = False) -> set[str]:
    """List the md5 of every file that these .dvc files of the scenario ever named on its branch, or name now.

    Folders whose list the cache has not are left out, and so are the lists: they hold names and md5s alone.
    """
    tip = branch.tip() or ""
    paths = [f"scenarios/{branch.scenario}/{name}" for name in names]
    revisions = [tip] if newest else git(branch.project, "log", "--format=%H", tip, "--", *paths).splitlines()
    texts = git_texts(branch.project, [f"{revision}:{path}" for revision in revisions for path in paths])
    named = {digest for text in texts if text for digest in MD5.findall(text)}
    return {md5 for digest in named for md5 in folder_files(digest, cache).values()}


def drop(project: Path, digests: set[str], *, remote: Data | None, from_remote: bool) -> int:
    """Delete files from DVC's cache, and from its remote where `from_remote`; returns the bytes freed in the cache.

    Where some are gone already, the others go. Raise RemoteUnavailable where the remote is away.
    """
    config = configuration(project, remote)
    folder = remote_folder(config)
    if from_remote and digests and folder is not None:
        DataCache(folder).remove(digests)
    elif from_remote and digests and config["core"].get("remote"):
        _drop_from_cloud(project, digests, config)
    cache = DataCache(Path(config["cache"]["dir"]))
    cache.forget_runs(digests)
    return cache.remove(digests)


def drop_made(project: Path, scenario: str, locks: Iterable[str], *, remote: Data | None) -> None:
    """Delete from DVC's cache what stages made, by the texts of their dvc.lock, where nothing else uses it."""
    cache = DataCache(Path(configuration(project, remote)["cache"]["dir"]))
    made = [refresh_files(lock, cache) for lock in locks]
    files = {digest for each in made for digest in (*each.model, *each.others)}
    drop(project, files - in_use(project, scenario, cache), remote=remote, from_remote=False)


def _drop_from_cloud(project: Path, digests: set[str], config: Configuration) -> None:
    from dvc.repo import Repo

    try:
        with Repo(str(project), config=as_nested(config)) as repo:
            store = repo.cloud.get_remote_odb()
            for digest in sorted(digests, key=lambda each: each.endswith(LIST)):
                with suppress(FileNotFoundError):
                    store.delete(digest)
    except Exception as error:  # each kind of remote has errors of its own
        raise RemoteUnavailable(f"old files could not be deleted in the DVC remote: {error}") from None
