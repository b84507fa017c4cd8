"""The recipe that a search chose, or params.yaml named, and why: recipe.json."""

from typing import Literal

from releve.core.documents import DocumentPart
from releve.domain.training.recipes import Candidate, Value


class TrialRecord(DocumentPart):
    """A candidate that was tried, with its score; None where it failed."""

    number: int  # from 1, in the order suggested
    origin: str
    recipe: str
    scale: str
    options: dict[str, Value]
    score: float | None
    folds: tuple[float | None, ...]
    reason: str  # why it failed, or what the estimator warned of


class BlockScore(DocumentPart):
    """The score on one block of the validation rows."""

    rows: int
    score: float | None


class RecipeChoice(DocumentPart):
    """The chosen recipe with its options; the score and what follows it are of a search alone."""

    format: Literal[1] = 1
    recipe: str
    scale: str
    options: dict[str, Value]
    seed: int
    metric: str
    last_batches: int  # that the model learns from; 0: all past rows
    score: float | None = None  # on the validation rows
    folds: tuple[BlockScore, ...] = ()
    searched_rows: int | None = None
    asked: int = 0  # trials
    done: int = 0
    stopped_by: Literal["trials", "seconds"] | None = None
    trials: tuple[TrialRecord, ...] = ()

    @property
    def candidate(self) -> Candidate:
        return Candidate(self.recipe, self.scale, self.options)
