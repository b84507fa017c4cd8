"""Arms of a shop without a model: the ledger holds what they answered, and the registry what runs."""

import numpy as np
import pytest

from releve.domain.approval.answers import ApprovalChoice
from releve.domain.approval.approval import ApprovalState
from releve.domain.approval.people import token_hash, token_of
from releve.domain.arms.arms import ArmMode, ArmsEnded, ArmsOutcome, ArmsStarted
from releve.domain.arms.decision import ArmsAction, ArmsCompared, ArmsReason
from releve.domain.registry.chain import ARMS_COMPARED, ARMS_ENDED
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.lifecycle import model_version_statuses
from tasks.approval import answer as say
from tasks.approval import by_token
from tasks.approval import look as look_at_approval
from tasks.arms.compare import arms_run, look_at_arms, settle, try_aside
from tasks.history import last_challenger
from tests.events import make_any_release, make_arms_started, make_challenger
from tests.tables import SHOP, shop_row
from tests.tasks.shop import Shop, written_ledger

CHAMPION, CHALLENGER = f"{SHOP}:v1", f"{SHOP}:v2"
ROWS = 400  # of one request


@pytest.fixture
def tried(fresh: Shop) -> Shop:
    """A shadow runs; labels count as soon as they come."""
    fresh.override(arms={"label_delay_hours": 0.0})
    fresh.registry.move(
        SHOP, ModelReleased(release=make_any_release(CHAMPION)), expected=None, reason="", actor="a test"
    )
    start(fresh, expected=None)
    return fresh


def start(shop, *, expected, **changes):
    started = make_arms_started(CHAMPION, CHALLENGER, **changes)
    return shop.registry.start_arms(SHOP, started, expected=expected, reason="a test", actor="a test")


def answer(shop, *, wrong, aside=None, arm="champion", models=(CHAMPION, CHALLENGER), seed=1):
    """One request that is answered, wrongly in a share of the rows; `aside`: the shadow's share of wrong answers."""
    random = np.random.default_rng(seed)
    truth = random.random(ROWS) < 0.5
    said = [np.where(truth ^ (random.random(ROWS) < share), "yes", "no").tolist() for share in (wrong, aside or 0.0)]
    model = models[arm == "challenger"]
    with written_ledger(shop) as ledger:
        request = ledger.answer(
            model=model, index=None, rows=[shop_row()] * ROWS, labels=said[0], probabilities=None, arm=arm
        )
        if aside is not None:
            ledger.shadow(of=request, model=models[1], index=None, labels=said[1], probabilities=None, latency_ms=1.0)
        ledger.label((f"{request}.{row}", "yes" if truth[row] else "no") for row in range(ROWS))


def test_without_arms_there_is_nothing_to_look_at(fresh):
    assert look_at_arms(fresh.settings, SHOP) is None


def test_a_look_is_an_event_with_its_figures_and_one_that_brings_nothing_new_is_none(tried):
    answer(tried, wrong=0.2, aside=0.2)

    looks = [look_at_arms(tried.settings, SHOP) for _ in range(2)]

    (event,) = tried.registry.events(SHOP, kinds=[ARMS_COMPARED])
    assert event.read(ArmsCompared) == looks[0].compared == looks[1].compared
    assert "is not told apart from" in event.reason
    assert looks[0].compared.comparison.rows == ROWS


def test_a_challenger_that_goes_on_is_left_alone(tried):
    answer(tried, wrong=0.2, aside=0.2)

    settle(tried.settings, SHOP, look_at_arms(tried.settings, SHOP))

    assert tried.registry.arms(SHOP) is not None


def test_a_challenger_that_is_shown_to_be_worse_is_stopped(tried):
    answer(tried, wrong=0.1, aside=0.4)

    look = look_at_arms(tried.settings, SHOP)
    released = settle(tried.settings, SHOP, look)

    assert (look.compared.decision.action, look.compared.decision.reason) == (ArmsAction.STOP, ArmsReason.WORSE)
    assert released is None and tried.registry.arms(SHOP) is None
    (event,) = tried.registry.events(SHOP, kinds=[ARMS_ENDED])
    assert event.read(ArmsEnded).outcome is ArmsOutcome.STOPPED
    assert f"{CHALLENGER} is shown to be worse than {CHAMPION}: gain -0.340 [-0.485, -0.195]" in event.reason


@pytest.mark.parametrize("actor", ["compare", "approval"])
def test_a_promotion_that_was_killed_before_it_told_how_the_arms_ended_is_told_by_the_next_look(tried, actor):
    answer(tried, wrong=0.4, aside=0.1)
    compared, current = look_at_arms(tried.settings, SHOP).compared, tried.registry.current(SHOP)
    tried.registry.move(
        SHOP,
        ModelReleased(release=make_any_release(CHALLENGER)),
        expected=current.number,
        reason="live labels",
        actor=actor,
    )
    before = arms_run(tried.settings, SHOP)

    looks = [look_at_arms(tried.settings, SHOP) for _ in range(2)]

    (event,) = tried.registry.events(SHOP, kinds=[ARMS_ENDED])
    ended = event.read(ArmsEnded)
    assert compared.decision.action is ArmsAction.PROMOTE
    assert (ended.outcome, ended.champion, ended.challenger) == (ArmsOutcome.PROMOTED, CHAMPION, CHALLENGER)
    assert event.reason == "live labels"
    assert (before, arms_run(tried.settings, SHOP)) == (True, False)
    assert looks == [None, None]


def test_arms_that_a_person_ended_by_a_release_are_not_told_as_promoted(tried):
    current = tried.registry.current(SHOP)
    payload = ModelReleased(release=make_any_release(CHALLENGER))
    tried.registry.move(SHOP, payload, expected=current.number, reason="by hand", actor="release")

    assert not arms_run(tried.settings, SHOP)
    assert look_at_arms(tried.settings, SHOP) is None
    assert tried.registry.events(SHOP, kinds=[ARMS_ENDED]) == []


def test_arms_that_the_approval_of_another_challenger_ended_are_not_told_as_promoted(tried):
    current = tried.registry.current(SHOP)
    payload = ModelReleased(release=make_any_release(f"{SHOP}:v3"), approval=1, approved_by=("anna",))
    tried.registry.move(SHOP, payload, expected=current.number, reason="", actor="approval")

    assert look_at_arms(tried.settings, SHOP) is None
    assert tried.registry.events(SHOP, kinds=[ARMS_ENDED]) == []


def test_failures_of_a_shadow_and_rows_that_it_did_not_answer_are_no_answers(tried):
    answer(tried, wrong=0.3, aside=0.1)
    answer(tried, wrong=0.3, seed=2)
    with written_ledger(tried) as ledger:
        ledger.shadow(
            of="20260105-9f2c01ab.0.5e77c0",
            model=CHALLENGER,
            index=None,
            labels=[],
            probabilities=None,
            latency_ms=9.0,
            error="too late",
        )

    found = look_at_arms(tried.settings, SHOP).compared.comparison

    assert (found.rows, found.champion.answered, found.challenger.answered) == (ROWS, 2 * ROWS, ROWS)
    assert found.challenger.failed == 1


def test_what_the_shadow_answered_counts_on_when_it_becomes_a_canary(tried):
    answer(tried, wrong=0.3, aside=0.1)
    running = tried.registry.arms(SHOP)
    start(tried, expected=running.number, mode=ArmMode.CANARY, share=0.1)
    answer(tried, wrong=0.1, arm="challenger", seed=2)

    found = look_at_arms(tried.settings, SHOP).compared.comparison

    assert (found.mode, found.rows, found.challenger.answered) == (ArmMode.CANARY, 2 * ROWS, 2 * ROWS)


def test_labels_that_were_asked_for_decide_and_give_no_arm_a_score(tried):
    differing = set(np.random.default_rng(7).permutation(ROWS)[: ROWS // 4].tolist())
    with written_ledger(tried) as ledger:
        request = ledger.answer(
            model=CHAMPION, index=None, rows=[shop_row()] * ROWS, labels=["no"] * ROWS, probabilities=None
        )
        ledger.shadow(
            of=request,
            model=CHALLENGER,
            index=None,
            labels=["yes" if row in differing else "no" for row in range(ROWS)],
            probabilities=None,
            latency_ms=1.0,
        )
        ledger.label(((f"{request}.{row}", "yes") for row in sorted(differing)), queued=True)

    look = look_at_arms(tried.settings, SHOP).compared

    assert look.decision.action is ArmsAction.PROMOTE
    assert (look.comparison.needless, look.comparison.unlabelled) == (ROWS * 3 // 4, 0)
    assert look.comparison.champion.score is None


@pytest.mark.slow
def test_a_challenger_that_is_shown_to_be_better_is_released(replaced):
    registry = replaced.registry
    current, previous = registry.current(SHOP), registry.previous(SHOP)
    registry.move(SHOP, ModelReleased(release=previous), expected=current.number, reason="a test", actor="a test")
    started = ArmsStarted(mode=ArmMode.SHADOW, challenger=current.release, champion=previous.model, share=0.0)
    registry.start_arms(SHOP, started, expected=None, reason="a test", actor="a test")
    replaced.override(arms={"label_delay_hours": 0.0})
    answer(replaced, wrong=0.4, aside=0.1, models=(previous.model, current.release.model))

    done = settle(replaced.settings, SHOP, look_at_arms(replaced.settings, SHOP))

    assert done.release.model == registry.current(SHOP).release.model == current.release.model
    assert registry.arms(SHOP) is None
    (event,) = registry.events(SHOP, kinds=[ARMS_ENDED])
    assert event.read(ArmsEnded).outcome is ArmsOutcome.PROMOTED


@pytest.mark.slow
def test_where_people_have_to_approve_a_release_live_labels_ask_them_and_the_arms_go_on_meanwhile(replaced):
    registry, token = replaced.registry, token_of(bytes(32))
    current, previous = registry.current(SHOP), registry.previous(SHOP)
    registry.move(SHOP, ModelReleased(release=previous), expected=current.number, reason="a test", actor="a test")
    judged = last_challenger(registry, SHOP).model_copy(update={"promote": False, "inconclusive": True})
    registry.append(SHOP, judged, reason="neither better nor worse", actor="a test")
    started = ArmsStarted(mode=ArmMode.SHADOW, challenger=current.release, champion=previous.model, share=0.0)
    registry.start_arms(SHOP, started, expected=None, reason="a test", actor="a test")
    rules = {"approval": "required", "approvers": {"anna": token_hash(token)}}
    replaced.override(arms={"label_delay_hours": 0.0}, release=rules)
    answer(replaced, wrong=0.4, aside=0.1, models=(previous.model, current.release.model))

    waiting = [settle(replaced.settings, SHOP, look_at_arms(replaced.settings, SHOP)) for _ in range(2)]

    assert waiting[0] == waiting[1]
    assert (waiting[0].state, waiting[0].request.shown_live) == (ApprovalState.WAITING, True)
    assert registry.arms(SHOP) is not None
    say(replaced.settings, SHOP, ApprovalChoice.APPROVE, by_token(token))
    done = look_at_approval(replaced.settings, SHOP)
    assert done.released.release.model == registry.current(SHOP).release.model == current.release.model
    assert registry.arms(SHOP) is None
    (event,) = registry.events(SHOP, kinds=[ARMS_ENDED])
    assert (event.read(ArmsEnded).outcome, event.reason) == (ArmsOutcome.PROMOTED, "approved by anna")
    assert model_version_statuses(registry.events(SHOP))[current.release.model].state == "champion"


@pytest.mark.parametrize(("setting", "inconclusive"), [("keep", True), ("shadow", False)])
def test_only_an_inconclusive_challenger_answers_aside_and_only_where_it_is_asked_for(setting, inconclusive, fresh):
    fresh.override(gate={"metric": "accuracy", "inconclusive": setting})

    assert (
        try_aside(fresh.settings, SHOP, make_challenger(CHALLENGER, promote=False, inconclusive=inconclusive)) is None
    )


def test_a_challenger_that_is_being_tried_keeps_its_place(tried):
    tried.override(gate={"metric": "accuracy", "inconclusive": "shadow"})
    newer = make_challenger(f"{SHOP}:v3", promote=False, inconclusive=True)

    assert try_aside(tried.settings, SHOP, newer) is None
    assert tried.registry.arms(SHOP).started.challenger.model == CHALLENGER


@pytest.mark.slow
def test_an_inconclusive_challenger_answers_aside(made_third, tmp_path):
    third = made_third.copy(tmp_path)
    third.override(gate={"metric": "accuracy", "inconclusive": "shadow"})
    first = third.registry.events(SHOP, kinds=["released"])[0].payload["release"]["model"]
    inconclusive = last_challenger(third.registry, SHOP, model=first).model_copy(update={"inconclusive": True})

    running = try_aside(third.settings, SHOP, inconclusive)

    assert (running.started.mode, running.started.challenger.model) == (ArmMode.SHADOW, first)
