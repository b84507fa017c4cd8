"""Choose the recipe: of a search in a budget, on the rows before the holdout, or as params.yaml names it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from releve.adapters.compute import open_workers
from releve.adapters.files import read_document, read_inputs, write_document
from releve.adapters.models.description import read_description
from releve.adapters.models.model_store import ModelStore
from releve.adapters.search import Search
from releve.core.errors import BadInput
from releve.core.params import Compute
from releve.core.params import Search as SearchParams
from releve.domain.evaluation.metrics import METRICS, resolve
from releve.domain.evaluation.rolling_origin import HoldoutFolds
from releve.domain.training import trials
from releve.domain.training.learning import window
from releve.domain.training.recipe_choice import BlockScore, RecipeChoice
from releve.domain.training.recipes import Candidate, default_candidate, fitting_recipes, search_spaces
from releve.domain.training.trials import (
    SIZES,
    SearchData,
    SearchSizes,
    Trial,
    TrialScore,
    try_candidate,
    validation_folds,
)
from tasks.pipeline.stage import Stage, run

Proposal = tuple[str, Candidate]  # where a candidate comes from, and what it is


@dataclass(frozen=True)
class Plan:
    """What a search is about to do: `first` is tried before anything is searched for."""

    table: SearchData
    recipes: tuple[str, ...]
    first: tuple[Proposal, ...]
    limits: SearchParams
    compute: Compute
    together: int = SIZES.together


@dataclass
class SearchState:
    """The trials of a search so far."""

    trials: list[Trial] = field(default_factory=list)
    stopped_by: Literal["trials", "seconds"] = "trials"


def tune(stage: Stage, *, sizes: SearchSizes = SIZES) -> None:
    """Write recipe.json: the recipe, its scale and options, and why these."""
    train, trials_asked = stage.params.train, stage.params.search.trials
    if not (train.named or trials_asked):
        raise BadInput(
            "train.recipe names no single recipe and search.trials is 0: allow some trials, or name one recipe"
        )

    searched: dict[str, Any] = {}
    if trials_asked:
        candidate, searched = _search(stage, sizes)
    else:
        candidate = Candidate.of(train)
        print(f"{train.named}, as train.recipe names it; search.trials is 0, so nothing is searched for")
    chosen = RecipeChoice(
        recipe=candidate.recipe,
        scale=candidate.scale,
        options=dict(candidate.options),
        seed=stage.params.statistics.seed,
        metric=_metric(stage),
        last_batches=train.last_batches,
    )

    write_document(stage.files.recipe, chosen.model_copy(update=searched))


def _search(stage: Stage, sizes: SearchSizes) -> tuple[Candidate, dict[str, Any]]:
    """Return the chosen candidate, and what recipe.json says of a search."""
    plan = _plan(stage, sizes)
    state = search(plan, clock=time.monotonic, progress=lambda line: print(line, flush=True))
    winner = trials.best(state.trials, metric=plan.table.metric)
    print(f"chosen: {winner.candidate}, {plan.table.metric} {winner.result.score:.4g}, trial {winner.number}")
    if winner.origin != trials.SEARCH:
        print("the default was kept: no candidate of the search was better by more than one standard error")
    blocks = zip(plan.table.folds, winner.result.folds, strict=True)
    return winner.candidate, {
        "score": winner.result.score,
        "folds": tuple(BlockScore(rows=fold.end - fold.start, score=score) for fold, score in blocks),
        "searched_rows": len(plan.table.rows),
        "asked": plan.limits.trials,
        "done": len(state.trials),
        "stopped_by": state.stopped_by,
        "trials": tuple(trial.record() for trial in state.trials),
    }


def _metric(stage: Stage) -> str:
    return resolve(stage.params.gate.metric, stage.schema.target.task)


def _plan(stage: Stage, sizes: SearchSizes) -> Plan:
    """Gather the rows, the recipes, and what is tried first: the champion's recipe, the one named, all defaults."""
    import pandas as pd

    train, schema = stage.params.train, stage.schema
    known = pd.read_parquet(stage.files.rows)
    before_holdout = known.iloc[: read_document(stage.files.folds, HoldoutFolds).start]
    rows = before_holdout.tail(sizes.rows).reset_index(drop=True)
    folds = validation_folds(len(rows), share=sizes.validation_share, folds=sizes.folds)
    last = train.last_batches
    table = SearchData(
        rows, schema, folds, _metric(stage), stage.params.statistics.seed, last, stage.params.gate.quantile
    )

    recipes: tuple[str, ...] = (train.named,) if train.named else ()
    if not train.named:
        # Searched on few rows, released after a fit on all of the window: it is the latter that has to be bearable.
        released_rows = len(window(known, end=len(known), last_batches=last))
        recipes, left_out = fitting_recipes(train.recipe, rows=released_rows)
        for line in left_out:
            print(line)
        if not recipes:
            raise BadInput(
                f"train.recipe has none that learns from {released_rows} rows; name another one, or learn from fewer "
                "(train.last_batches)"
            )

    first: list[Proposal] = []
    if tag := read_inputs(stage.files.inputs).champion:
        champion = read_description(ModelStore(stage.settings.home).get(tag).path, tag=tag).recipe
        if champion and champion.recipe in recipes:
            first.append((trials.CHAMPION, champion.candidate))
    if train.named:
        first.append((trials.PARAMS, Candidate.of(train)))
    defaults = search_spaces(recipes, schema).items()
    first += [(trials.DEFAULTS, default_candidate(recipe, space)) for recipe, space in defaults]
    return Plan(table, recipes, tuple(first), stage.params.search, stage.params.compute, sizes.together)


def search(plan: Plan, *, clock: Callable[[], float], progress: Callable[[str], None]) -> SearchState:
    """Try candidates in rounds of a fixed size until the budget is spent.

    A round is suggested whole, computed side by side, and reported in the order suggested: so how many workers there
    are changes nothing. The clock is read between rounds: it may end a search early, and changes no score.
    """
    state, started = SearchState(), clock()
    spaces = search_spaces(plan.recipes, plan.table.schema)
    searcher = Search(spaces, sign=METRICS[plan.table.metric].sign, seed=plan.table.seed)
    waiting: list[Proposal] = []
    for origin, candidate in plan.first:
        if candidate not in [other for _, other in waiting]:
            waiting.append((origin, candidate))

    def line() -> str:
        """Write the last trial, and what would be chosen so far."""
        last = state.trials[-1]
        number = f"trial {last.number}/{plan.limits.trials}"
        if last.result.score is None:
            return f"{number} {last.candidate}: failed, {last.result.reason}"
        winner = trials.best(state.trials, metric=plan.table.metric)
        so_far = f"chosen so far: {winner.result.score:.4g}, trial {winner.number} {winner.candidate.recipe}"
        return f"{number} {last.candidate}: {plan.table.metric} {last.result.score:.4g} ({so_far})"

    with open_workers(try_candidate, plan.table, address=plan.compute.address, workers=plan.compute.workers) as workers:
        while (left := plan.limits.trials - len(state.trials)) > 0:
            if state.trials and clock() - started >= plan.limits.seconds:
                state.stopped_by = "seconds"
                progress(f"search.seconds is over after {len(state.trials)} of {plan.limits.trials} trials")
                break
            size = min(plan.together, left)
            asked, waiting = waiting[:size], waiting[size:]
            asked += [(trials.SEARCH, searcher.ask()) for _ in range(size - len(asked))]
            for (origin, candidate), outcome in zip(asked, workers.run([one for _, one in asked]), strict=True):
                score = TrialScore(None, reason=outcome.problem) if outcome.problem else outcome.value
                state.trials.append(Trial(len(state.trials) + 1, origin, candidate, score))
                progress(line())
            for trial in state.trials[-size:]:
                searcher.tell(trial.candidate, trial.result.score)
    return state


if __name__ == "__main__":
    run(tune)
