"""The pages of the guide: upload, choose, answer, watch, ask. They work without a script.

One person's program on one machine: whoever holds the key may use it, browsers send it from its own pages alone
(SameSite), and a name that is not this machine's own is refused (DNS rebinding).
"""

import hmac
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from releve.adapters.http.clients import LOCAL_NAMES
from releve.adapters.prefect.api import PrefectRuns
from releve.adapters.tables.file_types import FILE_TYPES
from releve.core.errors import BadInput, NotFound, ReleveError
from releve.core.names import SCENARIO_NAME, check_scenario_name
from releve.core.settings import Settings
from releve.domain.onboarding.questions import plain_summary
from releve.guide.examples import example_requests
from releve.reporting import html
from releve.reporting.html import make_environment, render_html
from releve.serving.edge.sites import check_site
from releve.serving.page.views import HEADERS, POLICY
from tasks import guided
from tasks.guided import Upload
from tasks.reporting.model_card import card_of

if TYPE_CHECKING:
    from jinja2 import Environment

COOKIE = "releve_guide"
PIECE = 1 << 20  # bytes
LINES = 12  # of a run, the newest
SEE_OTHER = 303
CARD_POLICY = f"{html.POLICY}; frame-ancestors 'none'"  # a card has its style in itself
ENDED = ("Completed", "Failed", "Crashed", "Cancelled", "Refused", "Kept champion", "Needs attention")
Answering = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Guide:
    """What the pages work on. `deploy` offers a new scenario to Prefect, before a run of it is started."""

    settings: Settings
    key: str
    runs: PrefectRuns
    deploy: Callable[[], None]
    _writing: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)  # a button is pressed twice

    def app(self) -> Starlette:
        """The pages as an ASGI application."""
        routes = [
            Route("/", self._page(self.front)),
            Route("/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/page.css", style),
            Route("/tables", self._page(self.upload), methods=["POST"]),
            Route("/tables/{upload}", self._page(self.choose), methods=["GET", "POST"]),
            Route("/tables/{upload}/questions", self._page(self.ask), methods=["GET", "POST"]),
            Route("/scenarios/{scenario}", self._page(self.watch)),
            Route("/scenarios/{scenario}/card", self._page(self.card)),
        ]
        here = Middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_NAMES])
        return Starlette(routes=routes, middleware=[here])

    def _page(self, answer: Answering) -> Answering:
        """Let in who holds the key; an error that a person can mend becomes a page."""

        async def answering(request: Request) -> Response:
            if not self._is_known(request.cookies.get(COOKIE, "")):
                return RedirectResponse("/sign-in", SEE_OTHER)
            try:
                if request.method == "POST":  # SameSite lets in other ports of this machine
                    check_site(*(request.headers.get(each, "") for each in ("sec-fetch-site", "origin", "host")))
                return await answer(request)
            except ReleveError as error:  # back to where it can be chosen otherwise
                upload = request.path_params.get("upload")
                again = request.url.path if request.method == "GET" else "/"
                back = "/" if isinstance(error, NotFound) else f"/tables/{upload}" if upload else again
                return page("error", status=error.status, error=str(error), back=back)

        return answering

    def _is_known(self, key: str) -> bool:
        return hmac.compare_digest(key.encode(), self.key.encode())

    async def sign_in(self, request: Request) -> Response:
        """Take the key from the address that the command printed, or from the form."""
        given = request.query_params.get("key", "")
        if request.method == "POST":
            given = str((await request.form()).get("key", ""))
        if not self._is_known(given):
            return page("sign_in", wrong=bool(given), status=403 if given else 200)
        answer = RedirectResponse("/", SEE_OTHER)
        answer.set_cookie(COOKIE, self.key, httponly=True, samesite="strict")
        return answer

    async def front(self, request: Request) -> Response:
        """Where a file is chosen, and what was begun before."""
        begun = await run_in_threadpool(lambda: [(each.id, each.wishes) for each in guided.uploads(self.settings)])
        return page("front", begun=begun, endings=", ".join(FILE_TYPES))

    async def upload(self, request: Request) -> Response:
        """Keep the file that was sent."""
        async with request.form(max_files=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise BadInput("no file was chosen; choose the file with your table first")
            name, stream = file.filename, file.file

            def pieces() -> Iterator[bytes]:
                while piece := stream.read(PIECE):
                    yield piece

            kept = await run_in_threadpool(guided.receive, self.settings, name, pieces())
        return RedirectResponse(f"/tables/{kept.id}", SEE_OTHER)

    async def choose(self, request: Request) -> Response:
        """Show the columns, and have the one chosen that is to be known in advance."""
        upload = self._upload(request)
        if request.method == "POST":
            form = {name: str(value) for name, value in (await request.form()).items()}
            if not form.get("target"):
                raise BadInput("no column was chosen; choose the one that you want to know in advance")
            roles = {role: form.get(role, "") for role in ("target", "time", "id")}
            await run_in_threadpool(self._chosen, upload, form.get("scenario", ""), roles)
            return RedirectResponse(f"/tables/{upload.id}/questions", SEE_OTHER)
        columns = await run_in_threadpool(guided.preview, self.settings, upload)
        return page("choose", upload=upload.id, wishes=upload.wishes, columns=columns, names=SCENARIO_NAME.pattern)

    async def ask(self, request: Request) -> Response:
        """Say what was understood, and ask what is doubted; with the last answer the work begins."""
        upload = self._upload(request)
        if upload.wishes.begun:
            return RedirectResponse(f"/scenarios/{upload.wishes.scenario}", SEE_OTHER)
        if request.method == "POST":
            said = {name: str(value) for name, value in (await request.form()).items()}
            if scenario := await run_in_threadpool(self._answered, upload, said):
                return RedirectResponse(f"/scenarios/{scenario}", SEE_OTHER)
        seen, wishes = await run_in_threadpool(guided.look, self.settings, upload), upload.wishes
        mend, summary = seen.to_mend(wishes.answers), plain_summary(seen.draft)
        return page("questions", upload=upload.id, wishes=wishes, seen=seen, summary=summary, mend=mend)

    def _answered(self, upload: Upload, said: Mapping[str, str]) -> str:
        """Keep answers; with the last one begin, and return the scenario's name."""
        with self._writing:
            if upload.wishes.begun:
                return upload.wishes.scenario
            asked = guided.look(self.settings, upload).asked
            answers = {**upload.wishes.answers, **{each.key: said[each.key] for each in asked if each.key in said}}
            upload.wish(answers=answers)
            seen = guided.look(self.settings, upload)
            if seen.open_questions(answers) or seen.to_mend(answers):
                return ""
            scenario = guided.begin(self.settings, upload)
            self.deploy()
            self.runs.start(scenario, "retrain", {"reason": "begun in the guide"}, key=f"guide-{upload.id}")
            guided.close(upload)
            return scenario

    def _chosen(self, upload: Upload, scenario: str, roles: Mapping[str, str]) -> None:
        with self._writing:
            guided.choose(self.settings, upload, scenario, **roles)

    async def watch(self, request: Request) -> Response:
        """How far the first model is; once it serves, how it is asked."""
        scenario = check_scenario_name(request.path_params["scenario"])
        return await run_in_threadpool(self._watch, scenario)

    def _watch(self, scenario: str) -> Response:
        served = guided.served(self.settings, scenario)
        if served is None:
            guided.check_known(self.settings, scenario)
        newest = next(iter(self.runs.newest(scenario, most=1)), None)
        if served is not None:
            address = f"http://127.0.0.1:{self.settings.service_port}/scenarios/{scenario}"
            asks_token = bool(self.settings.service_token)
            requests = example_requests(f"{address}/predict", served.row, with_token=asks_token)
            return page("served", scenario=scenario, served=served, address=address, requests=requests, run=newest)
        lines = self.runs.last_lines(newest.id, most=LINES) if newest else []
        ended = newest is not None and newest.state in ENDED
        return page("watch", scenario=scenario, run=newest, lines=lines, ended=ended)

    async def card(self, request: Request) -> Response:
        """The card of the model that serves."""
        scenario = check_scenario_name(request.path_params["scenario"])

        def written() -> str:
            if (served := guided.served(self.settings, scenario)) is None:
                guided.check_known(self.settings, scenario)
                raise NotFound(f"nothing serves {scenario} yet, so that there is no card")
            return render_html(card_of(self.settings, served.model))

        return HTMLResponse(await run_in_threadpool(written), headers=_headers(CARD_POLICY))

    def _upload(self, request: Request) -> Upload:
        return guided.find(self.settings, request.path_params["upload"])


async def style(request: Request) -> Response:
    """The style sheet, the same as the service's."""
    return Response(_environment().get_template("guide.css").render(), media_type="text/css")


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Write a page by its template."""
    written = _environment().get_template(f"{template}.html.jinja").render(**values)
    return HTMLResponse(written, status, _headers(POLICY))


def _headers(policy: str) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in HEADERS} | {"content-security-policy": policy}


@cache
def _environment() -> "Environment":
    return make_environment("releve.guide", "releve.serving.page", "releve.reporting")
