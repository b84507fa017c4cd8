"""Retrain or wait, with reasons for both. Drift opens the question; labelled answers settle it."""

from dataclasses import dataclass

from releve.rules import drift, quality
from releve.rules.age import Age
from releve.rules.drift import Verdict
from releve.rules.estimates import Estimate
from releve.rules.params import Trigger
from releve.rules.quality import Quality


@dataclass(frozen=True)
class Evidence:
    """What is known when the question is asked."""

    at: str  # ISO 8601, UTC
    drift: Verdict
    quality: Quality
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be
    estimate: Estimate | None = None
    age: Age | None = None


@dataclass(frozen=True)
class Challenged:
    """A challenge of the past."""

    at: str  # ISO 8601, UTC
    promoted: bool
    rows: int  # labelled rows that the challenger was made of


@dataclass(frozen=True)
class History:
    """The challenges since the scenario was started over, oldest first."""

    challenges: tuple[Challenged, ...] = ()


@dataclass(frozen=True)
class TriggerDecision:
    """`retrain`, and the sentences that led to it; the reasons for waiting are recorded too."""

    retrain: bool
    reasons: tuple[str, ...]
    causes: tuple[str, ...] = ()  # of them, those that ask for a challenge


def decide(evidence: Evidence, history: History, params: Trigger) -> TriggerDecision:
    """Weigh drift and realised quality; too few new rows or broken data hold everything back."""
    if evidence.drift.state == drift.BROKEN:
        return TriggerDecision(
            False, ("the data look broken, and a model must not learn that", *evidence.drift.reasons)
        )
    if evidence.new_rows < params.min_new_rows:
        needed = f"{params.min_new_rows} are needed (params.yaml: trigger.min_new_rows)"
        reason = f"{evidence.new_rows} new labelled rows; {needed}"
        return TriggerDecision(False, (reason, *_findings(evidence)))
    causes = _causes(evidence, params)
    return TriggerDecision(bool(causes), (*(causes or (_why_not(evidence),)), *_findings(evidence)), causes)


def _causes(evidence: Evidence, params: Trigger) -> tuple[str, ...]:
    causes = []
    if evidence.quality.state == quality.WORSE:
        causes.append("the champion is worse than promised")
    if evidence.drift.state == drift.DRIFT and evidence.quality.state != quality.HOLDS:
        causes.append("the table drifted and labelled answers do not show that the champion copes")
    if evidence.new_rows >= params.max_new_rows:
        causes.append(
            f"{evidence.new_rows} new labelled rows make a challenge due whatever the evidence "
            "(params.yaml: trigger.max_new_rows)"
        )
    return tuple(causes)


def _why_not(evidence: Evidence) -> str:
    if evidence.drift.state == drift.DRIFT:
        return "the table drifted, and labelled answers show that the champion copes"
    return "nothing shows that the champion has become worse"


def _findings(evidence: Evidence) -> tuple[str, ...]:
    found = [f"drift: {evidence.drift.state} ({'; '.join(evidence.drift.reasons)})", f"quality: {evidence.quality}"]
    found += [f"estimate: {evidence.estimate}"] if evidence.estimate else []
    return (*found, *([f"age: {evidence.age}"] if evidence.age else []))
