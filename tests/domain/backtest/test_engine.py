import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.backtest.engine import play_all
from releve.domain.backtest.jobs import CompareDrift, FitModel
from releve.domain.backtest.variants import PolicyVariant, policy_variants
from releve.domain.backtest.walk_forward import BacktestWindow
from releve.domain.drift.verdict import DriftState
from releve.domain.trigger.policies import Cause, CauseKind
from tests.streams import Here, abrupt, still, stream, stream_course, stream_params

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

EVERY = {"trigger.policy": "refresh", "trigger.min_new_rows": 1}
STATIC = PolicyVariant("static", {"trigger.policy": "static"})
EVERY_FREELY = PolicyVariant("every window, gate off", EVERY, gated=False)
EVERY_GATED = PolicyVariant("every window", EVERY)


def play(rows, *chosen, **sections):
    plan = stream_course(rows, **sections)
    here = Here(plan.context)
    return play_all(chosen, plan, here), plan, here


def right(played, plan):
    """Share of right answers in each window."""
    is_right = plan.context.scored(played.answers, plan.start, plan.rows).is_correct
    return [is_right[window.start - plan.start : window.end - plan.start].mean() for window in plan.windows]


def test_a_static_policy_never_retrains_and_the_others_do():
    (static, every), plan, _ = play(stream(angle=abrupt), STATIC, EVERY_FREELY)

    assert (static.retrained_at, every.retrained_at) == ([], [1, 2, 3, 4, 5])
    assert every.promoted_at == every.retrained_at
    assert np.mean(right(every, plan)) > np.mean(right(static, plan)) + 0.05
    assert all(each.decision.causes == (Cause(CauseKind.STATIC),) for each in static.decisions)


def test_the_gate_lets_pass_what_is_not_shown_to_be_worse():
    (gated, freely), _, _ = play(stream(angle=still), EVERY_GATED, EVERY_FREELY)

    assert gated.retrained_at == freely.retrained_at == [1, 2, 3, 4, 5]
    assert len(gated.promoted_at) >= 4


def test_a_model_of_the_same_rows_is_fitted_once_whatever_policies_need_it():
    rows = stream(angle=abrupt)
    _, _, alone = play(rows, EVERY_FREELY)
    played, _, together = play(rows, STATIC, EVERY_FREELY, PolicyVariant("again", EVERY, gated=False))

    assert len(together.jobs) == len(set(together.jobs))
    fits = [job for job in together.jobs if isinstance(job, FitModel)]
    assert set(fits) == {job for job in alone.jobs if isinstance(job, FitModel)}
    assert played[1].seconds == played[2].seconds > played[0].seconds  # as if each had been played alone


@pytest.mark.parametrize(("delay", "unchanged"), [(0, 3), (1, 4), (2, 5)])
def test_no_policy_sees_a_label_before_it_arrives(delay, unchanged):
    """Labels from window 3 on are others: with a delay of 0 the first answer that may differ is to window 4."""
    rows = stream(angle=abrupt)
    plan = stream_course(rows)
    start = plan.windows[2].start
    other = rows.assign(kind=rows["kind"].where(rows.index < start, rows["kind"].map({"no": "yes", "yes": "no"})))
    late = {"backtest": {"windows": 6, "first_share": 0.25, "label_delay_windows": delay}}
    chosen = [*policy_variants(stream_params(**late))]

    first, plan, _ = play(rows, *chosen, **late)
    second, _, _ = play(other, *chosen, **late)

    known = plan.windows[unchanged - 1].end - plan.start
    for one, another in zip(first, second, strict=True):
        assert (one.answers[:known] == another.answers[:known]).all(), one.policy.name
        seen = [[each.decision for each in each.decisions if each.window < unchanged] for each in (one, another)]
        assert seen[0] == seen[1], one.policy.name
    every = next(place for place, policy in enumerate(chosen) if policy.name == EVERY_FREELY.name)
    assert (first[every].answers[known:] != second[every].answers[known:]).any()


def test_a_monitoring_run_counts_only_labels_that_have_arrived():
    plan = stream_course(stream(angle=still), backtest={"label_delay_windows": 2})
    windows = plan.windows

    assert [plan.known(window) for window in windows[:4]] == [200, 200, 300, 400]
    assert [plan.known_before(window) for window in windows[:4]] == [200, 200, 200, 300]
    assert plan.new_batches(400, judged=300) == 1


def test_two_runs_over_the_same_rows_are_one_alarm_as_in_production():
    rows = stream(angle=still)
    rows.loc[200:, "length"] += 2

    _, _, here = play(rows, STATIC, monitor={"window_rows": 300})

    runs = [job for job in here.jobs if isinstance(job, CompareDrift)]
    assert [(run.start, run.end) for run in runs] == [(200, 300), (200, 400), (200, 500), (300, 600), (400, 700)]
    assert [run.before for run in runs] == [*[NO_DRIFT] * 3, INSUFFICIENT, DRIFT]


def test_windows_are_equal_parts_of_the_rows_after_the_first_or_the_batches_as_they_came():
    rows = stream(angle=still)
    equal = stream_course(rows)
    batches = stream_course(
        rows.assign(_batch=np.repeat(["a", "b", "c", "d"], [250, 150, 100, 300])), backtest={"windows": 0}
    )

    assert equal.windows[0] == BacktestWindow(1, 200, 300)
    assert [(window.start, window.end) for window in batches.windows] == [(250, 400), (400, 500), (500, 800)]


@pytest.mark.parametrize(("rows", "windows"), [(60, 6), (800, 1), (800, 70)])
def test_too_few_rows_are_refused_with_what_to_do(rows, windows):
    with pytest.raises(BadInput, match=r"Ingest more rows, or change backtest\.windows or backtest\.first_share"):
        stream_course(stream(angle=still, rows=rows), backtest={"windows": windows})


def test_rows_of_one_class_make_no_first_model():
    rows = stream(angle=still)
    rows.loc[:399, "kind"] = "no"
    plan = stream_course(rows)

    with pytest.raises(BadInput, match="at least two classes"):
        play_all([STATIC], plan, Here(plan.context))


def test_progress_names_the_policy_that_is_furthest_behind_and_never_goes_back():
    plan, reports = stream_course(stream(angle=still)), []

    play_all([STATIC, EVERY_FREELY], plan, Here(plan.context), report=reports.append)

    assert {(each.windows, each.policies) for each in reports} == {(6, 2)}
    assert [each.window for each in reports] == sorted(each.window for each in reports)
    assert [each.share for each in reports] == sorted(each.share for each in reports)
    assert (reports[0].window, reports[-1].window, reports[-1].policy) == (1, 6, "every window, gate off")
