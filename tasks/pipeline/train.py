"""Fit the members on all rows, and weigh them by what they answered to rows before they learned them.

With the memory of the refresh before, its members answer the rows that are new since: a refresh costs one fit per
member. Without it, as for a first model, the newest rows are answered by a rolling origin instead. A memory that has
seen every row already makes the same again: `train` is a function of the rows and of the answers on record.
"""

from dataclasses import replace

from releve.core.errors import BadInput
from releve.domain.ensemble.fitting import FittedMember, fit_members
from releve.domain.ensemble.kept import untouched
from releve.domain.ensemble.memory import KeptEnsemble
from releve.domain.ensemble.pool import CONSTANT, SEARCH, pool_of
from releve.domain.ensemble.weights import Serves, Weighing, weigh
from releve.domain.ensemble.wrong_labels import LeftOut, on_trial, spared_member, still_wrong, telling
from releve.domain.evaluation.rolling_origin import Fold
from tasks.pipeline.stage import Stage, run, say
from tasks.pipeline.training.brought import put_forward_alone
from tasks.pipeline.training.memory import Before, remembered
from tasks.pipeline.training.record import Record, answered_again, answered_first
from tasks.pipeline.training.refresh import Refresh
from tasks.pipeline.training.result import RefreshResult, rounded_weights, write
from tasks.pipeline.training.reweigh import reweigh
from tasks.pipeline.training.search import searched


def train(stage: Stage) -> None:
    """Write build/memory: the fitted ensemble, and all that the next refresh needs of it."""
    refresh = Refresh.of(stage)
    rows, before = len(refresh.data.rows), remembered(refresh)
    if before:
        refresh = refresh.leaving_out(before.memory.left_out)
    if refresh.inputs.reweighs:
        reweigh(refresh, before)
        return
    if refresh.inputs.alone:
        put_forward_alone(refresh, before)
        return
    if before:
        refresh = with_corrected_labels(refresh, before)
    found = [each for each in before.memory.pool.members if each.origin == SEARCH] if before else []
    pool = pool_of(stage.params.train, stage.schema, rows=rows, more=[*found, *refresh.brought_members])

    record = answered_again(refresh, before, pool) if before else answered_first(refresh, pool)
    if before:
        refresh, before, record = without_wrong_labels(refresh, before, record)
    pool, record, search = searched(refresh, before, pool, record)
    fitted = fit_members(refresh.data, pool.members, end=rows, progress=say)
    plain = plain_of(fitted, record)
    record = record.newest(plain)
    weighing, kept = weighed(refresh, before, record, fitted, plain=plain)
    if weighing.serves == Serves.NAIVE and not before and not refresh.inputs.champion:
        record = record.served_by(CONSTANT)  # what is expected of it is its own score, not that of models given up
    write(refresh, before, RefreshResult(pool, record, fitted, kept, weighing, search))


def with_corrected_labels(refresh: Refresh, before: Before) -> Refresh:
    """Learn rows again that were left out as wrong, once their labels are corrected."""
    folds = [each.rows for each in before.memory.windows]
    left_out = still_wrong(refresh.left_out, before.windows, folds, refresh.is_corrected, loss=refresh.loss)
    for was, now in zip(refresh.left_out, left_out, strict=True):
        if now != was:
            say(f"labels of rows {was.rows.start} to {was.rows.end} were corrected: members learn these rows again")
    return refresh.leaving_out(left_out)


def without_wrong_labels(refresh: Refresh, before: Before, record: Record) -> tuple[Refresh, Before, Record]:
    """Leave the rows of the last window but one out where their labels are shown to be wrong, and who learned them."""
    windows = telling(record.answers, record.folds, refresh.left_out)
    is_new = before.memory.learned < len(refresh.data.rows)  # else it was decided when these rows came
    if is_new and spared_member(windows, loss=refresh.loss):
        wrong = Fold(record.windows[-2].learned, record.windows[-1].learned)
        say(f"labels of rows {wrong.start} to {wrong.end} are wrong: no member learns these rows from now on")
        refresh = refresh.leaving_out((*refresh.left_out, LeftOut(rows=wrong, found=len(refresh.data.rows))))
        stay = untouched([each.name for each in before.kept], before.memory.refresh)
        before = replace(before, kept=tuple(each for each in before.kept if each.name in stay), ensemble=None)
    return refresh, before, replace(record, answers=on_trial(record.answers, record.folds, refresh.left_out))


def plain_of(fitted: tuple[FittedMember, ...], record: Record) -> str:
    """Return the first member that was fitted, and whose answers to the newest window are known.

    Raises BadInput with the problem of the first member where there is none.
    """
    answers = record.answers[-1].answers if record.answers else {}
    for each in fitted:
        if each.pipeline is not None and each.member.name in answers:
            return each.member.name
    raise BadInput(fitted[0].problem or f"{fitted[0].member.name} has answered no window yet; ingest more rows")


def weighed(
    refresh: Refresh, before: Before | None, record: Record, fitted: tuple[FittedMember, ...], *, plain: str
) -> tuple[Weighing, tuple[KeptEnsemble, ...]]:
    """Weigh the fitted members and the older ensembles by the record; return these ensembles, too.

    Where the labels of the newest rows are in doubt, the ensemble before them is one of them.
    """
    kept = before.kept if before else ()
    newest = before.ensemble if before else None
    names = [each.member.name for each in fitted if each.pipeline is not None] + [each.name for each in kept]
    windows = telling(record.answers, record.folds, refresh.left_out)
    exact = weigh(windows, plain=plain, loss=refresh.loss, members=[*names, *([newest.name] if newest else [])])
    if newest and newest.name in exact.serving:
        say("the labels of the newest rows are in doubt: the ensemble before them keeps a part")
        kept = (*kept, newest)
    weighing = replace(exact, weights=rounded_weights(exact.weights))
    is_naive = set(weighing.serving) == {CONSTANT}
    return (replace(weighing, serves=Serves.NAIVE) if is_naive else weighing), kept


if __name__ == "__main__":
    run(train)
