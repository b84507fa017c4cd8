"""Choose the recipe: of a search in a budget, on the rows before the holdout, or as params.yaml names it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from releve.adapters.compute import open_workers
from releve.adapters.files import read_document, read_inputs, write_document
from releve.adapters.models.description import DESCRIPTION, ModelDescription
from releve.adapters.models.model_store import ModelStore
from releve.adapters.search import Search
from releve.core.errors import BadInput
from releve.core.params import Compute, Tune
from releve.domain.evaluation.metrics import METRICS, resolve
from releve.domain.evaluation.rolling_origin import HoldoutFolds
from releve.domain.training import trials
from releve.domain.training.learning import AUTO_BATCHES, better_window, folds_before, window
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
    tune: Tune
    compute: Compute
    together: int = SIZES.together


@dataclass
class SearchState:
    """What a search has found so far."""

    trials: list[Trial] = field(default_factory=list)
    stopped_by: Literal["trials", "seconds"] = "trials"


def tune(stage: Stage, *, sizes: SearchSizes = SIZES, auto_batches: tuple[int, ...] = AUTO_BATCHES) -> None:
    """Write recipe.json: the recipe, its scale and options, and why these."""
    train, trials_asked = stage.params.train, stage.params.tune.trials
    if not (train.named or trials_asked):
        raise BadInput(
            "train.recipe names no single recipe and tune.trials is 0: allow some trials, or name one recipe"
        )

    chosen = _search(stage, sizes) if trials_asked else _named(stage)

    last_batches = _last_batches(stage, chosen.candidate, auto_batches)
    write_document(stage.files.recipe, chosen.model_copy(update={"last_batches": last_batches}))


def _named(stage: Stage) -> RecipeChoice:
    print(f"{stage.params.train.named}, as train.recipe names it; tune.trials is 0, so nothing is searched for")
    return _choice(stage, Candidate.of(stage.params.train))


def _search(stage: Stage, sizes: SearchSizes) -> RecipeChoice:
    plan = _plan(stage, sizes)
    found = search(plan, clock=time.monotonic, progress=lambda line: print(line, flush=True))
    winner = trials.best(found.trials, metric=plan.table.metric)
    print(f"chosen: {winner.candidate}, {plan.table.metric} {winner.found.score:.4g}, trial {winner.number}")
    if winner.origin != trials.SEARCH:
        print("what the search found is not clearly better than this: by more than one standard error over the blocks")
    blocks = zip(plan.table.folds, winner.found.folds, strict=True)
    return _choice(stage, winner.candidate).model_copy(
        update={
            "score": winner.found.score,
            "folds": tuple(BlockScore(rows=fold.end - fold.start, score=score) for fold, score in blocks),
            "searched_rows": len(plan.table.rows),
            "asked": plan.tune.trials,
            "done": len(found.trials),
            "stopped_by": found.stopped_by,
            "trials": tuple(trial.record() for trial in found.trials),
        }
    )


def _choice(stage: Stage, candidate: Candidate) -> RecipeChoice:
    return RecipeChoice(
        recipe=candidate.recipe,
        scale=candidate.scale,
        options=dict(candidate.options),
        seed=stage.params.statistics.seed,
        metric=_metric(stage),
        last_batches=0,
    )


def _last_batches(stage: Stage, candidate: Candidate, auto_batches: tuple[int, ...]) -> int:
    """As params.yaml says; with `auto` the better of all past rows and the newest batches, right before the holdout."""
    import pandas as pd

    train, metric = stage.params.train, _metric(stage)
    if isinstance(train.last_batches, int):
        return train.last_batches
    holdout = read_document(stage.files.folds, HoldoutFolds)
    rows = pd.read_parquet(stage.files.rows).iloc[: holdout.start]
    blocks = folds_before(len(rows), rows=holdout.rows)
    quantile, choices, seed = stage.params.gate.quantile, (0, *auto_batches), stage.params.statistics.seed
    tables = [SearchData(rows, stage.schema, blocks, metric, seed, last, quantile) for last in choices]
    scores = {table.last_batches: try_candidate(table, candidate).folds for table in tables}
    chosen = better_window(scores, sign=METRICS[metric].sign)
    print(f"learns from {f'the newest {chosen} batches' if chosen else 'all past rows'}: {metric} {scores}")
    return chosen


def _metric(stage: Stage) -> str:
    return resolve(stage.params.gate.metric, stage.schema.target.task)


def _plan(stage: Stage, sizes: SearchSizes) -> Plan:
    import pandas as pd

    first_of_holdout = read_document(stage.files.folds, HoldoutFolds).start
    known = pd.read_parquet(stage.files.rows)
    rows = known.iloc[:first_of_holdout].tail(sizes.rows).reset_index(drop=True)
    folds = validation_folds(len(rows), share=sizes.validation_share, folds=sizes.folds)
    quantile = stage.params.gate.quantile
    table = SearchData(
        rows, stage.schema, folds, _metric(stage), stage.params.statistics.seed, _searched(stage), quantile
    )
    # Searched on few rows, released after a fit on all of the window: it is the latter that has to be bearable.
    recipes = _recipes(stage, rows=len(window(known, end=len(known), last_batches=_searched(stage))))
    return Plan(table, recipes, tuple(_first(stage, recipes)), stage.params.tune, stage.params.compute, sizes.together)


def _searched(stage: Stage) -> int:
    """The batches that candidates learn from; with `auto`, which is decided once the recipe is known, all past rows."""
    last = stage.params.train.last_batches
    return last if isinstance(last, int) else 0


def _recipes(stage: Stage, *, rows: int) -> tuple[str, ...]:
    """Those to search among: the one that is named, or those of train.recipe that so many rows allow."""
    train = stage.params.train
    if train.named:
        return (train.named,)
    recipes, left_out = fitting_recipes(train.recipe, rows=rows)
    for line in left_out:
        print(line)
    if not recipes:
        raise BadInput(
            f"train.recipe has none that learns from {rows} rows; name another one, or learn from fewer "
            "(train.last_batches)"
        )
    return recipes


def _first(stage: Stage, recipes: tuple[str, ...]) -> Iterator[Proposal]:
    """What is tried before anything is searched for: the champion's recipe, the one named, each recipe's defaults."""
    spaces = search_spaces(recipes, stage.schema)
    champion = _champion(stage)
    if champion and champion.recipe in recipes:
        yield trials.CHAMPION, champion
    if stage.params.train.named:
        yield trials.PARAMS, Candidate.of(stage.params.train)
    for recipe, space in spaces.items():
        yield trials.DEFAULTS, default_candidate(recipe, space)


def _champion(stage: Stage) -> Candidate | None:
    """The champion's recipe with its options; None when there is no champion."""
    tag = read_inputs(stage.files.inputs).champion
    if not tag:
        return None
    path = ModelStore(stage.settings.home).get(tag).path / DESCRIPTION
    recipe = ModelDescription.model_validate_json(path.read_bytes()).recipe
    return recipe.candidate if recipe else None


def search(plan: Plan, *, clock: Callable[[], float], progress: Callable[[str], None]) -> SearchState:
    """Try candidates in rounds of a fixed size until the budget is spent.

    A round is asked for whole, computed side by side, and told in the order asked: so how many workers there are
    changes nothing. The clock is looked at between rounds: it may end a search early, and changes no score.
    """
    found, started = SearchState(), clock()
    spaces = search_spaces(plan.recipes, plan.table.schema)
    searcher = Search(spaces, sign=METRICS[plan.table.metric].sign, seed=plan.table.seed)
    waiting = _distinct(plan.first)
    with open_workers(try_candidate, plan.table, address=plan.compute.address, workers=plan.compute.workers) as workers:
        while (left := plan.tune.trials - len(found.trials)) > 0:
            if found.trials and clock() - started >= plan.tune.seconds:
                found.stopped_by = "seconds"
                progress(f"tune.seconds is over after {len(found.trials)} of {plan.tune.trials} trials")
                break
            size = min(plan.together, left)
            asked, waiting = waiting[:size], waiting[size:]
            asked += [(trials.SEARCH, searcher.ask()) for _ in range(size - len(asked))]
            for (origin, candidate), outcome in zip(asked, workers.run([one for _, one in asked]), strict=True):
                score = TrialScore(None, reason=outcome.problem) if outcome.problem else outcome.value
                found.trials.append(Trial(len(found.trials) + 1, origin, candidate, score))
                progress(_line(found.trials, plan))
            for trial in found.trials[-size:]:
                searcher.tell(trial.candidate, trial.found.score)
    return found


def _distinct(proposals: tuple[Proposal, ...]) -> list[Proposal]:
    """Without those that an earlier one is the same as."""
    kept: list[Proposal] = []
    for origin, candidate in proposals:
        if candidate not in [other for _, other in kept]:
            kept.append((origin, candidate))
    return kept


def _line(done: list[Trial], plan: Plan) -> str:
    """A trial, and what would be chosen so far, as a plain line."""
    last = done[-1]
    number = f"trial {last.number}/{plan.tune.trials}"
    if last.found.score is None:
        return f"{number} {last.candidate}: failed, {last.found.reason}"
    winner = trials.best(done, metric=plan.table.metric)
    so_far = f"chosen so far: {winner.found.score:.4g}, trial {winner.number} {winner.candidate.recipe}"
    return f"{number} {last.candidate}: {plan.table.metric} {last.found.score:.4g} ({so_far})"


if __name__ == "__main__":
    run(tune)
