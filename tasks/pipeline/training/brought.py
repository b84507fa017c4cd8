"""A model that somebody else fitted, put forward by itself: it answers the rows that a refresh would be judged on."""

from dataclasses import replace

from releve.core.errors import BadInput
from releve.core.formatting import counted
from releve.domain.ensemble.ensemble import weighted
from releve.domain.ensemble.fitting import answers_of_members, fit_members
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.memory import WindowRecord
from releve.domain.ensemble.pool import Member, MemberPool
from releve.domain.ensemble.weights import weigh
from releve.domain.ensemble.wrong_labels import telling
from releve.domain.evaluation.evaluation import FeatureImportances
from tasks.pipeline.stage import say
from tasks.pipeline.training.memory import Before
from tasks.pipeline.training.record import Record, answered_again, answered_first, held_against_brought
from tasks.pipeline.training.refresh import Refresh
from tasks.pipeline.training.result import RefreshResult, write


def put_forward_alone(refresh: Refresh, before: Before | None) -> None:
    """Write build/memory of the one brought model that inputs.yaml names; no refresh goes on from it.

    It is held against what did serve each window, which is on record in the memory of the newest refresh. Raises
    BadInput where it has learned them all.
    """
    member = next(each for each in refresh.brought_members if each.name == refresh.inputs.alone)
    pool, rows = MemberPool(members=(member,)), len(refresh.data.rows)
    if before and before.memory.pool == pool:  # a rebuild: what it was judged on is on record
        record = Record(before.memory.windows, before.windows, before.folder.importances)
    elif before:
        record = _answered_by(refresh, member, answered_again(refresh, before, before.memory.pool))
    else:
        record = answered_first(refresh, pool)
    record = record.newest(member.name)
    fitted = fit_members(refresh.data, pool.members, end=rows)
    windows = telling(record.answers, record.folds, refresh.left_out)
    weighing = weigh(windows, plain=member.name, loss=refresh.loss, members=pool.names)
    answered = counted(sum(map(len, record.answers)), "row")
    say(f"{member.name} is not fitted, and answers {answered} of the newest windows")
    write(refresh, None, RefreshResult(pool, record, fitted, (), weighing, None))


def _answered_by(refresh: Refresh, member: Member, record: Record) -> Record:
    """Put the answers of a brought model in the place of those of the refreshes; what did serve stays.

    The windows count as replayed: each of them is evidence, as it was the same model before each.
    """
    model = refresh.data.brought[member.name]
    served = held_against_brought(refresh, record.windows, record.answers)
    records: list[WindowRecord] = []
    answers: list[ForwardWindow] = []
    for each, window in zip(record.windows, served, strict=True):
        if each.rows.start < model.earliest:
            continue
        found = answers_of_members(refresh.data, {member.name: model.pipeline}, each.rows, progress=say)
        if member.name not in found:
            raise BadInput(f"{member.name} answers rows {each.rows.start} to {each.rows.end} with no finite numbers")
        ours = found[member.name]
        records.append(each.model_copy(update={"weights": {}}))
        answers.append(replace(window, answers=found, blend=ours, refreshed=ours))
    if not records:
        raise BadInput(
            f"it has learned the oldest {model.earliest} labelled rows, and no window of newer ones is left to judge "
            "it on; ingest newer labelled rows first"
        )
    ensemble = weighted([(member.name, model.pipeline, 1.0)], refresh.classes)
    importances: FeatureImportances = refresh.importances(ensemble, records[-1].rows)
    return Record(tuple(records), tuple(answers), importances)
