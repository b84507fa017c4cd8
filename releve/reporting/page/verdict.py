"""The head of a scenario's page: one word on the model that serves, why, and the next command."""

from collections.abc import Callable

from releve.core.formatting import counted, format_score
from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.metrics import METRICS
from releve.domain.health.health import (
    Health,
    HealthAction,
    HealthCause,
    HealthEvidence,
    assess_health,
)
from releve.domain.quality.realised import Quality, QualityState, judged
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import INGESTED, RELEASED, WITHDRAWN
from releve.domain.registry.events import BatchIngested, Challenger, release_of
from releve.reporting.blocks import Tone, VerdictBlock
from releve.reporting.messages import describe_drift, describe_staleness, format_score_interval
from releve.reporting.page.evidence import PageEvidence, to_the_minute, version_of

REJECTED_SHARE = 0.1  # of a batch's rows, from which on somebody should see to them
TONES = {
    Health.HEALTHY: Tone.GOOD,
    Health.WATCH: Tone.WATCH,
    Health.DEGRADED: Tone.BAD,
    Health.NO_MODEL: Tone.ABSENT,
    Health.UNKNOWN: Tone.NEUTRAL,
}
ACTIONS = {  # what to do, and the command
    HealthAction.NOTHING: ("", ""),
    HealthAction.INGEST: ("Bring a first batch of labelled rows.", "make ingest SCENARIO={scenario}"),
    HealthAction.RETRAIN: (
        "Train a challenger; the gate decides whether it may serve.",
        "make retrain SCENARIO={scenario}",
    ),
    HealthAction.INGEST_AND_RETRAIN: (
        "Bring newer labelled rows, then retrain: with the rows of now, the gate refused a challenger.",
        "make ingest SCENARIO={scenario}\nmake retrain SCENARIO={scenario}",
    ),
    HealthAction.ROLL_BACK: (
        "Go back to the release before: this model never met its expected performance.",
        "make rollback SCENARIO={scenario}",
    ),
    HealthAction.MONITOR: (
        "Monitor it once more answers and labels have come.",
        "make monitor SCENARIO={scenario}",
    ),
    HealthAction.RESUBMIT: (
        "Fix the rejected rows and send them again.",
        "make resubmit SCENARIO={scenario} BATCH={batch}",
    ),
}


def verdict_block(evidence: PageEvidence) -> VerdictBlock:
    """Write the verdict on the model that serves."""
    verdict = assess_health(health_evidence(evidence))
    reason = " ".join(SENTENCES[cause](evidence) for cause in verdict.causes)
    (action, command), batch = ACTIONS[verdict.action], _newest_batch(evidence)
    command = command.format(scenario=evidence.scenario, batch=batch.batch if batch else "")
    return VerdictBlock(verdict.health.value, TONES[verdict.health], reason, action, command)


def health_evidence(evidence: PageEvidence) -> HealthEvidence:
    """Gather what is known of the model that serves; a predecessor's figures are left out."""
    batch, window, realised = _newest_batch(evidence), _scored_window(evidence), realised_quality(evidence)
    newest = evidence.own_runs[-1] if evidence.own_runs else None
    sign, score = (METRICS[window.metric].sign, window.score) if window else (1, None)
    moves, move = evidence.moves, evidence.moves[-1] if evidence.moves else None
    challenges = [event for event in evidence.challenges if move is None or event.at > move.at]
    withdrawals = [place for place, event in enumerate(moves) if event.kind == WITHDRAWN]
    since = moves[withdrawals[-1] + 1 :] if withdrawals else moves
    served = {release.model for event in since if (release := release_of(event))}
    return HealthEvidence(
        serves=evidence.release is not None,
        ingested=batch is not None or bool(evidence.challenges),
        withdrawn=move is not None and move.kind == WITHDRAWN,
        refused=bool(challenges) and not challenges[-1].read(Challenger).promote,
        can_roll_back=len(served) > 1 and since[-1].kind == RELEASED,  # not itself what a rollback brought
        monitored=newest is not None,
        realised=realised.state if realised else QualityState.UNKNOWN,
        has_met_expectation=any(run.quality.state == QualityState.WITHIN_TOLERANCE for run in evidence.own_runs),
        score=sign * score.value if score else None,
        score_high=max(sign * score.low, sign * score.high) if score else None,
        baseline=sign * window.naive if window and window.naive is not None else None,
        estimated=newest.estimate.state if newest else QualityState.UNKNOWN,
        broken_data=newest is not None and newest.drift.state == DriftState.BROKEN_DATA,
        drift=newest is not None and newest.drift.state == DriftState.DRIFT,
        due=newest is not None and bool(newest.staleness.exceeded),
        retraining_due=newest is not None
        and newest.decision.retrain
        and not any(event.at > newest.at for event in evidence.challenges),
        rejected_rows=batch is not None and batch.rejected / max(1, _rows(batch)) >= REJECTED_SHARE,
    )


def realised_quality(evidence: PageEvidence) -> Quality | None:
    """Return the newest quality that is known of the model that serves: of a monitoring run; or of a window whose
    labels have come since, judged as a run would judge it."""
    known = [run.quality for run in evidence.own_runs if run.quality.state != QualityState.UNKNOWN]
    if known:
        return known[-1]
    window, expected = _scored_window(evidence), evidence.release.expected if evidence.release else None
    if not window or not window.score or not expected or window.metric != expected.metric:
        return None
    if window.labelled < evidence.min_rows:
        return None
    state, change = judged(window.score, expected, evidence.tolerance)
    return Quality(state, window.metric, window.labelled, expected.score.value, window.score, change, window.answered)


def _scored_window(evidence: PageEvidence) -> QualityWindow | None:
    scored = [window for window in evidence.own_windows if window.score]
    return scored[-1] if scored else None


def _newest_batch(evidence: PageEvidence) -> BatchIngested | None:
    newest = next((event for event in reversed(evidence.events) if event.kind == INGESTED), None)
    return newest.read(BatchIngested) if newest else None


def _rows(batch: BatchIngested) -> int:
    return batch.rows + batch.rejected


def _realised(evidence: PageEvidence, then: str = "") -> str:
    quality = realised_quality(evidence)
    if not quality or not quality.score:
        return ""
    realised = f"{format_score_interval(quality.score)} on {counted(quality.labelled, 'labelled answer')}"
    return f"The realised {quality.metric} is {realised}; {format_score(quality.expected)} was expected{then}."


def _baseline(evidence: PageEvidence) -> str:
    window = _scored_window(evidence)
    if not window or not window.score or window.naive is None:
        return ""
    return (
        f"The naive baseline ({window.naive_name}) reaches {format_score(window.naive)} on the newest labelled window, "
        f"the model {format_score(window.score.value)}."
    )


def _estimated(evidence: PageEvidence) -> str:
    estimate = evidence.own_runs[-1].estimate
    if not estimate.score or not evidence.release:
        return ""
    estimated, expected = format_score_interval(estimate.score), evidence.release.expected.score.value
    return f"Without labels, {estimate.metric} is estimated at {estimated}; {format_score(expected)} was expected."


def _drifted(evidence: PageEvidence) -> str:
    verdict = evidence.own_runs[-1].drift
    drifted = sum(column.drifted for column in verdict.features)
    also = ", and the champion's predictions" if len(verdict.drifted) > drifted else ""
    return f"The newest rows drifted: {drifted} of {counted(len(verdict.features), 'column')}{also}."


def _refused(evidence: PageEvidence) -> str:
    refused = evidence.challenges[-1].read(Challenger)
    return f"Nothing serves: the gate refused {refused.model}: {'; '.join(refused.sentences)}."


def _rejected(evidence: PageEvidence) -> str:
    batch = _newest_batch(evidence)
    if not batch:
        return ""
    return f"{batch.rejected:,} of {counted(_rows(batch), 'row')} of the newest batch ({batch.batch}) were rejected."


def _fresh(evidence: PageEvidence) -> str:
    if not evidence.release:
        return ""
    expected = evidence.release.expected
    return (
        f"{version_of(evidence.release.model)} serves since {to_the_minute(evidence.since)} and was not monitored yet; "
        f"{expected.metric} {format_score_interval(expected.score)} is expected of it."
    )


SENTENCES: dict[HealthCause, Callable[[PageEvidence], str]] = {
    HealthCause.NOTHING_INGESTED: lambda _: "Nothing serves: no row was ingested yet.",
    HealthCause.NOTHING_RELEASED: lambda _: "Nothing serves: no challenger was released yet.",
    HealthCause.REFUSED: _refused,
    HealthCause.WITHDRAWN: lambda evidence: (
        f"Nothing serves: the champion was withdrawn ({evidence.moves[-1].reason})."
    ),
    HealthCause.NOT_MONITORED: _fresh,
    HealthCause.NO_LABELS: lambda evidence: (
        f"Too few labels have come since the release at {to_the_minute(evidence.since)}, and quality could not be "
        "estimated without them."
    ),
    HealthCause.BELOW_EXPECTED: _realised,
    HealthCause.BELOW_BASELINE: _baseline,
    HealthCause.CONCEPT_DRIFT: lambda _: (
        "Labels contradict the estimate of quality: answers no longer mean what they meant on the holdout."
    ),
    HealthCause.ESTIMATED_BELOW_EXPECTED: _estimated,
    HealthCause.INCONCLUSIVE: lambda evidence: _realised(evidence, ", and more labels are needed to tell"),
    HealthCause.BROKEN_DATA: lambda evidence: (
        f"The newest rows are broken data: {'; '.join(describe_drift(evidence.own_runs[-1].drift))}."
    ),
    HealthCause.DRIFT: _drifted,
    HealthCause.DUE: lambda evidence: f"{'; '.join(describe_staleness(evidence.own_runs[-1].staleness)).capitalize()}.",
    HealthCause.REJECTED_ROWS: _rejected,
    HealthCause.WITHIN_TOLERANCE: lambda evidence: _realised(evidence, ", and the difference is within tolerance"),
    HealthCause.ESTIMATED_WITHIN_TOLERANCE: _estimated,
}
