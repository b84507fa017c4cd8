"""Fit the members of a pool on the rows before one place, and let them answer the rows after it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import ReleveError
from releve.domain.ensemble.forward import MemberAnswers
from releve.domain.ensemble.pool import BOOSTING, BROUGHT, Member
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import Floats
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training.learning import answer, answer_features, learn, window
from releve.domain.training.pipeline import model_frame
from releve.domain.training.recipes import RECIPES

if TYPE_CHECKING:
    import pandas as pd

# Rows that a member learns from at most, evenly drawn from its window: docs/decisions/0037-refresh.md. Boosting bins
# its columns first, and learns from ten times as many rows in the time of the others.
MOST_ROWS, MOST_BOOSTED_ROWS = 200_000, 1_000_000
MOST_ANSWERS = 20_000  # newest rows of a window that members answer
ASKED = 100  # newest rows that a member answers once it has learned them, to see whether all answers are numbers

Progress = Callable[[str], None]


@dataclass(frozen=True)
class FittedMember:
    """A member, and what it became: a fitted pipeline, or the problem with it on these rows."""

    member: Member
    rows: int  # learned from
    pipeline: Any = None
    problem: str = ""


@dataclass(frozen=True)
class BroughtModel:
    """What somebody else fitted, asked like a fitted pipeline. `earliest`: the labelled row from which on its answers
    are sure to be to rows that it had not learned."""

    pipeline: Any
    earliest: int


@dataclass(frozen=True)
class LearningData:
    """All labelled rows in time order, and how they are learned.

    `without`: columns that a fit is to ignore; `left_out`: rows whose labels are known to be wrong; `brought`: models
    that are members of the pool by their name, and are not fitted.
    """

    rows: "pd.DataFrame"
    schema: Schema
    seed: int
    without: tuple[str, ...] = ()
    left_out: tuple[Fold, ...] = ()
    brought: Mapping[str, BroughtModel] = field(default_factory=dict)

    def truth(self, block: Fold) -> NDArray[np.float64]:
        """Return the labels of a block as `ForwardWindow` has them: places among the classes, or values."""
        target, labels = self.schema.target, self.rows[self.schema.target.name].iloc[block.start : block.end]
        if not target.classes:
            return labels.to_numpy(np.float64)
        places = {label: place for place, label in enumerate(target.classes)}
        return np.array([places[label] for label in labels.tolist()], dtype=np.float64)


def fit_members(
    data: LearningData, members: Sequence[Member], *, end: int, progress: Progress = lambda line: None
) -> tuple[FittedMember, ...]:
    """Fit the members on the rows before `end`; equal candidates with equal rows are fitted once.

    One that cannot be fitted is a result with its problem, not an error.
    """
    known: dict[tuple[str, int, int], FittedMember] = {}
    fitted: list[FittedMember] = []
    for number, member in enumerate(members, start=1):
        if member.origin == BROUGHT:
            fitted.append(_as_brought(data.brought[member.name], member, end=end))
            continue
        rows = window(data.rows, end=end, last_batches=member.last_batches, left_out=data.left_out)
        most = _most_rows(member)
        key = (repr((member.recipe, member.scale, sorted(member.options.items()))), len(rows), most)
        if key in known:
            same = known[key]
            fitted.append(FittedMember(member, same.rows, same.pipeline, same.problem))
            continue
        began = time.perf_counter()
        result = _fit(data, member, rows, most=most)
        result_line = result.problem or f"{time.perf_counter() - began:.1f} s"
        progress(f"fit {number} of {len(members)}, {member.name}: {result.rows} rows before row {end}, {result_line}")
        known[key] = result
        fitted.append(result)
    return tuple(fitted)


def _as_brought(model: BroughtModel, member: Member, *, end: int) -> FittedMember:
    """Take a brought model as it is, where it can not have learned the rows from `end` on."""
    if model.earliest > end:
        problem = f"nothing says that it had not learned rows before row {model.earliest}"
        return FittedMember(member, 0, problem=problem)
    return FittedMember(member, 0, model.pipeline)


def _most_rows(member: Member) -> int:
    most = MOST_BOOSTED_ROWS if member.recipe == BOOSTING else MOST_ROWS
    return min(most, RECIPES[member.recipe].max_rows or most)


def _fit(data: LearningData, member: Member, rows: "pd.DataFrame", *, most: int) -> FittedMember:
    if len(rows) > most:
        drawn = np.random.default_rng(data.seed).choice(len(rows), most, replace=False)
        rows = rows.iloc[np.sort(drawn)]
    if data.without:
        rows = rows.assign(**{name: rows[name].iloc[:0].reindex(rows.index) for name in data.without})
    try:
        pipeline = learn(rows, data.schema, member.candidate, seed=data.seed)
        answers = answer(pipeline, rows.tail(ASKED), data.schema).to_numpy(np.float64)
    except (ReleveError, MemoryError) as error:
        return FittedMember(member, len(rows), problem=str(error) or "not enough memory")
    except Exception as error:  # every estimator has its own ways to fail, and the other members go on
        return FittedMember(member, len(rows), problem=f"{type(error).__name__}: {error}".split("\n")[0][:500])
    if not are_numbers(answers):
        return FittedMember(member, len(rows), problem="its answers to rows that it learned are not all finite numbers")
    return FittedMember(member, len(rows), pipeline)


def answers_of_members(
    data: LearningData, pipelines: Mapping[str, Any], block: Fold, *, progress: Progress = lambda line: None
) -> dict[str, Floats]:
    """Answer the rows of a block, (rows, classes) or (rows, 1); one pipeline under several names is asked once.

    Without the members whose answers are not all finite numbers: one such loss would decide all weights.
    """
    features = model_frame(arrays_of_frame(data.schema, data.rows.iloc[block.start : block.end]), data.schema)
    asked: dict[int, Floats] = {}
    for pipeline in pipelines.values():
        if id(pipeline) not in asked:
            asked[id(pipeline)] = answer_features(pipeline, features, data.schema).to_numpy(np.float64)
    answers = {name: asked[id(pipeline)] for name, pipeline in pipelines.items()}
    finite = {name: found for name, found in answers.items() if are_numbers(found)}
    if odd := ", ".join(name for name in answers if name not in finite):
        progress(f"not all answers to rows {block.start} to {block.end} are finite numbers; without weight: {odd}")
    return finite


def are_numbers(answers: Floats) -> bool:
    """Return whether all answers are finite in the single precision that they are kept in."""
    return bool((np.abs(answers) <= np.finfo(np.float32).max).all())


def answered_part(block: Fold) -> Fold:
    """Return the newest MOST_ANSWERS rows of a window: more would cost memory, and change no weight."""
    return Fold(max(block.start, block.end - MOST_ANSWERS), block.end)


@dataclass(frozen=True)
class Rolled:
    """Answers of members that were fitted before each block, and the pipelines of the newest of these fits."""

    windows: tuple[MemberAnswers, ...]
    newest: Mapping[str, Any]


def roll(
    data: LearningData,
    members: Sequence[Member],
    blocks: Sequence[Fold],
    *,
    learned: Sequence[int] | None = None,
    progress: Progress = lambda line: None,
) -> Rolled:
    """Fit the members before each block, and let them answer it: a rolling origin.

    `learned`: where the rows end that are learned before each block; None: where the block begins.
    """
    windows, pipelines = [], dict[str, Any]()
    ends = learned or [block.start for block in blocks]
    for number, (block, end) in enumerate(zip(blocks, ends, strict=True), start=1):

        def say(line: str, place: str = f"window {number} of {len(blocks)}") -> None:
            progress(f"{place}, {line}")

        fitted = fit_members(data, members, end=end, progress=say)
        pipelines = {each.member.name: each.pipeline for each in fitted if each.pipeline is not None}
        windows.append(MemberAnswers(data.truth(block), answers_of_members(data, pipelines, block, progress=say)))
    return Rolled(tuple(windows), pipelines)
