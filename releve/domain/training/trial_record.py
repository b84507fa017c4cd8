"""What is kept of a trial of a search."""

from releve.core.documents import DocumentPart
from releve.domain.training.recipes import Value


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
