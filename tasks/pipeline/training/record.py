"""The forward answers of a refresh: from the memory of the one before, or by a rolling origin where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from releve.core.errors import BadInput
from releve.domain.ensemble.ensemble import WeightedEnsemble, put_together, weighted
from releve.domain.ensemble.fitting import answered_part, answers_of_members, roll
from releve.domain.ensemble.forward import (
    ForwardWindow,
    MemberAnswers,
    as_recorded,
    counted,
    joined,
    served_by,
    since_answered,
    undivided,
)
from releve.domain.ensemble.memory import KeptEnsemble, WindowRecord
from releve.domain.ensemble.origins import origin_blocks
from releve.domain.ensemble.pool import Member, MemberPool
from releve.domain.ensemble.refresh import weigh_forward, weighed_window
from releve.domain.ensemble.weights import of_answering, weigh
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import Floats
from releve.domain.schema.schema import BATCH
from tasks.pipeline.stage import say
from tasks.pipeline.training.memory import Before
from tasks.pipeline.training.refresh import Champion, Refresh


@dataclass(frozen=True, eq=False)
class Record:
    """The forward answers that are known, the oldest window first, and what importances were measured by them."""

    windows: tuple[WindowRecord, ...]
    answers: tuple[ForwardWindow, ...]
    importances: FeatureImportances

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Return the rows of each window."""
        return tuple(each.rows for each in self.windows)

    def newest(self, plain: str) -> "Record":
        """Return the newest windows, of those since `plain` answers each, as they are kept."""
        answers = tuple(map(as_recorded, self.answers[since_answered(self.answers, plain) :]))
        answers = answers[-counted([len(each) for each in answers]) :]
        return replace(self, windows=self.windows[len(self.windows) - len(answers) :], answers=answers)

    def served_by(self, member: str) -> "Record":
        """Return the record as if `member` alone had served every window."""
        return replace(self, answers=tuple(served_by(each, member) for each in self.answers))


def answered_first(refresh: Refresh, pool: MemberPool) -> Record:
    """Let members answer the newest blocks of rows, fitted before each: the windows of a first model.

    Raises BadInput where the champion learned all of the rows: nothing is left to compare with it.
    """
    data, rows = refresh.data, refresh.data.rows
    champion = Champion.of(refresh, refresh.inputs.champion)
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
    first = since_answered(rolled.windows, plain)
    records = tuple(
        WindowRecord(rows=rows, learned=block.start, weights={})
        for rows, block in zip(asked[first:], blocks[first:], strict=True)
    )
    windows = weigh_forward(rolled.windows[first:], plain=plain, loss=refresh.loss)
    if champion:
        windows = tuple(
            replace(window, served=champion.answers(refresh, record.rows))
            if record.learned >= champion.rows
            else window
            for record, window in zip(records, windows, strict=True)
        )
    weighing = weigh(windows[:-1], plain=plain, loss=refresh.loss, members=tuple(rolled.newest))
    ensemble = put_together(weighing.serving, rolled.newest, {}, refresh.classes)
    return Record(records, windows, refresh.importances(ensemble, records[-1].rows))


def _parts(block: Fold, place: int) -> list[Fold]:
    """Cut a block in two where `place` lies inside."""
    if not block.start < place < block.end:
        return [block]
    return [Fold(block.start, place), Fold(place, block.end)]


def answered_again(refresh: Refresh, before: Before, pool: MemberPool) -> Record:
    """Let the members of the refresh before answer the rows that are new since; none of them learned these.

    Rows that these members answered already, when they were weighed anew, are a part of the same window.
    """
    memory, folder, rows = before.memory, before.folder, refresh.data.rows
    windows, records = before.windows, memory.windows
    importances = folder.importances
    if memory.rows < len(rows):
        block = answered_part(Fold(memory.rows, len(rows)))
        members = folder.members(memory)
        kept = {each.name: _older(before, each, members, refresh.classes) for each in before.answering}
        answers = answers_of_members(refresh.data, {**members, **kept}, block, progress=say)
        serving = of_answering(memory.weighing.serving, answers)
        ensemble = put_together(serving, members, kept, refresh.classes)
        asked = MemberAnswers(refresh.data.truth(block), answers)
        champion = Champion.of(refresh, refresh.inputs.champion)
        if champion and champion.identity == memory.identity:
            windows = tuple(undivided(window) for window in windows)
        newest = weighed_window(asked, memory.weighing)
        newest = replace(newest, served=served_to(refresh, before, block, champion, refreshed=newest.refreshed))
        last = records[-1] if records else None
        if last and last.learned == memory.learned and last.rows.end == block.start:
            block, newest = Fold(last.rows.start, block.end), joined(windows[-1], newest)
            windows, records = windows[:-1], records[:-1]
        windows = (*windows, newest)
        records = (*records, WindowRecord(rows=block, learned=memory.learned, weights=dict(memory.weights)))
        if not refresh.inputs.reweighs:
            importances = refresh.importances(ensemble, block)
        say(f"{len(rows) - memory.rows} new rows were answered by the refresh before")
    elif refresh.is_beside and memory.learned == len(rows) and refresh.champion_identity == memory.identity:
        windows = tuple(undivided(window) for window in windows)
    if refresh.inputs.champion != memory.champion or memory.rows < len(rows):
        windows = held_against_brought(refresh, records, windows)
    count = counted([len(each) for each in windows])
    record = Record(records[-count:], windows[-count:], importances)
    return record if pool == memory.pool else of_another_pool(refresh, before, pool, record)


def held_against_brought(
    refresh: Refresh, records: Sequence[WindowRecord], windows: tuple[ForwardWindow, ...]
) -> tuple[ForwardWindow, ...]:
    """Return the windows as served by a champion that was brought: it was the same before each of them.

    What it may have learned stays as it was served.
    """
    champion = Champion.of(refresh, refresh.inputs.champion) if refresh.is_against_brought else None
    if champion is None:
        return windows
    return tuple(
        replace(window, served=champion.answers(refresh, each.rows)) if each.rows.start >= champion.rows else window
        for each, window in zip(records, windows, strict=True)
    )


def served_to(refresh: Refresh, before: Before, block: Fold, champion: Champion | None, *, refreshed: Floats) -> Floats:
    """Return what did serve a block: the champion, and before labels brought it back the release that they took back.

    `refreshed`: what the refresh before would have served.
    """
    inputs, memory = refresh.inputs, before.memory
    turn = min(max(block.start, inputs.taken_back_at), block.end) if inputs.taken_back else block.start
    served = refreshed.copy()

    def answer(model: Champion | None, part: Fold) -> None:
        # A model that learned of these rows, as after the branch was set back, would be flattered by them.
        if model and model.identity != memory.identity and model.rows <= memory.rows:
            served[part.start - block.start : part.end - block.start] = model.answers(refresh, part)

    if turn > block.start:
        answer(Champion.of(refresh, inputs.taken_back), Fold(block.start, turn))
    if turn < block.end:
        answer(champion, Fold(turn, block.end))
    return served


def _older(before: Before, kept: KeptEnsemble, members: dict[str, Any], classes: tuple[Any, ...]) -> WeightedEnsemble:
    """Load an older ensemble; of the refresh before itself the members are there already."""
    if kept in before.memory.kept:
        return before.folder.kept(kept, classes)
    loaded = {file: members[name] for name, file in before.memory.files.items()}
    return weighted([(file, loaded[file], weight) for file, weight in kept.members.items()], classes)


def of_another_pool(refresh: Refresh, before: Before, pool: MemberPool, record: Record) -> Record:
    """Replay the windows with a pool that params.yaml changed: new members are fitted before each of them."""
    known = [member for member in pool.members if member in before.memory.pool.members]
    new = [member for member in pool.members if member not in known]
    names = [*(member.name for member in known), *(each.name for each in before.kept)]
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


def replayed(refresh: Refresh, pool: MemberPool, record: Record, windows: list[MemberAnswers]) -> Record:
    """Weigh the windows as refreshes with these members would have done; what did serve stays as it was.

    No window is left where none of the pool could be fitted before the newest one.
    """
    plain = next((name for name in pool.names if name in windows[-1].answers), "")
    first = since_answered(windows, plain)
    weighed = weigh_forward(windows[first:], plain=plain, loss=refresh.loss)
    answers = tuple(replace(new, served=old.served) for new, old in zip(weighed, record.answers[first:], strict=True))
    return replace(record, windows=record.windows[first:], answers=answers)
