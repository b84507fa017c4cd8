import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.backtest.engine import play_all
from releve.domain.backtest.jobs import CompareDrift, EvaluateRefresh, FitMember
from releve.domain.backtest.variants import CRON, CRON_NEWEST, PolicyVariant, variants
from releve.domain.backtest.walk_forward import BacktestWindow
from releve.domain.drift.verdict import DriftState
from releve.domain.ensemble import fitting
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.trigger.policies import Cause, CauseKind
from tests.streams import Here, abrupt, gradual, still, stream, stream_course, stream_params

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

NEVER = PolicyVariant("never", {"trigger.policy": "static"}, 0)
EVERY = PolicyVariant("every window", {"trigger.policy": "refresh", "trigger.min_new_rows": 1}, 1)
EVERY_SECOND = PolicyVariant(
    "every 2 windows", {"trigger.policy": "schedule", "trigger.every_batches": 2, "trigger.min_new_rows": 1}, 2
)
SINGLE = PolicyVariant("single model", EVERY.settings | {"train.ensemble": False})


def play(rows, *chosen, **sections):
    plan = stream_course(rows, **sections)
    here = Here(plan.context)
    return play_all(chosen, plan, here), plan, here


def right(played, plan):
    """Share of right answers in each window."""
    is_right = plan.context.scored(played.answers, plan.start, plan.rows).is_correct
    return [is_right[window.start - plan.start : window.end - plan.start].mean() for window in plan.windows]


def turned(rows, start, end):
    """The rows with the labels of [start, end) turned round."""
    part = (rows.index >= start) & (rows.index < end)
    return rows.assign(kind=rows["kind"].where(~part, rows["kind"].map({"no": "yes", "yes": "no"})))


def test_each_policy_refreshes_when_its_rule_says_so():
    (never, every, second), plan, _ = play(stream(angle=gradual), NEVER, EVERY, EVERY_SECOND)

    assert (never.refreshed_at, every.refreshed_at, second.refreshed_at) == ([], [1, 2, 3, 4, 5], [2, 4])
    assert np.mean(right(every, plan)) > np.mean(right(never, plan)) + 0.05
    assert all(each.decision.causes == (Cause(CauseKind.STATIC),) for each in never.decisions)


def test_a_member_is_fitted_once_whatever_policies_need_it():
    rows = stream(angle=abrupt)
    _, _, alone = play(rows, EVERY)
    played, _, together = play(rows, NEVER, EVERY_SECOND, EVERY, PolicyVariant("again", EVERY.settings))

    assert len(together.jobs) == len(set(together.jobs))
    fits = [job for job in together.jobs if isinstance(job, FitMember)]
    assert set(fits) == {job for job in alone.jobs if isinstance(job, FitMember)}
    assert played[2].fit_seconds == played[3].fit_seconds > played[0].fit_seconds  # as if each had been played alone


def test_an_ensemble_answers_by_several_windows_and_a_single_model_by_one():
    (ensemble, single), plan, _ = play(stream(angle=gradual), EVERY, SINGLE)

    assert {*ensemble.members} == {"constant", *(f"linear{last}" for last in ("", "_last_2", "_last_5", "_last_10"))}
    assert {*single.members} == {"linear"}
    assert (single.answers == single.members["linear"]).all()
    assert np.mean(right(ensemble, plan)) > np.mean(right(single, plan))


def test_the_cron_job_learns_before_each_window_and_asks_no_gate():
    (cron, newest), plan, here = play(turned(stream(angle=still), 400, 800), CRON, CRON_NEWEST)

    fits = [job for job in here.jobs if isinstance(job, FitMember) and job.recipe == "hist_gradient_boosting"]
    assert {(job.first, job.end) for job in fits} == {
        *((0, end) for end in range(200, 800, 100)),  # the newest five windows are all rows at first
        (100, 600),
        (200, 700),
    }
    assert right(newest, plan)[-1] > right(cron, plan)[-1]
    assert len(cron.churn) == 5


def test_a_cron_job_gives_the_usual_answer_where_it_cannot_learn():
    rows = stream(angle=still)
    rows.loc[:299, "kind"] = "no"

    (cron,), _, _ = play(rows, CRON)

    assert (cron.answers[:200, 0] == 1).all()
    assert (cron.answers[200:, 0] < 1).any()


@pytest.mark.parametrize(("delay", "unchanged"), [(0, 3), (1, 4), (2, 5)])
def test_no_policy_sees_a_label_before_it_arrives(delay, unchanged):
    """Labels from window 3 on are others: with a delay of 0 the first answer that may differ is to window 4."""
    rows = stream(angle=abrupt)
    start = stream_course(rows).windows[2].start
    late = {"backtest": {"windows": 6, "first_share": 0.25, "label_delay_windows": delay}}
    chosen = variants(stream_params(**late))

    first, plan, _ = play(rows, *chosen, **late)
    second, _, _ = play(turned(rows, start, len(rows)), *chosen, **late)

    known = plan.windows[unchanged - 1].end - plan.start
    for one, another in zip(first, second, strict=True):
        assert (one.answers[:known] == another.answers[:known]).all(), one.policy.name
        seen = [[each.decision for each in each.decisions if each.window < unchanged] for each in (one, another)]
        assert seen[0] == seen[1], one.policy.name
    every = next(place for place, policy in enumerate(chosen) if policy.name == EVERY.name)
    assert (first[every].answers[known:] != second[every].answers[known:]).any()


def test_a_release_that_labels_show_to_be_worse_is_taken_back():
    rows = turned(stream(angle=still, rows=1600), 600, 900)
    (every,), plan, _ = play(rows, EVERY, backtest={"windows": 12, "first_share": 0.25})

    assert every.rolled_back_at == [3]  # the first window of turned labels
    assert 3 in every.refreshed_at  # from the labels that showed the harm
    assert right(every, plan)[-1] > 0.9


def test_a_slow_deployment_answers_a_window_with_the_refresh_before():
    late = PolicyVariant("late", EVERY.settings, deploy_delay=1)
    (prompt, delayed), _, _ = play(stream(angle=still), EVERY, late)

    assert delayed.refreshed_at == prompt.refreshed_at
    assert (delayed.answers[:200] == np.concatenate([prompt.answers[:100], delayed.answers[100:200]])).all()
    assert len(delayed.churn) == len(prompt.churn) - 1


def test_a_rollback_stops_no_release_that_is_on_its_way():
    rows = turned(stream(angle=still, rows=1600), 600, 900)
    late = PolicyVariant("late", EVERY.settings, deploy_delay=1)

    (prompt, delayed), _, _ = play(rows, EVERY, late, backtest={"windows": 12, "first_share": 0.25})

    assert prompt.rolled_back_at
    assert delayed.rolled_back_at == []
    assert delayed.refreshed_at == list(range(1, 12))
    assert len(delayed.churn) == 10  # each refresh but the last one has served


def test_evidence_opens_a_search_among_the_defaults_of_other_recipes():
    sections = {"train": {"recipe": "auto"}, "search": {"on": ["drift"], "trials": 5, "min_days": 9.0}}
    rows = stream(angle=still, rows=700)
    rows.loc[300:, "length"] += 3

    (every,), _, here = play(rows, EVERY, backtest={"windows": 4, "first_share": 0.3}, **sections)

    (searched,) = [each for each in every.decisions if each.search]
    assert CauseKind.DRIFT in [cause.kind for cause in searched.decision.search_causes]
    assert searched.search.proposed.split()[0] in {"random_forest", "svm", "k_neighbors", "neural_network"}
    tried = {job.recipe for job in here.jobs if isinstance(job, FitMember)}
    assert {"random_forest", "svm", "k_neighbors", "neural_network"} <= tried


def test_a_monitoring_run_counts_only_labels_that_have_arrived():
    plan = stream_course(stream(angle=still), backtest={"label_delay_windows": 2})
    windows = plan.windows

    assert [plan.known(window) for window in windows[:4]] == [200, 200, 300, 400]
    assert [plan.known_before(window) for window in windows[:4]] == [200, 200, 200, 300]
    assert plan.new_batches(400, judged=300) == 1


def test_two_runs_over_the_same_rows_are_one_alarm_as_in_production():
    rows = stream(angle=still)
    rows.loc[200:, "length"] += 2

    _, _, here = play(rows, NEVER, monitor={"window_rows": 300})

    runs = [job for job in here.jobs if isinstance(job, CompareDrift)]
    assert [(run.start, run.end) for run in runs] == [(200, 300), (200, 400), (200, 500), (300, 600), (400, 700)]
    assert [run.before for run in runs] == [*[NO_DRIFT] * 3, INSUFFICIENT, DRIFT]


def test_windows_of_which_only_the_newest_rows_are_answered_are_judged_on_these(monkeypatch):
    monkeypatch.setattr(fitting, "MOST_ANSWERS", 70)

    (played,), _, here = play(stream(angle=gradual), EVERY)

    judged = [job.folds for job in here.jobs if isinstance(job, EvaluateRefresh)]
    assert judged[-1] == (Fold(630, 700),)
    assert played.refreshed_at == [1, 2, 3, 4, 5]


def test_windows_are_equal_parts_of_the_rows_after_the_first_or_the_batches_as_they_came():
    rows = stream(angle=still)
    equal = stream_course(rows)
    batches = stream_course(
        rows.assign(_batch=np.repeat(["a", "b", "c", "d"], [250, 150, 100, 300])), backtest={"windows": 0}
    )

    assert equal.windows[0] == BacktestWindow(1, 200, 300, "2000-01-02T00:00:00+00:00")  # a day apart without times
    assert [(window.start, window.end) for window in batches.windows] == [(250, 400), (400, 500), (500, 800)]


@pytest.mark.parametrize(("rows", "windows"), [(60, 6), (800, 1), (800, 70)])
def test_too_few_rows_are_refused_with_what_to_do(rows, windows):
    with pytest.raises(BadInput, match=r"Ingest more rows, or change backtest\.windows or backtest\.first_share"):
        stream_course(stream(angle=still, rows=rows), backtest={"windows": windows})


def test_of_rows_of_one_class_the_naive_answer_is_the_first_model_until_a_model_can_be_fitted():
    rows = stream(angle=still)
    rows.loc[:299, "kind"] = "no"

    (never, every), plan, _ = play(rows, NEVER, EVERY)

    assert (never.answers[:, 0] == 1).all()
    assert (every.answers[:200, 0] == 1).all()  # rows 200 to 399: the second hundred holds both classes
    assert right(every, plan)[-1] > right(never, plan)[-1] + 0.2


def test_where_no_model_beats_the_naive_answer_it_serves_and_is_held_to_its_own_score():
    rows = stream(angle=still)
    rows["kind"] = np.random.default_rng(5).permutation(rows["kind"].to_numpy())

    (never,), _, here = play(rows, NEVER)

    assert (never.answers == never.answers[0]).all()
    first = next(job for job in here.jobs if isinstance(job, EvaluateRefresh))
    assert (first.answers == first.answers[0]).all()


def test_progress_counts_windows_and_fits_and_ends_at_what_was_planned():
    plan, reports = stream_course(stream(angle=still)), []

    play_all([NEVER, EVERY], plan, Here(plan.context), report=reports.append)

    assert {each.windows for each in reports} == {6}
    assert [each.window for each in reports] == sorted(each.window for each in reports)
    assert [each.fits for each in reports] == sorted(each.fits for each in reports)
    assert all(each.fits <= each.planned for each in reports)
    assert reports[-1].window == 6
