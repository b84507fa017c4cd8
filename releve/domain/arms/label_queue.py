"""Labels only where they decide: which answers the comparison of champion and challenger needs the truth of.

By accuracy a row to which both answer the same class has no part in their difference, whatever its label: of a shadow
only the rows on which the arms disagree are asked for. Every other metric, and arms that answer different requests,
need the labels of all rows.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from releve.domain.arms.arms import Arm
from releve.domain.prediction_log.records import AnswerLine, Row, Scalar, ShadowLine, row_ids
from releve.domain.schema.validation import Problem

BY_CLASS = frozenset({"accuracy", "f1"})  # metrics that see the answered class alone


class Selection(StrEnum):
    """Which rows a queue asks for."""

    DISAGREEMENT = "disagreement"  # no sample of what is answered: their labels are for the comparison alone
    ALL = "all"  # of their time


@dataclass(frozen=True)
class QueuedRow:
    """A row whose label is asked for."""

    id: str
    at: str
    features: Row
    answers: Mapping[Arm, Scalar]


@dataclass(frozen=True)
class LabelQueue:
    """What was written, and why these rows."""

    path: Path | None  # None where no row needs a label
    metric: str
    selection: Selection
    rows: int
    more: int  # that need a label beside them
    waiting: int  # that would need one, and are younger than arms.label_delay_hours


@dataclass
class ReturnedLabels:
    """What became of a file's rows."""

    accepted: int = 0
    unfilled: int = 0  # their label is still missing
    rejected: list[Problem] = field(default_factory=list)  # by the line of the file

    @property
    def rows(self) -> int:
        """Rows of the file: each is accepted, unfilled or rejected."""
        return self.accepted + self.unfilled + len(self.rejected)


def selection_for(metric: str, *, is_shadow: bool) -> Selection:
    """Return which rows a comparison by `metric` needs the labels of."""
    return Selection.DISAGREEMENT if is_shadow and metric in BY_CLASS else Selection.ALL


def rows_to_label(
    lines: Iterable[AnswerLine],
    shadows: Mapping[str, ShadowLine] | None,
    *,
    selection: Selection,
    models: Container[str],
    labelled: Container[str],
) -> Iterator[QueuedRow]:
    """Read the rows of `lines` that need a label and have none.

    shadows: by the request that each repeats; None where the challenger answers requests of its own. models: of both
    arms. labelled: row ids.
    """
    for line in lines:
        shadow = shadows.get(line.id) if shadows is not None else None
        if line.model not in models or (shadows is not None and (shadow is None or shadow.error)):
            continue
        ids = row_ids(line.id, len(line.rows))
        for place, (row_id, features) in enumerate(zip(ids, line.features, strict=True)):
            answers = {Arm(line.arm): line.labels[place]}
            if shadow is not None:
                answers[Arm.CHALLENGER] = shadow.labels[place]
            agrees = len(set(answers.values())) == 1
            is_known = row_id in labelled or place in line.erased
            if not is_known and not (selection is Selection.DISAGREEMENT and agrees):
                yield QueuedRow(row_id, line.at, features, answers)
