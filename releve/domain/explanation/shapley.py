"""How much each feature moved an answer away from the reference: interventional Shapley values.

The reference is the mean answer to reference rows. Against each of them a coalition of features takes the cells of the
explained row, all others keep those of the reference row, and the model itself answers the mix (Lundberg and Lee 2017;
Janzing et al. 2020 say why features are not conditioned on each other). All coalitions are asked where that is
affordable. Else random orders of the features are drawn, each beside its reverse (antithetic sampling: Mitchell et al.
2022), as many for every reference row: what a feature changes at its turn is an unbiased estimate of its value
(Štrumbelj and Kononenko 2014).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import TooLarge

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Ask = Callable[[Masks, NDArray[np.intp]], Floats]  # (n, features) taken from the explained row, (n,) references: (n,)
LEAST_ROUNDS = 2  # of orders for each reference row: from one alone nobody knows how much they vary
Z95 = 1.959964


@dataclass(frozen=True)
class Contributions:
    """One value for each feature, in the unit of the answer; together they make `answer` - `reference`."""

    answer: float
    reference: float  # mean answer to the reference rows
    values: Floats
    errors: Floats | None  # standard errors of the values; None where they are exact
    asked: int  # rows of the model

    @property
    def intervals(self) -> Floats:
        """95% intervals of the values, (features, 2)."""
        reach = Z95 * (np.zeros_like(self.values) if self.errors is None else self.errors)
        return np.column_stack([self.values - reach, self.values + reach])


def contributions(
    ask: Ask, differs: Masks, *, answer: float, references: Floats, most_rows: int, seed: int
) -> Contributions:
    """Measure what each feature moved, by at most `most_rows` rows that are asked.

    `differs`: (references, features), whether they differ from the explained row; those that do not move nothing.
    `answer`: to the explained row; `references`: (references,), to the others. Raises TooLarge where so few rows are no
    estimate.
    """
    counts = differs.sum(axis=1).tolist()
    rounds = _rounds(counts, most_rows)
    whole = [
        place for place, count in enumerate(counts) if not rounds or 2**count <= max(2, _order_rows(count) * rounds)
    ]
    sampled = [place for place in range(len(counts)) if place not in whole]
    values, squares = np.zeros(differs.shape), np.zeros(differs.shape)

    masks = [_coalitions(differs[place]) for place in whole]
    found = ask(np.concatenate(masks), np.repeat(whole, [len(each) for each in masks])) if whole else np.zeros(0)
    asked, ends = len(found), np.cumsum([0, *(len(each) for each in masks)])
    for place, start, end in zip(whole, ends, ends[1:], strict=False):
        game = found[start:end]
        game[0], game[-1] = references[place], answer  # known already: float32 sums may differ by the rows beside them
        values[place, differs[place]] = _exact(game)

    if sampled:
        random, drawn = np.random.default_rng(seed), np.zeros((rounds, len(sampled), differs.shape[1]))
        for number in range(rounds):
            drawn[number], rows = _round(ask, differs, sampled, answer=answer, references=references, random=random)
            asked += rows
        values[sampled] = drawn.mean(axis=0)
        squares[sampled] = drawn.var(axis=0, ddof=1) / rounds
    return Contributions(
        answer=answer,
        reference=float(references.mean()),
        values=values.mean(axis=0),
        errors=np.sqrt(squares.sum(axis=0)) / len(differs) if sampled else None,
        asked=asked,
    )


def _rounds(counts: Sequence[int], most_rows: int) -> int:
    """Return how many pairs of orders are affordable for each reference row; 0 where all coalitions are."""
    if sum(2**count for count in counts) <= most_rows:
        return 0
    once = sum(map(_order_rows, counts))
    if once * LEAST_ROUNDS > most_rows:
        raise TooLarge(
            f"{max(counts)} features differ from a reference row, and an estimate takes {once * LEAST_ROUNDS:,} rows "
            f"of the model; one explanation may ask {most_rows:,} in its time: more where the service is less busy, or "
            "the model has fewer members (params.yaml: train.ensemble)"
        )
    return most_rows // max(once, 1)  # one feature alone needs no order, and is exact


def _order_rows(count: int) -> int:
    """Return how many rows an order and its reverse ask: both ends are known."""
    return 2 * max(count - 1, 0)


def _coalitions(different: NDArray[np.bool_]) -> Masks:
    """Return all coalitions of the features that differ, (2 ** count, features): bit n of a place is the nth one."""
    features = np.flatnonzero(different)
    masks = np.zeros((2 ** len(features), len(different)), dtype=bool)
    masks[:, features] = np.arange(len(masks))[:, None] >> np.arange(len(features)) & 1
    return masks


def _exact(game: Floats) -> Floats:
    """Return the Shapley value of each player; `game`: what each coalition is worth, in the order of `_coalitions`."""
    count = len(game).bit_length() - 1
    places = np.arange(len(game))
    sizes = (places[:, None] >> np.arange(count) & 1).sum(axis=1)
    weights = np.array([factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)])
    found = np.zeros(count)
    for player in range(count):
        without = places[places >> player & 1 == 0]
        found[player] = weights[sizes[without]] @ (game[without | 1 << player] - game[without])
    return found


def _round(
    ask: Ask,
    differs: Masks,
    sampled: Sequence[int],
    *,
    answer: float,
    references: Floats,
    random: np.random.Generator,
) -> tuple[Floats, int]:
    """Draw an order for each reference row, and estimate by it and its reverse; and how many rows that asked.

    Returns (sampled, features).
    """
    orders = [random.permutation(np.flatnonzero(differs[place])) for place in sampled]
    walks = [walk for order in orders for walk in (order, order[::-1])]
    masks = [_prefixes(walk, differs.shape[1]) for walk in walks]
    of = np.repeat(np.repeat(sampled, 2), [len(each) for each in masks])
    found = ask(np.concatenate(masks), of)
    pieces = np.split(found, np.cumsum([len(each) for each in masks])[:-1])
    estimates = np.zeros((len(walks), differs.shape[1]))
    for number, (walk, piece) in enumerate(zip(walks, pieces, strict=True)):
        estimates[number, walk] = np.diff([references[sampled[number // 2]], *piece, answer])
    return estimates.reshape(len(sampled), 2, -1).mean(axis=1), len(found)


def _prefixes(order: NDArray[np.intp], width: int) -> Masks:
    """Return what is taken after each step of an order but the last, (len(order) - 1, width)."""
    masks = np.zeros((len(order) - 1, width), dtype=bool)
    masks[:, order] = np.arange(len(order)) <= np.arange(len(order) - 1)[:, None]
    return masks
