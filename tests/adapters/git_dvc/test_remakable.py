"""Which files of DVC's cache may leave, and which something needs."""

import json
from pathlib import Path

import pytest
import yaml

from releve.adapters.git_dvc.data_cache import DataCache, md5
from releve.adapters.git_dvc.remakable import drop, in_use, refresh_files
from releve.adapters.git_dvc.scenario_branch import git
from tests.repositories import SCENARIO, commit, make_repository, write

BUILD = f"scenarios/{SCENARIO}/build"


class Repository:
    """A repository with a cache and a folder remote, whose files are put into both."""

    def __init__(self, root: Path):
        self.root = make_repository(root)
        self.cache, self.remote = DataCache(root / ".dvc" / "cache"), DataCache(root / "remote")

    def put(self, text: str) -> str:
        path = write(self.root / "var" / "made", text)
        digest = md5(path)
        for each in (self.cache, self.remote):
            write(each.place(digest), text)
        return digest

    def put_folder(self, **files: str) -> str:
        entries = [{"md5": self.put(text), "relpath": name.replace("__", "/")} for name, text in files.items()]
        text = json.dumps(entries)
        digest = f"{self.put(text)}.dir"
        for each in (self.cache, self.remote):
            each.place(digest.removesuffix(".dir")).rename(each.place(digest))
        return digest

    def has(self, *digests: str) -> list[bool]:
        return [each.place(digest).is_file() for digest in digests for each in (self.cache, self.remote)]


def lock_of(outs: dict[str, str]) -> str:
    return yaml.safe_dump({"stages": {"train": {"outs": [{"path": path, "md5": one} for path, one in outs.items()]}}})


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "project")


def test_rows_and_fitted_members_can_be_made_again_and_the_record_of_answers_stays(repository):
    rows = repository.put("all rows")
    memory = repository.put_folder(members__a="a fit", forward__1="answers", kept__0="the first")
    model = repository.put_folder(onnx="a graph")
    seed = repository.put_folder(one="rows")
    listed = repository.cache.listed
    results = repository.put("figures")
    outs = {
        f"results/{SCENARIO}/metrics.json": results,
        f"{BUILD}/rows.parquet": rows,
        f"{BUILD}/memory": memory,
        f"{BUILD}/model": model,
    }

    files = refresh_files(lock_of({**outs, f"scenarios/{SCENARIO}/seed": seed}), repository.cache)

    assert files.others == {rows, results, listed(memory)["members/a"]}
    assert files.model == {model, listed(model)["onnx"]}


def test_what_is_in_use_is_what_any_tip_names_with_the_files_of_its_folders(repository):
    names = {}
    for ref, scenario in (
        ("tags/v1", SCENARIO),
        (f"heads/releve/{SCENARIO}", SCENARIO),
        ("heads/releve/other", "other"),
    ):
        names[ref] = repository.put_folder(one=f"rows of {ref}")
        write(repository.root / f"scenarios/{scenario}/batches.dvc", f"outs:\n- md5: {names[ref]}\n")
        revision = commit(repository.root)
        git(repository.root, "update-ref", f"refs/{ref}", revision)
    archived = repository.put("archived")
    write(repository.root / f"scenarios/{SCENARIO}/dvc.lock", lock_of({f"{BUILD}/rows.parquet": archived}))
    git(repository.root, "update-ref", f"refs/releve/archive/{SCENARIO}/1", commit(repository.root))
    remembered = repository.put_folder(members__a="the fits of the refresh before")
    write(repository.root / f"scenarios/{SCENARIO}/memory.dvc", json.dumps({"outs": [{"md5": remembered}]}))
    unnamed = repository.put("nobody names it")

    used = in_use(repository.root, SCENARIO, repository.cache)

    for digest in (*names.values(), remembered):
        assert {digest, *repository.cache.listed(digest).values()} <= used
    assert archived in used
    assert unnamed not in used


def test_files_leave_the_cache_and_the_folder_remote_and_the_others_stay(repository):
    gone, stays = repository.put("old rows"), repository.put("a batch")

    freed = drop(repository.root, {gone}, remote=None, from_remote=True)

    assert freed == len("old rows")
    assert repository.has(gone, stays) == [False, False, True, True]
    assert drop(repository.root, {gone}, remote=None, from_remote=True) == 0
