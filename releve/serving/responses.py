"""What the service sends: answers as they are, and every error in one shape.

{"error": {"code", "message", "problems": [{"row", "column", "reason"}]}, "request_id"}
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response

from releve.core.errors import BadInput, ReleveError
from releve.domain.schema.validation import Problem

MAX_PROBLEMS = 20  # listed in one error; the message says how many there are
ERROR_HEADER = "x-releve-error"  # carries the code; an error without it was made elsewhere and is rewritten


class Refused(BadInput):
    """A request with problems in its rows, labels or fields; nothing of it was done."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def answer(values: Mapping[str, Any]) -> Response:
    """200 with `values` as JSON."""
    return Response(orjson.dumps(values), media_type="application/json")


def error(failure: ReleveError, *, request_id: str | None = None) -> Response:
    """Answer with the error's own status and code, and at most MAX_PROBLEMS of its problems."""
    problems = getattr(failure, "problems", ())[:MAX_PROBLEMS]
    return error_of(failure.status, failure.code, str(failure), problems=problems, request_id=request_id)


def error_of(
    status: int, code: str, message: str, *, problems: Sequence[Problem] = (), request_id: str | None = None
) -> Response:
    """Describe an error that is raised outside Relève's own exceptions, such as an unknown path."""
    listed = [{"row": each.row, "column": each.column, "reason": each.reason} for each in problems]
    shape = {"code": code, "message": message, "problems": listed}
    body = orjson.dumps({"error": shape, "request_id": request_id or new_request_id()})
    return Response(body, status_code=status, media_type="application/json", headers={ERROR_HEADER: code})


def internal_error(request_id: str) -> Response:
    """A 500 that says nothing about the inside; the log has the rest under the request id."""
    message = "something failed inside the service; its log tells more under this request id"
    return error_of(500, "internal", message, request_id=request_id)


def new_request_id() -> str:
    """For requests that the ledger does not know: 16 hex digits."""
    return secrets.token_hex(8)
