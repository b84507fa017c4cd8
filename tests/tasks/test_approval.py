import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from releve.adapters.git_dvc.scenario_branch import git
from releve.cli.app import main
from releve.core.errors import NotFound
from releve.core.params import GateOverride
from releve.domain.approval.answers import ApprovalChoice
from releve.domain.approval.approval import ApprovalState
from releve.domain.approval.people import NotAnApprover, token_hash, token_of
from releve.domain.registry.chain import APPROVALS, RELEASED
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.lifecycle import model_version_statuses
from releve.reporting.markdown import render_markdown
from tasks.approval import NotWaiting, SamePerson, answer, by_code, by_token, give_code, look, question
from tasks.history import last_challenger
from tasks.release import release as release_step
from tasks.release.acceptance import NotAccepted, NotApproved, ask_people
from tasks.release.prepare import prepare
from tasks.release.release import release
from tasks.reporting.model_card import card_of
from tests.serving.process import free_port
from tests.tables import SHOP

pytestmark = pytest.mark.slow

ANNA, BEN = token_of(bytes(range(32))), token_of(bytes(range(32, 64)))
APPROVERS = {"anna": token_hash(ANNA), "ben": token_hash(BEN)}


def in_hours(hours):
    return lambda: datetime.now(UTC) + timedelta(hours=hours)


@pytest.fixture
def required(challenged):
    challenged.override(release={"approval": "required", "approvers": APPROVERS})
    return challenged


@pytest.fixture
def two_people(challenged):
    challenged.override(release={"approval": "two_people", "approvers": APPROVERS})
    return challenged


def approve(shop, token, **more):
    return answer(shop.settings, SHOP, ApprovalChoice.APPROVE, by_token(token), **more)


def refuse(shop, token, **more):
    return answer(shop.settings, SHOP, ApprovalChoice.REFUSE, by_token(token), comment="no", **more)


def told(shop):
    return [event.kind for event in shop.registry.events(SHOP, kinds=[*APPROVALS, RELEASED])]


def judge_another(shop, **changes):
    """A newer challenger is judged."""
    challenger = last_challenger(shop.registry, SHOP).model_copy(update={"model": "shop:newer", **changes})
    shop.registry.append(SHOP, challenger, reason="newer rows", actor="a test")
    return challenger


def test_where_nobody_has_to_be_asked_nobody_is(challenged):
    assert ask_people(challenged.settings, SHOP) is None
    assert look(challenged.settings, SHOP).approval is None
    with pytest.raises(NotFound, match=r"nothing of shop was put before people yet \(params.yaml: release.app"):
        approve(challenged, ANNA)


def test_an_accepted_challenger_waits_and_asking_again_changes_nothing(required):
    with pytest.raises(NotApproved, match="nobody was asked to approve shop:"):
        release(required.settings, SHOP)

    first, again = ask_people(required.settings, SHOP), ask_people(required.settings, SHOP)

    assert first == again
    assert first.state is ApprovalState.WAITING
    assert told(required) == ["approval_requested"]
    with pytest.raises(NotApproved, match=r"shop:\w+ waits for people"):
        release(required.settings, SHOP)
    assert look(required.settings, SHOP).released is None
    assert required.registry.current(SHOP) is None


def test_what_a_person_approved_by_command_is_released_and_says_who_let_it_in(required, monkeypatch, capsys):
    asked = ask_people(required.settings, SHOP)
    environ = {
        "RELEVE_PROJECT": required.root,
        "RELEVE_HOME": required.settings.home,
        "RELEVE_MILVUS_URI": required.settings.milvus_uri,
        "RELEVE_SERVICE_PORT": required.settings.service_port,
        "RELEVE_PREFECT_PORT": free_port(),  # of no server, which this needs none of
        "RELEVE_APPROVER_TOKEN": ANNA,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    model = asked.request.subject.model

    assert main(["approve", SHOP]) == 0
    shown = capsys.readouterr().out
    assert f"releve approve shop --yes --model {model}" in shown
    assert asked.request.subject.model_digest in shown.replace(" ", "")
    assert main(["approve", SHOP, "--yes"]) == 1
    assert "--yes needs --model, the one that you were shown" in capsys.readouterr().err
    assert main(["approve", SHOP, "--yes", "--model", model, "--comment", "looks right"]) == 0
    told_then = capsys.readouterr().out

    released = required.registry.events(SHOP, kinds=[RELEASED])[0].read(ModelReleased)
    assert f"{model} was approved by anna" in told_then
    assert f"{model} is the release of shop" in told_then
    assert "alerts wait for the next run of shop: no Prefect server answers" in told_then
    assert ANNA not in shown + told_then
    assert released.release == required.registry.current(SHOP).release
    assert (released.approval, released.approved_by) == (asked.number, ("anna",))
    assert released.release.index == asked.request.subject.index
    assert told(required) == ["approval_requested", "approved", "released"]
    given = required.registry.events(SHOP, kinds=["approved"])[0]
    assert (given.actor, given.reason) == ("anna", "looks right")
    assert given.payload["listed_in"] == git(required.root, "rev-parse", "HEAD").strip()
    card = render_markdown(card_of(required.settings, model))
    assert "anna approved it at" in card
    assert "accepted by the gate; approved by anna" in card
    assert main(["history", SHOP, "--kind", "approved", "--kind", "released"]) == 0
    assert "approved by anna" in capsys.readouterr().out
    assert main(["approve", SHOP, "--yes", "--model", model]) == 0
    assert main(["refuse", SHOP, "--reason", "too late"]) == 1
    assert "it serves since" in capsys.readouterr().err
    assert told(required) == ["approval_requested", "approved", "released"]
    assert required.registry.verify(SHOP) == len(required.registry.events(SHOP))


def test_two_people_are_two_and_the_same_one_twice_is_refused(two_people):
    ask_people(two_people.settings, SHOP)
    approve(two_people, ANNA)

    with pytest.raises(SamePerson, match=r"anna approved shop:\w+ already; a different person has to"):
        approve(two_people, ANNA)
    assert look(two_people.settings, SHOP).released is None
    assert approve(two_people, BEN).state is ApprovalState.APPROVED
    assert told(two_people) == ["approval_requested", "approved", "approval_uncounted", "approved"]


def test_two_approvers_at_once_are_both_heard_and_each_once(two_people):
    ask_people(two_people.settings, SHOP)
    threads = [threading.Thread(target=approve, args=(two_people, token)) for token in (ANNA, BEN)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    approval = look_only(two_people)
    assert (approval.state, sorted(approval.approved_by)) == (ApprovalState.APPROVED, ["anna", "ben"])
    assert told(two_people) == ["approval_requested", "approved", "approved"]


def approve_and_release(shop, token):
    approve(shop, token)
    look(shop.settings, SHOP)


WAYS = {
    "two people approve": (lambda shop: approve_and_release(shop, ANNA), lambda shop: approve_and_release(shop, BEN)),
    "one approves twice": (lambda shop: approve_and_release(shop, ANNA), lambda shop: approve_and_release(shop, ANNA)),
    "one approves, one refuses": (lambda shop: approve_and_release(shop, ANNA), lambda shop: refuse(shop, BEN)),
    "a newer challenger": (
        lambda shop: approve_and_release(shop, ANNA),
        lambda shop: judge_another(shop, promote=False),
    ),
    "it expires": (
        lambda shop: approve_and_release(shop, ANNA),
        lambda shop: look(shop.settings, SHOP, clock=in_hours(73)),
    ),
}
ENDS = (
    ["approval_requested", "approved", "released"],
    ["approval_requested", "approval_refused"],
    ["approval_requested", "approval_voided"],
    ["approval_requested", "approved", "approval_voided"],  # a newer challenger came before the release
    ["approval_requested", "approval_expired"],
)


@pytest.mark.parametrize("way", WAYS)
def test_of_two_things_at_once_one_is_first_and_each_is_told_once(way, required):
    ask_people(required.settings, SHOP)
    both, errors = threading.Barrier(2), list[BaseException]()

    def begin(step):
        both.wait()
        try:
            step(required)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=begin, args=(step,)) for step in WAYS[way]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    look(required.settings, SHOP, clock=in_hours(73) if way == "it expires" else lambda: datetime.now(UTC))

    assert told(required) in ENDS
    assert all(isinstance(error, NotWaiting | NotApproved) for error in errors), errors
    assert (required.registry.current(SHOP) is not None) == ("released" in told(required))
    required.registry.verify(SHOP)


def test_a_challenger_that_is_judged_elsewhere_while_a_release_is_prepared_voids_its_approval(required, monkeypatch):
    ask_people(required.settings, SHOP)
    approve(required, ANNA)

    def prepare_slowly(*arguments, **named):
        judge_another(required, promote=False)
        return prepare(*arguments, **named)

    monkeypatch.setattr(release_step, "prepare", prepare_slowly)
    with pytest.raises(NotApproved, match="shop:newer was judged meanwhile"):
        look(required.settings, SHOP)

    assert told(required) == ["approval_requested", "approved", "approval_voided"]
    assert required.registry.current(SHOP) is None


def look_only(shop):
    return question(shop.settings, SHOP).approval


def test_a_refusal_is_final_for_this_model(required):
    ask_people(required.settings, SHOP)

    refuse(required, BEN)

    for again in (ask_people, release):
        with pytest.raises(NotApproved, match=r"ben refused shop:\w+ at .* \(no\), which is final for this model"):
            again(required.settings, SHOP)
    with pytest.raises(NotWaiting, match="ben refused"):
        approve(required, ANNA)
    model = last_challenger(required.registry, SHOP).model
    assert model_version_statuses(required.registry.events(SHOP))[model].state == "refused"


def test_a_newer_challenger_voids_what_waits(required):
    asked = ask_people(required.settings, SHOP)
    judge_another(required, promote=False)

    with pytest.raises(NotWaiting, match=f"{asked.request.subject.model} takes no answer: shop:newer was judged"):
        approve(required, ANNA)
    assert told(required) == ["approval_requested", "approval_voided"]


def test_a_newer_challenger_that_the_gate_accepts_is_asked_for_in_the_place_of_one_that_nobody_answered(required):
    first = ask_people(required.settings, SHOP)
    judge_another(required, model=first.request.subject.model)  # the store has no other one

    again = ask_people(required.settings, SHOP)

    assert (again.number > first.number, again.state) == (True, ApprovalState.WAITING)
    assert (first.request.asked_since, again.request.asked_since) == ("", first.at)
    assert told(required) == ["approval_requested", "approval_voided", "approval_requested"]


def test_an_approval_is_void_when_another_champion_serves(required):
    asked = ask_people(required.settings, SHOP)
    approve(required, ANNA)
    release_of_another = ModelReleased(release=release_like(required, asked))
    required.registry.move(SHOP, release_of_another, expected=None, reason="by hand", actor="a test")

    assert look(required.settings, SHOP).approval.state is ApprovalState.VOIDED
    with pytest.raises(NotAccepted, match="was judged against no champion, but shop:other serves now"):
        release(required.settings, SHOP)


def release_like(shop, asked):
    from tests.events import make_any_release

    return make_any_release("shop:other", model_digest="0" * 64)


def test_a_request_expires_and_can_be_made_anew(required):
    asked = ask_people(required.settings, SHOP)

    with pytest.raises(NotWaiting, match=r"the time to approve it ended at .* make release SCENARIO=shop asks anew"):
        approve(required, ANNA, clock=in_hours(73))
    again = ask_people(required.settings, SHOP)

    assert told(required) == ["approval_requested", "approval_expired", "approval_requested"]
    assert (again.state, again.request.subject) == (ApprovalState.WAITING, asked.request.subject)


def test_what_was_approved_in_time_does_not_expire(required):
    ask_people(required.settings, SHOP)
    approve(required, ANNA, clock=in_hours(71))

    assert ask_people(required.settings, SHOP, clock=in_hours(80)) is None
    assert told(required) == ["approval_requested", "approved"]


def test_a_broken_floor_cannot_be_approved_away(required):
    judge_another(required, promote=False, reasons=("one answer takes 900 ms",))

    with pytest.raises(NotAccepted, match="the gate refused shop:newer: one answer takes 900 ms"):
        ask_people(required.settings, SHOP)
    for ask in (approve, refuse):
        with pytest.raises(NotFound, match="nothing of shop was put before people yet"):
            ask(required, ANNA)
    with pytest.raises(NotAccepted, match="the gate refused shop:newer"):
        release(required.settings, SHOP)
    assert told(required) == []


def test_an_override_lets_a_broken_floor_before_people_until_its_day_and_the_form_and_card_say_so(required):
    judged = last_challenger(required.registry, SHOP)
    override = GateOverride(floor="latency", by="Ada", reason="a slow month", until=date.today())
    required.registry.append(
        SHOP, judged.model_copy(update={"overrides": (override,)}), reason="overridden", actor="a test"
    )
    ask_people(required.settings, SHOP)

    from releve.reporting.approval_form import approval_page

    asked = question(required.settings, SHOP)
    shown = render_markdown(approval_page(asked.approval, asked.challenger))
    assert f"latency: broken, and let pass until {override.until} by Ada: a slow month" in shown
    assert "a slow month" in render_markdown(card_of(required.settings, judged.model))
    approve(required, ANNA)
    after = look(required.settings, SHOP, clock=in_hours(48))
    assert (after.released, after.approval.state) == (None, ApprovalState.VOIDED)


def test_what_people_were_shown_is_what_is_released_or_nothing(required):
    ask_people(required.settings, SHOP)
    approve(required, ANNA)
    required.override(index={"metric": "IP"})

    with pytest.raises(NotApproved, match="people were shown another release: its index differs"):
        look(required.settings, SHOP)
    assert look(required.settings, SHOP).approval.state is ApprovalState.VOIDED
    assert required.registry.current(SHOP) is None
    assert ask_people(required.settings, SHOP).state is ApprovalState.WAITING


def test_rules_that_change_meanwhile_ask_anew(required):
    ask_people(required.settings, SHOP)
    approve(required, ANNA)
    required.override(release={"approval": "two_people"})

    assert look(required.settings, SHOP).approval.state is ApprovalState.VOIDED
    assert ask_people(required.settings, SHOP).missing == 2


def test_where_nobody_has_to_approve_any_more_nobody_is_waited_for(required):
    ask_people(required.settings, SHOP)
    required.override(release={"approval": "none"})

    assert look(required.settings, SHOP).approval.state is ApprovalState.VOIDED
    assert ask_people(required.settings, SHOP) is None


def test_a_code_answers_once_for_its_owner_and_is_kept_as_a_hash(required):
    ask_people(required.settings, SHOP)
    code, _ = give_code(replace(required.settings, approver_token=BEN), SHOP)

    with pytest.raises(NotAnApprover):
        answer(required.settings, SHOP, ApprovalChoice.APPROVE, by_code("AAAA-BBBB-CCCC-DDDD"))
    said = answer(required.settings, SHOP, ApprovalChoice.APPROVE, by_code(code.lower()))

    assert said.approved_by == ("ben",)
    assert code not in str(required.registry.events(SHOP))
    with pytest.raises(NotAnApprover, match="used already"):
        answer(required.settings, SHOP, ApprovalChoice.REFUSE, by_code(code))


def test_no_code_without_a_token(required):
    ask_people(required.settings, SHOP)

    with pytest.raises(NotAnApprover):
        give_code(replace(required.settings, approver_token=token_of(bytes(32))), SHOP)


def test_who_was_shown_another_model_answers_for_none(required):
    ask_people(required.settings, SHOP)

    with pytest.raises(NotWaiting, match="shop:seen is not what waits"):
        approve(required, ANNA, model="shop:seen")
    assert told(required) == ["approval_requested"]


def test_starting_over_forgets_what_waited(required):
    from tasks.archive import archive_scenario

    ask_people(required.settings, SHOP)
    archive_scenario(required.settings, SHOP, reason="over")

    with pytest.raises(NotFound, match="nothing of shop was put before people yet"):
        approve(required, ANNA)
