"""A release: ONE model version and ONE index version, moved and rolled back together."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from releve.core.documents import DocumentPart
from releve.core.errors import Conflict
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import Interval
from releve.domain.neighbours.index_design import IndexCheck, IndexDesign
from releve.domain.neighbours.index_versions import INITIAL, IndexVersion

UNEVALUATED, CHALLENGER, CHAMPION = "unevaluated", "challenger", "champion"
PREVIOUS, RETIRED, REFUSED = "previous champion", "retired", "refused"

SEED_VERSION = "seed"  # the data version where the rows come out of the pipeline itself

# The life of a model version. docs/operate.md is generated from this table.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    UNEVALUATED: (CHALLENGER,),
    CHALLENGER: (CHAMPION, REFUSED),
    CHAMPION: (PREVIOUS, RETIRED),  # retired at once when it is withdrawn: no rollback reaches past a withdrawal
    PREVIOUS: (CHAMPION, RETIRED),
    REFUSED: (CHALLENGER,),  # the same rows, params and opponent make the same version, and another gate may judge it
    RETIRED: (CHALLENGER,),  # the same, after a rollback or a start from scratch brought its opponent back
}


def can_become(state: str, new_state: str) -> bool:
    """Whether a model version in `state` may move to `new_state`."""
    return new_state in TRANSITIONS[state]


def check_can_become(state: str, new_state: str) -> None:
    """Raises Conflict, with the moves that are open, when `state` may not become `new_state`."""
    if not can_become(state, new_state):
        open_moves = ", ".join(TRANSITIONS[state]) or "nothing: it is final"
        raise Conflict(f"{state!r} cannot become {new_state!r}; it can become {open_moves}")


@dataclass(frozen=True)
class ExpectedPerformance:
    """The score on the holdout at promotion, which the champion is held to."""

    metric: str
    score: Interval
    rows: int  # of holdout


def expected_performance(evaluation: Evaluation) -> ExpectedPerformance:
    """Return what a challenger is held to once it serves: no label that is in doubt has a say."""
    sound = evaluation.sound
    if sound:
        return ExpectedPerformance(evaluation.metric, sound.score, sound.rows)
    return ExpectedPerformance(evaluation.metric, evaluation.score, evaluation.holdout_rows)


class IndexUpdate(DocumentPart):
    """Newer labelled rows than the model learned, in the index that is released with it."""

    version: IndexVersion  # its number is that of the registry's event that served while it was written
    revision: str  # commit on the scenario's branch whose rows these are
    data_version: str  # of these rows, as DVC names it


class Release(BaseModel):
    """What serves: everything needed to answer "which model, which vectors, from which data"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    model: str  # model store tag, "<scenario>:<version>"
    model_digest: str  # sha256 over the model's files
    index: str  # Milvus collection
    index_rows: int
    index_update: IndexUpdate | None = None  # None while its rows are those that travel with the model
    index_design: IndexDesign = IndexDesign()
    index_check: IndexCheck | None = None  # as it was measured before the release
    data_version: str  # md5 of the rows, as DVC names it, or SEED_VERSION
    revision: str  # git commit on releve/<scenario>
    rows: int  # labelled rows the model learned from
    expected: ExpectedPerformance

    def beside(self, other: "Release | None") -> "Release":
        """The release, with the rows that `other` has where both share a collection: it can see but these."""
        if other is None or other.index != self.index:
            return self
        names = ("index_rows", "index_update", "index_check")
        return self.model_copy(update={name: getattr(other, name) for name in names})

    @property
    def index_version(self) -> IndexVersion:
        """The version of the collection that searches see."""
        return self.index_update.version if self.index_update else INITIAL

    @property
    def index_name(self) -> str:
        """What answers and the ledger call the index: the collection, and its version where newer rows came in."""
        return f"{self.index}@{self.index_version.number}" if self.index_update else self.index
