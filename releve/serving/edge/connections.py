"""What uvicorn does to connections, mended.

It keeps for ever those that never finish their headers, loses the body of a request that offers another protocol, as
the JDK's client does unless it is told otherwise, and sends the head of an answer in a packet of its own.
"""

import asyncio
from typing import Any

import httptools
import uvicorn.protocols.http.auto
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

UPGRADE = b"upgrade"  # that a server may ignore (RFC 9110, 7.8)
MOST_HEADER_BYTES = 65_536
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
HEADER_SECONDS = 10.0  # from the first byte of a request, or the connection, to the end of its headers


def mend_uvicorn() -> None:
    """Have uvicorn use these; before it looks for its protocol, which is when a worker starts to listen."""
    uvicorn.protocols.http.auto.AutoHTTPProtocol = BoundedProtocol
    httptools_impl.RequestResponseCycle = WholeAnswer  # type: ignore[misc]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds for headers. A body has the application's, an idle connection uvicorn's."""

    header_seconds = HEADER_SECONDS
    _due: asyncio.TimerHandle | None = None
    _headers_are_next = True
    _header_bytes = 0  # of a request whose headers have not ended

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parser = _Parser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        if self._headers_are_next:
            self._header_bytes += len(data.partition(b"\r\n\r\n")[0])
            if self._header_bytes > MOST_HEADER_BYTES:
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._due is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        if self.offers_upgrade():
            return  # the parser has them once more, without the offer
        self._stop_waiting()
        self._headers_are_next, self._header_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.offers_upgrade():
            return
        super().on_message_complete()
        self._headers_are_next = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def offers_upgrade(self) -> bool:
        """Whether the parser ends the request at its headers for that; it does so for CONNECT, too."""
        return self.parser.should_upgrade() and any(name == UPGRADE for name, _ in self.headers)

    def head_without_offer(self) -> bytes:
        """The request's first line and its other headers."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % (name, value) for name, value in self.headers if name != UPGRADE]
        return b"\r\n".join([*lines, b"", b""])

    def _wait_for_headers(self) -> None:
        loop: Any = self.loop
        self._due = loop.call_later(self.header_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class _Parser(httptools.HttpRequestParser):
    """httptools' parser, which takes what follows the offer of another protocol for that protocol."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        super().__init__(protocol)
        self._protocol = protocol

    def feed_data(self, data: Any) -> None:
        """Read; a request with an offer is read again without it, however it is cut into pieces."""
        rest = memoryview(data)
        while True:
            try:
                return super().feed_data(rest)
            except httptools.HttpParserUpgrade as offer:
                if not self._protocol.offers_upgrade():
                    raise
                super().feed_data(self._protocol.head_without_offer())
                rest = rest[offer.args[0] :]


class WholeAnswer(RequestResponseCycle):
    """Sends the head of an answer together with its body, as ASGI has it: two packets would wake the client twice."""

    async def send(self, message: Any) -> None:
        """Called by the application."""
        if message["type"] == "http.response.start" and self.scope["method"] != "HEAD":
            kept: Any = _HeadKept(self.transport)
            self.transport = kept
        await super().send(message)


class _HeadKept:
    """A transport that keeps the first that is written, the head, until the second comes."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._head is None:
            self._head = data
        elif self._head:
            # asyncio's own loop, from Python 3.12 on, tries for ever to send an empty piece
            self._transport.writelines((self._head, data) if data else (self._head,))
            self._head = b""
        else:
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
