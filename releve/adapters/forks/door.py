"""The socket at which a fork server of `make up` is asked, in a folder that is its user's alone."""

import os
import socket
import struct
from contextlib import chdir
from pathlib import Path

READY = "the libraries are loaded"  # what the server prints from then on
NAME = "socket"  # opened from within its folder: the path of a socket has room for 100 bytes
GROUP_AND_OTHERS = 0o077
CREDENTIALS = struct.Struct("3i")  # process, user, group


def listen(folder: Path) -> socket.socket:
    """Open the socket, in place of one that an ended server left."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / NAME).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    with chdir(folder):
        listening.bind(NAME)
    listening.listen()
    return listening


def connect(folder: Path) -> socket.socket:
    """Connect to the server. Raises OSError where none answers, or where somebody else could have put one."""
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & GROUP_AND_OTHERS:
        raise PermissionError(f"{folder} is open to other users")
    connection = socket.socket(socket.AF_UNIX)
    try:
        with chdir(folder):
            connection.connect(NAME)
    except BaseException:
        connection.close()
        raise
    return connection


def is_of_same_user(connection: socket.socket) -> bool:
    """Whether who asks is who serves; only Linux tells, elsewhere the folder's mode is what keeps others out."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, user, _ = CREDENTIALS.unpack(credentials)
    return bool(user == os.getuid())
