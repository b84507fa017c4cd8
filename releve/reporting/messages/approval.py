"""Requests for approval, in words: for the history, forms, alerts, and who answers too late."""

from releve.core.formatting import counted, plural, utc_minute
from releve.domain.approval.approval import Approval, ApprovalState, GivenAnswer
from releve.domain.approval.events import (
    ApprovalAnswer,
    ApprovalCodeIssued,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRefused,
    ApprovalRequested,
    ApprovalUncounted,
    ApprovalVoided,
    Approved,
    JudgedFigures,
    VoidCause,
)
from releve.domain.evaluation.intervals import format_interval, format_score_interval
from releve.domain.registry.chain import RELEASED, Event
from releve.domain.registry.events import ModelReleased
from releve.reporting.messages.gate import event_reason

LIVE = "live labels show a gain that the gate had not found"
VOIDED = {
    VoidCause.NEWER_CHALLENGER: "{about} was judged meanwhile",
    VoidCause.CHAMPION_CHANGED: "{about} serves now, and it was judged against {champion}",
    VoidCause.OVERRIDE_EXPIRED: "the override of the {about} floor, without which the gate refuses it, expired",
    VoidCause.OTHER_RELEASE: "people were shown another release: its {about} differs",
    VoidCause.OTHER_RULES: "another number of people has to approve (release.approval in params.yaml, RELEVE_APPROVAL)",
}
WAYS_ON = {
    VoidCause.NEWER_CHALLENGER: "answer for the newer one",
    VoidCause.CHAMPION_CHANGED: "make retrain SCENARIO={scenario} makes a challenger of what serves now",
    VoidCause.OVERRIDE_EXPIRED: "renew it (params.yaml: gate.overrides), and run make retrain SCENARIO={scenario}",
    VoidCause.OTHER_RELEASE: "make release SCENARIO={scenario} asks anew",
    VoidCause.OTHER_RULES: "make release SCENARIO={scenario} goes by the new rules",
}


def named_rule(approval: str) -> str:
    """Say what asks for people, and for how many: the stricter of both counts."""
    return f"params.yaml: release.approval, or RELEVE_APPROVAL, is {approval}"


def people(count: int) -> str:
    """Count people: 1 person, 2 people."""
    return f"{count} {plural(count, 'person', 'people')}"


def describe_request(request: ApprovalRequested) -> str:
    """Say who is waited for, and until when."""
    until = f" until {utc_minute(request.expires_at)}" if request.expires_at else ""
    why = f"{LIVE}, and " if request.shown_live else ""
    return f"{why}{people(request.people)} must approve it{until}"


def describe_figures(figures: JudgedFigures) -> str:
    """Write the figures that the gate weighed."""
    gain = figures.gain
    beside = f", a gain of {format_interval(gain)} over the champion" if gain else ""
    if gain and gain.low == gain.high == 0.0:  # the champion's own refreshes answered these rows
        beside = ", which does not tell it apart from the champion"
    return f"{figures.metric} {format_score_interval(figures.score)} on {counted(figures.rows, 'row')}{beside}"


EVENTS: dict[str, type[ApprovalEvent] | type[ApprovalRequested]] = {
    each.kind: each
    for each in (
        *(ApprovalRequested, ApprovalCodeIssued, Approved, ApprovalRefused, ApprovalUncounted),
        *(ApprovalVoided, ApprovalExpired),
    )
}


def describe_event(event: Event) -> str:
    """Write what an event of a request says: of which model, with which figures, and why."""
    payload, why = event.read(EVENTS[event.kind]), event.reason
    if isinstance(payload, ApprovalCodeIssued):
        why = f"a one-time code, good until {utc_minute(payload.expires_at)}"
    if isinstance(payload, ApprovalAnswer):
        shown = f"shown by a {payload.way}"
        why = "; ".join(filter(None, [why, shown]))
    if isinstance(payload, ApprovalUncounted):
        why = f"not counted, as {payload.by} approved it already; {why}"
    return f"{payload.subject.model} ({describe_figures(payload.figures)}): {why}"


def history_reason(event: Event) -> str:
    """Return why an event happened, with who approved a release."""
    if event.kind in EVENTS:
        return describe_event(event)
    people = event.read(ModelReleased).approved_by if event.kind == RELEASED else ()
    return event_reason(event) + (f"; approved by {' and '.join(people)}" if people else "")


def describe_end(ended: ApprovalVoided | ApprovalExpired, request: ApprovalRequested) -> str:
    """Say why a request is over without an answer."""
    if isinstance(ended, ApprovalExpired):
        return f"it was not approved by {utc_minute(request.expires_at)} (params.yaml: release.expires_hours)"
    return VOIDED[ended.cause].format(about=ended.about or "nothing", champion=request.champion or "nothing")


def describe_late(approval: Approval) -> str:
    """Say why a request takes no answer any more, and what to do."""
    scenario, request = approval.scenario, approval.request
    if approval.state is ApprovalState.VOIDED and approval.ended:
        why, way_on = describe_end(approval.ended, request), WAYS_ON[approval.ended.cause]
    elif approval.state is ApprovalState.EXPIRED:
        why = f"the time to approve it ended at {utc_minute(request.expires_at)} (params.yaml: release.expires_hours)"
        way_on = "make release SCENARIO={scenario} asks anew"
    elif approval.state is ApprovalState.REFUSED:
        refusal = next(one for one in approval.given if isinstance(one.answer, ApprovalRefused))
        return describe_refusal(scenario, request.subject.model, refusal)
    elif approval.state is ApprovalState.APPROVED:
        why = f"{' and '.join(approval.approved_by)} approved it"
        way_on = "make release SCENARIO={scenario} releases it, and so does the next run of lifecycle"
    else:
        why, way_on = f"it serves since {utc_minute(approval.since)}", "make rollback SCENARIO={scenario} takes it back"
    return f"{request.subject.model} takes no answer: {why}; {way_on.format(scenario=scenario)}"


def describe_refusal(scenario: str, model: str, refusal: GivenAnswer) -> str:
    """Say that a person refused a model, and what to do."""
    who, why = refusal.answer.by, f" ({refusal.comment})" if refusal.comment else ""
    return (
        f"{who} refused {model} at {utc_minute(refusal.at)}{why}, which is final for this model; make retrain "
        f"SCENARIO={scenario} makes another one of newer rows or other settings"
    )


def describe_uncounted(approval: Approval, person: str) -> str:
    """Say that a person has approved already, and that another one is waited for."""
    return f"{person} approved {approval.request.subject.model} already; a different person has to approve it, too"


def describe_approval(approval: Approval) -> str:
    """Say how a request stands."""
    model, by = approval.request.subject.model, " and ".join(approval.approved_by)
    if approval.state is ApprovalState.WAITING:
        so_far = f"; {by} approved it" if by else ""
        until = f" until {utc_minute(approval.request.expires_at)}" if approval.request.expires_at else ""
        return f"{model} waits for {people(approval.missing)} to approve it{until}{so_far}"
    if approval.state is ApprovalState.APPROVED:
        return f"{model} was approved by {by}"
    if approval.state is ApprovalState.RELEASED:
        return f"{model} was approved by {by}, and released" if by else f"{model} was released"
    if approval.state is ApprovalState.REFUSED:
        comment = next((one.comment for one in approval.given if one.answer.by == approval.refused_by), "")
        return f"{model} was refused by {approval.refused_by}" + (f": {comment}" if comment else "")
    return describe_late(approval)


def describe_code(code: str, issued: ApprovalCodeIssued) -> str:
    """Give a person a code, with what it is good for."""
    return (
        f"{code}\ngood for one answer of {issued.by} to the request for {issued.subject.model}, until "
        f"{utc_minute(issued.expires_at)}: type it into the form in Prefect (Resume)"
    )


def describe_token(name: str, token: str, hashed: str) -> str:
    """Give a person a token, and say where it and its hash belong."""
    return (
        f"the token of {name}, which is shown once and kept nowhere; {name} sets it as RELEVE_APPROVER_TOKEN:\n"
        f"  {token}\n"
        "its hash, for release.approvers in params.yaml, or in the params.yaml of a scenario; commit it:\n"
        f'  {name}: "{hashed}"'
    )
