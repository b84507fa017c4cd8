"""Compressed bodies: what is not what its header says, and what would fill the memory."""

import gzip
import tracemalloc
import zlib

import pytest

from releve.core.errors import BadInput, TooLarge
from releve.serving.edge.encodings import decompressed, encoding_of
from releve.serving.routes import Request

MOST = 1_000_000
BODY = b'{"rows": []}'
PACKED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize(
    ("header", "encoding"),
    [("", None), ("identity", None), ("gzip", "gzip"), (" GZIP ", "gzip"), ("deflate", "deflate")],
)
def test_a_header_names_how_a_body_is_compressed(header: str, encoding: str | None):
    headers = [(b"content-encoding", header.encode())]

    assert encoding_of(Request("POST", "/predict", {}, b"", headers, b"", "")) == encoding


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(BODY, "gzip", id="plain"),
        pytest.param(BODY, "deflate", id="plain again"),
        pytest.param(PACKED, "deflate", id="gzip as deflate"),
        pytest.param(zlib.compress(BODY), "gzip", id="deflate as gzip"),
        pytest.param(PACKED[:-1], "gzip", id="a byte short"),
        pytest.param(PACKED[:9], "gzip", id="within the header"),
        pytest.param(PACKED[:-8] + bytes(8), "gzip", id="a wrong checksum"),
        pytest.param(PACKED + b"more", "gzip", id="more behind it"),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says_is_refused(body: bytes, encoding: str):
    with pytest.raises(BadInput, match=f"{encoding}.*as its content-encoding says"):
        decompressed(body, encoding, MOST)


def test_a_bomb_is_never_unpacked():
    bomb = gzip.compress(bytes(200 * MOST))

    tracemalloc.start()
    with pytest.raises(TooLarge, match="more than 1000000 bytes"):
        decompressed(bomb, "gzip", MOST)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 3 * MOST
