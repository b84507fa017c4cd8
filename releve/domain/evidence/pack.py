"""A pack of evidence: the list of its files, the event that keeps its digest, and the part of the chain that it has."""

from collections.abc import Sequence
from typing import Literal

from releve.core.documents import DocumentPart
from releve.domain.registry.chain import PACKED, Event, EventPayload

MANIFEST, CHAIN, VERIFIER = "MANIFEST.json", "chain.jsonl", "verify.py"


class PackedFile(DocumentPart):
    """A file of a pack."""

    sha256: str
    bytes: int


class PackManifest(DocumentPart):
    """MANIFEST.json: every other file of a pack, the head of its chain, and what there was no evidence of."""

    format: Literal[1] = 1
    model: str  # "<scenario>:<version>"
    scenario: str
    as_of: str  # ISO date: decides which overrides are in force
    head: int  # number of the newest event in the chain
    head_hash: str
    missing: tuple[str, ...]  # sentences
    files: dict[str, PackedFile]


class EvidencePacked(EventPayload):
    """A pack was written. Its chain ends at `head`, before this event."""

    kind = PACKED

    model: str
    sha256: str  # of the whole file
    bytes: int
    head: int
    head_hash: str
    missing: int


def chain_to_pack(events: Sequence[Event]) -> list[Event]:
    """Leave out the packs that were written since anything else happened: the same state makes the same pack.

    `events`: of ONE scenario, oldest first.
    """
    kept = list(events)
    while kept and kept[-1].kind == PACKED:
        kept.pop()
    return kept
