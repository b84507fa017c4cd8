"""What another model would have answered: which decisions of a part of the ledger change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from releve.domain.prediction_log.records import AnswerLine, Scalar
from releve.domain.schema.schema import Schema


@dataclass(frozen=True)
class ChangedAnswer:
    """A row to which the model answers something else."""

    id: str
    at: str
    model: str  # that answered it
    old: Scalar
    new: Scalar


@dataclass(frozen=True)
class DecisionBlock:
    """A few hundred answers of the ledger, each asked again."""

    answers: int
    changes: Sequence[ChangedAnswer]
    refused: int = 0  # rows that the model cannot be asked
    reason: str = ""  # of the first of them


@dataclass
class DecisionCounts:
    """The sum of blocks."""

    answers: int = 0
    changed: int = 0
    refused: int = 0
    reason: str = ""  # of the first row that was refused
    moved: float = 0.0  # sum of the distances between numbers, of a regression
    pairs: Counter[tuple[Scalar, Scalar]] = field(default_factory=Counter)  # of classes: old and new

    def add(self, block: DecisionBlock) -> None:
        """Count another block."""
        self.answers += block.answers
        self.changed += len(block.changes)
        self.refused += block.refused
        self.reason = self.reason or block.reason
        for each in block.changes:
            if isinstance(each.old, float) and isinstance(each.new, float):
                self.moved += abs(each.new - each.old)
            else:
                self.pairs[each.old, each.new] += 1


def as_asked(line: AnswerLine, schema: Schema) -> list[Mapping[str, Any]]:
    """Return the rows of a request as a model of `schema` is asked.

    A column that is newer than the answer is null, where it may be; one that is kept as a hash is missing.
    """
    names = [column.name for column in schema.features]
    newer = {column.name: None for column in schema.features if column.nullable and column.name not in line.hashed}
    return [newer | {name: row[name] for name in names if name in row} for row in line.features]
