"""Connections that are slow on purpose, at a server that lets them take .3 s for their headers."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from releve.core.settings import LOOPBACK
from releve.serving.edge.connections import BoundedProtocol
from tests.serving.process import free_port, wait_until

WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Impatient(BoundedProtocol):
    header_seconds = 0.3


async def answer(scope, receive, send) -> None:
    """Send the body back, or ok where there is none."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    body = body or b"ok"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    config = uvicorn.Config(
        answer, host=LOOPBACK, port=port, http=Impatient, log_config=None, ws="none", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield port
    server.should_exit = True
    thread.join()


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    """Receive what ends with `end`; an answer may come in pieces."""
    received = b""
    while not received.endswith(end):
        piece = connection.recv(1000)
        assert piece, f"closed after {received!r}"
        received += piece
    return received


def closed_after(connection: socket.socket) -> float:
    """Seconds until the other end closes."""
    started = time.monotonic()
    connection.settimeout(10)
    assert connection.recv(1000) == b""
    return time.monotonic() - started


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: "])
def test_a_connection_that_never_finishes_its_headers_is_closed(port: int, begun: bytes):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.sendall(begun)
        assert closed_after(connection) < 3


def test_a_second_request_that_is_never_finished_is_closed_as_well(port: int):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.sendall(WHOLE)
        receive_until(connection, b"ok")
        connection.sendall(WHOLE[:-2])
        assert closed_after(connection) < 3


def test_a_client_that_pauses_between_requests_is_kept(port: int):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.settimeout(10)
        for _ in range(2):
            connection.sendall(WHOLE)
            receive_until(connection, b"ok")
            time.sleep(0.6)


@pytest.mark.parametrize("protocols", [b"h2c", b"TLS/1.0, h2c", b"websocket"])
def test_the_body_of_a_request_that_offers_another_protocol_is_read(port: int, protocols: bytes):
    offer = (
        b"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nhost: x\r\nUpgrade: %s\r\nHTTP2-Settings: AA\r\n"
    )
    body = b"\r\nupgrade: h2c\r\n"  # belongs to the sender, whatever it looks like
    with socket.create_connection((LOOPBACK, port)) as connection:
        for _ in range(2):
            connection.sendall(offer % protocols + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert b"200 OK" in receive_until(connection, body)


def test_headers_without_end_are_refused(port: int):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-large: " + b"a" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")
