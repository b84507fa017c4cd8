"""Whether a model answers slightly altered rows much as it answers the real ones: docs/decisions/0022-sanity.md.

Each column is altered by itself in some real rows: a text by a word, a number by a hundredth of its deviation, a date
by an hour or a day, an image by a little light, a category to one that nobody has seen, a cell to a missing one where
no row shows the model any.
What a model says afterwards may be more or less sure than before, as of rows that it knows by heart; it has to keep the
order of the rows. How much of the order is lost is measured by correlation, and held against what is lost when the
same cell is taken from another real row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.evaluation import AlterationEffect, Sanity
from releve.domain.schema.cells import MISSING_TEXT, format_value, is_missing
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, KEPT_AS_TEXT, NUMBER, TEXT, Column
from releve.domain.schema.images import from_pixels
from releve.domain.schema.personal import HIDDEN
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Way = tuple[str, Any, float]  # what is altered, in words; the altered cells; the share of the order lost, at most
Ask = Callable[["pd.DataFrame"], Floats]  # checked rows to probabilities (rows, classes) or values (rows, 1)

SEED = 7  # any fixed one: the same model and rows give the same result
MOST_ROWS, FEWEST_ROWS = 200, 30  # that each alteration is tried on
MOST_ASKED = 20_000  # altered rows in all, while they are FEWEST_ROWS each: bounds the time on wide tables
# Share of the order lost, at most: by what says nothing new, by a real word in a text, by a cell without information.
SLIGHT, REAL_WORD, NO_INFORMATION = 0.5, 0.75, 1.5
LEAST_SWAP = 0.25  # that another row's cell counts as at least: a column that hardly matters may lose a little, too
SHOWN = 5  # alterations that are kept, the worst first
LEAST_CHANGE = 1e-7  # share of the largest answer, below which a change is rounding
ASKED_AT_ONCE = 2000  # altered rows: each call costs some models more than its rows do, and memory has an end
STEP, WRITTEN = 0.01, 1e-6  # of a number: shares of its deviation, and of its size, beyond which none is written
NEAREST = 0.25  # share of the way to the nearest other number of the column: halfway there is the next row's answer
LIGHT = 0.02  # of a pixel, from 0 to 1: five of the 255 steps of a file
SMALLEST = 1e-12  # step of a number: one that is 0 in a column without deviation still moves
LEAST_HARM = 0.05  # mean change of a probability; below it a model that tells rows hardly apart still says the same
FEWEST_WORDS = 6  # of a text that gets, loses or swaps a real word: in a shorter one that is no slight change
FEWEST_CHANGED = 10  # rows that an alteration changes; fewer say nothing of an order
LARGEST = 1e9  # figure that is kept, in place of infinity, which JSON cannot hold
UNSEEN = "a category that nobody has seen"
HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")


@dataclass(frozen=True)
class Alteration:
    """One column of the tried rows, altered in one way."""

    column: str
    what: str  # in words, such as "one word more"
    cells: Any
    changed: NDArray[np.bool_]  # rows whose cell is another one
    most_lost: float


def check(known: "pd.DataFrame", schema: Schema, ask: Ask) -> Sanity:
    """Try every alteration on some of `known`, the checked rows that a model learned from."""
    random = np.random.default_rng(SEED)
    kinds = sum(WAYS[column.type] for column in schema.features)
    count = min(len(known), MOST_ROWS, max(FEWEST_ROWS, MOST_ASKED // kinds))
    rows = known.iloc[np.linspace(0, len(known) - 1, count).astype(int)].reset_index(drop=True)
    others = known.iloc[random.permutation(len(known))[:count]].reset_index(drop=True)
    answers = ask(rows)
    usual = max(float(_change(answers, ask(others)).mean()), LEAST_CHANGE * float(np.abs(answers).max()))
    names = [column.name for column in schema.features]
    swapped = {
        name: _order_lost(answers[differ], found[differ]) if differ.any() else 0.0
        for name, found in zip(names, _asked(ask, (rows.assign(**{name: others[name]}) for name in names)), strict=True)
        for differ in [(rows[name] != others[name]).to_numpy()]
    }
    alterations = [
        each
        for column in schema.features
        for each in _alterations(column, rows, known, random)
        if each.changed.sum() >= min(FEWEST_CHANGED, count)
    ]
    altered = _asked(ask, (rows.assign(**{each.column: each.cells}) for each in alterations))
    found = [
        _measure_effect(each, rows, answers, after, schema, usual=usual, swapped=swapped[each.column])
        for each, after in zip(alterations, altered, strict=True)
    ]
    worst = sorted(found, key=lambda each: -each.share_of_limit)
    harm = LEAST_HARM if schema.target.classes else 0.0
    broken = [each for each in worst if not each.is_sane and each.shift * usual >= harm]
    # Git and the registry keep what is found, and no rows: a cell is shown only where something is wrong.
    shown = tuple(each if each in broken else each.model_copy(update={"cells": ()}) for each in worst[:SHOWN])
    return Sanity(rows=count, tried=len(found), worst=shown, broken=tuple(broken[:SHOWN]))


def _measure_effect(
    each: Alteration,
    rows: "pd.DataFrame",
    answers: Floats,
    altered: Floats,
    schema: Schema,
    *,
    usual: float,
    swapped: float,
) -> AlterationEffect:
    changed = each.changed
    altered, answers = altered[changed], answers[changed]
    change = np.minimum(np.nan_to_num(_change(answers, altered), nan=np.inf), LARGEST * usual)
    lost = _order_lost(answers, altered) / max(swapped, LEAST_SWAP)
    most = int(change.argmax())
    place, classes = int(answers[most].argmax()), schema.target.classes
    return AlterationEffect(
        column=each.column,
        what=each.what,
        lost=_figure(lost),
        most_lost=each.most_lost,
        shift=_figure(float(change.mean()) / usual if usual else 0.0),
        cells=(HIDDEN, HIDDEN)
        if each.column in schema.personal
        else (_cell(rows[each.column][changed].iloc[most]), _cell(each.cells[changed].iloc[most])),
        label=classes[place] if classes else None,
        answers=(_figure(answers[most, place]), _figure(altered[most, place])),
    )


def _asked(ask: Ask, frames: Iterator["pd.DataFrame"]) -> Iterator[Floats]:
    """The answers to each frame, all of one length; several are asked at once."""
    import pandas as pd

    while together := list(islice(frames, ASKED_AT_ONCE // MOST_ROWS)):
        yield from np.split(ask(pd.concat(together, ignore_index=True)), len(together))


def _change(before: Floats, after: Floats) -> Floats:
    """Per row: the total variation between the probabilities of the classes, or the difference between values."""
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = np.abs(np.asarray(before, dtype=np.float64) - after).sum(axis=1)
    return np.asarray(gaps / 2 if before.shape[1] > 1 else gaps)


def _order_lost(before: Floats, after: Floats) -> float:
    """1 - correlation of the answers: 0 where rows differ as before, 1 where nothing is left, 2 where they turn round.

    Nothing is lost where rows were answered all alike.
    """
    one, other = (np.asarray(each, dtype=np.float64) for each in (before, after))
    rounding = LEAST_CHANGE * float(np.abs(one).max()) * np.sqrt(len(one))
    with np.errstate(over="ignore", invalid="ignore"):
        one, other = one - one.mean(axis=0), other - other.mean(axis=0)
        length, other_length = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if not length > rounding:
        return 0.0
    if not np.isfinite(other_length) or not other_length > LEAST_CHANGE * length:
        return 1.0
    return max(0.0, 1 - float((one / length * (other / other_length)).sum()))


def _alterations(
    column: Column, rows: "pd.DataFrame", known: "pd.DataFrame", random: np.random.Generator
) -> Iterator[Alteration]:
    cells, all_cells = rows[column.name], known[column.name]
    ways = list(ALTERED[column.type](cells, all_cells, random)) if column.type in ALTERED else []
    if column.type == IMAGE:
        ways.append(("a little more or less light", cells.map(partial(_lit, column=column)), SLIGHT))
    if column.type == CATEGORY and column.categories is None:
        ways.append(("an unseen category", _everywhere(cells, UNSEEN), NO_INFORMATION))
    is_missing = (all_cells == MISSING_TEXT) if column.type in KEPT_AS_TEXT else all_cells.isna()
    if column.nullable and not is_missing.any():
        nothing = MISSING_TEXT if column.type in KEPT_AS_TEXT else None
        ways.append(("a missing cell", _everywhere(cells, nothing), NO_INFORMATION))
    for what, altered, most_lost in ways:
        changed = (altered != cells).to_numpy() & cells.notna().to_numpy()
        yield Alteration(column.name, what, altered, changed, most_lost)


def _everywhere(cells: "pd.Series[Any]", cell: Any) -> "pd.Series[Any]":
    return cells.where(np.zeros(len(cells), bool), cell)


def _moved_numbers(cells: Any, known: Any, random: np.random.Generator) -> Iterator[Way]:
    """Inwards from the ends, so that a limit of the column is kept."""
    step = np.minimum(STEP * float(np.nan_to_num(known.std())), _room(cells, known))
    step = np.maximum(step, WRITTEN * np.nan_to_num(np.abs(cells.to_numpy(np.float64))) + SMALLEST)
    middle = float(np.nan_to_num(known.median()))
    yield "a number moved a little", cells + np.where(cells > middle, -step, step), SLIGHT


def _room(cells: Any, known: Any) -> Floats:
    """How far each number may move before it is another row's: where numbers lie close, a little is less."""
    values = np.unique(known.dropna().to_numpy(np.float64))
    if (values == np.round(values)).all():
        return np.ones(len(cells))
    edges = np.concatenate([[-np.inf], values, [np.inf]])
    at = np.searchsorted(values, np.nan_to_num(cells.to_numpy(np.float64))) + 1
    at = np.minimum(at, len(values))
    return np.asarray(NEAREST * np.minimum(edges[at] - edges[at - 1], edges[at + 1] - edges[at]))


def _moved_dates(cells: Any, known: Any, random: np.random.Generator) -> Iterator[Way]:
    is_day = bool((known.dropna() == known.dropna().dt.normalize()).all())
    sign, step = random.choice([-1, 1], len(cells)), DAY if is_day else HOUR
    sign = np.where(cells - step < known.min(), 1, np.where(cells + step > known.max(), -1, sign))  # no new month
    yield ("a day" if is_day else "an hour") + " more or less", cells + sign * step, SLIGHT


def _other_words(cells: Any, known: Any, random: np.random.Generator) -> Iterator[Way]:
    """Words come from other texts; one that nobody knows is such a word read backwards."""
    words = [text.split() for text in cells]
    pool = [word for text in cells for word in text.split()] or ["word"]
    drawn = [str(word) for word in random.choice(pool, len(words))]
    cases = [
        (each[:at], each[at : at + 1], each[at + 1 :], word)
        for each, word in zip(words, drawn, strict=True)
        for at in [int(random.integers(max(len(each), 1)))]
    ]
    long = np.array([len(each) >= FEWEST_WORDS for each in words], dtype=bool)

    def joined(altered: list[list[str]]) -> Any:
        return cells.where(np.zeros(len(cells), bool), [" ".join(each) for each in altered])

    yield (
        "one unknown word more",
        joined([[*before, word[::-1], *at, *after] for before, at, after, word in cases]),
        SLIGHT,
    )
    for what, altered in {
        "one word more": [[*before, word, *at, *after] for before, at, after, word in cases],
        "one word less": [[*before, *after] for before, _, after, _ in cases],
        "one word replaced": [[*before, word, *after] for before, _, after, word in cases],
    }.items():
        yield what, joined(altered).where(long, cells), REAL_WORD


def _lit(cell: str, *, column: Column) -> str:
    """Darken what is light and lighten what is dark, so that every pixel moves."""
    if cell == MISSING_TEXT:
        return cell
    seen = column.pixels(cell)
    return from_pixels(seen + np.where(seen > 0.5, -LIGHT, LIGHT))


def _cell(value: Any) -> str:
    """As it is shown in a sentence."""
    if isinstance(value, str):
        return format_value(value)
    return "nothing" if is_missing(value) else f"{value:.7g}" if isinstance(value, float) else str(value)


def _figure(value: float) -> float:
    """Three digits, of a size that JSON can hold."""
    return float(f"{np.clip(np.nan_to_num(value, nan=LARGEST), -LARGEST, LARGEST):.3g}")


WAYS = {NUMBER: 3, DATE: 3, CATEGORY: 3, TEXT: 6, IMAGE: 3}  # times that a column is asked, one with another's cell
ALTERED: Mapping[str, Callable[..., Iterator[Way]]] = {NUMBER: _moved_numbers, DATE: _moved_dates, TEXT: _other_words}
