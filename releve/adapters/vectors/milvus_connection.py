"""A connection to one Milvus: an embedded file for one process (a path ending in .db), or a server (http, https).

Imports pymilvus.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from releve.core.errors import Unavailable
from releve.domain.neighbours.milvus_address import EMBEDDED, check_milvus_uri

LITE = "milvus_lite"  # how the version begins that Milvus Lite gives
CHANNEL = {
    # gRPC waits up to 2 minutes before it tries a server again that was away; searches should go on sooner than that
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # pymilvus pings while nobody asks, too: Milvus Lite closes the connection then, for too many pings
    "grpc.keepalive_permit_without_calls": 0,
    # a server that vanished without a word, while it is asked, is noticed
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
}


class IndexUnavailable(Unavailable):
    """Milvus is away, or failed."""

    code = "index_unavailable"


class IndexMissing(IndexUnavailable):
    """Milvus answers, but the collection is not there."""

    code = "index_missing"


class MilvusConnection:
    """The client of one Milvus, made at its first use. Safe to share between threads."""

    def __init__(self, uri: str, token: str, *, timeout: float) -> None:
        """`timeout`: seconds of one call. Raises BadInput for an address that is none, or would leak the token."""
        self.uri = check_milvus_uri(uri, token)
        self.token = token
        self.timeout = timeout
        self._client: Any = None
        self._connecting = threading.Lock()

    @property
    def is_embedded(self) -> bool:
        """Whether this process itself is the server."""
        return self.uri.endswith(EMBEDDED)

    def is_lite(self) -> bool:
        """Whether it is Milvus Lite, embedded or as a server. Raises IndexUnavailable."""
        if self.is_embedded:
            return True
        with self.talking("ask for the version") as client:
            return str(client.get_server_version(timeout=self.timeout)).startswith(LITE)

    @contextmanager
    def talking(self, doing: str) -> Iterator[Any]:
        """The client; whatever it raises inside becomes IndexUnavailable."""
        failures: tuple[type[BaseException], ...] = ()  # none when pymilvus is not installed
        with suppress(ImportError):
            import grpc

            failures = (milvus_exception(), grpc.RpcError, grpc.FutureTimeoutError, OSError)
        try:
            yield self._connect()
        except failures as error:
            raise self.unavailable(doing, error) from None

    def unavailable(self, doing: str, error: BaseException) -> IndexUnavailable:
        """What a failure means to a person."""
        details = getattr(error, "details", None)
        text = getattr(error, "message", "") or (details() if callable(details) else "") or str(error)
        reason = (text or type(error).__name__).strip().splitlines()[0][:200]
        advice = "check that Milvus runs there and that MILVUS_TOKEN is right, then try again"
        if self.is_embedded:
            advice = "one process at a time can hold an embedded index: stop the other, or use a Milvus server"
        elif _is_denied(error):
            advice = "this MILVUS_TOKEN may not do that; use one whose role may (docs/search.md)"
        return IndexUnavailable(f"cannot {doing}: Milvus at {self.uri} says {reason!r}; {advice}")

    def close(self) -> None:
        """Let go of the connection; of the embedded form also the file, for everyone in this process."""
        with self._connecting:
            client, self._client = self._client, None
            if client is None:
                return
            client.close()
            if self.is_embedded:
                from milvus_lite.server_manager import server_manager_instance

                server_manager_instance.release_server(self.uri)

    def _connect(self) -> Any:
        if self._client is not None:
            return self._client
        with self._connecting:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Any:
        try:
            from pymilvus import MilvusClient
        except ImportError:
            raise IndexUnavailable("searching needs pymilvus: install releve[search]") from None
        # They log a traceback per failure; ours is one error with one message.
        for name in ("pymilvus", "milvus_lite"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.is_embedded:
            Path(self.uri).parent.mkdir(parents=True, exist_ok=True)
        return MilvusClient(
            self.uri, token=self.token, timeout=self.timeout, dedicated=True, grpc_options=dict(CHANNEL)
        )


def milvus_exception() -> type[Exception]:
    """What pymilvus raises."""
    from pymilvus.exceptions import MilvusException

    error: type[Exception] = MilvusException
    return error


def answered(error: Any) -> bool:
    """Whether Milvus itself refused: a broken connection has gRPC's code, or that one."""
    from pymilvus.client.types import Status

    return isinstance(error.code, int) and error.code != Status.CONNECT_FAILED


def _is_denied(error: Any) -> bool:
    """Whether a role lacks a privilege: pymilvus lets gRPC's own error through."""
    code = getattr(error, "code", None)
    return callable(code) and getattr(code(), "name", "") == "PERMISSION_DENIED"
