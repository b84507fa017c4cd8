"""What a protocol offers: routes, from a request to a reply, without a word of ASGI."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

import orjson

from releve.core.errors import ReleveError

JSON = b"application/json"
ARM_KEY = b"x-releve-key"  # of a request: who has the same key gets the same arm
Headers = tuple[tuple[bytes, bytes], ...]  # names in lower case


class Runs(StrEnum):
    """Where a handler runs. Each outside system has a pool of its own, so that waiting for one delays nobody else."""

    INLINE = "inline"  # on the event loop where the body is small, else as COMPUTE; it waits for nothing
    COMPUTE = "compute"  # a thread: long computations
    INDEX = "index"  # a thread: what asks Milvus
    DISK = "disk"  # a thread: what waits for the ledger's disk
    REGISTRY = "registry"  # a thread: what asks the registry
    ROLLBACK = "rollback"  # a thread: loads a model, then moves the registry
    PREFECT = "prefect"  # a thread: what asks Prefect
    EXPLAIN = "explain"  # a thread that rests often: what asks the model thousands of rows


class Role(StrEnum):
    """Whose token a route asks for, where tokens are set."""

    ANYONE = "anyone"  # none: whether it is alive and ready
    READ = "read"  # predict, search, look
    LABEL = "label"  # tell what turned out true
    EXPLAIN = "explain"  # have an answer explained, which costs seconds and tells cells of other rows
    OPERATE = "operate"  # move releases, start flows


@dataclass(slots=True)
class Request:
    """What came, whole."""

    method: str
    path: str
    parameters: Mapping[str, str]  # of the route's path, by name
    query_string: bytes
    headers: Iterable[tuple[bytes, bytes]]  # names in lower case
    body: bytes
    request_id: str  # the client's own `x-request-id`, else ""
    route: str = ""  # the pattern of its path, "" where nothing is there

    def header(self, name: bytes) -> str:
        """The first header of that name (in lower case); "" without one."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return ""

    @property
    def query(self) -> dict[str, str]:
        """The query's values by name; the last one counts."""
        return {name: values[-1] for name, values in parse_qs(self.query_string.decode("latin-1")).items()}


@dataclass(slots=True)
class Reply:
    """What is sent. `request_id`: sent as `x-request-id`; "" for the request's own, or a new one."""

    status: int
    body: bytes
    media_type: bytes = JSON
    headers: Headers = ()
    request_id: str = ""


Handler = Callable[[Request], Reply | Awaitable[Reply]]
Errors = Callable[[ReleveError, str], Reply]  # a fault and the request's id, in the protocol's shape


@dataclass(frozen=True)
class Route:
    """One path and method. `path` may have parameters, one whole segment each: /scenarios/{scenario}/predict.

    `handle` raises ReleveError for whatever is wrong, and does nothing that lasts before it has asked
    `Scenario.served_now`: it is called again once a model that was not in memory is loaded. It returns a Reply, or,
    INLINE only, an awaitable of one.
    """

    method: str
    path: str
    handle: Handler
    errors: Errors
    runs: Runs = Runs.INLINE
    role: Role = Role.READ
    max_body_bytes: int | None = None  # where less than the service's own limit is enough
    admit: Callable[[Request], Reply | None] | None = None  # asked once, before the body is read; it may refuse


@dataclass(slots=True)
class _Node:
    """A place in the tree of paths."""

    routes: dict[str, Route] = field(default_factory=dict)  # by method
    names: tuple[str, ...] = ()  # of the parameters on the way
    literal: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None


class RouteTable:
    """Finds a path's routes in the time of its segments, however many scenarios there are."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, dict[str, Route]] = {}
        self._errors: dict[str, Errors] = {}  # by first segment
        self._root = _Node()
        for route in self.routes:
            self._errors.setdefault(_first(route.path), route.errors)
            if "{" not in route.path:
                self._exact.setdefault(route.path, {})[route.method] = route
                continue
            node, names = self._root, list[str]()
            for segment in route.path.split("/"):
                if segment.startswith("{"):
                    names.append(segment[1:-1])
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.names = tuple(names)
            node.routes[route.method] = route

    def errors_at(self, path: str) -> Errors | None:
        """How the protocol says its errors that owns the first segment of `path`, such as /v2; None for nobody's."""
        return self._errors.get(_first(path))

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """The routes at `path` by method, none where nothing is there, and the values of its parameters."""
        if (exact := self._exact.get(path)) is not None:
            return exact, {}
        node, values = self._root, list[str]()
        for segment in path.split("/"):
            if (literal := node.literal.get(segment)) is not None:
                node = literal
            elif segment and node.parameter is not None:
                values.append(segment)
                node = node.parameter
            else:
                return {}, {}
        return node.routes, dict(zip(node.names, values, strict=True)) if node.routes else {}


def _first(path: str) -> str:
    """The first segment; "" for the path of `OPTIONS *`, which has none."""
    return path.partition("/")[2].partition("/")[0]


def json_reply(
    values: Mapping[str, Any] | list[Any], *, status: int = 200, headers: Headers = (), request_id: str = ""
) -> Reply:
    """`values` as JSON."""
    return Reply(status, orjson.dumps(values), headers=headers, request_id=request_id)
