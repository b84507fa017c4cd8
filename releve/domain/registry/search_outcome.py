"""What came of a search. The registry's events hold it: it is read without what trains."""

from releve.core.documents import DocumentPart
from releve.domain.evaluation.intervals import Interval


class SearchOutcome(DocumentPart):
    """What a search for new members proposed, and what that gained over the old pool."""

    proposed: str = ""  # the best candidate, in words; "" where there was none to try, or none could be fitted
    gain: Interval | None = None  # of the pool with it over the pool without, over the windows, by the gate's metric
    joined: bool = False  # shown to be better by enough, it is in the pool from now on
