"""What a refresh made, and how it is written: build/memory, which the next refresh starts from."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from releve.adapters.files import file_digest, write_bytes
from releve.adapters.models.memory_files import MemoryFolder, identity_of
from releve.adapters.models.skops_files import dump_pipeline
from releve.domain.ensemble.description import EnsembleDescription, MemberDescription, SearchDescription
from releve.domain.ensemble.ensemble import put_together
from releve.domain.ensemble.fitting import FittedMember
from releve.domain.ensemble.memory import KeptEnsemble, Memory
from releve.domain.ensemble.pool import Member, MemberPool
from releve.domain.ensemble.weights import Weighing
from releve.domain.ensemble.wrong_labels import telling
from releve.domain.evaluation.intervals import rounded
from tasks.pipeline.stage import say
from tasks.pipeline.training.memory import Before, table_digest
from tasks.pipeline.training.record import Record
from tasks.pipeline.training.refresh import Refresh

DIGITS = 4  # of a weight: more would be noise, and differ from machine to machine


@dataclass(frozen=True, eq=False)
class RefreshResult:
    """What a refresh made. `kept`: older ensembles that stay members; `search`: None where none was run."""

    pool: MemberPool
    record: Record
    fitted: tuple[FittedMember, ...]
    kept: tuple[KeptEnsemble, ...]
    weighing: Weighing
    search: SearchDescription | None


def write(refresh: Refresh, before: Before | None, made: RefreshResult) -> None:
    """Write fitted members, older ensembles, forward answers, and the documents that say what they are."""
    rows, classes = refresh.data.rows, refresh.classes
    folder = MemoryFolder(refresh.stage.files.memory)
    pipelines = {each.member.name: each.pipeline for each in made.fitted if each.pipeline is not None}
    shutil.rmtree(folder.path, ignore_errors=True)
    files, digests = write_members(folder, made.fitted)
    older = {}
    for each in made.kept:
        if before:
            for file in each.members:
                write_bytes(folder.kept_path(each.name, file), before.path_of(each, file).read_bytes())
        if each.name not in made.weighing.serving:  # to read a member costs a tenth of a second
            continue
        older[each.name] = folder.kept(each, classes)
        for file, pipeline in zip(older[each.name].names, older[each.name].pipelines, strict=True):
            digests[id(pipeline)] = file_digest(folder.kept_path(each.name, file))
    for window, answers in zip(made.record.windows, made.record.answers, strict=True):
        folder.write_window(window, answers)

    ensemble = put_together(made.weighing.serving, pipelines, older, classes)
    is_new = before is None or before.memory.learned < len(rows)
    is_judged_anew = is_new or refresh.is_against_brought or refresh.inputs.tried
    memory = Memory(
        table=table_digest(refresh.schema),
        rows=len(rows),
        learned=len(rows),
        refresh=1 if before is None else before.memory.refresh + is_new,
        champion=before.memory.champion if before and not is_judged_anew else refresh.inputs.champion,
        pool=made.pool,
        files=files,
        kept=made.kept,
        plain=made.weighing.plain,
        weights=dict(made.weighing.weights),
        exported=tuple(made.weighing.serving),
        serves=made.weighing.serves,
        identity=identity_of(
            (digests[id(pipeline)], weight)
            for pipeline, weight in zip(ensemble.pipelines, ensemble.weights, strict=True)
        ),
        windows=made.record.windows,
        search=refresh.inputs.search_cause or (before.memory.search if before else ""),
        left_out=refresh.left_out,
    )
    described = _description(refresh, memory, made)
    folder.write_documents(memory, described, made.record.importances)
    shares = ", ".join(f"{name} {weight:.2f}" for name, weight in made.weighing.serving.items())
    left_out = f", {described.left_out} left out as wrong" if described.left_out else ""
    say(f"{len(rows)} labelled rows{left_out}, {described.rows} in {described.windows} windows; weights: {shares}")


def write_members(folder: MemoryFolder, fitted: Iterable[FittedMember]) -> tuple[dict[str, str], dict[int, str]]:
    """Write the fitted members; return the file of each by its name, and sha256 of each pipeline's by its `id`."""
    files, digests, known = dict[str, str](), dict[int, str](), dict[int, str]()
    for each in fitted:
        if each.pipeline is None:
            continue
        place = id(each.pipeline)
        if place not in known:
            known[place] = each.member.name
            write_bytes(folder.member_path(each.member.name), content := dump_pipeline(each.pipeline))
            digests[place] = hashlib.sha256(content).hexdigest()
        files[each.member.name] = known[place]
    return files, digests


def rounded_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Round to DIGITS; the heaviest takes the rest, so that the sum is 1."""
    short = {name: round(weight, DIGITS) for name, weight in weights.items()}
    heaviest = max(short, key=lambda name: short[name])
    short[heaviest] = round(1 - sum(weight for name, weight in short.items() if name != heaviest), DIGITS)
    return short


def _description(refresh: Refresh, memory: Memory, made: RefreshResult) -> EnsembleDescription:
    """Describe what was made, for people and for the gate."""

    def described(name: str, rows: int, *, member: Member | None = None, problem: str = "") -> MemberDescription:
        loss = made.weighing.losses.get(name)
        return MemberDescription(
            name=name,
            recipe=member.recipe if member else "",
            options=member.options if member else {},
            last_batches=member.last_batches if member else 0,
            rows=rows,
            weight=made.weighing.serving.get(name, 0.0),
            loss=None if loss is None else rounded(loss),
            problem=problem,
        )

    members = [described(each.member.name, each.rows, member=each.member, problem=each.problem) for each in made.fitted]
    windows = telling(made.record.answers, made.record.folds, refresh.left_out)
    return EnsembleDescription(
        identity=memory.identity,
        learned=memory.learned,
        serves=memory.serves,
        loss=refresh.loss,
        windows=len(windows),
        rows=sum(map(len, windows)),
        members=(*members, *(described(each.name, 0) for each in memory.kept)),
        search=made.search,
        left_out=sum(each.rows.end - each.rows.start for each in refresh.left_out),
    )
