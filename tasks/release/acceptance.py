"""May a challenger be released: the gate accepted it, and the people who have to approve it did so.

A request for approval is bound to the release that it asks for. What makes it out of date, such as a newer challenger,
ends it by an event of its own, which the next look at it writes.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.registry.registry import Registry, StaleEvents
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import Conflict
from releve.core.params import ReleaseRules
from releve.core.settings import Settings
from releve.domain.approval.approval import (
    TELLING,
    Approval,
    ApprovalState,
    Present,
    asked_since,
    lapse,
    refusal_of,
)
from releve.domain.approval.events import (
    ApprovalRequested,
    ApprovalSubject,
    ApprovalVoided,
    JudgedFigures,
    VoidCause,
)
from releve.domain.registry.chain import APPROVAL_REFUSED, CHALLENGED
from releve.domain.registry.events import Challenger
from releve.domain.registry.release import Release
from releve.reporting.messages.approval import (
    describe_end,
    describe_late,
    describe_refusal,
    describe_request,
    named_rule,
)
from tasks.history import events_of, last_challenger, newest_of, read_approval
from tasks.release.prepare import planned_release

ACTOR = "approval"
Clock = Callable[[], datetime]


class NotAccepted(Conflict):
    """The gate did not accept this challenger for the champion that serves now."""

    code = "not_accepted"


class NotApproved(NotAccepted):
    """People have to approve this challenger, and have not done so."""

    code = "not_approved"


def now() -> datetime:
    return datetime.now(UTC)


def check_accepted(challenger: Challenger, champion: str, *, today: date, shown_live: bool = False) -> None:
    """Raises NotAccepted unless the gate accepted it against the champion that serves now, and the overrides that it
    took still stand. `shown_live`: live labels have shown a gain, so that a gate that found none, and nothing else to
    refuse it for, does not refuse it."""
    scenario = challenger.model.partition(":")[0]
    if not challenger.promote and not (shown_live and challenger.inconclusive):
        raise NotAccepted(f"the gate refused {challenger.model}: {'; '.join(challenger.sentences)}")
    if challenger.champion != champion:
        raise NotAccepted(
            f"{challenger.model} was judged against {challenger.champion or 'no champion'}, but "
            f"{champion or 'nothing'} serves now; run make retrain SCENARIO={scenario} again"
        )
    for one in challenger.overrides:
        if one.until < today:
            raise NotAccepted(
                f"{challenger.model} was accepted by an override of the {one.floor} floor by {one.by} that "
                f"expired on {one.until}; renew it (params.yaml: gate.overrides) and run make retrain "
                f"SCENARIO={scenario} again"
            )


def check_not_taken_back(challenger: Challenger, registry: Registry, scenario: str) -> None:
    """Raises NotAccepted for a model that the current release came back in the place of."""
    left = registry.taken_back(scenario)
    if left and left.model == challenger.model:  # as the same rows make it again
        raise NotAccepted(
            f"{left.model} was rolled back; a refresh of newer rows makes another model, and make rollback "
            f"SCENARIO={scenario} brings this one back"
        )


def ask_people(
    settings: Settings,
    scenario: str,
    *,
    model: str | None = None,
    shown_live: bool = False,
    actor: str = ACTOR,
    clock: Clock = now,
) -> Approval | None:
    """Ask people to approve the challenger judged last, or the one named by `model`. Running it again changes nothing.

    Returns the request while it waits for them; None where nobody has to be asked, or all have said yes: then `release`
    lets it in. Raises NotAccepted, NotApproved for a model that a person refused, and what `release` raises of a model
    that is not sound.
    """
    params = read_committed(settings, scenario).params
    if not params.release.people:
        return None
    lock = scenario_lock(settings.home, scenario, holder="approval", wait_seconds=settings.wait_seconds)
    with lock:
        registry = Registry(settings.registry_url)
        challenger, current = last_challenger(registry, scenario, model=model), registry.current(scenario)
        if current and current.release.model == challenger.model:
            return None
        champion = current.release.model if current else ""
        check_accepted(challenger, champion, today=clock().date(), shown_live=shown_live)
        check_not_taken_back(challenger, registry, scenario)
        check_not_refused(challenger, registry, scenario)
        newest = next(newest_of(registry, scenario, *TELLING)).number
        approval = current_approval(registry, scenario, params.release, clock=clock)
        if approval and approval.is_open and approval.request.subject.model_digest == challenger.model_digest:
            return approval if approval.state is ApprovalState.WAITING else None
        if approval:
            newest = max(newest, approval.newest)
        request = ApprovalRequested(
            subject=ApprovalSubject.of(planned_release(settings, challenger, params.index)),
            figures=JudgedFigures.of(challenger.evaluation),
            champion=champion,
            people=params.release.people,
            expires_at=_expiry(params.release, clock()),
            shown_live=shown_live and not challenger.promote,
            asked_since=asked_since(
                approval, challenger.model, now=clock(), expires_hours=params.release.expires_hours
            ),
        )
        registry.append_unless(
            scenario, request, kinds=TELLING, after=newest, reason=describe_request(request), actor=actor
        )
        return current_approval(registry, scenario, params.release, clock=clock)


def check_not_refused(challenger: Challenger, registry: Registry, scenario: str) -> None:
    """Raises NotApproved for a model that a person refused: that is final for these very files."""
    refusal = refusal_of(events_of(registry, scenario, APPROVAL_REFUSED), challenger.model_digest)
    if refusal:
        raise NotApproved(describe_refusal(scenario, challenger.model, refusal))


def approved_release(
    registry: Registry, scenario: str, challenger: Challenger, rules: ReleaseRules, *, clock: Clock = now
) -> Approval | None:
    """Return the approval that lets a challenger in; None where nobody has to be asked. Raises NotApproved."""
    if not rules.people:
        return None
    check_not_refused(challenger, registry, scenario)
    approval = current_approval(registry, scenario, rules, clock=clock)
    if approval is None or approval.request.subject.model_digest != challenger.model_digest:
        raise NotApproved(
            f"nobody was asked to approve {challenger.model} ({named_rule(rules.approval)}); "
            f"make release SCENARIO={scenario} asks"
        )
    if approval.state is ApprovalState.WAITING:
        raise NotApproved(
            f"{challenger.model} waits for people ({named_rule(rules.approval)}): `releve approve "
            f"{scenario}` shows what they are asked"
        )
    if approval.state is not ApprovalState.APPROVED:
        raise NotApproved(describe_late(approval))
    return approval


def check_digests(approval: Approval, release: Release, registry: Registry) -> None:
    """Raises NotApproved, and voids the approval, where the release is another one than people were shown."""
    subject = ApprovalSubject.of(release)
    if subject == approval.request.subject:
        return
    changed = [
        name for name in type(subject).model_fields if getattr(subject, name) != getattr(approval.request.subject, name)
    ]
    voided = approval.event(ApprovalVoided, cause=VoidCause.OTHER_RELEASE, about=", ".join(changed))
    scenario, reason = approval.scenario, describe_end(voided, approval.request)
    registry.append_unless(scenario, voided, kinds=TELLING, after=approval.newest, reason=reason, actor=ACTOR)
    raise NotApproved(f"{release.model} is not released: {reason}; make release SCENARIO={scenario} asks anew")


def current_approval(registry: Registry, scenario: str, rules: ReleaseRules, *, clock: Clock = now) -> Approval | None:
    """Return the newest request as it stands; what has ended it is written down first. None where there is none."""
    while approval := read_approval(registry, scenario):
        ended = lapse(approval, _present(registry, approval, rules, clock()))
        if ended is None:
            return approval
        reason = describe_end(ended, approval.request)
        try:
            registry.append_unless(scenario, ended, kinds=TELLING, after=approval.newest, reason=reason, actor=ACTOR)
        except StaleEvents:  # somebody else looked at it, or answered, at this moment
            continue
    return None


def judgement_of(registry: Registry, approval: Approval) -> Challenger | None:
    """Return the judgement that a request is about."""
    for event in newest_of(registry, approval.scenario, CHALLENGED):
        if event.number < approval.number and (one := event.read(Challenger)).model == approval.request.subject.model:
            return one
    return None


def _present(registry: Registry, approval: Approval, rules: ReleaseRules, moment: datetime) -> Present:
    current = registry.current(approval.scenario)
    newest = next(newest_of(registry, approval.scenario, CHALLENGED), None)
    return Present(
        now=moment,
        champion=current.release.model if current else "",
        people=rules.people,
        newer=newest.read(Challenger) if newest and newest.number > approval.number else None,
        judged=judgement_of(registry, approval),
    )


def _expiry(rules: ReleaseRules, moment: datetime) -> str:
    return (moment + timedelta(hours=rules.expires_hours)).isoformat() if rules.expires_hours else ""
