"""What the events of the registry hold: one frozen model per kind, written and read as plain JSON.

Payloads of other subjects (what monitoring saw, what was alerted) are defined there, on the same base.
"""

from enum import StrEnum

from releve.core.documents import DocumentPart
from releve.core.params import GateOverride
from releve.domain.brought.description import BroughtDescription
from releve.domain.evaluation.evaluation import DecisionChange, Evaluation, Sanity
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.chain import (
    ARCHIVED,
    CHALLENGED,
    FILES_REFUSED,
    INDEX_MOVED,
    INGESTED,
    NOTED,
    REBUILT,
    RELEASED,
    ROLLED_BACK,
    SILENT,
    WITHDRAWN,
    Event,
    EventPayload,
)
from releve.domain.registry.origin import Origin
from releve.domain.registry.release import Release
from releve.domain.registry.search_outcome import SearchOutcome


class BatchOrigin(StrEnum):
    """Where the rows of a batch came from."""

    FILE = "file"
    QUERY = "query"  # the scenario's own, see `source` in params.yaml
    ANSWERS = "answers"  # of the service, with the labels that came back


class BatchIngested(EventPayload):
    """One file became a batch, listed in batches.csv as well: rows in the file = rows + rejected."""

    kind = INGESTED

    batch: str
    rows: int
    rejected: int
    superseded: int = 0  # of `rows`: versions of rows that were there, which count in the place of the older ones
    corrected: int = 0  # rows of earlier batches that have another label by these
    erased: int = 0  # of `rows`: taken out since, as somebody asked for it
    source: str  # the file's name
    arrived: str = ""  # ISO 8601, UTC: when the file came to lie where it was found; "" where nothing tells
    origin: BatchOrigin = BatchOrigin.FILE
    sha256: str
    read_as: str = ""  # what was detected about the file, for people: its encoding, its dialect
    delimiter: str = ""  # of a CSV file
    most_rejected: str = ""  # the column that most rows were rejected for, with an example; for people
    warnings: tuple[str, ...] = ()  # of the checks of the file as a whole


class FileRefusal(DocumentPart):
    """A file that was set aside whole."""

    name: str
    reason: str
    sha256: str = ""  # "" for what is no file


class FilesRefused(EventPayload):
    """Incoming files were set aside; they lie in the scenario's refused folder until a person moves them."""

    kind = FILES_REFUSED

    files: tuple[FileRefusal, ...]


class Challenger(EventPayload):
    """A challenger was built and judged; everything that a release needs."""

    kind = CHALLENGED

    model: str  # model store tag
    model_digest: str
    revision: str
    data_version: str
    rows: int
    learned: int  # of the rows, the oldest, that its members learned; fewer where they were only weighed anew
    champion: str  # the tag it was judged against, "" for a first champion
    search: str  # what opened a search for new members, and on which data; "" without one
    search_outcome: SearchOutcome | None = None  # what came of it; None without one
    evaluation: Evaluation
    promote: bool
    inconclusive: bool = False  # refused, and for nothing but that no gain was shown
    reasons: tuple[str, ...]  # why the gate decided so; the first is the main one
    notes: tuple[str, ...] = ()  # worth knowing, and no reason
    overrides: tuple[GateOverride, ...] = ()  # without which the gate would have refused
    latency_ms: float  # CPU time of one answer
    sanity: Sanity
    decision: DecisionChange | None = None  # from what served; None where costs and rules were the same
    cpu_seconds: float  # that it took to make and judge
    origin: Origin | None = None  # of a model that another environment made; None of one that was made here
    brought: BroughtDescription | None = None  # of a model that somebody else fitted; nothing here fits it again

    @property
    def sentences(self) -> tuple[str, ...]:
        """Reasons and notes, for people."""
        return (*self.reasons, *(f"note: {note}" for note in self.notes))

    @property
    def is_reweighting(self) -> bool:
        """Whether its members are those of the refresh before, with other weights or other decisions."""
        return self.learned < self.rows or self.decides_alone

    @property
    def decides_alone(self) -> bool:
        """Whether it answers as what served, and decides otherwise."""
        return self.decision is not None and self.decision.alone

    @property
    def score(self) -> float:
        """Score on the holdout, by the gate's metric."""
        return self.evaluation.score.value

    def same_judgement(self, other: "Challenger") -> bool:
        """Whether the gate judged the same thing the same way: neither a commit of the user's that changes nothing
        here nor a slower machine makes another judgement."""
        ours, theirs = (one.model_dump(exclude={"revision", "cpu_seconds"}) for one in (self, other))
        return ours == theirs


class ReleaseChange(StrEnum):
    """What a release changed, beside the rows that were learned."""

    REFRESH = "refresh"  # nothing: the same members, fitted anew
    FIRST = "first"  # nothing served before
    SEARCH = "search"  # a member that a search found has joined
    DECISION = "decision"  # costs or rules alone: it answers as what served before
    BROUGHT = "brought"  # a model that somebody else fitted
    NAIVE = "naive"  # no model beats the naive answer, which serves


class ModelReleased(EventPayload):
    """A release went into service."""

    kind = RELEASED

    release: Release
    change: ReleaseChange = ReleaseChange.REFRESH
    approval: int = 0  # number of the event that asked people; 0 where nobody had to be asked
    approved_by: tuple[str, ...] = ()  # who let it in
    origin: Origin | None = None  # where another environment made it


class ShownHarm(DocumentPart):
    """Why a release was rolled back by itself: it answered worse than the one before it would have."""

    model: str
    gain: Interval  # over the release before, on the same labelled answers, pooled over the promotions
    answers: int
    promotions: int


class ModelRolledBack(ModelReleased):
    """An earlier release went into service again."""

    kind = ROLLED_BACK

    harm: ShownHarm | None = None  # None where a person rolled back


class IndexMoved(EventPayload):
    """The model that serves got another version of its index."""

    kind = INDEX_MOVED

    release: Release  # as it was, but for its index
    since: str  # ISO 8601, UTC: when the model went into service
    new: int  # rows that it sees and the one before did not; 0 on the way back
    gone: int  # rows that it sees no more, those included whose cells were corrected
    is_rollback: bool = False


class ModelWithdrawn(EventPayload):
    """Nothing serves any more."""

    kind = WITHDRAWN


class ScenarioArchived(EventPayload):
    """The scenario starts over; its files and its branch were set aside under this name."""

    kind = ARCHIVED

    archive: str


class MonitoringSilent(EventPayload):
    """No monitoring run ended for longer than `alerts.silence_hours`."""

    kind = SILENT

    since: str  # of the last run, or of the release that none watched; ISO 8601, UTC
    hours: float


class RebuildPurpose(StrEnum):
    """Why a model version was built again."""

    RETIRE = "retire"  # a trial before its files leave
    RESTORE = "restore"  # a person wants them back
    CHECK = "check"  # a person asks whether the same comes out; its files stay where they are


class ModelRebuilt(EventPayload):
    """A model version was built again, or could not be, or was taken as proven by the rebuild of another one.

    Where nothing differs, nothing is lost when its files leave.
    """

    kind = REBUILT

    model: str
    purpose: RebuildPurpose
    files: dict[str, str]  # sha256 by name, as they were released
    bytes: int  # of these files
    differing: tuple[str, ...] = ()  # of these files, those that came out otherwise, or not at all
    failure: str = ""  # why nothing came out
    cpu_seconds: float
    made_by: str = ""  # digest of all but the rows that made it; "" where a clock had a say
    proof: str = ""  # the model made the same way whose rebuild is its proof; "": it was itself built again

    @property
    def same(self) -> bool:
        """Whether every file came out as it was released."""
        return not self.differing and not self.failure


LONGEST_NOTE = 1000  # characters


class NoteWay(StrEnum):
    """How it was shown who wrote a note."""

    PERSON = "personal token"  # the event's actor is a person
    ROLE = "token of a role"  # of the service: whoever holds it is the event's actor


class NoteWritten(EventPayload):
    """A note or a question of the team, which is the event's reason; nothing that serves changes by it."""

    kind = NOTED

    model: str  # "<scenario>:<version>"; "" on the scenario
    way: NoteWay


PUTS_INTO_SERVICE: dict[str, type[ModelReleased] | type[IndexMoved]] = {
    each.kind: each for each in (ModelReleased, ModelRolledBack, IndexMoved)
}


def release_of(event: Event) -> Release | None:
    """Return what the event put into service; None for an event that put nothing there."""
    payload = PUTS_INTO_SERVICE.get(event.kind)
    return event.read(payload).release if payload else None
