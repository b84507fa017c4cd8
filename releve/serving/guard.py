"""Around the whole of BentoML's application: limits, one shape of errors, and bounded metric labels."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount

from releve.core.errors import TooLarge
from releve.serving import responses

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 8 * 2**20  # of a request: bounds the memory that one sender can take
SECONDS = 10.0  # per request, from its first byte to the answer's last
DRAINED = 8  # times the limit: so much is read and thrown away, so that the sender gets to read the answer
UNKNOWN_PATH = "/unknown"  # what all unknown paths are called in the metrics
POLICY = b"default-src 'self' 'unsafe-inline' data:"  # pages load nothing from elsewhere
READABLE = {"/status"}  # POST endpoints that GET may ask, too

ERRORS = {
    404: ("not_found", "there is nothing at this path; / describes what there is"),
    405: ("method_not_allowed", "this path is asked with another method; / describes it"),
    415: ("unsupported_media_type", "send JSON with the content type application/json"),
    429: ("too_many_requests", "too many requests at once; try again"),
    503: ("not_ready", "no release is served yet, or the service is closing"),
    504: ("timeout", f"there was no answer within {SECONDS:g} seconds; send fewer rows"),
}
UNREADABLE = ("bad_input", "the request could not be understood; / describes what may be asked")

log = logging.getLogger("releve.serving")


class InstallGuard:
    """BentoML puts a service's middleware inside its own; at start-up this one puts a Guard around them all."""

    def __init__(self, app: App, *, max_body_bytes: int = MAX_BODY_BYTES, seconds: float = SECONDS) -> None:
        self._app = app
        self._limits = {"max_body_bytes": max_body_bytes, "seconds": seconds}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            application: Starlette = scope["app"]
            assert application.middleware_stack is not None, "it carries this very call"
            application.middleware_stack = Guard(application.middleware_stack, application, **self._limits)  # type: ignore[arg-type]
        await self._app(scope, receive, send)


class Guard:
    """An ASGI application around another."""

    def __init__(self, inner: App, application: Starlette, *, max_body_bytes: int, seconds: float) -> None:
        self._inner = inner
        self._router: App = application.router
        self._paths = {getattr(route, "path", None) for route in application.routes if not isinstance(route, Mount)}
        self._folders = tuple(f"{route.path}/" for route in application.routes if isinstance(route, Mount))
        self._max_body_bytes = max_body_bytes
        self._seconds = seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self._inner if scope["type"] == "lifespan" else self._router)(scope, receive, send)
            return
        sender = _Sender(send)
        try:
            async with asyncio.timeout(self._seconds):
                body = await _read(receive, scope, self._max_body_bytes)
                inner, scope = self._route(scope)
                await inner(scope, _replayed(body, receive), sender)
        except TooLarge as error:
            await sender.finish(responses.error(error))
        except TimeoutError:
            await sender.fail(504)
        except HTTPException as error:  # of static files, which are asked outside Starlette's own handler
            await sender.fail(error.status_code)
        except Exception:
            log.exception("request %s failed", sender.request_id)
            await sender.fail(500)

    def _route(self, scope: Message) -> tuple[App, Message]:
        """Static files pass BentoML's metrics by, and unknown paths share one label there: labels live for ever."""
        path = scope["path"]
        if path.startswith(self._folders):
            return self._router, scope
        if path not in self._paths:
            return self._inner, {**scope, "path": UNKNOWN_PATH, "raw_path": UNKNOWN_PATH.encode()}
        if path in READABLE and scope["method"] == "GET":
            return self._inner, {**scope, "method": "POST"}
        return self._inner, scope


class _Sender:
    """Sends on what the application sends, but an error that is not in our shape in our shape."""

    def __init__(self, send: Send) -> None:
        self.request_id = responses.new_request_id()  # of an error; an answer has the ledger's
        self._send = send
        self._started = False
        self._finished = False
        self._instead: Response | None = None

    async def __call__(self, message: Message) -> None:
        if self._finished:
            return
        if message["type"] == "http.response.start":
            status, headers = message["status"], message["headers"]
            if status >= 400 and all(name != responses.ERROR_HEADER.encode() for name, _ in headers):
                self._instead = _reply(status, self.request_id)
                if status >= 500 and status not in ERRORS:
                    because = "what is logged beside it says why"
                    log.error("request %s was answered with %s; %s", self.request_id, status, because)
                return
            # BentoML's page carries a tracker: a browser must not fetch anything from elsewhere
            message = {**message, "headers": [*headers, (b"content-security-policy", POLICY)]}
        if self._instead is None:
            self._started = True
            await self._send(message)
        elif not message.get("more_body", False):
            await self.finish(self._instead)

    async def fail(self, status: int) -> None:
        """Send the error of that status, unless an answer is on its way already."""
        await self.finish(_reply(status, self.request_id))

    async def finish(self, response: Response) -> None:
        """Send `response`, unless an answer is on its way already; nothing is sent after it."""

        async def nothing() -> Message:
            return {"type": "http.disconnect"}

        if not self._started and not self._finished:
            await response({"type": "http"}, nothing, self._send)
        self._finished = True


def _reply(status: int, request_id: str) -> Response:
    if status >= 500 and status not in ERRORS:
        return responses.internal_error(request_id)
    code, message = ERRORS.get(status, UNREADABLE)
    return responses.error_of(status, code, message, request_id=request_id)


async def _read(receive: Receive, scope: Message, most: int) -> bytes:
    """The whole body, however it is sent. Raises TooLarge for more than `most` bytes."""
    chunks, size, more = [], 0, scope["method"] not in ("GET", "HEAD")
    while more and size <= DRAINED * most:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > most:
        raise TooLarge(f"the body has more than {most} bytes, which is the limit; send fewer rows per request")
    return b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
