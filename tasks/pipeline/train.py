"""Fit the members on all rows, and weigh them by what they answered to rows before they learned them.

With the memory of the refresh before, its members answer the rows that are new since: a refresh costs one fit per
member. Without it, as for a first model, the newest rows are answered by a rolling origin instead. A memory that has
seen every row already makes the same again: `train` is a function of the rows and of the answers on record.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from itertools import dropwhile
from pathlib import Path
from typing import Any

import numpy as np

from releve.adapters.files import PipelineInputs, file_digest, read_inputs, write_bytes
from releve.adapters.models.memory_files import MemoryFolder, identity_of
from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.models.skops_files import dump_pipeline
from releve.core.errors import BadInput
from releve.domain.ensemble.description import EnsembleDescription, MemberDescription, SearchDescription
from releve.domain.ensemble.ensemble import WeightedEnsemble, put_together, weighted
from releve.domain.ensemble.fitting import (
    FittedMember,
    LearningData,
    answered_part,
    answers_of_members,
    fit_members,
    roll,
)
from releve.domain.ensemble.forward import WINDOWS, ForwardWindow, MemberAnswers
from releve.domain.ensemble.kept import kept_name, kept_weights, still_kept
from releve.domain.ensemble.memory import KeptEnsemble, Memory, WindowRecord
from releve.domain.ensemble.origins import origin_blocks
from releve.domain.ensemble.pool import CONSTANT, SEARCH, Member, Pool, default_pool
from releve.domain.ensemble.refresh import weigh_forward, weighed_window
from releve.domain.ensemble.weights import BEFORE, Serves, Weighing, loss_of, weigh
from releve.domain.evaluation import paired
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.holdout_evaluation import check_comparable
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import ESTIMATED, RESAMPLES, BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions, in_classes
from releve.domain.gate.gate import search_gains
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.training.importance import permutation_importances
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.search import find_member
from tasks.pipeline.stage import Stage, run

DIGITS = 4  # of a weight: more would be noise, and differ from machine to machine


@dataclass(frozen=True, eq=False)
class Record:
    """The forward answers that are known, the oldest window first, and what importances were measured by them."""

    windows: tuple[WindowRecord, ...]
    answers: tuple[ForwardWindow, ...]
    importances: FeatureImportances

    def newest(self, plain: str) -> "Record":
        """Return the newest windows, of those since `plain` answers each."""
        known = list(zip(self.windows, self.answers, strict=True))
        lacking = [place for place, (_, window) in enumerate(known) if plain not in window.answers]
        kept = known[max([-1, *lacking]) + 1 :][-WINDOWS:]
        return replace(self, windows=tuple(each for each, _ in kept), answers=tuple(each for _, each in kept))


@dataclass(frozen=True, eq=False)
class Before:
    """The refresh before: its memory, and where its files are."""

    folder: MemoryFolder
    memory: Memory
    windows: tuple[ForwardWindow, ...]  # on its record
    answering: tuple[KeptEnsemble, ...]  # older ensembles that answer new rows
    kept: tuple[KeptEnsemble, ...]  # those of them that stay
    ensemble: KeptEnsemble | None  # what it put forward, as a member; None where this refresh is the same one

    def path_of(self, kept: KeptEnsemble, file: str) -> Path:
        """Return where a member of an older ensemble lies; one that is kept from now on has its members' files."""
        if kept in self.memory.kept:
            return self.folder.kept_path(kept.name, file)
        return self.folder.path_of(self.memory, file)


@dataclass(frozen=True, eq=False)
class Refresh:
    """What a refresh works on."""

    stage: Stage
    data: LearningData
    metric: str
    loss: str
    inputs: PipelineInputs

    @property
    def schema(self) -> Schema:
        return self.stage.schema

    @property
    def classes(self) -> tuple[Any, ...]:
        return self.schema.target.classes

    @property
    def bootstrap(self) -> BootstrapConfig:
        """By single keys: this stage is not to run again for the gate's least number of rows."""
        return BootstrapConfig(
            self.stage.params.statistics.confidence, RESAMPLES, ESTIMATED, self.stage.params.statistics.seed
        )

    def importances(self, ensemble: WeightedEnsemble, block: Fold) -> FeatureImportances:
        """Measure which features answers to a block rest on, that no member has learned."""
        from threadpoolctl import threadpool_limits

        rows = self.data.rows.iloc[block.start : block.end]
        with threadpool_limits(limits=1):  # hundreds of short answers: threads would mostly wait for each other
            return permutation_importances(
                ensemble,
                rows,
                self.schema,
                self.metric,
                quantile=self.stage.params.gate.quantile,
                bootstrap=self.bootstrap,
            )


def train(stage: Stage) -> None:
    """Write build/memory: the fitted ensemble, and all that the next refresh needs of it."""
    inputs, rows = read_inputs(stage.files.inputs), stage_rows(stage)
    metric = resolve(stage.params.gate.metric, stage.schema.target.task)
    data = LearningData(rows, stage.schema, stage.params.statistics.seed, inputs.without)
    refresh = Refresh(stage, data, metric, loss_of(metric, stage.schema.target.task), inputs)
    before = remembered(refresh)
    found = before.memory.pool.members if before else ()
    pool = default_pool(stage.params.train, stage.schema, rows=len(rows))
    pool = pool.extended(*(member for member in found if member.origin == SEARCH))

    record = answered_again(refresh, before, pool) if before else answered_first(refresh, pool)
    pool, record, search = searched(refresh, before, pool, record)
    fitted = fit_members(data, pool.members, end=len(rows), progress=say)
    plain = plain_of(fitted, record)
    record = record.newest(plain)
    write(refresh, before, pool, record, fitted, plain, search)


def say(line: str) -> None:
    """Print a line of progress at once: DVC passes it on."""
    print(line, flush=True)


def remembered(refresh: Refresh) -> Before | None:
    """Read the memory that inputs.yaml names; None where there is none, or it is of another table."""
    stage, rows = refresh.stage, refresh.data.rows
    folder = MemoryFolder(stage.files.folder / refresh.inputs.memory)
    if not folder.exists:
        return None
    memory = folder.memory
    if memory.table != table_digest(stage.schema):
        say("the table is described in another way than before: a fresh start")
        return None
    windows = folder.windows(memory)
    if memory.rows > len(rows) or any(
        not np.array_equal(refresh.data.truth(record.rows), window.truth)
        for record, window in zip(memory.windows, windows, strict=True)
    ):
        say(f"the oldest {memory.rows} rows are not those that the memory is of: a fresh start")
        return None
    answering, ensemble = memory.kept, next((each for each in memory.kept if each.name == BEFORE), None)
    if memory.rows < len(rows):
        own = {memory.files[name]: 0.0 for name in memory.weighing.serving if name in memory.files}
        older = dict[str, float]()
        kept = {each.name: each for each in memory.kept}
        for name, weight in memory.weighing.serving.items():
            if name in memory.files:
                own[memory.files[name]] += weight
            else:
                older |= {f"{name}.{file}": weight * part for file, part in kept[name].members.items()}
        ensemble = KeptEnsemble(name=BEFORE, members={**own, **older})
        if own and (name := kept_name(memory.refresh)):
            answering = (*answering, KeptEnsemble(name=name, members=kept_weights(own)))
    stay = still_kept([each.name for each in answering if each.name != BEFORE])
    return Before(folder, memory, windows, answering, tuple(each for each in answering if each.name in stay), ensemble)


def table_digest(schema: Schema) -> str:
    """Digest the table's description."""
    return hashlib.sha256(json.dumps(schema.as_dict(), sort_keys=True, default=str).encode()).hexdigest()


def answered_first(refresh: Refresh, pool: Pool) -> Record:
    """Let members answer the newest blocks of rows, fitted before each: the windows of a first model.

    Raises BadInput where the champion learned all of the rows: nothing is left to compare with it.
    """
    data, rows = refresh.data, refresh.data.rows
    champion = Champion.of(refresh)
    blocks = list(origin_blocks(rows[BATCH].tolist()))
    if champion:
        if champion.rows >= len(rows):
            raise BadInput(
                f"there are {len(rows)} labelled rows and the champion learned from {champion.rows} of them, so none "
                "is left to judge a challenger on; ingest newer labelled rows first"
            )
        blocks = [part for block in blocks for part in _parts(block, champion.rows)]
    asked = [answered_part(block) for block in blocks]
    rolled = roll(data, pool.members, asked, learned=[block.start for block in blocks], progress=say)
    candidates = [name for name in pool.names if rolled.windows and name in rolled.windows[-1].answers]
    if not candidates:
        raise BadInput(f"{len(rows)} labelled rows are too few to judge a model on; ingest more rows")
    plain = candidates[0]
    usable = list(dropwhile(lambda each: plain not in each[1].answers, zip(blocks, rolled.windows, strict=True)))
    windows = weigh_forward([window for _, window in usable], plain=plain, loss=refresh.loss)
    if champion:
        windows = tuple(
            replace(window, served=champion.answers(refresh, block)) if block.start >= champion.rows else window
            for (block, _), window in zip(usable, windows, strict=True)
        )
    records = tuple(WindowRecord(rows=answered_part(block), learned=block.start, weights={}) for block, _ in usable)
    weighing = weigh(windows[:-1][-WINDOWS:], plain=plain, loss=refresh.loss, members=tuple(rolled.newest))
    ensemble = put_together(weighing.serving, rolled.newest, {}, refresh.classes)
    return Record(records, windows, refresh.importances(ensemble, records[-1].rows))


def _parts(block: Fold, place: int) -> list[Fold]:
    """Cut a block in two where `place` lies inside."""
    if not block.start < place < block.end:
        return [block]
    return [Fold(block.start, place), Fold(place, block.end)]


def answered_again(refresh: Refresh, before: Before, pool: Pool) -> Record:
    """Let the members of the refresh before answer the rows that are new since; none of them learned these."""
    memory, folder, rows = before.memory, before.folder, refresh.data.rows
    windows, records = before.windows, memory.windows
    importances = folder.importances
    if memory.rows < len(rows):
        block = answered_part(Fold(memory.rows, len(rows)))
        members = folder.members(memory)
        kept = {each.name: _older(before, each, members, refresh.classes) for each in before.answering}
        ensemble = put_together(memory.weighing.serving, members, kept, refresh.classes)
        answers = answers_of_members(refresh.data, {**members, **kept}, block)
        asked = MemberAnswers(refresh.data.truth(block), answers)
        champion = Champion.of(refresh)
        is_same = champion is None or champion.identity == memory.identity
        served = None if is_same or champion is None else champion.answers(refresh, block)
        windows = (*windows, weighed_window(asked, memory.weighing, served=served))
        records = (*records, WindowRecord(rows=block, learned=memory.rows, weights=dict(memory.weights)))
        importances = refresh.importances(ensemble, block)
        say(f"{block.end - block.start} new rows were answered by the refresh before")
    record = Record(records[-WINDOWS:], windows[-WINDOWS:], importances)
    return record if pool == memory.pool else of_another_pool(refresh, before, pool, record)


def _older(before: Before, kept: KeptEnsemble, members: dict[str, Any], classes: tuple[Any, ...]) -> WeightedEnsemble:
    """Load an older ensemble; of the refresh before itself the members are there already."""
    if kept in before.memory.kept:
        return before.folder.kept(kept, classes)
    loaded = {file: members[name] for name, file in before.memory.files.items()}
    return weighted([(file, loaded[file], weight) for file, weight in kept.members.items()], classes)


def of_another_pool(refresh: Refresh, before: Before, pool: Pool, record: Record) -> Record:
    """Replay the windows with a pool that params.yaml changed: new members are fitted before each of them."""
    known = [member for member in pool.members if member in before.memory.pool.members]
    new = [member for member in pool.members if member not in known]
    names = [*(member.name for member in known), *(each.name for each in before.answering)]
    kept_answers = [
        MemberAnswers(window.truth, {name: window.answers[name] for name in names if name in window.answers})
        for window in record.answers
    ]
    say(f"the pool has changed: {len(new)} new members answer {len(record.windows)} windows")
    return replayed(refresh, pool, record, rolled_over(refresh, new, record, kept_answers))


def rolled_over(
    refresh: Refresh, members: list[Member], record: Record, windows: list[MemberAnswers]
) -> list[MemberAnswers]:
    """Add the answers of members that are fitted before each window."""
    blocks, learned = [each.rows for each in record.windows], [each.learned for each in record.windows]
    more = roll(refresh.data, members, blocks, learned=learned, progress=say).windows
    return [
        MemberAnswers(one.truth, {**one.answers, **other.answers}) for one, other in zip(windows, more, strict=True)
    ]


def replayed(refresh: Refresh, pool: Pool, record: Record, windows: list[MemberAnswers]) -> Record:
    """Weigh the windows as refreshes with these members would have done; what did serve stays as it was."""
    plain = next(name for name in pool.names if name in windows[-1].answers)
    lacking = [place for place, window in enumerate(windows) if plain not in window.answers]
    first = max([-1, *lacking]) + 1
    weighed = weigh_forward(windows[first:], plain=plain, loss=refresh.loss)
    answers = tuple(replace(new, served=old.served) for new, old in zip(weighed, record.answers[first:], strict=True))
    return replace(record, windows=record.windows[first:], answers=answers)


def searched(
    refresh: Refresh, before: Before | None, pool: Pool, record: Record
) -> tuple[Pool, Record, SearchDescription | None]:
    """Search for a new member where inputs.yaml asks for it and no refresh has done so yet.

    It joins where the gain of the pool with it over the pool without it is shown on the windows, which the search has
    not seen.
    """
    cause, stage, rows = refresh.inputs.search_cause, refresh.stage, refresh.data.rows
    if before and before.memory.search == cause:
        is_same = before.memory.rows == len(rows)
        return pool, record, before.folder.description.search if is_same else None
    if not cause or not stage.params.search.trials or not record.windows:
        return pool, record, None
    pool = without_idle(pool, record)
    number = sum(member.origin == SEARCH for member in pool.members) + 1
    oldest = record.windows[0].learned
    member, state = find_member(stage, rows.iloc[:oldest], pool, name=f"found_{number}_before_row_{oldest}")
    gain, joined = None, False
    if member:
        asked = [MemberAnswers(window.truth, window.answers) for window in record.answers]
        wider = replayed(refresh, pool, record, rolled_over(refresh, [member], record, asked))
        old = replayed(refresh, pool, record, asked)
        with_it, without_it = (
            scored(refresh, each, [window.refreshed for window in each.answers]) for each in (wider, old)
        )
        comparison = paired.compare(refresh.metric, with_it, without_it, refresh.bootstrap)
        gain, joined = comparison.gain, search_gains(comparison)
        say(f"{member.name}: the pool gains {gain.value:.4g} [{gain.low:.4g}, {gain.high:.4g}] by it")
        if joined:
            pool, record = pool.extended(member), wider
    description = SearchDescription(
        causes=tuple(cause.partition(" on ")[0].split(", ")),
        trials=tuple(trial.record() for trial in state.trials),
        proposed=str(member.candidate) if member else "",
        gain=gain,
        joined=joined,
    )
    return pool, record, description


def without_idle(pool: Pool, record: Record) -> Pool:
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


def plain_of(fitted: tuple[FittedMember, ...], record: Record) -> str:
    """Return the first member that was fitted, and whose answers to the newest window are known.

    Raises BadInput with the problem of the first member where there is none.
    """
    answers = record.answers[-1].answers if record.answers else {}
    for each in fitted:
        if each.pipeline is not None and each.member.name in answers:
            return each.member.name
    raise BadInput(fitted[0].problem or f"{fitted[0].member.name} has answered no window yet; ingest more rows")


def write(
    refresh: Refresh,
    before: Before | None,
    pool: Pool,
    record: Record,
    fitted: tuple[FittedMember, ...],
    plain: str,
    search: SearchDescription | None,
) -> None:
    """Weigh the fitted members, and write all of it."""
    rows, classes = refresh.data.rows, refresh.classes
    pipelines = {each.member.name: each.pipeline for each in fitted if each.pipeline is not None}
    kept = before.kept if before else ()
    names = (*pipelines, *(each.name for each in kept), *((BEFORE,) if before and before.ensemble else ()))
    exact = weigh(record.answers, plain=plain, loss=refresh.loss, members=names)
    if BEFORE in exact.serving and before and before.ensemble:
        say("the labels of the newest rows are in doubt: the ensemble before them keeps a part")
        kept = (*kept, before.ensemble)
    weighing = replace(exact, weights=rounded_weights(exact.weights))
    if set(weighing.serving) == {CONSTANT}:
        weighing = replace(weighing, serves=Serves.NAIVE)

    folder = MemoryFolder(refresh.stage.files.memory)
    files, digests = dict[str, str](), dict[int, str]()
    shutil.rmtree(folder.path, ignore_errors=True)
    known: dict[int, str] = {}
    for name, pipeline in pipelines.items():
        if id(pipeline) not in known:
            known[id(pipeline)] = name
            write_bytes(folder.member_path(name), content := dump_pipeline(pipeline))
            digests[id(pipeline)] = hashlib.sha256(content).hexdigest()
        files[name] = known[id(pipeline)]
    older = {}
    for each in kept:
        if before:
            for file in each.members:
                write_bytes(folder.kept_path(each.name, file), before.path_of(each, file).read_bytes())
        older[each.name] = folder.kept(each, classes)
        for file, pipeline in zip(older[each.name].names, older[each.name].pipelines, strict=True):
            digests[id(pipeline)] = file_digest(folder.kept_path(each.name, file))
    for window, answers in zip(record.windows, record.answers, strict=True):
        folder.write_window(window, answers)

    ensemble = put_together(weighing.serving, pipelines, older, classes)
    is_new = before is None or before.memory.rows < len(rows)
    memory = Memory(
        table=table_digest(refresh.schema),
        rows=len(rows),
        refresh=1 if before is None else before.memory.refresh + is_new,
        champion=refresh.inputs.champion if is_new or before is None else before.memory.champion,
        pool=pool,
        files=files,
        kept=kept,
        plain=plain,
        weights=dict(weighing.weights),
        serves=weighing.serves,
        identity=identity_of(ensemble, digests),
        windows=record.windows,
        search=refresh.inputs.search_cause or (before.memory.search if before else ""),
    )
    described = description_of(refresh, memory, weighing, fitted, search, answered=sum(map(len, record.answers)))
    folder.write_documents(memory, described, record.importances)
    shares = ", ".join(f"{name} {weight:.2f}" for name, weight in weighing.serving.items())
    say(f"{len(rows)} labelled rows, {described.rows} of them in {len(record.windows)} windows; {shares}")


def rounded_weights(weights: "dict[str, float] | Any") -> dict[str, float]:
    """Round to DIGITS; the heaviest takes the rest, so that the sum is 1."""
    short = {name: round(weight, DIGITS) for name, weight in weights.items()}
    heaviest = max(short, key=lambda name: short[name])
    short[heaviest] = round(1 - sum(weight for name, weight in short.items() if name != heaviest), DIGITS)
    return short


def description_of(
    refresh: Refresh,
    memory: Memory,
    weighing: Weighing,
    fitted: tuple[FittedMember, ...],
    search: SearchDescription | None,
    *,
    answered: int,
) -> EnsembleDescription:
    """Describe what was made, for people and for the gate."""

    def described(name: str, rows: int, *, member: Member | None = None, problem: str = "") -> MemberDescription:
        loss = weighing.losses.get(name)
        return MemberDescription(
            name=name,
            recipe=member.recipe if member else "",
            options=member.options if member else {},
            last_batches=member.last_batches if member else 0,
            rows=rows,
            weight=weighing.serving.get(name, 0.0),
            loss=None if loss is None else rounded(loss),
            problem=problem,
        )

    members = [described(each.member.name, each.rows, member=each.member, problem=each.problem) for each in fitted]
    return EnsembleDescription(
        identity=memory.identity,
        serves=memory.serves,
        loss=refresh.loss,
        windows=len(memory.windows),
        rows=answered,
        members=(*members, *(described(each.name, 0) for each in memory.kept)),
        search=search,
    )


@dataclass(frozen=True, eq=False)
class Champion:
    """The model that serves: it is asked once, when a window is new, and its answers are on record from then on."""

    model: Model
    identity: str  # of its ensemble

    @classmethod
    def of(cls, refresh: Refresh) -> "Champion | None":
        """Load the model that inputs.yaml names; None where nothing serves. Raises BadInput where it cannot answer."""
        tag = refresh.inputs.champion
        if not tag:
            return None
        model = ModelStore(refresh.stage.settings.home).load(tag)
        check_comparable(model.schema, refresh.schema, champion=tag)
        ensemble = model.description.ensemble
        return cls(model, ensemble.identity if ensemble else "")

    @property
    def rows(self) -> int:
        """Return how many rows it learned from, the oldest."""
        return self.model.description.rows

    def answers(self, refresh: Refresh, block: Fold) -> Floats:
        """Answer a block, (rows, classes) or (rows, 1); it may know fewer classes, or others."""
        schema = self.model.schema
        answers = self.model.answer(arrays_of_frame(schema, refresh.data.rows.iloc[block.start : block.end]))
        if answers.probabilities is None:
            return np.asarray(answers.labels, dtype=np.float64)[:, None]
        return in_classes(answers.probabilities, schema.target.classes, refresh.classes)


if __name__ == "__main__":
    run(train)
