"""What is brought by mistake, or with bad intent, is named before anything looks into it."""

import os
import pickle
from pathlib import Path

import pytest

from releve.adapters.brought import incoming_file
from releve.adapters.brought.incoming_file import MOST_BYTES, read_incoming
from releve.core.errors import BadInput


def test_a_file_is_read_as_it_is(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08something")

    assert read_incoming(tmp_path / "model.onnx") == b"\x08\x08something"


def made(folder: Path, kind: str) -> Path:
    path = folder / "model.onnx"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        (folder / "real.onnx").write_bytes(b"x")
        path.symlink_to("real.onnx")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2 * 2**30)
    elif kind != "missing":
        path.write_bytes(
            {"empty": b"", "pickle": pickle.dumps([1]), "zip": b"PK\x03\x04...", "text": b"tree\nversion=v4"}[kind]
        )
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "there is no file .*model.onnx; give the path of an ONNX file"),
        ("folder", "model.onnx is a folder; give the path"),
        ("link", "model.onnx is a link to real.onnx; give the file itself"),
        ("pipe", "model.onnx is no file, but a pipe"),
        ("sparse", "model.onnx has 2,147,483,648 bytes, and a model may have 256,000,000"),
        ("empty", "model.onnx is empty; export it as ONNX"),
        ("pickle", "model.onnx is a Python pickle, which runs code when it is loaded: it was not"),
        ("zip", "model.onnx is a zip archive, such as PyTorch's .pt"),
        ("text", "model.onnx is LightGBM's own text format"),
    ],
)
def test_what_is_no_onnx_file_is_named(tmp_path: Path, kind: str, said: str):
    with pytest.raises(BadInput, match=said):
        read_incoming(made(tmp_path, kind))


@pytest.mark.parametrize(("size", "is_read"), [(10, True), (11, False)])
def test_the_largest_file_is_read_and_one_byte_more_is_not(tmp_path: Path, monkeypatch, size: int, is_read: bool):
    assert MOST_BYTES == 256_000_000
    monkeypatch.setattr(incoming_file, "MOST_BYTES", 10)
    (tmp_path / "model.onnx").write_bytes(b"x" * size)

    if is_read:
        assert len(read_incoming(tmp_path / "model.onnx")) == size
    else:
        with pytest.raises(BadInput, match="has 11 bytes, and a model may have 10"):
            read_incoming(tmp_path / "model.onnx")
