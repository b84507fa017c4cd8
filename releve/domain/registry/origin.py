"""Where a release came from that another environment made."""

from enum import StrEnum

from releve.core.documents import DocumentPart


class Basis(StrEnum):
    """What let it take the place of the model that serves in its new environment."""

    GATE = "gate"  # the gate of the source, which compared it with that very model
    REJUDGED = "rejudged"  # the gate, once more: by that model's answers to the same rows
    PERSON = "person"  # a person's reason, where no gate could compare the two


class Origin(DocumentPart):
    """The event that put it into service in the environment that made it."""

    environment: str
    number: int
    hash: str
    basis: Basis
