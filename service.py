"""The service: HTTP in front of `releve.serving`. One process serves one scenario (RELEVE_SCENARIO).

bentoml serve service:Releve
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException
from starlette.responses import Response

from releve.core.errors import ReleveError, storage_error
from releve.core.settings import LOOPBACK, Settings
from releve.serving import responses
from releve.serving.endpoints import Answer
from releve.serving.guard import SECONDS, InstallGuard
from releve.serving.openapi import (
    FeedbackAnswer,
    FeedbackRequest,
    PredictAnswer,
    PredictRequest,
    SearchAnswer,
    SearchRequest,
    StatusAnswer,
    StatusRequest,
)
from releve.serving.start import start

SMALL_BODY_BYTES = 16_384  # a small request is answered faster than it would be handed to a thread
PROJECT = Path(__file__).parent
log = logging.getLogger("releve.serving")


def _settings() -> Settings:
    """BentoML wants workers and port while it imports this file, and prints only its own errors as a line."""
    try:
        return Settings.from_environ(os.environ, cwd=PROJECT)
    except ReleveError as error:
        raise BentoMLException(str(error)) from None


SETTINGS = _settings()


@bentoml.service(
    name="releve",
    description="Predictions, neighbours and feedback for one scenario, by the release that is current",
    workers=SETTINGS.service_workers,
    traffic={"timeout": SECONDS + 5},  # the guard gives up first, in our form
    http={"host": LOOPBACK, "port": SETTINGS.service_port, "cors": {"enabled": False}},
    logging={"access": {"enabled": False}},  # the ledger knows every answer
)
class Releve:
    """Answers with the release that is current.

    Every error is `{"error": {"code", "message", "problems": [{"row", "column", "reason"}]}, "request_id"}`.
    """

    def __init__(self) -> None:
        self._serving = start(os.environ, project=PROJECT, bento=Releve.bento)

    async def __is_ready__(self) -> bool:
        return self._serving.endpoints.ready

    @bentoml.on_shutdown
    def close(self) -> None:
        """Flush the ledger and let go of everything."""
        self._serving.close()

    @bentoml.api(input_spec=PredictRequest, output_spec=PredictAnswer)
    async def predict(self, body: bytes) -> Response:
        """Predict rows. Every answered row has an `id`, by which /feedback names it.

        After 503 (nothing is released, or something is away) and 507 (a disk is full) the same request works later.
        """
        if len(body) <= SMALL_BODY_BYTES:
            return _reply(self._serving.endpoints.predict, body)
        return await asyncio.to_thread(_reply, self._serving.endpoints.predict, body)

    @bentoml.api(input_spec=SearchRequest, output_spec=SearchAnswer)
    async def search(self, body: bytes) -> Response:
        """Find the training rows nearest to a row or a vector.

        After 503 (Milvus is away, or nothing is released) and 507 (a disk is full) the same request works later.
        """
        return await asyncio.to_thread(_reply, self._serving.endpoints.search, body)

    @bentoml.api(input_spec=FeedbackRequest, output_spec=FeedbackAnswer)
    async def feedback(self, body: bytes) -> Response:
        """Tell what the right labels were. One wrong item refuses them all.

        After 503 (nothing is released, or something is away) and 507 (a disk is full) the same request works later.
        """
        return await asyncio.to_thread(_reply, self._serving.endpoints.feedback, body)

    @bentoml.api(input_spec=StatusRequest, output_spec=StatusAnswer)
    async def status(self, body: bytes) -> Response:
        """What serves, and what can be reached. GET answers the same."""
        return await asyncio.to_thread(_reply, lambda _: self._serving.endpoints.status(), body)


Releve.add_asgi_middleware(InstallGuard)


def _reply(answer: Callable[[bytes], Answer], body: bytes) -> Response:
    """The answer, or its error in our form."""
    try:
        return responses.answer(answer(body))
    except ReleveError as error:
        return responses.error(error)
    except Exception as failure:
        if refused := storage_error(failure):
            log.exception("a disk refuses what a request needs")  # the client gets one sentence
            return responses.error(refused)
        request_id = responses.new_request_id()
        log.exception("request %s failed", request_id)
        return responses.internal_error(request_id)
