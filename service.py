"""The service: HTTP in front of `releve.serving`. One process serves every released scenario.

bentoml serve service:Releve
"""

import os
import sys
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException
from starlette.responses import Response

from releve.adapters import telemetry
from releve.adapters.prefect.api import PrefectRuns
from releve.core.errors import ReleveError
from releve.core.settings import LOOPBACK, Settings
from releve.serving import native
from releve.serving.application import SECONDS, Application, InstallApplication
from releve.serving.edge.access import Access, asked_hosts, listening_addresses
from releve.serving.edge.allocator import share_one_arena
from releve.serving.edge.connections import mend_uvicorn
from releve.serving.edge.metrics import PrometheusMetrics, with_aliases
from releve.serving.edge.supervisor import stay_supervised
from releve.serving.explain import routes as explain
from releve.serving.flow_runs import FlowRuns
from releve.serving.mlflow_scoring import routes as mlflow_scoring
from releve.serving.open_inference import routes as open_inference
from releve.serving.openapi import routes as openapi
from releve.serving.openapi.bento_methods import Answer, FeedbackRequest, PredictRequest, SearchRequest, StatusRequest
from releve.serving.page import routes as page
from releve.serving.routes import Request
from releve.serving.start import start

PROJECT = Path(__file__).parent


def _settings() -> tuple[Settings, Access, PrefectRuns | None]:
    """BentoML wants workers and port while it imports this file, and prints only its own errors as a line."""
    try:
        settings = Settings.from_environ(os.environ, cwd=PROJECT)
        access = Access.of(settings)
        access.check_addresses(asked_hosts(sys.argv, os.environ))
        return settings, access, PrefectRuns.of(settings)
    except ReleveError as error:
        raise BentoMLException(str(error)) from None


SETTINGS, ACCESS, PREFECT = _settings()
mend_uvicorn()
APPLICATION = Application(ACCESS)  # answers everything but what is BentoML's own


@bentoml.service(
    name="releve",
    description="Predictions, neighbours and feedback for every scenario, by the release that is current",
    workers=SETTINGS.service_workers,
    traffic={"timeout": SECONDS + 5},  # ours gives up first, in our form
    http={"host": LOOPBACK, "port": SETTINGS.service_port, "cors": {"enabled": False}},
    logging={"access": {"enabled": False}},  # the ledger knows every answer
    tracing={"excluded_urls": ".*"},  # its spans know no route and no scenario; ours: `telemetry`
)
class Releve:
    """Answers with the releases that are current.

    Every error is `{"error": {"code", "message", "problems": [{"row", "column", "reason"}]}, "request_id"}`.
    The methods describe the short paths to BentoML's clients; `APPLICATION` answers these before BentoML would.
    """

    def __init__(self) -> None:
        share_one_arena()
        ACCESS.check_addresses(listening_addresses())
        APPLICATION.metrics = PrometheusMetrics()
        if telemetry.begin("releve-service"):
            APPLICATION.telemetry = telemetry.Requests()
        self._scenarios = start(os.environ, project=PROJECT, bento=Releve.bento, metrics=APPLICATION.metrics)
        flow_runs = FlowRuns(PREFECT, ACCESS)
        own = native.routes(self._scenarios, APPLICATION.pools, flow_runs)
        people = page.routes(self._scenarios, APPLICATION.pools, ACCESS, flow_runs)
        others = (open_inference, mlflow_scoring, openapi)
        APPLICATION.offer(
            [
                *own,
                *people,
                *explain.routes(self._scenarios, APPLICATION.pools),
                *(route for each in others for route in each.routes(self._scenarios)),
            ],
            knows=self._scenarios.knows,
        )

    def __metrics__(self, text: str) -> str:
        """What /metrics answers: BentoML asks for it."""
        return with_aliases(text)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Flush the ledger and let go of everything."""
        APPLICATION.close()
        self._scenarios.close()
        telemetry.end()

    @bentoml.api(input_spec=PredictRequest, output_spec=Answer)
    async def predict(self, body: bytes) -> Response:
        """Predict rows. Every answered row has an `id`, by which /feedback names it.

        After 503 (nothing is released, or something is away) and 507 (a disk is full) the same request works later.
        """
        return await _post("/predict", body)

    @bentoml.api(input_spec=SearchRequest, output_spec=Answer)
    async def search(self, body: bytes) -> Response:
        """Find the training rows nearest to a row, a text or a vector.

        After 503 (Milvus is away, or nothing is released) and 507 (a disk is full) the same request works later.
        """
        return await _post("/search", body)

    @bentoml.api(input_spec=FeedbackRequest, output_spec=Answer)
    async def feedback(self, body: bytes) -> Response:
        """Tell what the right labels were. One wrong item refuses them all.

        After 503 (nothing is released, or something is away) and 507 (a disk is full) the same request works later.
        """
        return await _post("/feedback", body)

    @bentoml.api(input_spec=StatusRequest, output_spec=Answer)
    async def status(self, body: bytes) -> Response:
        """What serves, and what can be reached. GET answers the same."""
        return await _post("/status", body)


Releve.add_asgi_middleware(InstallApplication, application=APPLICATION)


async def _post(path: str, body: bytes) -> Response:
    reply = await APPLICATION.reply(Request("POST", path, {}, b"", (), body, ""))
    assert reply is not None, "nobody has gone"
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type.decode())


stay_supervised()
