"""The requests of the `@bentoml.api` methods: their fields, which BentoML's clients ask by.

Nothing is parsed by these: `JsonRequest` hands the bytes on, `releve.serving.requests` checks them, and what they may
hold is described by `releve.serving.openapi`.
"""

from typing import Any

import bentoml
from starlette.requests import Request


class Body(bentoml.IODescriptor):  # type: ignore[misc]  # BentoML's types do not reach here
    """The bytes of a request, as they came."""

    body: bytes


class JsonRequest(bentoml.IODescriptor):  # type: ignore[misc]
    """A request whose fields Relève checks."""

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Body:
        """Called by BentoML; its fields become the arguments of the endpoint."""
        body: Body = Body.model_construct(body=await request.body())
        return body


class PredictRequest(JsonRequest):
    """Rows to predict."""

    rows: list[dict[str, Any]]


class SearchRequest(JsonRequest):
    """Near a `row` or a `vector`."""

    row: dict[str, Any] | None = None
    vector: list[float] | None = None
    limit: int | None = None
    label: Any = None


class FeedbackRequest(JsonRequest):
    """What the right answers were."""

    labels: list[dict[str, Any]]


class StatusRequest(JsonRequest):
    """Nothing is asked for; the body may be empty."""


class Answer(bentoml.IODescriptor):  # type: ignore[misc]
    """Whatever is answered, as JSON."""
