"""What a client sends to Milvus while nobody asks it anything."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from releve.adapters.vectors import milvus_connection
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK
from tests.adapters.conftest import MilvusServer


class Relay(socketserver.ThreadingTCPServer):
    """Stands before a Milvus, and counts the bytes that clients send to it."""

    daemon_threads = True
    sent = 0

    def __init__(self, target: int) -> None:
        super().__init__((LOOPBACK, 0), Connection)
        self.target = target


class Connection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.create_connection((LOOPBACK, self.server.target)) as milvus:
            threading.Thread(target=hand_on, args=(milvus, self.request), daemon=True).start()
            while data := self.request.recv(65_536):
                self.server.sent += len(data)
                milvus.sendall(data)


def hand_on(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65_536):
        target.sendall(data)


@pytest.fixture
def relay(milvus_server: MilvusServer) -> Iterator[Relay]:
    with Relay(int(milvus_server.uri.rpartition(":")[2])) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        yield relay
        relay.shutdown()


def test_a_client_that_asks_nothing_sends_nothing(relay: Relay, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(milvus_connection.CHANNEL, "grpc.keepalive_time_ms", 100)
    index = VectorIndex(f"http://{LOOPBACK}:{relay.server_address[1]}")
    index.exists("releve_nothing_v1")
    time.sleep(0.3)  # the answer is acknowledged
    sent = relay.sent

    time.sleep(1)

    assert relay.sent == sent > 0
    index.close()
