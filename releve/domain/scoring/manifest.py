"""The manifest of a scored table: who answers what, and which parts are whole; a line of JSON per thing that is done.

What is not in it has to be done again, so a run that was killed is gone on with by the same command.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from pydantic import Field

from releve.core.documents import DocumentPart, parse_document

START_OVER = "give --again to start over, or name another folder"


class Form(StrEnum):
    """What the parts of an output are."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


class ScoredInput(DocumentPart):
    """A file that is scored."""

    name: str
    sha256: str
    bytes: int


class ScoringBegun(DocumentPart):
    """What an output is made of; nothing of it changes until it is started over."""

    format: Literal[1] = 1
    kind: Literal["begun"] = "begun"
    output: str  # 8 hex digits that no other output has
    at: str
    scenario: str
    model: str
    model_digest: str
    index: str | None
    commit: str
    settings: str  # sha256 of what decides how files are read and cut
    inputs: tuple[ScoredInput, ...]
    form: Form
    ledger: bool


class ScoringResumed(DocumentPart):
    """Another run went on."""

    kind: Literal["resumed"] = "resumed"
    at: str


class PartScored(DocumentPart):
    """A part that is whole, with its rejected rows. rows = answered + rejected."""

    kind: Literal["part"] = "part"
    name: str
    source: str  # the input's name
    pieces: int  # of the input, as it is read
    rows: int
    answered: int
    rejected: int
    requests: int  # lines of the ledger
    unknown_lags: dict[str, int] = Field(default_factory=dict)  # answered rows whose lag was not known, by its name
    most_rejected: str  # the column that most rows were rejected for, with its commonest reasons


class ScoringEnded(DocumentPart):
    """All rows are answered or rejected."""

    kind: Literal["ended"] = "ended"
    at: str
    rows: int
    answered: int
    rejected: int


Line = ScoringBegun | ScoringResumed | PartScored | ScoringEnded
KINDS: dict[str, type[Line]] = {
    "begun": ScoringBegun,
    "resumed": ScoringResumed,
    "part": PartScored,
    "ended": ScoringEnded,
}


class Changed(StrEnum):
    """What a command asks for otherwise than the one that began the output."""

    SCENARIO = "scenario"
    INPUTS = "inputs"
    SETTINGS = "settings"
    FORM = "form"
    LEDGER = "ledger"


@dataclass(frozen=True)
class ScoringManifest:
    """What a manifest's lines say together."""

    begun: ScoringBegun
    resumed: int = 0
    parts: tuple[PartScored, ...] = ()
    ended: ScoringEnded | None = None

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def answered(self) -> int:
        return sum(part.answered for part in self.parts)

    @property
    def rejected(self) -> int:
        return sum(part.rejected for part in self.parts)

    @property
    def requests(self) -> int:
        return sum(part.requests for part in self.parts)

    @property
    def unknown_lags(self) -> Counter[str]:
        return sum((Counter(part.unknown_lags) for part in self.parts), Counter[str]())

    def pieces_of(self, source: str) -> int:
        """Count the pieces of an input that are in finished parts."""
        return sum(part.pieces for part in self.parts if part.source == source)

    def changes(self, wanted: ScoringBegun) -> list[Changed]:
        """List what a new command wants otherwise. The model is none of it: the one that began goes on."""
        began = self.begun
        same = {
            Changed.SCENARIO: began.scenario == wanted.scenario,
            Changed.INPUTS: began.inputs == wanted.inputs,
            Changed.SETTINGS: began.settings == wanted.settings,
            Changed.FORM: began.form == wanted.form,
            Changed.LEDGER: began.ledger == wanted.ledger,
        }
        return [what for what, is_same in same.items() if not is_same]

    @property
    def is_nothing_lost(self) -> bool:
        """Whether starting over loses no work and writes no row into the ledger twice."""
        return not (self.parts or self.ended or self.begun.ledger)


def read_manifest(lines: Sequence[bytes], *, source: str) -> ScoringManifest | None:
    """Read a manifest's whole lines; None where there are none. Raise BadInput naming `source` where one is damaged."""
    read = list(_documents(lines, source))
    if not read:
        return None
    first, *others = read
    if not isinstance(first, ScoringBegun):
        first = parse_document(lines[0], ScoringBegun, source=source, remedy=START_OVER)
    return ScoringManifest(
        first,
        sum(isinstance(line, ScoringResumed) for line in others),
        tuple(line for line in others if isinstance(line, PartScored)),
        next((line for line in others if isinstance(line, ScoringEnded)), None),
    )


def _documents(lines: Sequence[bytes], source: str) -> Iterator[Line]:
    for line in lines:
        try:
            kind = json.loads(line).get("kind")
        except (ValueError, AttributeError):
            kind = None
        yield parse_document(line, KINDS.get(str(kind), ScoringBegun), source=source, remedy=START_OVER)


def ledger_writer(output: str, attempt: int) -> str:
    """Name a run's writer of the ledger: 8 hex digits that follow from the output, so that the next run finds it."""
    return sha256(f"{output}:{attempt}".encode()).hexdigest()[:8]


def part_name(number: int, form: Form, *, output: str = "") -> str:
    """Name a part; in the order of the names is in the order of the rows. `output`: its 8 digits, in what is shared."""
    own = output and f"-{output}"
    return f"part-{number:06d}{own}.{form}"
