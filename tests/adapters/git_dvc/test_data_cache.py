import json
import os
import shutil
import time

import pytest

from releve.adapters.git_dvc import data_cache
from releve.adapters.git_dvc.data_cache import DAY_SECONDS, DataCache, md5


@pytest.fixture
def stored(tmp_path):
    """A folder of two files, its cache, and its data version."""
    folder, cache = tmp_path / "batches", DataCache(tmp_path / "cache")
    folder.mkdir()
    entries = []
    for name in ("bread", "cheese"):
        (folder / name).write_text(f"rows of {name}")
        digest = md5(folder / name)
        put(cache.place(digest), (folder / name).read_bytes())
        entries.append({"md5": digest, "relpath": name})
    put(tmp_path / "list", json.dumps(entries).encode())
    version = f"{md5(tmp_path / 'list')}.dir"
    put(cache.place(version), (tmp_path / "list").read_bytes())
    return folder, cache, version


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_cache_that_is_as_it_was_is_left_alone_and_its_files_are_linked(stored):
    folder, cache, version = stored
    before = {path: path.read_bytes() for path in folder.iterdir()}
    put(folder / "older", b"of another version")

    assert cache.set_altered_aside(version) == []
    assert cache.link(folder, version)

    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert all((folder / name).samefile(cache.place(digest)) for name, digest in cache.listed(version).items())


def test_an_altered_file_is_kept_beside_its_place_and_nothing_is_linked_without_it(stored, tmp_path):
    _, cache, version = stored
    place = cache.place(cache.listed(version)["bread"])
    place.write_text("garbage")

    kept = cache.set_altered_aside(version)

    assert kept == [place.with_name(f"{place.name}.altered")]
    assert kept[0].read_text() == "garbage"
    assert not cache.link(tmp_path / "new", version)
    assert not place.exists() and not (tmp_path / "new").exists()


def test_a_list_that_is_not_what_its_name_says_is_kept_beside_its_place(stored, tmp_path):
    _, cache, version = stored
    cache.place(version).write_text("[]")

    (kept,) = cache.set_altered_aside(version)

    assert kept.read_text() == "[]"
    assert cache.set_altered_aside(version) == []
    assert not cache.link(tmp_path / "new", version)


def test_a_disk_without_links_between_the_two_folders_gets_copies(tmp_path):
    taken = put(tmp_path / "taken", b"rows of cheese")

    def no_link(source, target):
        raise OSError("no such links here")

    data_cache._by_first_way(taken, tmp_path / "copy", no_link, shutil.copyfile)

    assert (tmp_path / "copy").read_bytes() == b"rows of cheese"
    with pytest.raises(OSError, match="no such links"):
        data_cache._by_first_way(taken, tmp_path / "other", no_link)


@pytest.mark.parametrize(("age", "goes"), [(DAY_SECONDS + 60, True), (DAY_SECONDS - 60, False)])
def test_what_is_half_written_is_swept_when_it_is_a_day_old(age, goes, stored):
    _, cache, version = stored
    left = put(cache.place(version).parent / ".half.tmp", b"half")
    os.utime(left, (time.time() - age, time.time() - age))

    assert cache.sweep() == ([left] if goes else [])
    assert left.exists() is not goes
    assert cache.listed(version)


def test_a_file_that_its_writer_finishes_while_the_sweep_looks_is_none_of_its_concern(stored):
    _, cache, version = stored
    finished = cache.place(version).parent / ".half.tmp"
    finished.symlink_to(finished.with_name("renamed"))  # as a file that was listed, and is gone when asked for its age

    assert cache.sweep(older_seconds=-1) == []


def test_files_are_removed_by_their_md5_and_what_is_gone_does_not_matter(stored):
    _, cache, version = stored
    digests = set(cache.listed(version).values())

    freed = cache.remove({*digests, version, "0" * 32})

    assert freed > len("rows of bread" + "rows of cheese")
    assert not [path for path in cache.root.rglob("*") if path.is_file()]
    assert cache.remove(digests) == 0


def test_dvc_forgets_the_runs_whose_outputs_are_gone_and_no_other(stored):
    _, cache, version = stored
    bread, cheese = (cache.listed(version)[name] for name in ("bread", "cheese"))
    gone = put(cache.root / "runs" / "ab" / "abcd" / "1", f"outs:\n- md5: {bread}\n".encode())
    other = put(cache.root / "runs" / "ab" / "abef" / "2", f"outs:\n- md5: {cheese}\n".encode())

    cache.forget_runs({bread})

    assert not gone.parent.exists()
    assert other.is_file()
