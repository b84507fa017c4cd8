"""The head of a scenario's page: one word on the model that serves, why, and the next command."""

from collections.abc import Callable

from releve.core.formatting import counted, format_score, plural, to_the_minute
from releve.domain.evaluation.intervals import format_score_interval
from releve.domain.health.health import (
    Health,
    HealthAction,
    HealthCause,
    assess_health,
)
from releve.domain.health.history import RealisedQuality, health_evidence
from releve.domain.registry.events import Challenger
from releve.reporting.blocks import Tone, VerdictBlock
from releve.reporting.messages.money import describe_realised
from releve.reporting.messages.monitoring import describe_drift, describe_late, describe_quality, describe_staleness
from releve.reporting.page.evidence import PageEvidence, version_of

TONES = {
    Health.HEALTHY: Tone.GOOD,
    Health.WATCH: Tone.WATCH,
    Health.DEGRADED: Tone.BAD,
    Health.NO_MODEL: Tone.ABSENT,
    Health.UNKNOWN: Tone.NEUTRAL,
}
ACTIONS = {  # what to do, and the command
    HealthAction.NOTHING: ("", ""),
    HealthAction.INGEST: ("Bring a first batch of labelled rows{where}.", "make ingest SCENARIO={scenario}"),
    HealthAction.RETRAIN: (
        "Train a challenger; the gate decides whether it may serve.",
        "make retrain SCENARIO={scenario}",
    ),
    HealthAction.INGEST_AND_RETRAIN: (
        "Bring newer labelled rows, then retrain: with the rows of now, the gate refused a challenger.",
        "make ingest SCENARIO={scenario}\nmake retrain SCENARIO={scenario}",
    ),
    HealthAction.CORRECT: (
        "Correct the labels that the model taken back has learned, by sending them again, or bring newer rows: the "
        "same rows would make the same model again{where}.",
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
    HealthAction.IMPROVE: (
        "Bring more labelled rows, or columns that say more about the target (params.yaml): every retraining "
        "tries the models anew, and takes the first that is better.",
        "make retrain SCENARIO={scenario}",
    ),
}


def verdict_block(evidence: PageEvidence) -> VerdictBlock:
    """Write the verdict on the model that serves."""
    verdict = assess_health(health_evidence(evidence))
    reason = " ".join(SENTENCES[cause](evidence) for cause in verdict.causes)
    (action, command), batch = ACTIONS[verdict.action], evidence.newest_batch
    command = command.format(scenario=evidence.scenario, batch=batch.batch if batch else "")
    where = f": put a file into {evidence.incoming}" if evidence.incoming else ""
    if evidence.waiting:
        waiting = f"{counted(evidence.waiting, 'file')} {plural(evidence.waiting, 'waits', 'wait')}"
        where = f"; {waiting} in {evidence.incoming} already"
    action = action.format(where=where)
    return VerdictBlock(verdict.health.value, TONES[verdict.health], reason, action, command)


def _realised(evidence: PageEvidence, then: str = "") -> str:
    realised = evidence.realised
    if not realised or not realised.quality.score:
        return ""
    return f"{_realised_figure(realised)}; {format_score(realised.quality.expected)} was expected{then}."


def _realised_figure(realised: RealisedQuality) -> str:
    quality = realised.quality
    score = format_score_interval(quality.score) if quality.score else "not known"
    answers = counted(quality.labelled, "labelled answer")
    return f"The realised {quality.metric} is {score} on {answers}, as of {to_the_minute(realised.at)}"


def _baseline(evidence: PageEvidence) -> str:
    labelled = evidence.newest_labelled
    if not labelled or labelled.naive is None:
        return ""
    return (
        f"The naive baseline ({labelled.naive_name}) reaches {format_score(labelled.naive)} on the newest "
        f"{counted(labelled.labelled, 'labelled answer')} (until {to_the_minute(labelled.last_at)}), the model "
        f"{format_score(labelled.score.value)}."
    )


def _estimated(evidence: PageEvidence) -> str:
    run = evidence.own_runs[-1]
    if not run.estimate.score or not evidence.release:
        return ""
    estimated, expected = format_score_interval(run.estimate.score), evidence.release.expected.score.value
    return (
        f"Without labels, {run.estimate.metric} is estimated at {estimated}, as of {to_the_minute(run.at)}; "
        f"{format_score(expected)} was expected."
    )


def _before(evidence: PageEvidence) -> str:
    """What labels say of the release before."""
    if evidence.own_runs and (late := evidence.own_runs[-1].telling_late):
        return f"By labels that came late, {describe_late(late)}."
    known = evidence.realised_before
    if not known:
        return ""
    return f"{_unseen(evidence)} Of {version_of(known.model)}, which served before: {describe_quality(known.quality)}."


def _estimated_before(evidence: PageEvidence) -> str:
    run = evidence.run_before
    if not run or not run.estimate.score:
        return ""
    return (
        f"{_unseen(evidence)} Of {version_of(run.model)}, which served before, {run.estimate.metric} was estimated at "
        f"{format_score_interval(run.estimate.score)}, as of {to_the_minute(run.at)}; "
        f"{format_score(run.estimate.expected)} was expected."
    )


def _unseen(evidence: PageEvidence) -> str:
    model = version_of(evidence.release.model) if evidence.release else "what serves"
    return f"Of {model}, which serves since {to_the_minute(evidence.since)}, nothing is known yet."


def _outdated(evidence: PageEvidence) -> str:
    realised = evidence.realised
    if realised and evidence.is_outdated(realised.at):
        days = f"{evidence.limits.max_idle_days:g} days (params.yaml: age.max_idle_days)"
        return f"{_realised_figure(realised)}; that is older than {days}, and no longer tells how good the model is."
    if realised:
        return f"{_realised_figure(realised)}; monitoring runs since had too few labels to tell."
    return f"{_estimated(evidence)} That is too old to tell how good the model is now."


def _dear(evidence: PageEvidence) -> str:
    money = evidence.own_runs[-1].money
    return f"Decisions cost more than was promised: {describe_realised(money)}." if money else ""


def _drifted(evidence: PageEvidence) -> str:
    verdict = evidence.own_runs[-1].drift
    drifted = sum(column.drifted for column in verdict.features)
    also = ", and the champion's predictions" if len(verdict.drifted) > drifted else ""
    return f"The newest rows drifted: {drifted} of {counted(len(verdict.features), 'column')}{also}."


def _refused(evidence: PageEvidence) -> str:
    refused = evidence.challenges[-1].read(Challenger)
    return f"Nothing serves: the gate refused {refused.model}: {'; '.join(refused.sentences)}."


def _rejected(evidence: PageEvidence) -> str:
    batch = evidence.newest_batch
    if not batch:
        return ""
    rows = counted(batch.rows + batch.rejected, "row")
    return f"{batch.rejected:,} of {rows} of the newest batch ({batch.batch}) were rejected."


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
    HealthCause.NAIVE: lambda _: "The naive answer serves, the same to every row: no model is better yet.",
    HealthCause.CONCEPT_DRIFT: lambda _: (
        "Labels contradict the estimate of quality: answers no longer mean what they meant when it was judged."
    ),
    HealthCause.BEFORE_BELOW_EXPECTED: _before,
    HealthCause.BEFORE_INCONCLUSIVE: _before,
    HealthCause.BEFORE_WITHIN_TOLERANCE: _before,
    HealthCause.BEFORE_ESTIMATED_WITHIN_TOLERANCE: _estimated_before,
    HealthCause.ESTIMATED_BELOW_EXPECTED: _estimated,
    HealthCause.DEAR: _dear,
    HealthCause.INCONCLUSIVE: lambda evidence: _realised(evidence, ", and more labels are needed to tell"),
    HealthCause.BROKEN_DATA: lambda evidence: (
        f"The newest rows are broken data: {'; '.join(describe_drift(evidence.own_runs[-1].drift))}."
    ),
    HealthCause.OUTDATED: _outdated,
    HealthCause.DRIFT: _drifted,
    HealthCause.DUE: lambda evidence: (
        f"A limit of age is passed: {'; '.join(describe_staleness(evidence.own_runs[-1].staleness))}."
    ),
    HealthCause.REJECTED_ROWS: _rejected,
    HealthCause.WITHIN_TOLERANCE: lambda evidence: _realised(evidence, ", and the difference is within tolerance"),
    HealthCause.ESTIMATED_WITHIN_TOLERANCE: _estimated,
}
