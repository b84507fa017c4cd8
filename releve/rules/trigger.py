"""Retrain or wait, with reasons for both. Drift opens the question; labelled answers settle it."""

from dataclasses import dataclass

from releve.rules import drift, quality
from releve.rules.drift import Verdict
from releve.rules.params import Trigger
from releve.rules.quality import Quality


@dataclass(frozen=True)
class Evidence:
    """What is known when the question is asked."""

    drift: Verdict
    quality: Quality
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be


@dataclass(frozen=True)
class TriggerDecision:
    """`retrain`, and the sentences that led to it; the reasons for waiting are recorded too."""

    retrain: bool
    reasons: tuple[str, ...]


def decide(evidence: Evidence, params: Trigger) -> TriggerDecision:
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
    return TriggerDecision(bool(causes), (*(causes or (_why_not(evidence),)), *_findings(evidence)))


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
    return (f"drift: {evidence.drift.state} ({'; '.join(evidence.drift.reasons)})", f"quality: {evidence.quality}")
