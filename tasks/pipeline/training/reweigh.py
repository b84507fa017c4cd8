"""Weigh the fitted members of the refresh before anew, by what they answered since: nothing is fitted."""

import shutil
from dataclasses import replace

from releve.adapters.files import file_digest, write_bytes
from releve.adapters.models.memory_files import MemoryFolder, identity_of
from releve.core.errors import BadInput
from releve.domain.ensemble.fitting import fit_members
from releve.domain.ensemble.memory import Memory
from releve.domain.ensemble.pool import CONSTANT
from releve.domain.ensemble.weights import Serves, Weighing, weigh
from releve.domain.ensemble.wrong_labels import telling
from releve.domain.evaluation.intervals import rounded
from tasks.pipeline.stage import say
from tasks.pipeline.training.memory import Before
from tasks.pipeline.training.record import Record, answered_again
from tasks.pipeline.training.refresh import Refresh
from tasks.pipeline.training.result import rounded_weights, write_members


def reweigh(refresh: Refresh, before: Before | None) -> None:
    """Write build/memory: the members and older ensembles as they were, with the newest answers and new weights.

    Only the members that the model holds are weighed; one that was left out when they were fitted comes back with the
    next refresh. Raises BadInput where there is no memory of these rows and this table.
    """
    if before is None:
        raise BadInput("there are no members of these rows that could be weighed anew; retrain without --reweigh")
    memory = before.memory
    record = answered_again(refresh, before, memory.pool).newest(memory.plain)
    weighing = weighed_anew(refresh, memory, record)
    folder = MemoryFolder(refresh.stage.files.memory)
    shutil.rmtree(folder.path, ignore_errors=True)
    _keep_members(refresh, before, folder)
    for window, answers in zip(record.windows, record.answers, strict=True):
        folder.write_window(window, answers)

    is_new = memory.rows < len(refresh.data.rows)
    made = memory.model_copy(
        update={
            "rows": len(refresh.data.rows),
            "champion": refresh.inputs.champion if is_new else memory.champion,
            "weights": dict(weighing.weights),
            "serves": weighing.serves,
            "windows": record.windows,
        }
    )
    held = made.multiplied_out.values()
    identity = identity_of((file_digest(folder.path_of(made, file)), weight) for file, weight in held if weight)
    described, windows = before.folder.description, telling(record.answers, record.folds, refresh.left_out)
    members = [
        each.model_copy(
            update={
                "weight": weighing.serving.get(each.name, 0.0),
                "loss": rounded(weighing.losses[each.name]) if each.name in weighing.losses else None,
            }
        )
        for each in described.members
    ]
    described = described.model_copy(
        update={
            "identity": identity,
            "serves": weighing.serves,
            "windows": len(windows),
            "rows": sum(map(len, windows)),
            "members": tuple(members),
            "search": None,
        }
    )
    folder.write_documents(made.model_copy(update={"identity": identity}), described, record.importances)
    shares = ", ".join(f"{name} {weight:.2f}" for name, weight in weighing.serving.items())
    say(f"the members that learned {memory.learned} rows are weighed by {described.rows}; weights: {shares}")


def weighed_anew(refresh: Refresh, memory: Memory, record: Record) -> Weighing:
    """Weigh the members that the model holds; where the guard wants one that it lacks, the ensemble serves."""
    windows = telling(record.answers, record.folds, refresh.left_out)
    if not windows:
        return memory.weighing
    exact = weigh(windows, plain=memory.plain, loss=refresh.loss, members=memory.exported)
    weighing = replace(exact, weights=rounded_weights(exact.weights))
    if not weighing.serving.keys() <= {*memory.exported}:
        weighing = replace(weighing, serves=Serves.ENSEMBLE)
    return replace(weighing, serves=Serves.NAIVE) if set(weighing.serving) == {CONSTANT} else weighing


def _keep_members(refresh: Refresh, before: Before, folder: MemoryFolder) -> None:
    """Copy the files of members and older ensembles; members that left DVC, as in a rebuild, are fitted again."""
    memory, files = before.memory, sorted({*before.memory.files.values()})
    if all(before.folder.member_path(file).is_file() for file in files):
        for file in files:
            write_bytes(folder.member_path(file), before.folder.member_path(file).read_bytes())
    else:
        write_members(folder, fit_members(refresh.data, memory.pool.members, end=memory.learned, progress=say))
    for each in memory.kept:
        for file in each.members:
            write_bytes(folder.kept_path(each.name, file), before.folder.kept_path(each.name, file).read_bytes())
