"""One word on the champion: is it still good, why, and what to do next.

What is known of the model version that serves counts. While nothing is, as after each refresh, the release before it
stands in: it was made in the same way, and never degrades its successor. Labels count more than estimates, and
estimates more than drift: rows may change without harm.
"""

from dataclasses import dataclass
from enum import StrEnum

from releve.domain.quality.realised import QualityState


class Health(StrEnum):
    """The word."""

    HEALTHY = "healthy"
    WATCH = "watch"
    DEGRADED = "degraded"
    NO_MODEL = "no model"
    UNKNOWN = "unknown"


class HealthCause(StrEnum):
    """What the word rests on."""

    NOTHING_INGESTED = "nothing ingested"
    NOTHING_RELEASED = "nothing released"
    REFUSED = "the newest challenger was refused"
    WITHDRAWN = "withdrawn"
    NOT_MONITORED = "not monitored since its release"
    NO_LABELS = "too few labels, and no estimate"
    BELOW_EXPECTED = "realised quality is degraded"
    BELOW_BASELINE = "a naive baseline is better"
    NAIVE = "the naive answer serves"
    CONCEPT_DRIFT = "labels contradict the estimate"
    BEFORE_BELOW_EXPECTED = "realised quality of the release before is degraded"
    BEFORE_INCONCLUSIVE = "realised quality of the release before is inconclusive"
    ESTIMATED_BELOW_EXPECTED = "estimated quality is degraded"
    DEAR = "decisions cost more than was promised"
    INCONCLUSIVE = "realised quality is inconclusive"
    BROKEN_DATA = "broken data"
    DRIFT = "drift"
    OUTDATED = "the newest known quality is too old to rely on"
    DUE = "a limit of age is passed"
    REJECTED_ROWS = "rows of the newest batch were rejected"
    WITHIN_TOLERANCE = "realised quality is within tolerance"
    ESTIMATED_WITHIN_TOLERANCE = "estimated quality is within tolerance"
    BEFORE_WITHIN_TOLERANCE = "realised quality of the release before is within tolerance"
    BEFORE_ESTIMATED_WITHIN_TOLERANCE = "estimated quality of the release before is within tolerance"


class HealthAction(StrEnum):
    """What to do next."""

    NOTHING = "nothing"
    INGEST = "ingest"
    RETRAIN = "retrain"
    INGEST_AND_RETRAIN = "ingest newer rows, then retrain"
    CORRECT = "mend the rows that the model taken back has learned"
    ROLL_BACK = "roll back"
    MONITOR = "monitor"
    RESUBMIT = "resubmit"
    IMPROVE = "bring more to learn from"


WAYS_ON = {  # else: monitor
    HealthCause.DEAR: HealthAction.RETRAIN,
    HealthCause.REJECTED_ROWS: HealthAction.RESUBMIT,
    HealthCause.NAIVE: HealthAction.IMPROVE,
}


@dataclass(frozen=True)
class HealthEvidence:
    """What is known of the model that serves. Scores are signed: higher is better."""

    serves: bool = True
    ingested: bool = True  # any batch at all
    withdrawn: bool = False  # the last move took the model out of service
    refused: bool = False  # the newest challenger since the last move was refused
    can_roll_back: bool = False
    came_back: bool = False  # in the place of a newer release that was taken back, and no challenger was judged since
    naive: bool = False  # the naive answer itself serves
    monitored: bool = True  # at least one monitoring run
    realised: QualityState = QualityState.UNKNOWN  # the newest that is known
    realised_outdated: bool = False  # it is too old to rely on
    has_met_expectation: bool = False  # the realised quality was within tolerance once
    score: float | None = None  # of the newest labelled answers, where they are enough to be judged
    score_high: float | None = None  # the upper end of its interval
    baseline: float | None = None  # the best naive answer to the same rows
    estimated: QualityState = QualityState.UNKNOWN
    before: QualityState = QualityState.UNKNOWN  # realised, of the release before; of one that was taken back nothing
    before_estimated: QualityState = QualityState.UNKNOWN
    late_degraded: bool = False  # labels that came late show a degradation, and its own do not tell
    run_outdated: bool = False  # the newest monitoring run is too old to rely on
    dear: bool = False  # labels show that decisions cost more than was promised
    broken_data: bool = False
    drift: bool = False
    due: bool = False  # a limit of age is passed
    retraining_due: bool = False  # the newest monitoring run asks for a challenger
    rejected_rows: bool = False  # notably many of the newest batch

    @property
    def is_beaten(self) -> bool:
        """A naive answer to the same rows is better."""
        return self.baseline is not None and self.score is not None and self.score < self.baseline

    @property
    def is_itself_known(self) -> bool:
        """Labels or an estimate tell something of the model that serves."""
        return self.realised != QualityState.UNKNOWN or self.estimated != QualityState.UNKNOWN

    @property
    def is_estimated_good(self) -> bool:
        """The estimate of now is within tolerance."""
        return self.estimated == QualityState.WITHIN_TOLERANCE and not self.run_outdated

    @property
    def is_outdated(self) -> bool:
        """A quality was known once, and no figure of now stands in for it."""
        if self.realised == QualityState.UNKNOWN:
            return self.estimated == QualityState.WITHIN_TOLERANCE and self.run_outdated
        return self.realised_outdated and not self.is_estimated_good


@dataclass(frozen=True)
class HealthVerdict:
    """The word, what it rests on (the gravest cause first), and what to do next."""

    health: Health
    causes: tuple[HealthCause, ...]
    action: HealthAction


def assess_health(evidence: HealthEvidence) -> HealthVerdict:
    """Judge the model that serves.

    no model: nothing serves. degraded: labels show that it is worse than expected, or than a naive baseline. watch:
    something else asks for attention, or what is known is too old to rely on. unknown: nothing does, but there is no
    figure of its quality either. healthy: realised or estimated quality is within tolerance, its own or while nothing
    is known of it that of the release before, and nothing asks for attention.
    """
    # newer rows where the newest challenger was refused, mended ones where its model was taken back
    again = HealthAction.CORRECT if evidence.came_back else HealthAction.RETRAIN
    retrain = HealthAction.INGEST_AND_RETRAIN if evidence.refused else again
    if not evidence.serves:
        if evidence.refused or evidence.withdrawn:
            cause = HealthCause.REFUSED if evidence.refused else HealthCause.WITHDRAWN
            return HealthVerdict(Health.NO_MODEL, (cause,), retrain)
        if not evidence.ingested:
            return HealthVerdict(Health.NO_MODEL, (HealthCause.NOTHING_INGESTED,), HealthAction.INGEST)
        return HealthVerdict(Health.NO_MODEL, (HealthCause.NOTHING_RELEASED,), HealthAction.RETRAIN)
    warnings, known = _warnings(evidence), _known(evidence)
    if degraded := _degraded(evidence):
        # a model that never met what was expected of it goes; one that did once is made anew
        goes = evidence.can_roll_back and not evidence.has_met_expectation
        return HealthVerdict(Health.DEGRADED, (*degraded, *warnings), HealthAction.ROLL_BACK if goes else retrain)
    if warnings:
        about_quality = {
            HealthCause.INCONCLUSIVE,
            HealthCause.ESTIMATED_BELOW_EXPECTED,
            HealthCause.OUTDATED,
            HealthCause.BEFORE_BELOW_EXPECTED,
            HealthCause.BEFORE_INCONCLUSIVE,
        }
        wait = WAYS_ON.get(warnings[0], HealthAction.MONITOR)
        causes = warnings if about_quality & set(warnings) else (*warnings, known)
        # what an old run asked for says nothing of now
        asked = evidence.retraining_due and not evidence.run_outdated and not evidence.is_outdated
        return HealthVerdict(Health.WATCH, causes, retrain if asked else wait)
    if known not in (HealthCause.NO_LABELS, HealthCause.NOT_MONITORED):
        return HealthVerdict(Health.HEALTHY, (known,), HealthAction.NOTHING)
    return HealthVerdict(Health.UNKNOWN, (known,), HealthAction.MONITOR)


def _known(evidence: HealthEvidence) -> HealthCause:
    """What is known of the quality, where nothing is bad about it."""
    if evidence.realised == QualityState.WITHIN_TOLERANCE and not evidence.realised_outdated:
        return HealthCause.WITHIN_TOLERANCE
    if evidence.is_estimated_good:
        return HealthCause.ESTIMATED_WITHIN_TOLERANCE
    if not evidence.is_itself_known and evidence.before == QualityState.WITHIN_TOLERANCE:
        return HealthCause.BEFORE_WITHIN_TOLERANCE
    if not evidence.is_itself_known and evidence.before_estimated == QualityState.WITHIN_TOLERANCE:
        return HealthCause.BEFORE_ESTIMATED_WITHIN_TOLERANCE
    return HealthCause.NO_LABELS if evidence.monitored else HealthCause.NOT_MONITORED


def _degraded(evidence: HealthEvidence) -> tuple[HealthCause, ...]:
    """What labels show. A score below the baseline degrades a model where its whole interval is, or where labels do not
    confirm the expected performance either."""
    surely = evidence.is_beaten and evidence.score_high is not None and evidence.score_high < (evidence.baseline or 0.0)
    causes = {
        HealthCause.BELOW_EXPECTED: evidence.realised == QualityState.DEGRADED,
        HealthCause.BELOW_BASELINE: surely
        or (evidence.is_beaten and evidence.realised in (QualityState.DEGRADED, QualityState.INCONCLUSIVE)),
    }
    return tuple(cause for cause, holds in causes.items() if holds)


def _warnings(evidence: HealthEvidence) -> tuple[HealthCause, ...]:
    """What asks for attention beside labels that show a degraded model, the gravest first."""
    before = QualityState.UNKNOWN if evidence.is_itself_known else evidence.before
    causes = {
        HealthCause.BROKEN_DATA: evidence.broken_data,
        HealthCause.CONCEPT_DRIFT: evidence.estimated == QualityState.AUDIT_FAILED,
        HealthCause.ESTIMATED_BELOW_EXPECTED: evidence.estimated == QualityState.DEGRADED,
        HealthCause.BEFORE_BELOW_EXPECTED: evidence.late_degraded or before == QualityState.DEGRADED,
        HealthCause.BEFORE_INCONCLUSIVE: before == QualityState.INCONCLUSIVE,
        HealthCause.BELOW_BASELINE: evidence.is_beaten and not _degraded(evidence),
        HealthCause.NAIVE: evidence.naive,
        HealthCause.DEAR: evidence.dear,
        HealthCause.INCONCLUSIVE: evidence.realised == QualityState.INCONCLUSIVE,
        HealthCause.OUTDATED: evidence.is_outdated,
        HealthCause.DRIFT: evidence.drift,
        HealthCause.DUE: evidence.due,
        HealthCause.REJECTED_ROWS: evidence.rejected_rows,
    }
    return tuple(cause for cause, holds in causes.items() if holds)
