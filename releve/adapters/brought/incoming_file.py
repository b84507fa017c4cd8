"""A file that somebody brings: whether it may be looked into at all, by its size, its kind and its first bytes."""

import os
import stat
from pathlib import Path

from releve.core.errors import BadInput
from releve.core.formatting import printable

MOST_BYTES = 256_000_000  # of a file: every worker of the service holds it in memory, and Protobuf's own end is 2 GB
EXPORT = "export it as ONNX (docs/bring_a_model.md)"
# First bytes of what is brought by mistake, and what that is.
OTHERS = {
    b"PK\x03\x04": "a zip archive, such as PyTorch's .pt, Keras' .keras or skops' files",
    b"\x89HDF": "an HDF5 file, such as Keras' .h5",
    b"\x1f\x8b": "compressed by gzip",
    b"tree\n": "LightGBM's own text format",
    b"{": "JSON, such as XGBoost's own format",
    b"version https://git-lfs": "a pointer of Git LFS, and not the file that it points to",
}
PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def read_incoming(path: Path) -> bytes:
    """Read a file that somebody brings. Raise BadInput naming what it is, where it can be no ONNX file.

    A link is not followed, and a file that grows while it is read is not read on.
    """
    named = printable(path.name)
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BadInput(f"there is no file {printable(str(path))}; give the path of an ONNX file") from None
    except OSError as error:
        if path.is_symlink():
            raise BadInput(f"{named} is a link to {printable(str(path.readlink()))}; give the file itself") from None
        raise BadInput(f"{named} cannot be read: {error.strerror}; give the path of an ONNX file") from None
    found = os.fstat(opened)
    if not stat.S_ISREG(found.st_mode):
        os.close(opened)
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no file, but a pipe, a socket or a device"
        raise BadInput(f"{named} is {kind}; give the path of an ONNX file")
    with os.fdopen(opened, "rb") as file:
        if found.st_size > MOST_BYTES:
            raise BadInput(
                f"{named} has {found.st_size:,} bytes, and a model may have {MOST_BYTES:,}; export a smaller "
                "one: fewer trees, or fewer units"
            )
        content = file.read(MOST_BYTES + 1)
    if not content:
        raise BadInput(f"{named} is empty; {EXPORT}")
    if content.startswith(PICKLES):
        raise BadInput(f"{named} is a Python pickle, which runs code when it is loaded: it was not; {EXPORT}")
    for first, what in OTHERS.items():
        if content.startswith(first):
            raise BadInput(f"{named} is {what}; {EXPORT}")
    return content
