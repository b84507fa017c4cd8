"""Give answers again: the release of each one's moment, fetched or built again, asked the same rows or search."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from releve.adapters.files import scenario_names
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.models.model_runtime import Model, ModelAltered
from releve.adapters.prediction_ledger.reader import find_request
from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.arms.arms import ArmsStarted
from releve.domain.decision.rules import cells_of_requests
from releve.domain.neighbours.filters import Condition, matching
from releve.domain.neighbours.index_design import IndexDesign
from releve.domain.neighbours.vectors import as_queries
from releve.domain.prediction_log.records import ROW_ID, AnswerLine, Row, SearchLine, parse_request_id
from releve.domain.prediction_log.reproduction import (
    Difference,
    Differs,
    GivenAgain,
    Neighbour,
    Obstacle,
    Reproduction,
    compare_answers,
    compare_neighbours,
    hide_personal,
    nearest_again,
)
from releve.domain.registry.chain import ARMS_STARTED, POINTER_MOVES
from releve.domain.registry.events import release_of
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.validation import row_problems
from releve.serving.search_questions import SearchQuestion, arrays_near, images_near
from tasks.ledger import fetch_ledger
from tasks.places import REFERENCE
from tasks.release.fetch import FetchedModel, fetched_model
from tasks.release.index import as_entries, rows_of


def reproduce(
    settings: Settings,
    ids: Sequence[str],
    *,
    from_store: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[Reproduction]:
    """Give the requests and searches of these ids again, of whatever scenario, and compare; a row's id names its
    request. Those of one model come together. What was erased of them is left out, and personal cells are hidden.

    The model comes from the data remote (see `fetched_model`), and a search is made anew, exactly, over the rows that
    travel with it, and those that had come in since. Raises BadInput for what is no id, Unavailable.
    """
    registry = Registry(settings.registry_url)
    by_model: dict[tuple[str, str], list[AnswerLine | SearchLine]] = {}
    for each in ids:
        request = each.rpartition(".")[0] if ROW_ID.fullmatch(each) else each
        try:
            line = _find(settings, request)
        except NotFound as error:
            yield Reproduction(request, obstacle=Obstacle.NOT_FOUND, detail=str(error))
        else:
            if not (line.left if isinstance(line, AnswerLine) else line.is_left):
                yield Reproduction(request, line, obstacle=Obstacle.ERASED)
            else:
                by_model.setdefault((line.scenario, line.model), []).append(line)
    for (scenario, model), asked in by_model.items():
        releases = _releases(registry, scenario)
        committed = read_committed(settings, scenario)
        remote, personal, id = committed.params.data, committed.schema.personal, committed.schema.id
        try:
            with fetched_model(settings, model, remote=remote, from_store=from_store, progress=progress) as fetched:
                again = [_again(settings, fetched, line, releases.get(line.index or "")) for line in asked]
                personal |= fetched.model.schema.personal
        except (NotFound, ModelAltered, PipelineFailed) as error:
            again = [Reproduction(each.id, each, obstacle=Obstacle.MODEL_LOST, detail=str(error)) for each in asked]
        yield from (hide_personal(each, personal, id=id) for each in again)


def _find(settings: Settings, request: str) -> AnswerLine | SearchLine:
    """Look into the ledger of each scenario, those of archived ones, and what was sent to the data remote.

    Raises NotFound, saying of each scenario why it is not there.
    """
    day = parse_request_id(request).day
    for folder in sorted([*settings.home.glob("ledger/*/"), *settings.home.glob("archive/*/ledger/")]):
        if line := find_request(folder, request):
            return line
    reasons = []
    for scenario in scenario_names(settings.project):
        try:
            folder = fetch_ledger(settings, scenario, day)
        except NotFound as error:
            reasons.append(str(error))
        else:
            if line := find_request(folder, request):
                return line
            reasons.append(f"the ledger of {scenario} has that day, and no such request")
    raise NotFound("; ".join(reasons))


def _releases(registry: Registry, scenario: str) -> dict[str, Release]:
    """Index -> what searched it, of all that were released or took part in live traffic."""
    moves = [release_of(event) for event in registry.events(scenario, kinds=POINTER_MOVES)]
    arms = [event.read(ArmsStarted).challenger for event in registry.events(scenario, kinds=[ARMS_STARTED])]
    return {each.index_name: each for each in (*moves, *arms) if each is not None}


def _again(
    settings: Settings, fetched: FetchedModel, line: AnswerLine | SearchLine, release: Release | None
) -> Reproduction:
    found = Reproduction(
        line.id,
        line,
        revision=fetched.challenger.revision,
        data_version=fetched.challenger.data_version,
        source=fetched.source,
        is_altered=fetched.is_altered,
    )
    asked: dict[int, Row]  # by place
    if isinstance(line, AnswerLine):
        asked = {place: line.features[place] for place in line.left}
    else:
        asked = {} if line.question["row"] is None else {0: line.question["row"]}
    names = fetched.model.schema.names
    # others may be hidden in the ledger
    rows = [{name: row[name] for name in names if name in row} for row in asked.values()]
    if problems := row_problems(fetched.model.schema, rows):
        first = problems[0]
        place = first.row if first.row is None else [*asked][first.row]
        return replace(found, obstacle=Obstacle.INPUTS_MISSING, detail=str(replace(first, row=place)))
    if isinstance(line, AnswerLine):
        given = _answer(fetched.model, line, rows, whole=[*asked.values()])
        policy = fetched.model.description.decision
        unseen = {rule.column for rule in policy.table.rules}.difference(*asked.values()) if policy else set[str]()
        differences = compare_answers(line, given)
        if unseen and any(each.what in (Differs.DECISION, Differs.RULE) for each in differences):
            detail = f"a rule of the decisions asks for {min(unseen)}, which is not in the ledger in clear"
            return replace(found, obstacle=Obstacle.INPUTS_MISSING, detail=detail)
        return replace(found, again=given, differences=tuple(differences))
    filters = tuple(Condition(**each) for each in line.question.get("filters", ()))
    question = SearchQuestion(**{**line.question, "row": rows[0] if rows else None, "filters": filters})
    if line.erased:  # as many are gone as were found less
        question = replace(question, limit=len(line.neighbours))
    again, differences = _search(settings, fetched, line, question, release)
    return replace(found, again=again, differences=tuple(differences))


def _answer(model: Model, line: AnswerLine, rows: Sequence[Row], *, whole: Sequence[Row]) -> GivenAgain:
    """Answer and decide rows; `whole`: with the columns that rules alone ask for."""
    output = model.answer(arrays_of_rows(model.schema, rows))
    decided = model.decide(output, cells_of_requests(whole))
    return GivenAgain.beside(
        line,
        labels=output.labels,
        probabilities=None if output.probabilities is None else output.probabilities.tolist(),
        intervals=model.intervals(output),
        decided=vars(decided) if decided else None,
    )


def _search(
    settings: Settings, fetched: FetchedModel, line: SearchLine, question: SearchQuestion, release: Release | None
) -> tuple[list[Neighbour], list[Difference]]:
    """Search exactly, and compare; the index is made anew of the rows that travel with the model, and of those that
    had come in since."""
    import pandas as pd

    model = fetched.model
    rows, design = pd.read_parquet(fetched.folder / REFERENCE), release.index_design if release else IndexDesign()
    if release:
        rows = rows_of(settings, release, model, rows).rows
    entries = as_entries(rows, model, filters=design.filters)
    arrays = arrays_near(question, model.schema)
    vector: Any = question.vector
    if arrays is not None:
        [vector] = model.embedder.embed(arrays, images_near(question, model.schema))
    [query] = as_queries(vector, dimension=entries.dimension)
    among = np.flatnonzero(matching(entries, question.conditions))
    again = nearest_again(entries, query, among, limit=question.limit, metric=design.metric)
    return again, compare_neighbours(line, again, entries, query, among, design=design)
