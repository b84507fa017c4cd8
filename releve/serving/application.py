"""The service's own ASGI application, around the whole of BentoML's.

It answers what the protocols offer (`Route`) by itself, and hands on the few paths that are BentoML's: whatever passes
BentoML's middlewares costs several times a whole answer.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import ExitStack
from typing import Any

from starlette.applications import Starlette

from releve.adapters.telemetry import Requests
from releve.core.errors import TooLarge
from releve.serving.edge.access import Access
from releve.serving.edge.encodings import decompressed, encoding_of
from releve.serving.edge.metrics import Metrics
from releve.serving.edge.sites import check_own_host, check_same_site
from releve.serving.faults import (
    Fault,
    MethodNotAllowed,
    Overloaded,
    SlowClient,
    TimedOut,
    UnknownPath,
    fault_of,
    native_error,
    new_request_id,
)
from releve.serving.pools import make_pools
from releve.serving.routes import Reply, Request, Role, Route, RouteTable, Runs
from releve.serving.scenarios.scenario import NotLoaded

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 8 * 2**20  # of a request: bounds the memory that one sender can take
DRAINED = 8  # times the limit: so much is read and thrown away, so that the sender gets to read the answer
SECONDS = 10.0  # for a request to come whole, and for its answer
SMALL_BODY_BYTES = 131_072  # some 200 rows, 3 ms: less than handing it to a thread and back takes from all others
LOADS = 5  # of one request: its release may be withdrawn, and come back, before it is asked
HANDED_ON = {
    "/livez": Role.ANYONE,
    "/healthz": Role.ANYONE,
    "/metrics": Role.READ,
    "/schema.json": Role.READ,
}  # BentoML's own
READS = ("GET", "HEAD")
CLIENT_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")  # an `x-request-id` that is kept; any other is replaced


class Application:
    """Answers routes. Before `offer` there are none."""

    def __init__(
        self, access: Access | None = None, *, max_body_bytes: int = MAX_BODY_BYTES, seconds: float = SECONDS
    ) -> None:
        """`access`: who may ask; None for everybody."""
        self.metrics = Metrics()
        self.telemetry: Requests | None = None  # where OTEL_* asks for it
        self._access = access or Access({})
        self.pools = make_pools()
        self._max_body_bytes = max_body_bytes
        self._seconds = seconds
        self.offer(())
        self._inner: App | None = None

    def offer(self, routes: Iterable[Route], *, knows: Callable[[str], bool] = lambda _: False) -> None:
        """Answer these, in place of what was offered before. `knows`: whether a name is that of a scenario here."""
        self._table = RouteTable(routes)
        self._knows = knows

    def put_around(self, inner: App) -> None:
        """Hand on to `inner` what is BentoML's."""
        self._inner = inner

    def close(self) -> None:
        """Let go of the threads."""
        for pool in self.pools.values():
            pool.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        path, method, headers = scope["path"], scope["method"], scope["headers"]
        if path in HANDED_ON and method in READS and not self._table.find(path)[0]:
            return await self._hand_on(scope, receive, send)
        request = Request(method, path, {}, scope["query_string"], headers, b"", _client_id(headers))
        reply = await self.reply(request, receive)
        if reply is not None:
            await _send(reply, request.request_id, send, with_body=method != "HEAD")
            named = request.parameters.get("scenario") or request.parameters.get("model") or ""
            scenario = named if self._knows(named) else ""  # the metrics keep every name that they are told
            seconds = time.perf_counter() - started
            self.metrics.answered(request.route, scenario, reply.status, seconds)
            if self.telemetry is not None:
                self.telemetry.answered(
                    method,
                    request.route,
                    scenario=scenario,
                    status=reply.status,
                    seconds=seconds,
                    request_id=reply.request_id or request.request_id,
                    headers=headers,
                )

    async def _hand_on(self, scope: Message, receive: Receive, send: Send) -> None:
        method, path, headers = scope["method"], scope["path"], scope["headers"]
        request_id = _client_id(headers) or new_request_id()
        try:
            self._check_sender(HANDED_ON[path], Request(method, path, {}, b"", headers, b"", request_id))
        except Fault as fault:
            reply = native_error(fault, request_id)
            reply.headers = fault.headers
            return await _send(reply, request_id, send, with_body=method != "HEAD")

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        assert self._inner is not None, "BentoML's application is there before a request comes"
        await self._inner(scope, receive, send_with_id)

    def _check_sender(self, role: Role, request: Request) -> None:
        """Raise a Fault unless who sent this may ask what is of that role."""
        if request.method not in READS:
            check_same_site(request)
        if self._access.is_open:
            check_own_host(request)
        else:
            self._access.check(role, request.header(b"authorization"))

    async def reply(self, request: Request, receive: Receive | None = None) -> Reply | None:
        """Answer, whatever happens; None where the client has gone. `receive`: where the body is still to be read."""
        found, request.parameters = self._table.find(request.path)
        try:
            route = _route(found, request.path, request.method)
            request.route = route.path
            self._check_sender(route.role, request)
            if route.admit is not None and (refused := route.admit(request)) is not None:
                return refused
            if receive is not None and request.method not in READS:
                body = await self._read(request, receive, route.max_body_bytes or self._max_body_bytes)
                if body is None:
                    return None
                request.body = body
            return await self._answer(route, request)
        except Exception as failure:
            request_id = request.request_id or new_request_id()
            errors = next((route.errors for route in found.values()), None) or self._table.errors_at(request.path)
            fault = fault_of(failure, request_id)
            failure.__traceback__ = None  # its frames hold the body, and each other until the collector comes
            self.metrics.failed(fault.code)
            reply = (errors or native_error)(fault, request_id)
            reply.request_id, reply.headers = request_id, (*reply.headers, *getattr(fault, "headers", ()))
            return reply

    async def _answer(self, route: Route, request: Request) -> Reply:
        """Run the handler where it belongs; once more for each time that a model has to be loaded first.

        Raises what the handler raises, and TimedOut, Overloaded.
        """
        with ExitStack() as kept:
            for _ in range(LOADS):
                try:
                    return await self._handle(route, request)
                except NotLoaded as missing:
                    kept.enter_context(missing.kept())
                    loading = asyncio.wrap_future(missing.load())
                    loading.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may be late
                    await asyncio.wait({loading}, timeout=self._seconds)
                    if not loading.done():
                        raise TimedOut("loading the model", self._seconds) from None
                    loading.result()
        raise Overloaded("a place in memory for the model")

    async def _handle(self, route: Route, request: Request) -> Reply:
        if route.runs is Runs.INLINE and len(request.body) <= SMALL_BODY_BYTES:
            reply = route.handle(request)
        else:
            reply = await self.pools[Runs.COMPUTE if route.runs is Runs.INLINE else route.runs].run(
                route.handle, request
            )
        if isinstance(reply, Reply):
            return reply
        try:
            async with asyncio.timeout(self._seconds):
                return await reply
        except TimeoutError:
            raise TimedOut("the service", self._seconds) from None

    async def _read(self, request: Request, receive: Receive, most: int) -> bytes | None:
        """The whole body, however it is sent; None where the client has gone. `most`: bytes, decompressed, too.

        Raises TooLarge, SlowClient, UnsupportedEncoding, BadInput.
        """
        encoding = encoding_of(request)
        chunks, size, more = list[bytes](), 0, True
        try:
            async with asyncio.timeout(self._seconds):
                while more and size <= DRAINED * most:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size <= most:
                        chunks.append(chunk)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise SlowClient(self._seconds) from None
        if size > most:
            raise TooLarge(f"the body has more than {most} bytes, which is the limit here; send less at once")
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return await self.pools[Runs.COMPUTE].run(decompressed, body, encoding, most) if encoding and body else body


class InstallApplication:
    """BentoML puts a service's middleware inside its own; at start-up this one puts `application` around them all."""

    def __init__(self, app: App, *, application: Application) -> None:
        self._app = app
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            starlette: Starlette = scope["app"]
            inner = starlette.middleware_stack
            assert inner is not None, "it carries this very call"
            self._application.put_around(inner)

            async def by_type(scope: Message, receive: Receive, send: Send) -> None:
                others: App = inner if scope["type"] == "lifespan" else starlette.router
                await (self._application if scope["type"] == "http" else others)(scope, receive, send)

            starlette.middleware_stack = by_type
        await self._app(scope, receive, send)


def _route(found: Mapping[str, Route], path: str, method: str) -> Route:
    route = found.get(method) or (found.get("GET") if method == "HEAD" else None)
    if route is not None:
        return route
    if not found and path not in HANDED_ON:
        raise UnknownPath
    raise MethodNotAllowed({*found, *(READS if "GET" in found or not found else ())})


def _client_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id":
            return value.decode() if CLIENT_ID.fullmatch(value) else ""
    return ""


async def _send(reply: Reply, request_id: str, send: Send, *, with_body: bool) -> None:
    sent_id = reply.request_id or request_id or new_request_id()
    headers = [
        (b"content-type", reply.media_type),
        (b"content-length", b"%d" % len(reply.body)),
        (b"x-request-id", sent_id.encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})
