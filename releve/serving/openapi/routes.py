"""/openapi.json and /docs: of the service, and below each scenario."""

from collections.abc import Callable

from releve.serving.faults import UnknownScenario, native_error
from releve.serving.openapi.document import Document, scenario_document, service_document
from releve.serving.openapi.page import render
from releve.serving.routes import Reply, Request, Route, Runs, json_reply
from releve.serving.scenarios.scenario import NoRelease
from releve.serving.scenarios.scenarios import Scenarios

HTML = b"text/html; charset=utf-8"
NO_ASSETS = ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),)
BENTOML = "/docs.json"  # where BentoML's clients of other languages look


def routes(scenarios: Scenarios) -> list[Route]:
    """The routes of all documents, each made when it is asked, by the model that serves then."""

    def of_service(_: Request) -> Document:
        try:
            scenario = scenarios.only()
        except (UnknownScenario, NoRelease):
            return service_document()
        return scenario_document(scenario.name, scenario.served_now(), prefix="")

    def of_scenario(request: Request) -> Document:
        scenario = scenarios.get(request.parameters["scenario"])
        return scenario_document(scenario.name, scenario.served_now(), prefix=f"/scenarios/{scenario.name}")

    below = "/scenarios/{scenario}"
    documents = {"/openapi.json": of_service, BENTOML: of_service, f"{below}/openapi.json": of_scenario}
    pages = {"/docs": of_service, f"{below}/docs": of_scenario}

    def as_page(describe: Callable[[Request], Document]) -> Callable[[Request], Reply]:
        def page(request: Request) -> Reply:
            released = [each.name for each in scenarios.released()]
            return Reply(200, render(describe(request), scenarios=released).encode(), HTML, NO_ASSETS)

        return page

    return [
        *(_route(path, _as_json(describe)) for path, describe in documents.items()),
        *(_route(path, as_page(describe)) for path, describe in pages.items()),
    ]


def _route(path: str, handle: Callable[[Request], Reply]) -> Route:
    return Route("GET", path, handle, native_error, runs=Runs.COMPUTE)


def _as_json(describe: Callable[[Request], Document]) -> Callable[[Request], Reply]:
    return lambda request: json_reply(describe(request))
