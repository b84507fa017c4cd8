"""A scenario's line beside the others."""

from dataclasses import replace

import pytest

from releve.domain.attention.needs import Need, NeedKind, ScenarioFacts, SeenRun
from releve.domain.attention.standing import Standing, StandingQuality, hours_to_release, in_order, stand
from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.realised import QualityState
from releve.domain.registry.chain import ARMS_STARTED, CHALLENGED, INGESTED, MONITORED, RELEASED, EventLine
from releve.domain.trigger.monitoring_run import MonitoringRun
from tests.evaluations import make_comparison, make_evaluation
from tests.events import make_arms_started
from tests.page_histories import (
    MODEL,
    RELEASE,
    SCENARIO,
    SCORE,
    at,
    challenge_event,
    make_event,
    make_quality,
    monitored_event,
    release_event,
)

SECOND = f"{SCENARIO}:{'2' * 12}"
UNKNOWN = make_quality(QualityState.UNKNOWN)


def standing(*events, lines=(), **changes):
    numbered = tuple(replace(event, number=number) for number, event in enumerate(events, start=1))
    runs = tuple(SeenRun(event, event.read(MonitoringRun)) for event in reversed(numbered) if event.kind == MONITORED)
    facts = ScenarioFacts(SCENARIO, at(9), numbered, runs, RELEASE, at(0))
    return stand(replace(facts, **changes), lines)


def line(kind, day, model="", cpu_seconds=0.0):
    return EventLine(1, at(day), kind, model, cpu_seconds)


def test_the_newest_realised_quality_of_the_model_that_serves_is_its_quality():
    events = (
        challenge_event(promote=True),
        release_event(),
        monitored_event(day=1, quality=make_quality(naive=0.6)),
        monitored_event(day=2, quality=UNKNOWN),
        monitored_event(day=3, model=SECOND, quality=make_quality(score=Interval(0.5, 0.4, 0.6))),
    )

    assert standing(*events).quality == StandingQuality("accuracy", SCORE, 180, 0.6, is_realised=True)


def test_before_labels_come_it_is_what_the_gate_judged_beside_the_best_naive_answer():
    quality = standing(challenge_event(promote=True), release_event()).quality

    assert quality == StandingQuality("accuracy", RELEASE.expected.score, 100, 0.6, is_realised=False)


def test_the_best_naive_answer_by_a_loss_is_the_smallest():
    against = {Opponent.MAJORITY_LABEL: make_comparison(0.9), Opponent.PREVIOUS_LABEL: make_comparison(0.7)}
    evaluation = make_evaluation(0.4, metric="log_loss", sign=-1, against=against)
    expected = replace(RELEASE.expected, metric="log_loss")
    release = RELEASE.model_copy(update={"expected": expected})

    found = standing(challenge_event(promote=True, evaluation=evaluation), release_event(release), release=release)

    assert found.quality.naive == 0.7


def test_of_a_model_whose_judgement_was_not_read_the_naive_answer_is_unknown():
    quality = standing(challenge_event(promote=False, model=SECOND), release_event()).quality

    assert (quality.naive, quality.skill) == (None, None)


@pytest.mark.parametrize(
    ("metric", "score", "naive", "skill"),
    [
        ("accuracy", 0.9, 0.6, 0.75),
        ("accuracy", 0.5, 0.6, -0.25),
        ("accuracy", 1.0, 0.6, 1.0),
        ("rmse", 20.0, 80.0, 0.75),
        ("rmse", 100.0, 80.0, -0.25),
        ("accuracy", 1.0, 1.0, None),
        ("rmse", 0.0, 0.0, None),
    ],
)
def test_skill_is_the_share_of_the_naive_error_that_is_gone(metric, score, naive, skill):
    quality = StandingQuality(metric, Interval(score, score, score), 100, naive, is_realised=True)

    assert quality.skill == (None if skill is None else pytest.approx(skill))


def test_drift_decision_and_what_is_on_trial_are_the_newest():
    started = make_arms_started(MODEL, SECOND)
    events = (
        release_event(),
        monitored_event(day=1),
        challenge_event(promote=False, day=2, model=SECOND),
        make_event(ARMS_STARTED, started.model_dump(mode="json"), day=3),
    )

    found = standing(*events)

    assert (found.drift.state, found.monitored_at) == (DriftState.NO_DRIFT, at(1))
    assert (found.decision.kind, found.decision.at) == (CHALLENGED, at(2))
    assert found.challenger == SECOND


def test_costs_are_those_of_the_lines():
    lines = [line(CHALLENGED, 1, cpu_seconds=2.5), line(CHALLENGED, 2, cpu_seconds=4)]

    assert standing(lines=lines).cpu_seconds == 6.5


def test_a_file_waits_for_the_first_release_that_was_judged_with_it():
    lines = [
        line(INGESTED, 0.0),
        line(CHALLENGED, 0.5, "one"),
        line(INGESTED, 0.6),  # after one was judged
        line(RELEASED, 1.0, "one"),
        line(CHALLENGED, 1.5, "two"),  # refused
        line(CHALLENGED, 2.0, "three"),
        line(RELEASED, 2.1, "three"),
        line(INGESTED, 3.0),  # in no release yet
    ]

    assert hours_to_release(lines) == pytest.approx((24 + 36) / 2)
    assert hours_to_release(lines[-1:]) is None


def test_a_file_counts_from_its_arrival_where_that_is_known():
    lines = [
        EventLine(1, at(1), INGESTED, arrived=at(0.5)),
        line(CHALLENGED, 1.1, "one"),
        line(RELEASED, 1.5, "one"),
    ]

    assert hours_to_release(lines) == pytest.approx(24)


def test_a_release_whose_judgement_is_older_than_the_lines_says_nothing():
    assert hours_to_release([line(INGESTED, 0.0), line(RELEASED, 1.0, "one")]) is None


def test_of_a_scenario_that_cannot_be_read_there_is_its_problem_alone():
    found = standing(problem="it is damaged")

    assert [need.about for need in found.needs] == ["it is damaged"]
    assert found.model == ""


def test_those_that_need_a_person_come_first_the_newest_need_on_top():
    old, new = Need("b", NeedKind.SILENT, at(1)), Need("c", NeedKind.SILENT, at(2))
    standings = [Standing("z", ()), Standing("b", (old,)), Standing("a", ()), Standing("c", (new, old))]

    assert [one.scenario for one in in_order(standings)] == ["c", "b", "a", "z"]
