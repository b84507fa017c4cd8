import os
import signal
import subprocess
import sys

import pytest
import yaml

from releve.adapters.models.model_runtime import ModelAltered, folder_digest
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import NotFound
from releve.domain.schema.arrays import arrays_of_rows
from tests.factories import make_model_folder, make_row, make_schema


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return make_model_folder(tmp_path_factory.mktemp("models"))


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "home")


def saved(store, folder, version="one"):
    return store.save(folder, scenario="flowers", version=version, labels={"project": "releve"})


def test_a_saved_model_is_found_with_its_digest_and_answers(store, folder):
    stored = saved(store, folder)

    assert stored.tag == "flowers:one"
    assert stored.digest == folder_digest(folder)
    assert store.get("flowers:one") == stored
    model = store.load("flowers:one", digest=stored.digest)
    assert len(model.answer(arrays_of_rows(make_schema(), [make_row()])).labels) == 1


def test_bentoml_writes_and_reads_a_model_in_the_same_way(store, folder, tmp_path, monkeypatch):
    import bentoml
    from bentoml._internal.models.model import Model
    from bentoml._internal.models.model import ModelStore as BentomlStore

    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    theirs = BentomlStore(tmp_path)
    with bentoml.models.create("flowers:one", labels={"project": "releve"}, metadata={}, _model_store=theirs):
        pass
    expected = yaml.safe_load((tmp_path / "flowers" / "one" / "model.yaml").read_text())

    stored = saved(store, folder)

    written = yaml.safe_load((stored.path / "model.yaml").read_text())
    assert written.pop("creation_time") > expected.pop("creation_time")
    assert (written, list(written)) == (expected, list(expected))
    read = BentomlStore(stored.path.parent.parent).get("flowers:one")
    assert isinstance(read, Model) and (read.info.labels, str(read.tag)) == ({"project": "releve"}, "flowers:one")
    assert str(BentomlStore(stored.path.parent.parent).get("flowers").tag) == "flowers:one"


def test_two_stores_in_one_process_keep_apart(tmp_path, folder):
    saved(ModelStore(tmp_path / "one"), folder)

    with pytest.raises(NotFound):
        ModelStore(tmp_path / "two").get("flowers:one")


def test_a_version_that_is_there_stays_as_it_is(store, folder, tmp_path):
    first = saved(store, folder)
    other = make_model_folder(tmp_path, name="other", seed=8)
    assert folder_digest(other) != first.digest

    assert saved(store, other) == first
    assert saved(store, other, "two").digest == folder_digest(other)


@pytest.mark.parametrize("tag", ["flowers:two", "flowers", "", ":", "flowers:", "weeds:one", "flowers:one:more"])
def test_a_model_that_is_not_there_is_told(store, folder, tag):
    saved(store, folder)

    with pytest.raises(NotFound, match=f"there is no model {tag} in .*make history"):
        store.get(tag)


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_a_model_whose_file_was_changed_is_not_loaded(store, folder, name):
    stored = saved(store, folder)
    path = stored.path / name
    os.chmod(path, 0o644)
    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(ModelAltered, match=f"but {stored.digest[:12]} was registered; nothing was loaded"):
        store.load(stored.tag, digest=stored.digest)


@pytest.mark.parametrize("change", ["added", "removed", "renamed"])
def test_a_model_with_other_files_is_not_loaded(store, folder, change):
    stored = saved(store, folder)
    if change == "added":
        (stored.path / "more.txt").write_text("x")
    elif change == "removed":
        (stored.path / "model.onnx").unlink()
    else:
        (stored.path / "model.onnx").rename(stored.path / "other.onnx")

    with pytest.raises(ModelAltered):
        store.load(stored.tag, digest=stored.digest)


def test_what_bentoml_notes_beside_the_model_does_not_change_its_digest(store, folder):
    stored = saved(store, folder)

    assert (stored.path / "model.yaml").is_file()
    assert stored.digest == folder_digest(folder)


def test_a_removed_version_leaves_its_description_and_the_others(store, folder):
    first = saved(store, folder)
    saved(store, folder, "two")
    described = store.describe("flowers:one")

    store.remove("flowers:one")
    store.remove("flowers:one")

    assert store.tags("flowers") == {"flowers:two"}
    assert not first.path.exists()
    assert store.describe("flowers:one") == described
    with pytest.raises(NotFound, match="make rebuild MODEL=flowers:one puts them back"):
        store.get("flowers:one")


def test_a_version_that_was_removed_can_be_saved_again(store, folder):
    first = saved(store, folder)
    store.remove("flowers:one")

    assert saved(store, folder) == first


def test_a_removal_that_was_killed_leaves_no_half_version_and_is_swept(store, folder, tmp_path):
    saved(store, folder)
    killed = (
        "import os, signal, tempfile; from pathlib import Path;"
        "from releve.adapters.models.model_store import ModelStore;"
        "tempfile.TemporaryDirectory.cleanup = lambda self: os.kill(os.getpid(), signal.SIGKILL);"
        f"ModelStore(Path({str(tmp_path / 'home')!r})).remove('flowers:one')"
    )

    done = subprocess.run([sys.executable, "-c", killed], check=False)

    assert done.returncode == -signal.SIGKILL
    assert store.tags("flowers") == set()
    work_dir = tmp_path / "home" / "bentoml" / "tmp"
    left = list(work_dir.iterdir())
    assert [path.name for path in left[0].iterdir()] == ["one"]
    assert store.sweep() == []  # a young folder may be another process's
    assert store.sweep(older_seconds=-1) == left
    assert list(work_dir.iterdir()) == []


@pytest.mark.parametrize("tag", ["flowers:../flowers/one", "flowers:./one", "../models/flowers:one", "flowers:.."])
def test_what_would_lead_out_of_its_folder_names_no_model(tag, store, folder):
    saved(store, folder)

    for look in (store.get, store.describe, store.load):
        with pytest.raises(NotFound, match="there is no model"):
            look(tag)
