"""Ports on this machine: whether one is free, who holds it, whether a server answers there."""

import socket
import time

import psutil

from releve.adapters.http.clients import local_client
from releve.core.errors import Conflict
from releve.core.settings import LOOPBACK

TCP_SECONDS = 2.0
HTTP_SECONDS = 5.0
FREED_SECONDS = 2.0  # a program that has just been killed gives its ports back a moment later
POLL_SECONDS = 0.05


class PortTaken(Conflict):
    """Another program listens where one of ours should."""

    code = "port_taken"


def check_port_is_free(port: int, *, wanted_for: str, setting: str) -> None:
    """Raise PortTaken, naming the `setting` that moves the port, and who listens there when the system tells."""
    deadline = time.monotonic() + FREED_SECONDS
    while not is_free(port) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if is_free(port):
        return
    holder = listener(port)
    raise PortTaken(
        f"port {port} on {LOOPBACK}, wanted for {wanted_for}, is taken{f' by {holder}' if holder else ''}: "
        f"stop that program, or choose another port with {setting}"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections that linger do no harm
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listener(port: int) -> str:
    """Program and pid of who listens on `port`; empty where the system does not tell."""
    try:
        listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        pid = next(each.pid for each in listening if each.laddr and each.laddr.port == port and each.pid)
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except (psutil.Error, StopIteration):
        return ""


def answers_http(port: int, path: str) -> bool:
    """Whether GET `path` is answered with 200."""
    import httpx

    try:
        with local_client(port, seconds=HTTP_SECONDS) as client:
            return client.get(path).status_code == httpx.codes.OK
    except (httpx.HTTPError, OSError):
        return False


def answers_tcp(port: int) -> bool:
    """Whether something accepts connections on `port`."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=TCP_SECONDS).close()
    except OSError:
        return False
    return True
