"""Search for a new member of the pool, in a budget, and let it join where it is shown to be better."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from releve.adapters.compute import open_workers
from releve.adapters.search import CandidateSearch
from releve.core.errors import BadInput
from releve.core.params import Compute
from releve.domain.ensemble.description import SearchDescription
from releve.domain.ensemble.forward import MemberAnswers
from releve.domain.ensemble.pool import SEARCH, Member, MemberPool
from releve.domain.evaluation import paired
from releve.domain.evaluation.metrics import METRICS, resolve
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions
from releve.domain.gate.gate import search_gains
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.training import trials
from releve.domain.training.learning import window
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
from tasks.pipeline.stage import Stage, say
from tasks.pipeline.training.memory import Before
from tasks.pipeline.training.record import Record, replayed, rolled_over
from tasks.pipeline.training.refresh import Refresh

if TYPE_CHECKING:
    import pandas as pd

Proposal = tuple[str, Candidate]  # where a candidate comes from, and what it is


@dataclass(frozen=True)
class Plan:
    """What a search is about to do: `first` is tried before anything is searched for."""

    table: SearchData
    recipes: tuple[str, ...]
    first: tuple[Proposal, ...]
    trials: int
    seconds: float
    compute: Compute
    together: int = SIZES.together


@dataclass
class SearchState:
    """The trials of a search so far."""

    trials: list[Trial] = field(default_factory=list)
    stopped_by: Literal["trials", "seconds"] = "trials"


def searched(
    refresh: Refresh, before: Before | None, pool: MemberPool, record: Record
) -> tuple[MemberPool, Record, SearchDescription | None]:
    """Search for a new member where inputs.yaml asks for it and no refresh has done so yet.

    It joins where the pool with it is shown to be better by enough than the pool without it (`gate.search_gains`) on
    the windows, which the search has not seen.
    """
    cause, stage, rows = refresh.inputs.search_cause, refresh.stage, refresh.data.rows
    if before and before.memory.search == cause:
        is_same = before.memory.learned == len(rows)
        return pool, record, before.folder.description.search if is_same else None
    if not cause or not stage.params.search.trials or not record.windows:
        return pool, record, None
    if not stage.params.train.ensemble:
        say("no search: with train.ensemble: false one member is the model, and none can join it")
        return pool, record, None
    pool = without_idle(pool, record)
    number = sum(member.origin == SEARCH for member in pool.members) + 1
    oldest = record.windows[0].learned
    older = window(rows, end=oldest, last_batches=0, left_out=refresh.data.left_out)
    member, state = find_member(stage, older, pool, name=f"found_{number}_before_row_{oldest}")
    outcome = SearchOutcome()
    if member:
        asked = [MemberAnswers(window.truth, window.answers) for window in record.answers]
        wider = replayed(refresh, pool, record, rolled_over(refresh, [member], record, asked))
        old = replayed(refresh, pool, record, asked)
        with_it, without_it = (
            scored(refresh, each, [window.refreshed for window in each.answers]) for each in (wider, old)
        )
        comparison = paired.compare(refresh.metric, with_it, without_it, refresh.bootstrap)
        gain, joined = comparison.gain, search_gains(refresh.metric, comparison)
        outcome = SearchOutcome(proposed=str(member.candidate), gain=gain, joined=joined)
        say(f"{member.name}: the pool gains {gain.value:.4g} [{gain.low:.4g}, {gain.high:.4g}] by it")
        if joined:
            pool, record = pool.extended(member), wider
    description = SearchDescription(
        causes=tuple(cause.partition(" on ")[0].split(", ")),
        trials=tuple(trial.record() for trial in state.trials),
        outcome=outcome,
    )
    return pool, record, description


def without_idle(pool: MemberPool, record: Record) -> MemberPool:
    """Return the pool without members that an earlier search found, and that have had no weight in any window."""
    idle = [
        member.name
        for member in pool.members
        if member.origin == SEARCH and all(each.weights and member.name not in each.weights for each in record.windows)
    ]
    return pool.model_copy(update={"members": tuple(each for each in pool.members if each.name not in idle)})


def scored(refresh: Refresh, record: Record, outputs: list[Floats]) -> ScoredPredictions:
    """Put answers to the windows beside the labels."""
    blocks = np.repeat(np.arange(len(outputs)), [len(each) for each in outputs])
    labels = np.concatenate(
        [refresh.data.rows[refresh.schema.target.name].iloc[each.rows.start : each.rows.end] for each in record.windows]
    )
    return ScoredPredictions.of(
        np.concatenate(outputs),
        labels.tolist(),
        refresh.schema.target,
        quantile=refresh.stage.params.gate.quantile,
        blocks=blocks,
    )


def find_member(
    stage: Stage, rows: "pd.DataFrame", pool: MemberPool, *, name: str, sizes: SearchSizes = SIZES
) -> tuple[Member | None, SearchState]:
    """Search the rows, which are older than the windows that members are weighed on, for a member that is not there.

    Returns it, None where the best candidate is in the pool already or there are too few rows, and the trials.
    """
    try:
        plan = _plan(stage, rows, sizes)
    except BadInput as problem:
        say(f"no search: {problem}")
        return None, SearchState()
    state = search(plan, clock=time.monotonic, progress=say)
    try:
        winner = trials.best(state.trials, metric=plan.table.metric)
    except BadInput as problem:
        say(f"no member: {problem}")
        return None, state
    member = Member.of(winner.candidate, origin=SEARCH, last_batches=plan.table.last_batches, name=name)
    is_new = pool.extended(member) != pool
    say(f"best: {winner.candidate}, {plan.table.metric} {winner.result.score:.4g}, trial {winner.number}")
    if not is_new:
        say("it is in the pool already")
    return (member if is_new else None), state


def _plan(stage: Stage, known: "pd.DataFrame", sizes: SearchSizes) -> Plan:
    """Gather the rows, the recipes, and what is tried first: the recipe named, all defaults.

    Raises BadInput where there are too few rows, or no recipe learns from so many.
    """
    train, schema = stage.params.train, stage.schema
    metric = resolve(stage.params.gate.metric, schema.target.task)
    rows = known.tail(sizes.rows).reset_index(drop=True)
    folds = validation_folds(len(rows), share=sizes.validation_share, folds=sizes.folds)
    table = SearchData(
        rows, schema, folds, metric, stage.params.statistics.seed, train.last_batches, stage.params.gate.quantile
    )

    recipes: tuple[str, ...] = (train.named,) if train.named else ()
    if not train.named:
        # Searched on few rows, released after a fit on all of the window: it is the latter that has to be bearable.
        released_rows = len(window(known, end=len(known), last_batches=train.last_batches))
        recipes, left_out = fitting_recipes(train.recipe, rows=released_rows)
        for line in left_out:
            say(line)
        if not recipes:
            raise BadInput(
                f"train.recipe has none that learns from {released_rows} rows; name another one, or learn from fewer "
                "(train.last_batches)"
            )

    first: list[Proposal] = [(trials.PARAMS, Candidate.of(train))] if train.named else []
    defaults = search_spaces(recipes, schema).items()
    first += [(trials.DEFAULTS, default_candidate(recipe, space)) for recipe, space in defaults]
    return Plan(
        table,
        recipes,
        tuple(first),
        stage.params.search.trials,
        stage.params.search.seconds,
        stage.params.compute,
        sizes.together,
    )


def search(plan: Plan, *, clock: Callable[[], float], progress: Callable[[str], None]) -> SearchState:
    """Try candidates in rounds of a fixed size until the budget is spent.

    A round is suggested whole, computed side by side, and reported in the order suggested: so how many workers there
    are changes nothing. The clock is read between rounds: it may end a search early, and changes no score.
    """
    state, started = SearchState(), clock()
    spaces = search_spaces(plan.recipes, plan.table.schema)
    searcher = CandidateSearch(spaces, sign=METRICS[plan.table.metric].sign, seed=plan.table.seed)
    waiting: list[Proposal] = []
    for origin, candidate in plan.first:
        if candidate not in [other for _, other in waiting]:
            waiting.append((origin, candidate))

    def line() -> str:
        """Write the last trial, and what would be chosen so far."""
        last = state.trials[-1]
        number = f"trial {last.number}/{plan.trials}"
        if last.result.score is None:
            return f"{number} {last.candidate}: failed, {last.result.reason}"
        winner = trials.best(state.trials, metric=plan.table.metric)
        so_far = f"chosen so far: {winner.result.score:.4g}, trial {winner.number} {winner.candidate.recipe}"
        return f"{number} {last.candidate}: {plan.table.metric} {last.result.score:.4g} ({so_far})"

    with open_workers(try_candidate, plan.table, address=plan.compute.address, workers=plan.compute.workers) as workers:
        while (left := plan.trials - len(state.trials)) > 0:
            if state.trials and clock() - started >= plan.seconds:
                state.stopped_by = "seconds"
                progress(f"search.seconds is over after {len(state.trials)} of {plan.trials} trials")
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
