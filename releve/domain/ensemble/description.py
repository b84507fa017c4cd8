"""What a refresh made: ensemble.json in its memory, and a part of model.json, which card and page read."""

from typing import Literal

from releve.core.documents import DocumentPart
from releve.domain.ensemble.weights import Serves
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.training.recipes import Value
from releve.domain.training.trial_record import TrialRecord


class MemberDescription(DocumentPart):
    """A member with its weight, and what it alone would have lost over the windows."""

    name: str
    recipe: str  # "" of an older ensemble that was kept
    options: dict[str, Value]
    last_batches: int  # newest batches that it learned from; 0: all past rows
    rows: int  # that it learned from
    weight: float  # in what serves; 0: it has no say now
    loss: float | None  # mean over the windows, clipped; None where it answered not all of them
    problem: str = ""  # why it could not be fitted; it has no weight then


class SearchDescription(DocumentPart):
    """A search for new members: why, what it tried, and what came of it."""

    causes: tuple[str, ...]
    trials: tuple[TrialRecord, ...]
    outcome: SearchOutcome


class EnsembleDescription(DocumentPart):
    """ensemble.json. `loss` says what the weights minimise."""

    format: Literal[1] = 1
    identity: str  # sha256 over fitted members and weights: whether two models are the same ensemble
    learned: int  # labelled rows that members learned, the oldest; the weights rest on newer ones, too
    serves: Serves
    loss: str
    windows: int  # that the weights rest on
    rows: int  # in them
    members: tuple[MemberDescription, ...]
    search: SearchDescription | None
    left_out: int = 0  # rows whose labels were found to be wrong: no member learned them
