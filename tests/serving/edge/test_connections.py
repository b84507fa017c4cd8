"""Connections that are slow on purpose, at a server that lets them take .3 s for their headers."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from releve.core.settings import LOOPBACK
from releve.serving.edge.connections import BoundedProtocol, mend_uvicorn
from tests.serving.process import free_port, wait_until

WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
PIECE = 1000  # bytes of a body that are sent at once


class Impatient(BoundedProtocol):
    header_seconds = 0.3


class InPieces(BoundedProtocol):
    """Sees every byte on its own, as if each came in a packet of its own."""

    def data_received(self, data: bytes) -> None:
        for at in range(len(data)):
            super().data_received(data[at : at + 1])


async def answer(scope, receive, send) -> None:
    """Send the body back, or ok where there is none; nothing at /empty."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    body = b"" if scope["path"] == "/empty" else body or b"ok"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    for at in range(0, len(body) or 1, PIECE):
        await send({"type": "http.response.body", "body": body[at : at + PIECE], "more_body": at + PIECE < len(body)})


@contextmanager
def listening(protocol: type[BoundedProtocol], *, loop: str = "auto") -> Iterator[int]:
    port = free_port()
    mend_uvicorn()
    config = uvicorn.Config(
        answer, host=LOOPBACK, port=port, http=protocol, log_config=None, ws="none", lifespan="off", loop=loop
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield port
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(Impatient) as port:
        yield port


@pytest.fixture(scope="module", params=[BoundedProtocol, InPieces])
def patient_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with listening(request.param) as port:
        yield port


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    """Receive what ends with `end`; an answer may come in pieces."""
    received = b""
    while not received.endswith(end):
        piece = connection.recv(1000)
        assert piece, f"closed after {received!r}"
        received += piece
    return received


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end closes, however busy the machine is."""
    connection.settimeout(60)
    return connection.recv(1000) == b""


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: "])
def test_a_connection_that_never_finishes_its_headers_is_closed(port: int, begun: bytes):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.sendall(begun)
        assert is_closed(connection)


def test_a_second_request_that_is_never_finished_is_closed_as_well(port: int):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.sendall(WHOLE)
        receive_until(connection, b"ok")
        connection.sendall(WHOLE[:-2])
        assert is_closed(connection)


def test_a_client_that_pauses_between_requests_is_kept(port: int):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.settimeout(10)
        for _ in range(2):
            connection.sendall(WHOLE)
            receive_until(connection, b"ok")
            time.sleep(0.6)


def offering(protocols: bytes, framing: bytes) -> bytes:
    return (
        b"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nhost: x\r\n"
        b"Upgrade: %s\r\nHTTP2-Settings: AA\r\n%s\r\n\r\n"
    ) % (protocols, framing)


@pytest.mark.parametrize("protocols", [b"h2c", b"TLS/1.0, h2c", b"websocket"])
def test_the_body_of_a_request_that_offers_another_protocol_is_read(patient_port: int, protocols: bytes):
    body = b"\r\nupgrade: h2c\r\n"  # belongs to the sender, whatever it looks like
    with socket.create_connection((LOOPBACK, patient_port)) as connection:
        for framing, sent in [
            (b"content-length: %d" % len(body), body),
            (b"transfer-encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
        ]:
            connection.sendall(offering(protocols, framing) + sent)
            assert b"200 OK" in receive_until(connection, body)


def test_every_body_of_pipelined_requests_that_offer_another_protocol_is_read(patient_port: int):
    bodies = [b"first", b"second", b"third"]
    sent = [offering(b"h2c", b"content-length: %d" % len(body)) + body for body in bodies]
    with socket.create_connection((LOOPBACK, patient_port)) as connection:
        connection.sendall(b"".join(sent) + WHOLE)
        received = receive_until(connection, b"ok")

    assert [answer.partition(b"\r\n\r\n")[2] for answer in received.split(b"HTTP/1.1 200 OK")[1:]] == [*bodies, b"ok"]


def test_headers_without_end_are_refused(port: int):
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-large: " + b"a" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_an_answer_comes_in_one_piece(patient_port: int):
    with socket.create_connection((LOOPBACK, patient_port)) as connection:
        for _ in range(20):  # two writes would be read as two more often than not
            connection.sendall(WHOLE)
            answered = connection.recv(1000)
            assert answered.startswith(b"HTTP/1.1 200 OK") and answered.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_connection_ends_after_an_answer_without_a_body(loop: str):
    with listening(BoundedProtocol, loop=loop) as port, socket.create_connection((LOOPBACK, port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /empty HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert receive_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        assert connection.recv(1) == b""


def test_a_body_in_pieces_comes_whole(patient_port: int):
    sent = b"a" * PIECE + b"b" * PIECE + b"c"
    with socket.create_connection((LOOPBACK, patient_port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(sent), sent))
        assert receive_until(connection, b"c").endswith(b"\r\n\r\n" + sent)


def test_a_head_alone_comes_at_once(patient_port: int):
    with socket.create_connection((LOOPBACK, patient_port)) as connection:
        connection.settimeout(60)
        connection.sendall(WHOLE.replace(b"GET", b"HEAD"))
        assert receive_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_waits_to_be_told_to_go_on_is_told(patient_port: int):
    with socket.create_connection((LOOPBACK, patient_port)) as connection:
        connection.settimeout(60)
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert receive_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hi")
        assert receive_until(connection, b"hi").startswith(b"HTTP/1.1 200 OK")
