"""Whether an answer that is given again is the one that was given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign, IndexType
from releve.domain.neighbours.recall import TOLERANCE as DISTANCE_TOLERANCE
from releve.domain.neighbours.recall import distances_between, exact_neighbours
from releve.domain.neighbours.vectors import Entries
from releve.domain.prediction_log.records import DECIDED, AnswerLine, Row, Scalar, SearchLine
from releve.domain.schema.personal import HIDDEN

Neighbour = Mapping[str, Any]  # as the ledger has it
TOLERANCE = 1e-6  # of a probability; of a number its share
SPARE = 1e-9  # of a difference of floats


class Differs(StrEnum):
    """What of an answer did not come out again."""

    LABEL = "label"
    PROBABILITY = "probability"
    INTERVAL = "interval"
    DECISION = "decision"
    RULE = "rule"
    EXPECTED_COST = "expected_cost"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True)
class Difference:
    """One place where the answers differ."""

    place: int  # of the row in its request, or of the neighbour in its list, from 0
    what: Differs
    recorded: Any
    again: Any


class ModelSource(StrEnum):
    """Where a model's files came from."""

    STORE = "store"  # of this machine
    REMOTE = "remote"  # of the data
    REBUILT = "rebuilt"  # from the rows of the remote, and the code and params of its revision


class Obstacle(StrEnum):
    """Why an answer cannot be given again."""

    NOT_FOUND = "not_found"  # no ledger has it, nor the data remote
    INPUTS_MISSING = "inputs_missing"  # a column that the model asks for is not there as it was sent
    ERASED = "erased"  # all that it asked for, or found, was erased, as somebody asked for it
    MODEL_LOST = "model_lost"  # it can neither be fetched nor built again


@dataclass(frozen=True)
class GivenAgain:
    """One request's answers, as a model gives them now; None for a row that was erased."""

    labels: Sequence[Scalar | None]
    probabilities: Sequence[Sequence[float] | None] | None
    intervals: Sequence[Sequence[float] | None] | None
    decisions: Sequence[Scalar | None] | None = None  # of a model with costs, as the next two
    expected_costs: Sequence[float | None] | None = None
    rules: Sequence[str | None] | None = None

    @classmethod
    def beside(
        cls,
        line: AnswerLine,
        *,
        labels: Sequence[Scalar],
        probabilities: Sequence[Sequence[float]] | None,
        intervals: Sequence[Sequence[float]] | None,
        decided: Mapping[str, Sequence[Any]] | None = None,
    ) -> "GivenAgain":
        """Put the answers to the rows that are left of a request into these rows' places. `decided`: by DECIDED."""

        def placed(left: Sequence[Any] | None) -> list[Any] | None:
            if left is None:
                return None
            found = iter(left)
            return [None if place in line.erased else next(found) for place in range(len(line.rows))]

        return cls(
            placed(labels) or [],
            placed(probabilities),
            placed(intervals),
            *(placed(decided[name] if decided else None) for name in DECIDED),
        )


@dataclass(frozen=True)
class Reproduction:
    """What was found of a request, and what came out again."""

    request: str
    line: AnswerLine | SearchLine | None = None
    revision: str = ""  # of the model, on the scenario's branch
    data_version: str = ""
    source: ModelSource | None = None
    is_altered: bool = False  # the model was built again, and its bytes are others
    again: GivenAgain | list[Neighbour] | None = None  # of a search what it finds now
    differences: tuple[Difference, ...] = ()
    obstacle: Obstacle | None = None
    detail: str = ""  # of the obstacle

    @property
    def is_same(self) -> bool:
        """Whether the very answer came out again, as far as it was not erased."""
        return self.obstacle is None and not self.differences


def hide_personal(found: Reproduction, personal: frozenset[str], *, id: str | None) -> Reproduction:
    """Return what people may read of it: no cell of a personal column, and no id of a row where `id` is one."""

    def row_of(row: Row | None) -> Row | None:
        return row and {name: HIDDEN if name in personal else cell for name, cell in row.items()}

    def neighbour_of(neighbour: Any) -> Any:
        is_named = id in personal and isinstance(neighbour, Mapping)
        return {**neighbour, "row_id": HIDDEN} if is_named else neighbour

    line, again = found.line, found.again
    if isinstance(line, AnswerLine):
        line = replace(line, rows=[row_of(row) or row for row in line.rows])
    elif line is not None:
        filters = [
            {name: HIDDEN if cell and name != "field" else cell for name, cell in each.items()}
            if each["field"] in personal
            else each
            for each in line.question.get("filters") or ()
        ]
        question = {**line.question, "row": row_of(line.question.get("row")), "filters": filters}
        line = replace(line, question=question, neighbours=[neighbour_of(each) for each in line.neighbours])
    if isinstance(again, list):
        again = [neighbour_of(each) for each in again]
    differences = tuple(
        replace(each, recorded=neighbour_of(each.recorded), again=neighbour_of(each.again))
        for each in found.differences
    )
    return replace(found, line=line, again=again, differences=differences)


def compare_answers(recorded: AnswerLine, again: GivenAgain) -> list[Difference]:
    """List what differs, row by row: another class, decision, rule or number, a probability, the end of an interval or
    an expected cost off by more than TOLERANCE."""
    nothing = [None] * len(recorded.labels)

    def differing(what: Differs, old: Sequence[Any] | None, new: Sequence[Any] | None) -> list[Difference]:
        pairs = zip(nothing if old is None else old, nothing if new is None else new, strict=True)
        return [Difference(row, what, *pair) for row, pair in enumerate(pairs) if not _IS_SAME[what](*pair)]

    differences = [
        *differing(Differs.LABEL, recorded.labels, again.labels),
        *differing(Differs.PROBABILITY, recorded.probabilities, again.probabilities),
        *differing(Differs.INTERVAL, recorded.intervals, again.intervals),
        *differing(Differs.DECISION, recorded.decisions, again.decisions),
        *differing(Differs.RULE, recorded.rules, again.rules),
        *differing(Differs.EXPECTED_COST, recorded.expected_costs, again.expected_costs),
    ]
    return sorted(differences, key=lambda each: each.place)


def nearest_again(
    entries: Entries, query: NDArray[np.float32], among: NDArray[np.intp], *, limit: int, metric: DistanceMetric
) -> list[Neighbour]:
    """Search the entries at the places `among` exactly for those nearest to `query`, (dimension,): nearest first."""
    if not len(among):
        return []
    [nearest], [distances] = exact_neighbours(entries.vectors[among], query[None, :], limit, metric=metric)
    return [
        {
            "label": entries.labels[at],
            "distance": float(distance),
            "batch": entries.batches[at],
            "row": int(entries.rows[at]),
            "row_id": (entries.row_ids[at] if entries.row_ids else "") or None,
        }
        for at, distance in zip(among[nearest].tolist(), distances, strict=True)
    ]


def compare_neighbours(
    recorded: SearchLine,
    again: Sequence[Neighbour],
    entries: Entries,
    query: NDArray[np.float32],
    among: NDArray[np.intp],
    *,
    design: IndexDesign,
) -> list[Difference]:
    """List the places in which another row should have stood; `again` is what `nearest_again` finds.

    Of rows equally far any may stand in a place: what counts is that the row is there with its label and its distance,
    and, where the index is exact, that none is nearer. One that is not may have missed some.
    """
    positions = {(entries.batches[at], int(entries.rows[at])): at for at in among.tolist()}
    spare = DISTANCE_TOLERANCE * max([1.0, *(abs(each["distance"]) for each in again)])
    is_exact = design.type is IndexType.FLAT

    def is_same(old: Neighbour, new: Neighbour) -> bool:
        at = positions.get((old["batch"], old["row"]))
        if at is None or entries.labels[at] != str(old["label"]):
            return False
        rows = entries.vectors[at : at + 1].astype(np.float64)
        distance = float(distances_between(query[None, :].astype(np.float64), rows, design.metric)[0, 0])
        is_near = not is_exact or distance <= new["distance"] + spare
        return bool(abs(distance - old["distance"]) <= spare and is_near)

    return [
        Difference(place, Differs.NEIGHBOUR, old, new)
        for place, (old, new) in enumerate(zip_longest(recorded.neighbours, again))
        if not (old and new and is_same(old, new)) and (old or is_exact)
    ]


def same_label(old: Any, new: Any) -> bool:
    """Whether two answers are one class, or one number within TOLERANCE of its size."""
    return old == new or (isinstance(old, float) and isinstance(new, float) and _same_numbers([old], [new]))


def _same_probabilities(old: Sequence[float] | None, new: Sequence[float] | None) -> bool:
    if old is None or new is None:
        return old is new
    return len(old) == len(new) and bool(np.abs(np.subtract(old, new)).max(initial=0.0) <= TOLERANCE + SPARE)


def _same_numbers(old: Sequence[float] | None, new: Sequence[float] | None) -> bool:
    if old is None or new is None:
        return old is new
    return len(old) == len(new) and bool(np.isclose(old, new, rtol=TOLERANCE, atol=SPARE).all())


_IS_SAME: dict[Differs, Callable[[Any, Any], bool]] = {
    Differs.LABEL: same_label,
    Differs.PROBABILITY: _same_probabilities,
    Differs.INTERVAL: _same_numbers,
    Differs.DECISION: same_label,
    Differs.RULE: same_label,
    Differs.EXPECTED_COST: same_label,
}
