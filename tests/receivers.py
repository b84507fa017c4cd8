"""Real HTTP servers that messages are posted to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from releve.core.settings import LOOPBACK

SECRET = "xoxb-secret"  # part of every address


class Receiver(ThreadingHTTPServer):
    """Answers with each status of `script`, then with 200; keeps what it was told."""

    daemon_threads = True

    def __init__(self, *script: int, delay: float = 0.0) -> None:
        super().__init__((LOOPBACK, 0), _Answer)
        self.script, self.delay = list(script), delay
        self.heard: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}/hooks/{SECRET}"


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((self.path, json.loads(content)))
        time.sleep(self.server.delay)
        self.send_response(self.server.script.pop(0) if self.server.script else 200)
        self.send_header("location", f"http://{LOOPBACK}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
        thread.join()
