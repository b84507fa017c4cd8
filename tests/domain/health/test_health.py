"""One word on the champion, from what is known of it."""

import pytest

from releve.domain.health.health import Health, HealthAction, HealthCause, HealthEvidence, assess_health
from releve.domain.quality.realised import QualityState

WITHIN, INCONCLUSIVE, DEGRADED = QualityState.WITHIN_TOLERANCE, QualityState.INCONCLUSIVE, QualityState.DEGRADED


def word(**known):
    return assess_health(HealthEvidence(**known)).health


def action(**known):
    return assess_health(HealthEvidence(**known)).action


@pytest.mark.parametrize(
    ("known", "cause", "action"),
    [
        ({"ingested": False}, HealthCause.NOTHING_INGESTED, HealthAction.INGEST),
        ({}, HealthCause.NOTHING_RELEASED, HealthAction.RETRAIN),
        ({"refused": True}, HealthCause.REFUSED, HealthAction.INGEST_AND_RETRAIN),
        ({"withdrawn": True}, HealthCause.WITHDRAWN, HealthAction.RETRAIN),
    ],
)
def test_without_a_release_there_is_no_model_whatever_is_known_beside_it(known, cause, action):
    found = assess_health(HealthEvidence(serves=False, realised=WITHIN, drift=True, **known))

    assert (found.health, found.causes, found.action) == (Health.NO_MODEL, (cause,), action)


@pytest.mark.parametrize(
    ("realised", "estimated", "expected"),
    [
        (WITHIN, QualityState.UNKNOWN, Health.HEALTHY),
        (QualityState.UNKNOWN, WITHIN, Health.HEALTHY),
        (QualityState.UNKNOWN, QualityState.UNKNOWN, Health.UNKNOWN),
        (INCONCLUSIVE, WITHIN, Health.WATCH),
        (WITHIN, DEGRADED, Health.WATCH),
        (WITHIN, QualityState.AUDIT_FAILED, Health.WATCH),
        (QualityState.UNKNOWN, DEGRADED, Health.WATCH),
        (DEGRADED, WITHIN, Health.DEGRADED),
        (DEGRADED, QualityState.UNKNOWN, Health.DEGRADED),
    ],
)
def test_labels_count_more_than_estimates(realised, estimated, expected):
    assert word(realised=realised, estimated=estimated) == expected


@pytest.mark.parametrize("warning", ["naive", "dear", "broken_data", "drift", "due", "rejected_rows"])
def test_what_asks_for_attention_is_watched_and_never_degrades_a_model(warning):
    assert word(realised=WITHIN, **{warning: True}) == Health.WATCH
    assert word(realised=QualityState.UNKNOWN, **{warning: True}) == Health.WATCH


def test_a_fresh_release_is_unknown_until_it_is_monitored():
    found = assess_health(HealthEvidence(monitored=False))

    assert (found.health, found.causes) == (Health.UNKNOWN, (HealthCause.NOT_MONITORED,))
    assert found.action == HealthAction.MONITOR


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"before": WITHIN}, Health.HEALTHY),
        ({"before": INCONCLUSIVE}, Health.WATCH),
        ({"before": DEGRADED}, Health.WATCH),  # what was made since is no worse for it
        ({"before_estimated": WITHIN}, Health.HEALTHY),
        ({"before_estimated": DEGRADED}, Health.UNKNOWN),
        ({"before": DEGRADED, "realised": WITHIN}, Health.HEALTHY),
        ({"before": DEGRADED, "estimated": WITHIN}, Health.HEALTHY),
        ({"before": WITHIN, "drift": True}, Health.WATCH),
        ({"late_degraded": True, "realised": WITHIN}, Health.WATCH),
    ],
)
def test_the_release_before_stands_in_while_nothing_is_known_of_the_one_that_serves(known, expected):
    assert word(**known) == expected


def test_after_a_rollback_the_rows_are_mended_before_a_retraining():
    assert action(realised=DEGRADED, has_met_expectation=True, came_back=True) == HealthAction.CORRECT
    assert action(realised=DEGRADED, has_met_expectation=True) == HealthAction.RETRAIN


@pytest.mark.parametrize(
    ("realised", "score", "high", "expected"),
    [
        (WITHIN, 0.60, 0.65, Health.HEALTHY),
        (WITHIN, 0.58, 0.65, Health.WATCH),  # below the baseline, but as expected, and it may still be better
        (WITHIN, 0.50, 0.58, Health.DEGRADED),  # its whole interval is below the baseline
        (INCONCLUSIVE, 0.60, 0.65, Health.WATCH),
        (INCONCLUSIVE, 0.58, 0.65, Health.DEGRADED),
        (QualityState.UNKNOWN, 0.58, 0.65, Health.WATCH),  # a few labels
    ],
)
def test_a_model_below_a_naive_baseline_is_not_healthy(realised, score, high, expected):
    assert word(realised=realised, score=score, score_high=high, baseline=0.587) == expected


def test_what_is_too_old_makes_no_model_healthy_and_is_monitored_anew():
    found = assess_health(HealthEvidence(realised=WITHIN, realised_outdated=True, retraining_due=True))

    assert (found.health, found.causes, found.action) == (Health.WATCH, (HealthCause.OUTDATED,), HealthAction.MONITOR)
    assert word(realised=WITHIN, realised_outdated=True, estimated=WITHIN) == Health.HEALTHY
    assert word(realised=WITHIN, realised_outdated=True, estimated=WITHIN, run_outdated=True) == Health.WATCH
    assert word(estimated=WITHIN, run_outdated=True) == Health.WATCH
    assert word(realised=DEGRADED, realised_outdated=True) == Health.DEGRADED


def test_a_degraded_model_names_every_cause_the_gravest_first():
    found = assess_health(
        HealthEvidence(realised=DEGRADED, score=0.483, score_high=0.55, baseline=0.587, drift=True, due=True)
    )

    assert found.causes == (HealthCause.BELOW_EXPECTED, HealthCause.BELOW_BASELINE, HealthCause.DRIFT, HealthCause.DUE)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, HealthAction.RETRAIN),
        ({"refused": True}, HealthAction.INGEST_AND_RETRAIN),
        ({"can_roll_back": True}, HealthAction.ROLL_BACK),
        ({"can_roll_back": True, "has_met_expectation": True}, HealthAction.RETRAIN),
    ],
)
def test_a_degraded_model_is_rolled_back_if_it_was_never_good_and_retrained_otherwise(known, expected):
    assert action(realised=DEGRADED, **known) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"drift": True}, HealthAction.MONITOR),
        ({"drift": True, "retraining_due": True}, HealthAction.RETRAIN),
        ({"drift": True, "retraining_due": True, "refused": True}, HealthAction.INGEST_AND_RETRAIN),
        ({"drift": True, "rejected_rows": True}, HealthAction.MONITOR),
        ({"rejected_rows": True}, HealthAction.RESUBMIT),
        ({}, HealthAction.NOTHING),
    ],
)
def test_a_watched_model_is_retrained_only_where_monitoring_asks_for_it(known, expected):
    assert action(realised=WITHIN, **known) == expected
