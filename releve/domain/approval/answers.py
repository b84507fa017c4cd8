"""What an answer of a person does to a request."""

from enum import StrEnum

from releve.domain.approval.approval import Approval, ApprovalState
from releve.domain.approval.events import (
    AnswerWay,
    ApprovalAnswer,
    ApprovalRefused,
    ApprovalUncounted,
    Approved,
    UncountedCause,
)
from releve.domain.approval.people import Person


class ApprovalChoice(StrEnum):
    """What a person may say."""

    APPROVE = "approve"
    REFUSE = "refuse"


class AnswerEffect(StrEnum):
    """What becomes of it."""

    COUNTS = "counts"
    UNCOUNTED = "uncounted"  # of who has approved already, while others are waited for
    KNOWN = "known"  # the same person said just that, and it was decided: nothing is written once more
    LATE = "late"  # the request takes no answer any more


def effect_of(approval: Approval, said: ApprovalChoice, person: Person) -> AnswerEffect:
    """Return what an answer does to a request as it stands."""
    if approval.state is not ApprovalState.WAITING:
        is_known = (
            approval.refused_by == person.name
            if said is ApprovalChoice.REFUSE
            else approval.state in (ApprovalState.APPROVED, ApprovalState.RELEASED)
            and person.name in approval.approved_by
        )
        return AnswerEffect.KNOWN if is_known else AnswerEffect.LATE
    if said is ApprovalChoice.APPROVE and person.name in approval.approved_by:
        return AnswerEffect.UNCOUNTED
    return AnswerEffect.COUNTS


def answer_event(approval: Approval, said: ApprovalChoice, person: Person, *, listed_in: str = "") -> ApprovalAnswer:
    """Return the event of an answer that counts, or of one that is uncounted.

    `listed_in`: the commit of the list that names the person.
    """
    way = AnswerWay.CODE if person.code_hash else AnswerWay.TOKEN
    who = {"by": person.name, "way": way, "code_hash": person.code_hash, "listed_in": listed_in}
    if effect_of(approval, said, person) is AnswerEffect.UNCOUNTED:
        return approval.event(ApprovalUncounted, **who, cause=UncountedCause.SAME_PERSON)
    return approval.event(Approved if said is ApprovalChoice.APPROVE else ApprovalRefused, **who)
