"""The whole explanation of one answer, asked of whatever answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.explanation.changes import AskAll, CellChange, smallest_changes
from releve.domain.explanation.hybrids import HybridRows
from releve.domain.explanation.shapley import Contributions, Floats, Masks, contributions
from releve.domain.schema.target import REGRESSION

MOST_CHANGES = 5  # that are told, the smallest


@dataclass(frozen=True)
class Wanted:
    """What is to be explained."""

    place: int  # among the model's outputs: of a class, 0 of a regression
    least: float  # by which a regression's answer has to move to count as changed
    changeable: frozenset[str]  # features whose cells in other rows may be told
    most_rows: int  # of the model, for the contributions
    seed: int = 0


@dataclass(frozen=True)
class Explanation:
    """What moved an answer, and what would change it."""

    contributions: Contributions
    changes: tuple[CellChange, ...]
    asked: int  # rows of the model


def explain(ask: AskAll, rows: HybridRows, wanted: Wanted, *, answer: Floats, references: Floats) -> Explanation:
    """Explain the answer to a row. `answer`: (outputs,); `references`: (references, outputs), to the reference rows.

    Raises BadInput where an answer to a mix is no number, TooLarge where `most_rows` are too few.
    """

    def asked_of_one(taken: Masks, of: NDArray[np.intp]) -> Floats:
        outputs = ask(taken, of)[:, wanted.place]
        if not np.isfinite(outputs).all():
            raise BadInput(
                "this row cannot be explained: what the model answers to mixes of it and of reference rows is not "
                "finite; a number in it may be too large for the model (float32)"
            )
        return outputs

    def decides(outputs: Floats) -> NDArray[np.bool_]:
        if rows.schema.target.task == REGRESSION:
            distance = np.abs(outputs[:, 0] - answer[0])
            moved: NDArray[np.bool_] = (distance >= wanted.least) & (distance > 0)
            return moved
        other: NDArray[np.bool_] = outputs.argmax(axis=1) != answer.argmax()
        return other

    features = [place for place, name in enumerate(rows.schema.names) if name in wanted.changeable]
    changes, tried = smallest_changes(ask, rows, decides, features=features, most=MOST_CHANGES)
    moved = contributions(
        asked_of_one,
        rows.differs,
        answer=float(answer[wanted.place]),
        references=references[:, wanted.place],
        most_rows=wanted.most_rows,
        seed=wanted.seed,
    )
    return Explanation(moved, tuple(changes), 1 + len(references) + tried + moved.asked)
