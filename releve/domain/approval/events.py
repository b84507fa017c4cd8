"""What the registry's events hold of requests for approval and of their answers."""

from enum import StrEnum

from releve.core.documents import DocumentPart
from releve.domain.evaluation.evaluation import Evaluation, Opponent
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.chain import (
    APPROVAL_CODE_ISSUED,
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_UNCOUNTED,
    APPROVAL_VOIDED,
    APPROVED,
    EventPayload,
)
from releve.domain.registry.release import Release


class ApprovalSubject(DocumentPart):
    """What a request asks for, and what its answers are bound to: this release, and no other one."""

    model: str  # model store tag
    model_digest: str  # sha256 over the model's files
    data_version: str
    index: str  # Milvus collection, named after what it holds
    revision: str  # git commit on releve/<scenario>

    @classmethod
    def of(cls, release: Release) -> "ApprovalSubject":
        return cls(**{name: getattr(release, name) for name in cls.model_fields})


class JudgedFigures(DocumentPart):
    """How good the model is, as the gate weighed it."""

    metric: str
    score: Interval
    gain: Interval | None  # over the champion; None without one
    rows: int  # of holdout

    @classmethod
    def of(cls, evaluation: Evaluation) -> "JudgedFigures":
        champion = evaluation.against.get(Opponent.CHAMPION)
        return cls(
            metric=evaluation.metric,
            score=evaluation.score,
            gain=champion.gain if champion else None,
            rows=evaluation.holdout_rows,
        )


class ApprovalRequested(EventPayload):
    """An accepted challenger waits for people."""

    kind = APPROVAL_REQUESTED

    subject: ApprovalSubject
    figures: JudgedFigures
    champion: str  # the tag that it would replace, "" for a first release
    people: int  # that have to approve
    expires_at: str  # ISO 8601, UTC; "" for never
    shown_live: bool = False  # live labels have shown a gain that the gate did not find
    asked_since: str = ""  # ISO 8601, UTC: when people heard of the first of several in vain; "" for this one


class ApprovalEvent(EventPayload):
    """Base of what follows a request."""

    request: int  # number of its event
    subject: ApprovalSubject
    figures: JudgedFigures


class ApprovalCodeIssued(ApprovalEvent):
    """A person was given a one-time code, which says in a form who typed it."""

    kind = APPROVAL_CODE_ISSUED

    by: str
    code_hash: str  # sha256
    expires_at: str  # ISO 8601, UTC


class AnswerWay(StrEnum):
    """How it was shown who answered."""

    TOKEN = "token"
    CODE = "code"  # in a form of Prefect's


class ApprovalAnswer(ApprovalEvent):
    """Base of what people say. Their comment is the event's reason."""

    by: str
    way: AnswerWay
    code_hash: str = ""  # of the code that is spent with it, where there was one
    listed_in: str = ""  # commit of the list (params.yaml: release.approvers) that names the person; "" outside of runs


class Approved(ApprovalAnswer):
    """A person said yes."""

    kind = APPROVED


class ApprovalRefused(ApprovalAnswer):
    """A person said no, which is final for this model."""

    kind = APPROVAL_REFUSED


class UncountedCause(StrEnum):
    """Why an answer does not count."""

    SAME_PERSON = "same person"  # who has approved already


class ApprovalUncounted(ApprovalAnswer):
    """A person's answer that does not count; its code is spent."""

    kind = APPROVAL_UNCOUNTED

    cause: UncountedCause


class VoidCause(StrEnum):
    """What ended a request, or an approval that was not released yet."""

    NEWER_CHALLENGER = "a newer challenger was judged"
    CHAMPION_CHANGED = "another champion serves"
    OVERRIDE_EXPIRED = "an override of a floor expired"
    OTHER_RELEASE = "it would be another release"  # such as one with an index of other settings
    OTHER_RULES = "another number of people is asked for"


class ApprovalVoided(ApprovalEvent):
    """What was asked for is no more."""

    kind = APPROVAL_VOIDED

    cause: VoidCause
    about: str = ""  # the newer challenger, the other champion, the floor, or what differs; "" for none


class ApprovalExpired(ApprovalEvent):
    """Nobody, or too few people, answered in time."""

    kind = APPROVAL_EXPIRED
