"""The documents of a pack as plain values: everything else in it that is made for people is filled from these."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from releve.adapters.git_dvc.data_history import DataVersion
from releve.domain.registry.chain import APPROVAL_REFUSED, APPROVALS, APPROVED, INGESTED, MONITORED, Event
from releve.domain.registry.events import BatchIngested, release_of
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.model_card.record import ModelRecord

Document = dict[str, Any]
NO_WORD = re.compile(r"\W")


@dataclass(frozen=True)
class ModelEvidence:
    """Everything that a pack is made of."""

    record: ModelRecord
    chain: Sequence[Event]  # of the scenario, from its first event on
    versions: Sequence[DataVersion] = ()  # of the rows, up to the one that the model was made from
    model_files: Mapping[str, str] = field(default_factory=dict)  # sha256 by name; empty where they left the store
    texts: Mapping[str, str] = field(default_factory=dict)  # files of the model's own revision, by their name in a pack
    signature: bytes | None = None
    no_signature: str = ""  # why there is none

    @property
    def head(self) -> Event:
        return self.chain[-1]


def documents(evidence: ModelEvidence) -> dict[str, Document]:
    """Map names of files to what they hold; a document that there is no evidence for is left out."""
    made = {name: make(evidence) for name, make in DOCUMENTS.items()}
    return {name: document for name, document in made.items() if document is not None}


def purpose(evidence: ModelEvidence) -> Document:
    """Return what only people can say."""
    texts = evidence.record.texts
    return {name: texts[name] for name in ("purpose", "limits", "owner") if texts.get(name)}


def model(evidence: ModelEvidence) -> Document:
    """Return what the model is, less its golden rows and the cells that its embedder knows: somebody's table."""
    record, described = evidence.record, evidence.record.description
    description = described.model_dump(mode="json", by_alias=True, exclude={"golden", "embedder"}) if described else {}
    return {
        "model": record.model,
        "state": record.state,
        "digest": record.challenger.model_digest if record.challenger else "",
        "files": dict(evidence.model_files),
        "latency_ms": record.challenger.latency_ms if record.challenger else None,
        "cpu_seconds": record.challenger.cpu_seconds if record.challenger else None,
        **description,
    }


def gate(evidence: ModelEvidence) -> Document | None:
    return evidence.record.judgement.as_dict() if evidence.record.judgement else None


def evaluation(evidence: ModelEvidence) -> Document | None:
    return evidence.record.judgement.payload["evaluation"] if evidence.record.judgement else None


def fairness(evidence: ModelEvidence) -> Document | None:
    """Return what was measured of the groups of protected columns; None where none is named."""
    found = evidence.record.evaluation
    if not found or not (found.fairness or found.groups or found.unknown_groups):
        return None
    return found.model_dump(mode="json", include={"metric", "confidence", "fairness", "groups", "unknown_groups"})


def approvals(evidence: ModelEvidence) -> Document:
    """Return who was asked, and what they said; no events where nobody had to be asked."""
    events = [each for each in evidence.record.history if each.kind in APPROVALS]
    said = [each for each in events if each.kind in (APPROVED, APPROVAL_REFUSED)]
    return {
        "answers": [{"by": each.actor, "said": each.kind, "at": each.at, "why": each.reason} for each in said],
        "events": [each.as_dict() for each in events],
    }


def releases(evidence: ModelEvidence) -> Document:
    """Return when it went into service."""
    return {"events": [each.as_dict() for each in evidence.record.history if release_of(each)]}


def data(evidence: ModelEvidence) -> Document | None:
    """Return the versions of the rows with their counts, and the files that they came in."""
    record = evidence.record
    if not record.challenger:
        return None
    batches = {each.batch for each in evidence.versions}
    ingested = [event.read(BatchIngested) for event in evidence.chain if event.kind == INGESTED]
    files = {each.batch: each for each in ingested if each.batch in batches}
    columns = record.schema.columns if record.schema else ()
    return {
        "data_version": record.challenger.data_version,
        "rows": record.challenger.rows,
        "learned_rows": record.challenger.learned,
        "versions": [asdict(each) for each in evidence.versions],
        "files": [each.model_dump(mode="json") for each in files.values()],
        "rejected_rows": sum(each.rejected for each in files.values()),
        "columns": [each.name for each in columns],
        "seen": [each.name for each in columns if each.feature],
        "personal": [each.name for each in columns if each.personal],
        "schema": record.schema.as_dict() if record.schema else {},
    }


def lineage(evidence: ModelEvidence) -> Document:
    """Return what it can be made of again."""
    described = evidence.record.description
    made_of = {NO_WORD.sub("_", name): value for name, value in evidence.record.lineage.items()}
    return {"lineage": made_of, "environment": described.environment if described else {}}


def monitoring(evidence: ModelEvidence) -> Document | None:
    """Return drift and quality since it went into service; None where nobody looked."""
    record, moved = evidence.record, [each.number for each in evidence.record.history if release_of(each)]
    runs = [event for event in evidence.chain if event.kind == MONITORED and moved and event.number > moved[0]]
    events = [event for event in runs if event.payload["model"] == record.model]
    if not events:
        return None
    return {
        "runs": [_run(event.read(MonitoringRun)) for event in events],
        "events": [each.as_dict() for each in events],
    }


def _run(run: MonitoringRun) -> Document:
    quality = run.quality
    return {
        "at": run.at,
        "rows": run.window.rows,
        "drift": run.drift.state.value,
        "drifted": [each.name for each in run.drift.drifted],
        "quality": quality.state.value,
        "metric": quality.metric,
        "labelled": quality.labelled,
        "expected": quality.expected,
        "score": asdict(quality.score) if quality.score else None,
        "refresh_due": run.decision.refresh,
    }


DOCUMENTS: dict[str, Callable[[ModelEvidence], Document | None]] = {
    "purpose.json": purpose,
    "model.json": model,
    "gate.json": gate,
    "evaluation.json": evaluation,
    "fairness.json": fairness,
    "approvals.json": approvals,
    "releases.json": releases,
    "data.json": data,
    "lineage.json": lineage,
    "monitoring.json": monitoring,
}
