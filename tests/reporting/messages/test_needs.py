"""The sentence, the advice and the command of what needs a person."""

import pytest

from releve.domain.attention.needs import Need, NeedKind
from releve.domain.health.health import HealthCause
from releve.domain.quality.realised import QualityState
from releve.domain.quality.staleness import UNLABELLED, ExceededLimit
from releve.reporting.messages.needs import TEXTS, ago, describe_need
from tests.page_histories import MODEL, at, drift, make_quality, make_run, make_staleness


def text_of(kind, about="", **changes):
    return describe_need(Need("shop", kind, at(1), about, **changes))


def test_every_kind_of_need_has_a_text():
    assert set(TEXTS) == set(NeedKind)


@pytest.mark.parametrize("kind", NeedKind)
def test_a_text_is_whole_even_where_little_is_known(kind):
    text = text_of(kind, "20260105")

    assert text.sentence
    assert text.advice.endswith(".")
    assert "{" not in text.sentence + text.advice + text.command


def test_a_degraded_model_is_named_with_its_figures_and_the_command():
    run = make_run(quality=make_quality(QualityState.DEGRADED))

    text = text_of(NeedKind.DEGRADED, MODEL, run=run, count=2)

    assert text.sentence.startswith(f"{'1' * 12} is worse than expected; 2 models in a row: accuracy 0.880 on 180")
    assert text.command == "make retrain SCENARIO=shop SEARCH=1"


@pytest.mark.parametrize(
    ("cause", "about", "told", "command"),
    [
        (HealthCause.NOTHING_INGESTED, "", "no row was ingested", "make retrain SCENARIO=shop"),
        (HealthCause.NOTHING_RELEASED, "", "no challenger was judged", "make retrain SCENARIO=shop"),
        (
            HealthCause.NOTHING_RELEASED,
            MODEL,
            f"{'1' * 12} was accepted and not released",
            "make release SCENARIO=shop",
        ),
        (HealthCause.REFUSED, MODEL, f"the gate refused {'1' * 12}", "make retrain SCENARIO=shop"),
        (HealthCause.WITHDRAWN, "", "the champion was withdrawn", "make retrain SCENARIO=shop"),
    ],
)
def test_where_nothing_serves_the_cause_and_the_way_out_are_said(cause, about, told, command):
    text = text_of(NeedKind.NOTHING_SERVES, about, cause=cause)

    assert told in text.sentence
    assert text.command == command


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (ExceededLimit(UNLABELLED, 0.953, 0.9), "95% of the answers older than"),
        (ExceededLimit("max_label_days", 41.0, 30.0), "half of them after 41 days, 30 are allowed"),
    ],
)
def test_labels_that_are_overdue_are_told_by_the_limit_that_is_passed(limit, told):
    assert told in text_of(NeedKind.LABELS_OVERDUE, run=make_run(staleness=make_staleness(limit))).sentence


def test_broken_data_are_told_with_what_is_broken():
    assert "price" in text_of(NeedKind.BROKEN_DATA, run=make_run(drift=drift("broken data"))).sentence


@pytest.mark.parametrize(
    ("count", "told"), [(1, "1 file was refused, a.csv"), (3, "3 files were refused, the newest a")]
)
def test_refused_files_are_counted(count, told):
    assert told in text_of(NeedKind.REFUSED_FILES, "a.csv", count=count).sentence


def test_a_long_error_is_cut():
    assert len(text_of(NeedKind.UNREADABLE, "x" * 5000).sentence) < 400


def test_an_age_is_a_whole_figure():
    assert [ago(at(1), at(day)) for day in (4.4, 1.25, 1, 0)] == ["3 days", "6 hours", "0 seconds", "0 seconds"]
    assert ago("", at(1)) == ""
