"""Answer a request for approval, and finish what was approved."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.registry.registry import Registry, StaleEvents
from releve.core.errors import Conflict, NotFound
from releve.core.settings import Settings
from releve.domain.approval.answers import AnswerEffect, ApprovalChoice, answer_event, effect_of
from releve.domain.approval.approval import TELLING, Approval, ApprovalState
from releve.domain.approval.events import ApprovalCodeIssued
from releve.domain.approval.people import (
    CODE_BYTES,
    TOKEN_BYTES,
    Person,
    code_of,
    holder_of,
    issue_code,
    owner_of,
    token_hash,
    token_of,
)
from releve.domain.arms.arms import ArmsEnded, ArmsOutcome
from releve.domain.registry.events import Challenger
from releve.reporting.messages.approval import LIVE, describe_late, describe_uncounted, named_rule
from tasks.history import read_approval
from tasks.release.acceptance import ACTOR, Clock, current_approval, judgement_of, now
from tasks.release.release import ReleaseResult, release

LONGEST_COMMENT = 1000  # letters


class NotWaiting(Conflict):
    """No request waits for this answer."""

    code = "not_waiting"


class SamePerson(Conflict):
    """Another person has to approve, too."""

    code = "same_person"


@dataclass(frozen=True)
class ApprovalLook:
    """A request as it stands, None for none; and the release that it led to just now."""

    approval: Approval | None
    released: ReleaseResult | None = None


@dataclass(frozen=True)
class Question:
    """What people are asked, with the judgement that it rests on."""

    approval: Approval
    challenger: Challenger


@dataclass(frozen=True)
class NewToken:
    """A token, which nobody can be told again, and the hash of it that the settings need."""

    token: str
    hashed: str


Identify = Callable[[Approval, Mapping[str, str], datetime], Person]


def by_token(token: str) -> Identify:
    """Know a person by a personal token."""
    return lambda approval, approvers, moment: holder_of(token, approvers)


def by_code(code: str) -> Identify:
    """Know a person by a one-time code."""
    return lambda approval, approvers, moment: owner_of(code, approval, approvers, now=moment)


def was_asked(settings: Settings, scenario: str) -> bool:
    """Whether people were asked since the scenario was last started over."""
    return read_approval(Registry(settings.registry_url), scenario) is not None


def look(settings: Settings, scenario: str, *, clock: Clock = now) -> ApprovalLook:
    """Look at the newest request: end what is out of date, and release what was approved and is not released yet.

    Running it again changes nothing. Raises what `release` raises.
    """
    rules, registry = read_committed(settings, scenario).params.release, Registry(settings.registry_url)
    approval = current_approval(registry, scenario, rules, clock=clock)
    if approval is None or approval.state is not ApprovalState.APPROVED:
        return ApprovalLook(approval)
    model, arms = approval.request.subject.model, registry.arms(scenario)
    is_live = approval.request.shown_live
    released = release(settings, scenario, model=model, reason=LIVE * is_live, actor=ACTOR, shown_live=is_live)
    if arms and arms.started.challenger.model == model:  # the release has ended them, and this tells why
        ended = ArmsEnded(outcome=ArmsOutcome.PROMOTED, champion=arms.started.champion, challenger=model)
        reason = f"approved by {' and '.join(approval.approved_by)}"
        registry.end_arms(scenario, ended, expected=arms.number, reason=reason, actor=ACTOR)
    return ApprovalLook(current_approval(registry, scenario, rules, clock=clock), released)


def answer(
    settings: Settings,
    scenario: str,
    said: ApprovalChoice,
    identify: Identify,
    *,
    comment: str = "",
    model: str = "",
    clock: Clock = now,
) -> Approval:
    """Write down what a person says to the request that waits; saying it again changes nothing.

    `model`: the one that the person was shown, "" for whichever waits. Who approves needs `look` for the release that
    follows. Raises NotFound without a request, NotAnApprover, BadInput without a token, NotWaiting, SamePerson.
    """
    truth, registry = read_committed(settings, scenario), Registry(settings.registry_url)
    while True:
        approval = _asked(registry, scenario, truth, model=model, clock=clock)
        person = identify(approval, truth.params.release.approvers, clock())
        effect = effect_of(approval, said, person)
        if effect is AnswerEffect.KNOWN:
            return approval
        if effect is AnswerEffect.LATE:
            raise NotWaiting(describe_late(approval))
        event, reason = answer_event(approval, said, person, listed_in=truth.revision), comment[:LONGEST_COMMENT]
        try:
            registry.append_unless(
                scenario, event, kinds=TELLING, after=approval.newest, reason=reason, actor=person.name
            )
        except StaleEvents:  # somebody else answered at this moment
            continue
        if effect is AnswerEffect.UNCOUNTED:
            raise SamePerson(describe_uncounted(approval, person.name))
        return _asked(registry, scenario, truth, clock=clock)


def give_code(settings: Settings, scenario: str, *, clock: Clock = now) -> tuple[str, ApprovalCodeIssued]:
    """Give the holder of a token (settings.approver_token) a one-time code for the request that waits.

    Raises what `answer` raises.
    """
    truth, registry = read_committed(settings, scenario), Registry(settings.registry_url)
    while True:
        approval = _asked(registry, scenario, truth, clock=clock)
        person = holder_of(settings.approver_token, truth.params.release.approvers)
        if approval.state is not ApprovalState.WAITING:
            raise NotWaiting(describe_late(approval))
        code = code_of(secrets.token_bytes(CODE_BYTES))
        issued = issue_code(approval, person, code, now=clock())
        try:
            registry.append_unless(scenario, issued, kinds=TELLING, after=approval.newest, reason="", actor=person.name)
        except StaleEvents:
            continue
        return code, issued


def question(settings: Settings, scenario: str, *, clock: Clock = now) -> Question:
    """Gather what people are asked, or were asked last. Raises NotFound without a request."""
    truth, registry = read_committed(settings, scenario), Registry(settings.registry_url)
    approval = _asked(registry, scenario, truth, clock=clock)
    challenger = judgement_of(registry, approval)
    assert challenger is not None, "a request follows a judgement"
    return Question(approval, challenger)


def make_token() -> NewToken:
    """Make a token that nobody has."""
    token = token_of(secrets.token_bytes(TOKEN_BYTES))
    return NewToken(token, token_hash(token))


def _asked(registry: Registry, scenario: str, truth: Committed, *, model: str = "", clock: Clock) -> Approval:
    approval = current_approval(registry, scenario, truth.params.release, clock=clock)
    if approval is None:
        rule = named_rule(truth.params.release.approval)
        raise NotFound(f"nothing of {scenario} was put before people yet ({rule})")
    if model and model != approval.request.subject.model:
        raise NotWaiting(
            f"{model} is not what waits: the newest request is for {approval.request.subject.model}; `releve approve "
            f"{scenario}` shows it"
        )
    return approval
