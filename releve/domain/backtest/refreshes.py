"""The refreshes of a backtest: members are fitted, or were before, and weighed by what they answered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from releve.core.errors import BadInput
from releve.core.params import SEARCHED_RECIPES, Params
from releve.domain.backtest.jobs import ComparePools, FitMember, Floats, JobContext
from releve.domain.backtest.played import Steps
from releve.domain.backtest.walk_forward import WalkForward
from releve.domain.ensemble.fitting import answered_part
from releve.domain.ensemble.forward import (
    ForwardWindow,
    MemberAnswers,
    counted,
    opponents_of,
    served_by,
    since_answered,
    undivided,
    with_answers,
)
from releve.domain.ensemble.kept import before_name, kept_name, kept_weights, still_kept, untouched
from releve.domain.ensemble.origins import origin_blocks
from releve.domain.ensemble.pool import CONSTANT, SEARCH, Member, MemberPool, pool_of
from releve.domain.ensemble.refresh import weigh_forward, weighed_window
from releve.domain.ensemble.weights import BEFORE, Weighing, mean_loss, mix, weigh
from releve.domain.ensemble.wrong_labels import LeftOut, on_trial, spared_member, telling
from releve.domain.evaluation.rolling_origin import Fold, newest_connected
from releve.domain.gate import gate
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.schema.schema import BATCH
from releve.domain.training import learning
from releve.domain.training.recipes import default_candidate, fitting_recipes, search_spaces
from releve.domain.training.trials import MIN_ROWS, SIZES, validation_folds
from releve.domain.trigger.trigger import TriggerDecision


@dataclass(frozen=True, eq=False)
class Refreshed:
    """Members that learned from the first `rows` rows, their weights, and the record that these rest on."""

    number: int  # from 1, the first model
    rows: int
    members: tuple[Member, ...]  # that could be fitted
    without: tuple[str, ...]  # columns that they did not learn from
    weighing: Weighing
    folds: tuple[Fold, ...]  # rows of the windows, oldest first
    windows: tuple[ForwardWindow, ...]
    found: tuple[Member, ...] = ()  # by searches
    kept: Mapping[str, "Refreshed"] = field(default_factory=dict)  # older ensembles that are members
    left_out: tuple[LeftOut, ...] = ()  # rows that were found to be wrong, which members did not learn

    @property
    def judged(self) -> tuple[Fold, ...]:
        """Return the rows of the windows that it is judged on."""
        return newest_connected(self.folds)

    @property
    def answered(self) -> Floats:
        """Return what the procedure would have served there."""
        return np.concatenate([window.refreshed for window in self.windows[-len(self.judged) :]])

    @property
    def served(self) -> Floats:
        """Return what that is held against."""
        return np.concatenate(opponents_of(self.windows)[-len(self.judged) :])


def fit_of(
    plan: WalkForward,
    member: Member,
    *,
    end: int,
    upto: int,
    without: tuple[str, ...] = (),
    left_out: Sequence[LeftOut] = (),
) -> FitMember:
    """Fit a member before row `end`, by its own window, and let it answer rows [end, upto)."""
    parts = tuple(each.rows for each in left_out)
    batches = plan.context.rows[[BATCH]]
    learned = learning.window(batches, end=end, last_batches=member.last_batches, left_out=parts)
    first = int((batches[BATCH] == learned[BATCH].iloc[0]).to_numpy().argmax()) if member.last_batches else 0
    return FitMember.of(member.candidate, first=first, end=end, upto=upto, without=without, left_out=parts)


def own_fit(plan: WalkForward, made: Refreshed, member: Member) -> FitMember:
    """Fit a member of a refresh, and let it answer all later rows."""
    return fit_of(plan, member, end=made.rows, upto=plan.rows, without=made.without, left_out=made.left_out)


def member_answers(
    plan: WalkForward, made: Refreshed, rows: Fold, names: Collection[str] | None = None
) -> Steps[dict[str, Floats]]:
    """Ask what members answer to `rows`, kept ensembles included; all of them unless there are `names`."""
    asked = [each for each in made.members if names is None or each.name in names]
    done = yield [own_fit(plan, made, each) for each in asked]
    part = slice(rows.start - made.rows, rows.end - made.rows)
    answers = {each.name: as_floats(one.value[part]) for each, one in zip(asked, done, strict=True)}
    for name, older in made.kept.items():
        if names is None or name in names:
            weights = older.weighing.serving if name.startswith(BEFORE) else kept_weights(own_weights(plan, older))
            answers[name] = mix((yield from member_answers(plan, older, rows, weights)), weights)
    return answers


def own_weights(plan: WalkForward, made: Refreshed) -> dict[str, float]:
    """Return the weights that a refresh's own members serve with; equal fits count as one."""
    first: dict[FitMember, str] = {}
    weights: dict[str, float] = {}
    for member in made.members:
        name = first.setdefault(own_fit(plan, made, member), member.name)
        if member.name in made.weighing.serving:
            weights[name] = weights.get(name, 0.0) + made.weighing.serving[member.name]
    return weights


def served_answers(plan: WalkForward, made: Refreshed, rows: Fold) -> Steps[Floats]:
    """Ask what a refresh answers to `rows` when it serves."""
    serving = made.weighing.serving
    return mix((yield from member_answers(plan, made, rows, serving)), serving)


def as_floats(answers: Any) -> Floats:
    """Weights are fitted on doubles."""
    return np.asarray(answers, dtype=np.float64)


def first_model(plan: WalkForward, params: Params) -> Steps[Refreshed]:
    """Make the first model of the rows before the first window, weighed by rolling origins.

    As in production the first member that can be fitted is the plain refit, and the naive answer serves where no model
    beats it. Raises BadInput where no member can be fitted.
    """
    pool, context = _pool(plan, params, plan.start), plan.context
    blocks = origin_blocks(context.rows[BATCH].iloc[: plan.start].tolist())
    asked = [(block, member) for block in blocks for member in pool.members]
    final = [fit_of(plan, member, end=plan.start, upto=plan.rows) for member in pool.members]
    done = yield [*final, *(fit_of(plan, member, end=block.start, upto=block.end) for block, member in asked)]
    fitted = tuple(member for member, each in zip(pool.members, done, strict=False) if not each.problem)
    if not fitted:
        raise BadInput(f"the rows before the first window make no model: {done[0].problem}")
    answers: dict[Fold, dict[str, Floats]] = {block: {} for block in blocks}
    for (block, member), each in zip(asked, done[len(final) :], strict=True):
        if not each.problem:
            answers[block][member.name] = as_floats(each.value)
    windows = [MemberAnswers(plan.truth[block.start : block.end], answers[block]) for block in blocks]
    names = [each.name for each in fitted]
    plain = next((name for name in names if windows and name in windows[-1].answers), names[0])
    since = since_answered(windows, plain)
    windows, folds = windows[since:], blocks[since:]
    recorded = weigh_forward(windows, plain=plain, loss=context.loss)
    weighing = weigh(recorded, plain=plain, loss=context.loss, members=names)
    if {*weighing.serving} == {CONSTANT}:  # what is expected of it is its own score
        recorded = tuple(served_by(each, CONSTANT) for each in recorded)
    return Refreshed(1, plan.start, fitted, (), weighing, folds, recorded)


def refresh(
    plan: WalkForward,
    params: Params,
    before: Refreshed,
    *,
    name: str,
    known: int,
    served: Floats,
    decision: TriggerDecision,
    is_serving: bool,
) -> Steps[tuple[Refreshed, SearchOutcome | None]]:
    """Record the rows since the refresh before, fit the pool on `known` rows, and weigh it.

    `served`: what did serve the newest rows up to `known`; `is_serving`: whether that is the refresh before; `name`: of
    the policy. Raises BadInput where the plain refit cannot be fitted.
    """
    context, number = plan.context, before.number + 1
    kept = _kept(before) if params.train.ensemble else {}
    rows = answered_part(Fold(before.rows, known))
    answers = yield from member_answers(plan, replace(before, kept={**before.kept, **kept}), rows)
    newest = MemberAnswers(plan.truth[rows.start : rows.end], answers)
    recorded = weighed_window(newest, before.weighing, served=served[-(rows.end - rows.start) :])
    earlier = map(undivided, before.windows) if is_serving else before.windows
    windows, folds = (*earlier, recorded), (*before.folds, rows)
    count = counted([len(each) for each in windows])
    windows, folds, left_out = windows[-count:], folds[-count:], before.left_out
    if wrong := spared_member(telling(windows, folds, left_out), loss=context.loss):
        left_out = (*left_out, LeftOut(rows=Fold(before.kept[wrong].rows, before.rows), found=known))
        kept = {name: kept[name] for name in untouched([*kept], before.number)}
    windows = on_trial(windows, folds, left_out)
    pool, found, outcome = _pool(plan, params, known, before.found), before.found, None
    if decision.search and params.train.ensemble:
        search = RefreshSearch(name, number, folds, windows, pool, left_out)
        member, windows, outcome = yield from _search(plan, params, search)
        if member:
            found, pool = (*found, member), pool.extended(member)
    without = decision.without
    done = yield [
        fit_of(plan, member, end=known, upto=plan.rows, without=without, left_out=left_out) for member in pool.members
    ]
    fitted = tuple(member for member, each in zip(pool.members, done, strict=True) if not each.problem)
    plain = next((each.name for each in fitted if each.name in windows[-1].answers), None)
    if plain is None:
        raise BadInput(done[0].problem or f"{pool.plain} has answered no window yet")
    lacking = since_answered(windows, plain)
    windows, folds = windows[lacking:], folds[lacking:]
    last = before_name(before.number)
    members = [*(each.name for each in fitted), *kept, *((last,) if params.train.ensemble and not wrong else ())]
    weighing = weigh(telling(windows, folds, left_out), plain=plain, loss=context.loss, members=members)
    if last in weighing.serving:
        kept = {**kept, last: before}
    return Refreshed(number, known, fitted, without, weighing, folds, windows, found, kept, left_out), outcome


def _kept(before: Refreshed) -> dict[str, Refreshed]:
    """List the older ensembles that are members: of the refresh before, and itself where it is one of them."""
    kept = dict(before.kept)
    own = {each.name for each in before.members} & {*before.weighing.serving}
    if own and (name := kept_name(before.number)):
        kept[name] = before
    return {name: kept[name] for name in still_kept([*kept])}


def _pool(plan: WalkForward, params: Params, known: int, found: Sequence[Member] = ()) -> MemberPool:
    return pool_of(params.train, plan.context.schema, rows=known, more=found)


@dataclass(frozen=True, eq=False)
class RefreshSearch:
    """What a search of a policy's refresh starts from."""

    policy: str
    refresh: int
    folds: tuple[Fold, ...]
    windows: tuple[ForwardWindow, ...]
    pool: MemberPool
    left_out: tuple[LeftOut, ...]


def _search(
    plan: WalkForward, params: Params, search: RefreshSearch
) -> Steps[tuple[Member | None, tuple[ForwardWindow, ...], SearchOutcome]]:
    """Try the defaults of the other recipes on rows before the windows, and the best of them on the windows.

    It joins where the pool with it is shown to be better there. Production tries more options of each recipe; these few
    cost little, and are the same whenever they are tried.
    """
    folds, windows, plain, context = search.folds, search.windows, search.pool.plain, plan.context
    tried = searched(params, search.pool, context, rows=folds[-1].end)
    if not tried or folds[0].start < MIN_ROWS:
        return None, windows, SearchOutcome()
    trials = validation_folds(folds[0].start, share=SIZES.validation_share, folds=SIZES.folds)
    done = yield [
        fit_of(plan, member, end=fold.start, upto=fold.end, left_out=search.left_out)
        for member in tried
        for fold in trials
    ]
    scored: dict[str, float] = {}
    truth = plan.truth[trials[0].start : trials[-1].end]
    for place, member in enumerate(tried):
        parts = done[place * len(trials) : (place + 1) * len(trials)]
        if not any(each.problem for each in parts):
            answers = np.concatenate([as_floats(each.value) for each in parts])
            scored[member.name] = mean_loss(truth, answers, loss=context.loss, most=np.inf)
    if not scored:
        return None, windows, SearchOutcome()
    best = next(each for each in tried if each.name == min(scored, key=lambda name: scored[name]))
    done = yield [fit_of(plan, best, end=fold.start, upto=fold.end, left_out=search.left_out) for fold in folds]
    if any(each.problem for each in done):
        return None, windows, SearchOutcome(proposed=str(best.candidate))
    own = [as_floats(each.value) for each in done]
    more = tuple(with_answers(each, {best.name: answers}) for each, answers in zip(windows, own, strict=True))
    both = [_replayed(each, plain=plain, loss=context.loss) for each in (more, windows)]
    (compared,) = yield [ComparePools(search.policy, search.refresh, folds, *both)]
    joined = gate.search_gains(context.metric, compared.value)
    outcome = SearchOutcome(proposed=str(best.candidate), gain=compared.value.gain, joined=joined)
    return (best, more, outcome) if joined else (None, windows, outcome)


def _replayed(windows: Sequence[ForwardWindow], *, plain: str, loss: str) -> Floats:
    weighed = weigh_forward([MemberAnswers(each.truth, each.answers) for each in windows], plain=plain, loss=loss)
    return np.concatenate([each.refreshed for each in weighed])


def searched(params: Params, pool: MemberPool, context: JobContext, *, rows: int) -> list[Member]:
    """List what a search tries: the defaults of each recipe that params.yaml allows and the pool has not."""
    has = {member.recipe for member in pool.members}
    allowed = [name for name in params.train.recipe if name in SEARCHED_RECIPES and name not in has]
    if not params.search.trials:
        return []
    fitting, _ = fitting_recipes(tuple(allowed), rows=rows)
    spaces = search_spaces(fitting, context.schema)
    return [Member.of(default_candidate(name, space), origin=SEARCH) for name, space in spaces.items()]
