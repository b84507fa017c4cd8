"""The page's paths. Every one works without its script; a browser's form is answered by the page again."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from releve.core.errors import BadInput, NotFound, ReleveError, Unavailable
from releve.core.names import SCENARIO_NAME, ModelTag
from releve.domain.registry.chain import CHALLENGED, MONITORED, MOVES, NOTED, Event
from releve.domain.registry.events import Challenger
from releve.serving import native
from releve.serving.edge.access import Access, without_scheme
from releve.serving.explain.explaining import explain_row, hidden_columns
from releve.serving.explain.questions import ExplainQuestion
from releve.serving.faults import Forbidden, TimedOut, Unauthorised, native_error, new_request_id
from releve.serving.flow_runs import FlowRuns, new_key
from releve.serving.openapi.cells import answering_row
from releve.serving.page import views
from releve.serving.page.forms import ROW, PixelGrid, fields_of, grid_of, row_of, values_of
from releve.serving.page.session import cookie_of, may, token_of
from releve.serving.pools import CallPool
from releve.serving.requests import Flow, WantedRun
from releve.serving.routes import ARM_KEY, Reply, Request, Role, Route, Runs, json_reply
from releve.serving.scenarios.scenario import Scenario
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.search_questions import SearchQuestion
from releve.serving.served import Served

NEIGHBOURS = 6
PROOF_SECONDS = 6.0  # within which the model of a rollback has to prove itself; later nothing moves any more
FOLLOW_SECONDS = 2.0  # that a rollback waits for its model to serve, so that the next answer is that one's
EXPLAIN_SECONDS = 2.5  # that the page waits for an explanation; it is made in less where it can be estimated in less
NEIGHBOUR_SECONDS = 3.0  # that the page waits for Milvus; then it answers without neighbours
RUNS_SECONDS = 1.5  # that the page waits for Prefect, to list runs
EVENTS = 40  # of the history, the newest
LONGEST_REASON = 300  # characters
BY_HAND = "started by hand, on the page of the service"  # what the history says of a retraining
SHORT_FORM = 4_096  # bytes of a form with a token, or a reason: a stranger's is read on the event loop
NOTE_FORM = 16_384  # the same, with a note, of which a browser sends up to twelve bytes for a letter
RECORDED = (CHALLENGED, MONITORED, NOTED, *MOVES)


@dataclass(frozen=True)
class _Record:
    """What the registry knows of a scenario."""

    events: Sequence[Event] = ()  # oldest first
    why: Sequence[str] = ()
    previous: str | None = None
    reached: bool = True


def routes(scenarios: Scenarios, pools: Mapping[Runs, CallPool], access: Access, flow_runs: FlowRuns) -> list[Route]:
    """The page's routes; they ask for their tokens by themselves, since a browser sends a cookie and no header."""
    pages = _Pages(scenarios, pools, access, flow_runs)
    below = "/scenarios/{scenario}"
    assets = [
        Route("GET", f"/{name}", partial(_asset, name), html_error, role=Role.ANYONE)
        for name in ("page.css", "page.js")
    ]
    route = partial(Route, errors=html_error, role=Role.ANYONE)
    return [
        *assets,
        route("GET", "/", pages.front),
        route("POST", "/sign-in", pages.sign_in, max_body_bytes=SHORT_FORM),
        route("GET", below, pages.scenario, admit=pages.asked_to_sign_in),
        route("POST", below, pages.predict, admit=pages.asked_to_sign_in),
        route("POST", f"{below}/start", pages.start, admit=pages.check_operator, max_body_bytes=SHORT_FORM),
        route("POST", f"{below}/note", pages.note, admit=pages.check_operator, max_body_bytes=NOTE_FORM),
        route("POST", f"{below}/rollback", pages.roll_back, admit=pages.check_operator, max_body_bytes=SHORT_FORM),
    ]


def html_error(fault: ReleveError, request_id: str) -> Reply:
    """The fault as a page."""
    problems = [str(problem) for problem in getattr(fault, "problems", ())]
    return views.page(
        "error", status=fault.status, title=fault.code, message=str(fault), problems=problems, request_id=request_id
    )


def prefers_html(accept: str) -> bool:
    """Whether a browser asks: HTML is named, and not behind JSON."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for each in accept.lower().split(","):
        name, _, parameters = each.partition(";")
        weight = parameters.partition("q=")[2].partition(";")[0]
        if name.strip() in weights:
            try:
                weights[name.strip()] = float(weight.strip() or 1)
            except ValueError:
                continue
    return weights["text/html"] > weights["application/json"]


class _Pages:
    def __init__(
        self, scenarios: Scenarios, pools: Mapping[Runs, CallPool], access: Access, flow_runs: FlowRuns
    ) -> None:
        self._scenarios = scenarios
        self._pools = pools
        self._access = access
        self._flow_runs = flow_runs

    async def front(self, request: Request) -> Reply:
        """List what is served: a page for a browser, JSON for everybody else."""
        if not prefers_html(request.header(b"accept")):
            request_id = request.request_id or new_request_id()
            try:
                self._access.check(Role.READ, request.header(b"authorization"))
            except ReleveError as fault:
                reply = native_error(fault, request_id)
                return replace(reply, headers=getattr(fault, "headers", ()), request_id=request_id)
            return json_reply(native.listing(self._scenarios), headers=((b"vary", b"accept"),))
        if sign_in := self.asked_to_sign_in(request):
            return sign_in
        lines = [
            views.Line(str(line["scenario"]), str(line["model_version"]), str(line["since"]))
            for line in native.listing(self._scenarios)["scenarios"]
        ]
        return views.page("front", lines=lines, is_open=self._access.is_open, headers=((b"vary", b"accept"),))

    async def sign_in(self, request: Request) -> Reply:
        """Keep a token that is right in a cookie, and go on to the page that was asked for; without one, forget it."""
        values = values_of(request.body)
        token, wanted = without_scheme(values.get("token", "").strip()).strip(), values.get("to", "")
        if token:
            try:
                self._access.check(Role.READ, token)
            except (Unauthorised, Forbidden):
                return self._sign_in_page(wanted, problem="This token opens nothing here.")
        _, _, name = wanted.rpartition("/scenarios/")
        to = f"/scenarios/{name}" if SCENARIO_NAME.fullmatch(name) else "/"
        kept = () if self._access.is_open else cookie_of(token, request)  # what nobody checked is not kept
        return Reply(303, b"", headers=((b"location", to.encode()), *kept))

    async def scenario(self, request: Request) -> Reply:
        """Show the form, filled in with a row that is answered."""
        view = await self._view(request, self._scenarios.get(request.parameters["scenario"]))
        return await self._shown(view)

    async def predict(self, request: Request) -> Reply:
        """Answer the row that the form holds, and show it again with what was wrong or what came out."""
        scenario = self._scenarios.get(request.parameters["scenario"])
        served = scenario.served_now()
        compute, row = self._pools[Runs.COMPUTE], None  # a form may be large: no other request waits while it is read
        values = await compute.run(values_of, request.body)
        try:
            row = await compute.run(row_of, values, served.schema)
            checked = await compute.run(partial(scenario.checked, served), [row])
            ask = partial(scenario.predict, key=request.header(ARM_KEY))
            answered = await compute.run(ask, served, *checked)
        except BadInput as fault:
            shown = row if isinstance(row, dict) else None
            view = await self._view(request, scenario, shown)
            problems = [f"{each.column or 'the row'} {each.reason}" for each in getattr(fault, "problems", ())]
            view = replace(view, problem="" if problems else str(fault), problems=problems, pasted=values.get(ROW, ""))
            return await self._shown(view, status=fault.status)
        assert row is not None, "it was checked"
        view = await self._view(request, scenario, row)
        view = replace(view, answer=views.AnswerView.of(answered))
        near, explained = await asyncio.gather(
            self._with_neighbours(view, scenario, answered.served, row),
            self._explained(request, scenario, answered.served, row),
        )
        reply = await self._shown(replace(near, **explained))
        headers = (*reply.headers, *native.versions(answered.model, answered.arm))
        return replace(reply, headers=headers, request_id=request.request_id or answered.id)

    async def start(self, request: Request) -> Reply:
        """Start a run, and go on to the page that says so; where Prefect does not do it, say why on this one.

        The form keeps its key there: sent again, it starts no second run, whatever became of the first.
        """
        scenario, values = self._scenarios.get(request.parameters["scenario"]), values_of(request.body)
        scenario.served_now()  # it is loaded now, if need be: afterwards this would be called again
        if values.get("flow") not in list(Flow):
            raise BadInput(f"a run is of {' or '.join(Flow)}")
        wanted, key = WantedRun(Flow(values["flow"]), search="search" in values), values.get("key", "")
        start = partial(self._flow_runs.start, scenario.name, wanted, key=key, reason=BY_HAND)
        try:
            run, _ = await self._pools[Runs.PREFECT].run(start)
        except (Unavailable, TimedOut) as fault:
            view = await self._view(request, scenario)
            runs = views.RunsView(key, problem=f"{wanted.flow} was not started, as far as is known: {fault}")
            return await self._shown(replace(view, runs=runs), status=fault.status)
        to = f"/scenarios/{quote(scenario.name)}?run={quote(run.id)}#started"
        return Reply(303, b"", headers=((b"location", to.encode()),))

    async def roll_back(self, request: Request) -> Reply:
        """Move the registry back to the release before, as `make rollback` does, and say so once it is moved."""
        until = time.monotonic() + PROOF_SECONDS
        if self._access.is_open:
            raise NotFound("no operator token is set (RELEVE_TOKEN_OPERATE), so that nobody may roll back here")
        name, values = self._scenarios.get(request.parameters["scenario"]).name, values_of(request.body)
        reason, seen = values.get("reason", "").strip()[:LONGEST_REASON], values.get("model", "")
        if not reason:
            raise BadInput("say why: the reason stays in the history beside the rollback")
        pool, scenarios = self._pools[Runs.ROLLBACK], self._scenarios
        release = await pool.run(partial(scenarios.roll_back, name, seen=seen, reason=reason, until=until))
        with suppress(ReleveError):  # the registry is moved: what is late or away follows by itself
            await pool.run(scenarios.follow, name, release, seconds=FOLLOW_SECONDS)
        return Reply(303, b"", headers=((b"location", f"/scenarios/{quote(name)}".encode()),))

    async def note(self, request: Request) -> Reply:
        """Keep a note or a question in the history, and go on to it; nothing that serves changes by it."""
        if self._access.is_open:
            raise NotFound("no operator token is set (RELEVE_TOKEN_OPERATE), so that nobody may write notes here")
        scenario, values = self._scenarios.get(request.parameters["scenario"]), values_of(request.body)
        about = values.get("model") or scenario.name
        if ModelTag.parse(about).scenario != scenario.name:
            raise BadInput(f"a note of this page is on {scenario.name} or on its models")
        token = without_scheme(token_of(self._access, request))
        await self._pools[Runs.REGISTRY].run(partial(self._scenarios.note, about, values.get("text", ""), token=token))
        return Reply(303, b"", headers=((b"location", f"/scenarios/{quote(scenario.name)}#history".encode()),))

    def asked_to_sign_in(self, request: Request) -> Reply | None:
        """The sign-in, for whoever may not look; None for everybody else. Raises TooManyRequests."""
        try:
            self._access.check(Role.READ, token_of(self._access, request))
        except (Unauthorised, Forbidden):
            return self._sign_in_page(request.path)
        return None

    def check_operator(self, request: Request) -> None:
        """Raise Unauthorised, Forbidden or TooManyRequests for whoever holds another token than the operator's."""
        self._access.check(Role.OPERATE, token_of(self._access, request))

    async def _shown(self, view: views.ScenarioView, *, status: int = 200) -> Reply:
        """The page of a scenario, written in a thread: a wide table's takes long."""
        return await self._pools[Runs.COMPUTE].run(partial(views.page, "scenario", status=status, view=view))

    def _sign_in_page(self, wanted: str, *, problem: str = "") -> Reply:
        return views.page("sign_in", status=401, to=wanted, problem=problem)

    async def _view(
        self, request: Request, scenario: Scenario, row: dict[str, Any] | None = None
    ) -> views.ScenarioView:
        """What is shown before anything was asked; `row` is filled in. Raises NotLoaded."""
        served = scenario.served_now()
        shown = answering_row(served.schema, served.model.description.golden.rows) if row is None else row
        operates = may(self._access, Role.OPERATE, request)
        record, runs = await asyncio.gather(
            self._record(scenario.name, served.model.tag), self._runs(request, scenario.name, operates)
        )
        return views.ScenarioView(
            name=scenario.name,
            model=served.model.tag,
            naive=served.is_naive,
            since=served.since,
            target=served.schema.target.name,
            fields=fields_of(served.schema, shown),
            grid=grid_of(served.schema),
            row={each.name: shown[each.name] for each in served.schema.asked if each.name in shown},
            history=views.history_of(record.events),
            why=record.why,
            previous=record.previous,
            reached=record.reached,
            operates=operates,
            is_open=self._access.is_open,
            runs=runs,
        )

    async def _runs(self, request: Request, name: str, operates: bool) -> views.RunsView | None:
        """What may be started, and what was; None for nothing."""
        if not operates or not self._flow_runs.are_offered:
            return None
        key = new_key()
        try:
            newest = await self._pools[Runs.PREFECT].run(self._flow_runs.newest, name, seconds=RUNS_SECONDS)
        except ReleveError as fault:
            return views.RunsView(key, away=str(fault))
        named = request.query.get("run")
        return views.RunsView(key, newest, started=next((run for run in newest if run.id == named), None))

    async def _record(self, name: str, model: str) -> _Record:
        try:
            return await self._pools[Runs.REGISTRY].run(self._read_record, name, model)
        except ReleveError:  # the registry hangs or is away: what serves goes on serving
            return _Record(reached=False)

    def _read_record(self, name: str, model: str) -> _Record:
        """Ask the registry. Raises ReleveError."""
        events = self._scenarios.newest_events(name, RECORDED, most=EVENTS)[::-1]
        judged = (event.read(Challenger) for event in self._scenarios.newest_events(name, (CHALLENGED,), most=EVENTS))
        why = next((challenger.sentences for challenger in judged if challenger.model == model), ())
        return _Record(events, why, self._scenarios.previous(name))

    async def _with_neighbours(
        self, view: views.ScenarioView, scenario: Scenario, served: Served, row: dict[str, Any]
    ) -> views.ScenarioView:
        if served.index is None or scenario.index is None:
            return replace(view, no_neighbours="This model is served without an index of the rows it learned from.")
        try:
            async with asyncio.timeout(NEIGHBOUR_SECONDS):
                found, pictured = await self._neighbours(scenario, served, view.grid, row)
        except TimeoutError:
            return replace(view, no_neighbours=f"There are none now: {TimedOut('Milvus', NEIGHBOUR_SECONDS)}")
        except ReleveError as fault:
            return replace(view, no_neighbours=f"There are none now: {fault}")
        drawn = None
        if view.grid is not None and pictured:
            own = ("your row", [float(row[name]) for name in view.grid.names])
            titles = [str(each["label"]) for each in found]
            drawn = views.pictures(view.grid, [own, *zip(titles, pictured, strict=True)])
        return replace(view, neighbours=found, pictures=drawn)

    async def _explained(
        self, request: Request, scenario: Scenario, served: Served, row: dict[str, Any]
    ) -> dict[str, Any]:
        """What a view shows of why; nothing for who may not ask."""
        if not may(self._access, Role.EXPLAIN, request):
            return {}
        hidden, compute, aside = (
            hidden_columns(scenario, served.schema),
            self._pools[Runs.COMPUTE],
            self._pools[Runs.EXPLAIN],
        )
        asked: dict[str, Any] = {"hidden": hidden, "answered": lambda: scenario.rows_answered}
        try:
            [completed], arrays = await compute.run(partial(scenario.checked, served), [row])
            ask = partial(explain_row, served.model, ExplainQuestion(completed), seconds=EXPLAIN_SECONDS, **asked)
            explained = await aside.run(ask, arrays, seconds=EXPLAIN_SECONDS)
        except ReleveError as fault:
            return {"no_explanation": f"There is none now: {fault}"}
        return {"explanation": views.ExplanationView.of(explained, hidden=hidden)}

    async def _neighbours(
        self, scenario: Scenario, served: Served, grid: PixelGrid | None, row: dict[str, Any]
    ) -> tuple[Sequence[dict[str, object]], list[list[float]]]:
        """Find the nearest rows, and the numbers of the grid's cells of each. Asks Milvus. Raises ReleveError."""
        asked = SearchQuestion(row=row, vector=None, limit=NEIGHBOURS, label=None)
        question = scenario.completed_question(served, asked)
        found = await scenario.search(served, question, self._pools)
        if grid is None or not found.ids:
            return found.neighbours, []
        assert scenario.index is not None, "it was asked"
        vectors = await self._pools[Runs.INDEX].run(scenario.index.vectors, found.collection, found.ids)
        numbers = served.model.embedder.numbers_of(vectors)
        places = [served.schema.numbers.index(name) for name in grid.names]
        return found.neighbours, numbers[:, places].tolist()


def _asset(name: str, _: Request) -> Reply:
    asset = views.assets()[name]
    return Reply(200, asset.body, asset.media_type, views.FOR_EVER)
