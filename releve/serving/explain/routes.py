"""/explain: why the model that serves answers a row as it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.domain.neighbours.index_design import DistanceMetric
from releve.serving.explain.explaining import (
    NEAREST,
    Explained,
    explain_row,
    hidden_columns,
    nearest_references,
    written,
)
from releve.serving.explain.questions import ExplainQuestion, explain_question
from releve.serving.faults import Overloaded, TimedOut, native_error, new_request_id
from releve.serving.native import json_body, scenario_prefixes, versions
from releve.serving.pools import CallPool
from releve.serving.routes import Reply, Request, Role, Route, Runs, json_reply
from releve.serving.scenarios.scenario import Scenario
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.search_questions import SearchQuestion
from releve.serving.served import Served


def routes(scenarios: Scenarios, pools: Mapping[Runs, CallPool]) -> list[Route]:
    """The routes of all scenarios. `pools`: where an explanation is computed, and Milvus asked."""
    return [
        Route("POST", f"{prefix}/explain", _explain(of, pools), native_error, role=Role.EXPLAIN)
        for prefix, of in scenario_prefixes(scenarios)
    ]


def _explain(
    scenario_of: Callable[[Request], Scenario], pools: Mapping[Runs, CallPool]
) -> Callable[[Request], Awaitable[Reply]]:
    def explain(request: Request) -> Awaitable[Reply]:
        """Explain the answer to one row. It is no prediction: nothing of it is in the ledger but the search."""
        body, scenario = json_body(request), scenario_of(request)
        served = scenario.served_now()
        return answer(request, scenario, served, explain_question(body, served.schema))

    async def answer(request: Request, scenario: Scenario, served: Served, question: ExplainQuestion) -> Reply:
        request_id = request.request_id or new_request_id()
        head = {
            "request_id": request_id,
            "scenario": scenario.name,
            "model_version": served.model.tag,
            "index_version": served.index,
            "arm": served.arm,
        }
        found = await explanation(scenario, served, question, pools)
        return json_reply(head | found, headers=versions(served.model.tag, served.arm), request_id=request_id)

    return explain


async def explanation(
    scenario: Scenario, served: Served, question: ExplainQuestion, pools: Mapping[Runs, CallPool]
) -> dict[str, Any]:
    """Explain, and find the nearest labelled rows, by the index where one can be searched now. Raises ReleveError."""
    hidden, pool = hidden_columns(scenario, served.schema), pools[Runs.EXPLAIN]

    def explain() -> Explained:
        [row], arrays = scenario.checked(served, [question.row])
        asked = replace(question, row=row)
        return explain_row(served.model, asked, arrays, hidden=hidden, answered=lambda: scenario.rows_answered)

    explained = await pool.run(explain)  # one wait, one deadline
    asked = SearchQuestion(row=explained.question.row, vector=None, limit=NEAREST, label=None)
    try:
        found = await scenario.search(served, asked, pools, explained.arrays)
    except (IndexUnavailable, Overloaded, TimedOut):
        nearest = await pool.run(nearest_references, explained)
        return written(explained, nearest, index=None, metric=DistanceMetric.L2, hidden=hidden)
    return written(explained, found.neighbours, index=found.index, metric=found.metric, hidden=hidden)
