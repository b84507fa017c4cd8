"""What can be wrong with a request, or with the service while it answers one: each fault has a status and a code.

A protocol renders a fault in its own shape (`Route.errors`); `native_error` is the project's:
{"error": {"code", "message", "problems": [{"row", "column", "reason"}]}, "request_id"}
"""

import logging
import secrets
from collections.abc import Iterable, Sequence

import orjson

from releve.core.errors import BadInput, NotFound, ReleveError, Unavailable, storage_error
from releve.domain.schema.validation import Problem
from releve.serving.routes import Headers, Reply, Role

MAX_PROBLEMS = 20  # listed in one error; the message says how many there are
log = logging.getLogger("releve.serving")


class Fault(ReleveError):
    """A fault that HTTP itself has a status for, and `headers` that go with it in every protocol."""

    headers: Headers = ()


class Refused(BadInput):
    """A request with problems in its rows, labels or fields; nothing of it was done."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class UnknownPath(Fault, NotFound):
    """Nothing is at this path."""

    def __init__(self) -> None:
        super().__init__("there is nothing at this path; / lists the scenarios, /docs describes what may be asked")


class UnknownScenario(NotFound):
    """A scenario that this service does not serve, or none named where several are served."""

    code = "unknown_scenario"


class MethodNotAllowed(Fault):
    """The path is there, and is asked with another method."""

    code, status = "method_not_allowed", 405

    def __init__(self, allowed: Iterable[str]) -> None:
        methods = ", ".join(sorted(allowed))
        super().__init__(f"this path is asked with {methods}; /docs describes it")
        self.headers = ((b"allow", methods.encode()),)


class Unauthorised(Fault):
    """No token was sent, or none that is known."""

    code, status = "unauthorised", 401
    headers = ((b"www-authenticate", b"Bearer"),)

    def __init__(self, role: Role) -> None:
        super().__init__(f"this path asks for the token of the role {role}: send the header Authorization: Bearer ...")


class Forbidden(Fault):
    """The token is known, and opens less than this."""

    code, status = "forbidden", 403

    def __init__(self, held: Role, role: Role) -> None:
        super().__init__(f"the token sent is of the role {held}, this path asks for one of {role}")


class TooManyRequests(Fault):
    """More requests came with one token than its rate allows."""

    code, status = "too_many_requests", 429
    headers = ((b"retry-after", b"1"),)

    def __init__(self) -> None:
        super().__init__("more requests came with this token than RELEVE_TOKEN_RATE allows a second; send fewer")


class SlowClient(Fault):
    """The request did not come whole within the time."""

    code, status = "request_timeout", 408
    headers = ((b"connection", b"close"),)

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request was not here whole after {seconds:g} seconds; send it faster, or less at once")


class UnsupportedMediaType(Fault):
    """The body is in a form that this path does not read."""

    code, status = "unsupported_media_type", 415

    def __init__(self, expected: str) -> None:
        super().__init__(f"send {expected}, and say so in the header content-type")


class Overloaded(Fault, Unavailable):
    """As much of this kind is asked at once as may wait."""

    code = "overloaded"
    headers = ((b"retry-after", b"1"),)

    def __init__(self, what: str) -> None:
        super().__init__(f"too many requests at once wait for {what}; try again")


class TimedOut(Fault):
    """There was no answer within the time."""

    code, status = "timeout", 504

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} gave no answer within {seconds:g} seconds; try again, with less at once")


class Internal(Fault):
    """Says nothing about the inside; the log has the rest under the request id."""

    code, status = "internal", 500

    def __init__(self) -> None:
        super().__init__("something failed inside the service; its log tells more under this request id")


def fault_of(failure: Exception, request_id: str) -> ReleveError:
    """The fault to answer with, whatever failed; what nobody expected is logged."""
    if isinstance(failure, ReleveError):
        return failure
    if refused := storage_error(failure):
        log.exception("a disk refuses what a request needs")  # the client gets one sentence
        return refused
    log.exception("request %s failed", request_id)
    return Internal()


def native_error(fault: ReleveError, request_id: str) -> Reply:
    """The fault in the project's own shape, with at most MAX_PROBLEMS of its problems."""
    problems = getattr(fault, "problems", ())[:MAX_PROBLEMS]
    listed = [{"row": each.row, "column": each.column, "reason": each.reason} for each in problems]
    shape = {"code": fault.code, "message": str(fault), "problems": listed}
    body = orjson.dumps({"error": shape, "request_id": request_id})
    return Reply(fault.status, body)


def new_request_id() -> str:
    """For requests that the ledger does not know: 16 hex digits."""
    return secrets.token_hex(8)
