from dataclasses import replace

import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.backtest.jobs import EvaluateRefresh
from releve.domain.backtest.loop import judge
from releve.domain.backtest.money import priced
from releve.domain.backtest.played import PlayedPolicy, WindowDecision, changed_answers
from releve.domain.backtest.report import BacktestReport, recommended_settings
from releve.domain.backtest.results import check_scorable, naive
from releve.domain.backtest.results import report as make_report
from releve.domain.backtest.variants import CRON, PolicyVariant
from releve.domain.backtest.walk_forward import walk_forward
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.schema.schema import Schema
from releve.domain.trigger.policies import Cause, CauseKind
from releve.domain.trigger.trigger import TriggerDecision
from releve.reporting.backtest import advice, backtest_page, price_curve
from releve.reporting.markdown import render_markdown
from tests.page_histories import make_backtest
from tests.streams import still, stream, stream_course, stream_params

ACCURACY = {"gate": {"metric": "accuracy"}}
COURSE = stream_course(stream(angle=still), **ACCURACY)
ANSWERED = COURSE.rows - COURSE.start
CADENCES = {"never": 0, "every window": 1, "every 2 windows": 2}


def answers(wrong, *, first=0, plan=COURSE):
    """Answers of which `wrong` rows, every tenth from `first` on, are wrong."""
    truth = plan.context.rows["kind"].iloc[COURSE.start :].eq("yes").to_numpy().astype(float)
    places = (first + np.arange(wrong) * 10) % ANSWERED
    truth[places] = 1 - truth[places]
    return np.column_stack([1 - truth, truth])


def played(name, *, wrong, refreshes=0, first=0, plan=COURSE, **changes):
    policy = CRON if name == CRON.name else PolicyVariant(name, {"trigger.policy": "refresh"}, CADENCES.get(name))
    turns = [WindowDecision(number, TriggerDecision(True, ()), promoted=True) for number in range(1, refreshes + 1)]
    return PlayedPolicy(policy, answers(wrong, first=first, plan=plan), decisions=turns, fit_seconds=1.0, **changes)


def report_of(*each, price=0.0):
    plan = stream_course(stream(angle=still), **ACCURACY, trigger={"retraining_cost": price})
    return make_report("kinds", plan, each)


NEVER = played("never", wrong=55)
EVERY = played("every window", wrong=20, refreshes=5)


def test_where_a_refresh_costs_nothing_it_is_every_window_unless_something_else_is_shown_to_be_better():
    level = played("every 2 windows", wrong=19, refreshes=2, first=3)
    better = played("every 2 windows", wrong=1, refreshes=2)

    assert report_of(NEVER, EVERY, level).recommended.policy == "every window"
    assert "nothing else is shown to be better" in advice(report_of(NEVER, EVERY, level))
    assert report_of(NEVER, EVERY, better).recommended.policy == "every 2 windows"


@pytest.mark.parametrize(
    ("price", "policy"),
    [(0.0024, "every window"), (0.0026, "every 2 windows"), (0.0099, "every 2 windows"), (0.0101, "never")],
)
def test_a_price_buys_the_cadence_with_the_least_total(price, policy):
    """Of 600 answers 55, 20 (5 refreshes) and 25 (3) are wrong: two more refreshes save 5 errors, three save 30."""
    second = played("every 2 windows", wrong=25, refreshes=3, first=3)

    report = report_of(NEVER, EVERY, second, price=price)

    assert report.recommended.policy == policy
    assert [each.policy for each in report.prices] == ["every window", "every 2 windows", "never"]
    assert [each.price for each in report.prices] == pytest.approx([0.0, 0.0025, 0.01])
    assert "every window; from 0.0025 every 2 windows; from 0.010 never" in price_curve(report)


def test_a_single_model_has_to_be_shown_to_be_better_whatever_a_refresh_costs():
    level, better = (played("single model", wrong=wrong, refreshes=5, first=3) for wrong in (19, 1))

    assert report_of(NEVER, EVERY, level, price=0.0001).recommended.policy == "every window"
    assert report_of(NEVER, EVERY, better, price=0.0001).recommended.policy == "single model"


def test_a_rival_is_compared_and_never_recommended():
    report = report_of(NEVER, EVERY, played(CRON.name, wrong=0))

    assert report.recommended.policy == "every window"
    assert report.policy("every window").gain_over_cron.high < 0
    assert report.policy(CRON.name).is_rival


@pytest.mark.parametrize(("policy", "rows"), [("refresh", 98), ("schedule", 98), ("static", 1)])
def test_a_policy_by_the_window_waits_in_production_for_as_many_rows_as_the_smallest_window_had(policy, rows):
    settings = {"trigger.policy": policy, "trigger.min_new_rows": 1}
    report = make_backtest(policies=("never", "it"))
    sizes = zip(report.windows, (100, 98, 99, 100), strict=True)
    windows = [window.model_copy(update={"rows": size}) for window, size in sizes]
    it = report.policy("it").model_copy(update={"settings": settings})

    written = recommended_settings(report.model_copy(update={"windows": windows, "policies": (it,)}))

    assert written == {"trigger.policy": policy, "trigger.min_new_rows": rows}
    assert settings["trigger.min_new_rows"] == 1


def test_gains_are_differences_of_the_same_rows_and_regret_is_over_the_best_member_in_hindsight():
    members = {"good": answers(10), "bad": answers(50)}
    report = report_of(NEVER, played("every window", wrong=20, refreshes=5, members=members))
    never, every = report.policies

    assert every.score.value == pytest.approx(1 - 20 / ANSWERED, abs=1e-5)
    assert every.gain_over_never.value == pytest.approx(35 / ANSWERED, abs=1e-5)
    assert every.regret.value == pytest.approx(10 / ANSWERED, abs=1e-5)
    assert never.regret.value == pytest.approx(45 / ANSWERED, abs=1e-5)
    assert every.gain_over_never.low > 0
    assert [each.name for each in report.members] == ["good", "bad"]
    assert np.mean(every.scores) == pytest.approx(every.score.value, abs=1e-5)


def test_churn_is_the_share_of_classes_that_change_or_the_relative_change_of_values():
    classes = np.array([[0.6, 0.4], [0.1, 0.9]])

    assert changed_answers(classes, classes[:, ::-1]) == 1.0
    assert changed_answers(classes, classes + np.array([[0.1, -0.1], [0, 0]])) == 0.0
    assert changed_answers(np.array([[10.0], [-10.0]]), np.array([[11.0], [-10.0]])) == pytest.approx(0.05)
    assert changed_answers(np.zeros((2, 1)), np.ones((2, 1))) == 1.0


def test_a_search_is_told_with_its_cause_and_what_became_of_it():
    causes = (Cause(CauseKind.DRIFT),)
    decision = TriggerDecision(True, causes, search=True, search_causes=causes)
    turn = WindowDecision(
        2,
        decision,
        promoted=True,
        search=SearchOutcome(proposed="svm C=1", gain=Interval(0.02, 0.01, 0.03), joined=True),
    )
    every = played("every window", wrong=20)
    every.decisions.append(turn)

    page = render_markdown(backtest_page(report_of(NEVER, every)))

    assert "every window: a search after window 2 (drift): svm C=1 joined the pool: a gain of +0.020" in page


def test_the_report_survives_json_and_has_a_line_per_policy_and_per_naive_baseline():
    report = report_of(NEVER, played("every window", wrong=20, refreshes=2))

    assert BacktestReport.model_validate_json(report.model_dump_json()) == report
    assert [window.number for window in report.windows] == [1, 2, 3, 4, 5, 6]
    assert report.policies[1].refreshed_at == (1, 2)
    assert {"majority label", "previous label"} <= {each.name for each in report.baselines}
    page = render_markdown(backtest_page(report))
    assert all(f"| {name} |" in page for name in ("never", "every window", "naive: majority label"))
    assert advice(report) in page
    assert "not defined" not in page


def one_class_in(*windows):
    """The stream, judged by AUC, with labels of one class alone in these windows."""
    rows = stream(angle=still)
    for number in windows:
        window = COURSE.windows[number - 1]
        rows.loc[window.start : window.end - 1, "kind"] = "no"
    return stream_course(rows, gate={"metric": "auc"})


def test_a_window_of_one_class_has_no_auc_and_no_say_and_the_summary_tells():
    plan = one_class_in(2)

    report = make_report("kinds", plan, [played(name, wrong=55, plan=plan) for name in ("never", "b")])

    never = report.policies[0]
    defined = [score for score in never.scores if score is not None]
    assert [score is None for score in never.scores] == [False, True, False, False, False, False]
    assert never.score.value == pytest.approx(np.mean(defined), abs=1e-5)
    assert all(each.scores[1] is None for each in report.baselines)
    assert "In 1 windows auc is not defined: they are in no score." in render_markdown(backtest_page(report))


def test_where_no_window_has_an_auc_that_is_reported_before_anything_is_played():
    plan = one_class_in(1, 2, 3, 4, 5, 6)

    with pytest.raises(BadInput, match="auc is defined in none of the 6 windows"):
        check_scorable(plan)
    check_scorable(one_class_in(1, 2, 3, 4, 5))
    check_scorable(COURSE)


def test_values_are_always_scorable():
    rows = stream(angle=still).assign(kind=lambda frame: frame["length"])
    schema = Schema.from_dict(
        {"target": {"name": "kind", "task": "regression"}, "columns": {"width": {"type": "number"}}}
    )

    check_scorable(walk_forward(rows, schema, stream_params(gate={"metric": "auto"})))


@pytest.mark.parametrize(("windows", "rows", "there"), [(0, 0, True), (1, 0, False), (0, 5, False), (1, 5, False)])
def test_late_labels_leave_no_label_of_the_row_before_to_repeat(windows, rows, there):
    delays = {"backtest": {"label_delay_windows": windows}, "gate": {"label_delay_rows": rows}}

    assert ("label of the row before" in naive(stream_course(stream(angle=still), **delays))) is there


@pytest.mark.parametrize(("windows", "rows"), [(0, 0), (0, 1), (0, 5), (1, 0), (1, 5)])
def test_the_previous_label_is_the_newest_that_has_arrived(windows, rows):
    delays = {"backtest": {"label_delay_windows": windows}, "gate": {"label_delay_rows": rows}}
    plan = stream_course(stream(angle=still), **delays)
    labels = plan.context.rows["kind"].eq("yes").to_numpy().astype(int)

    answered = naive(plan)["previous label"].argmax(axis=1)

    last = plan.windows[-1]
    known = last.start - 1 - 100 * windows  # the newest label that had arrived when the window began
    newest = [max(known, row - rows) if rows and not windows else known for row in range(last.start, last.end)]
    assert answered[-100:].tolist() == labels[newest].tolist()


MONEY = {"costs": {"offer": {"yes": 0, "no": 10}, "keep": {"yes": 10, "no": 0}}, "unit": "EUR"}


def in_money(*each, **prices):
    plan = stream_course(stream(angle=still), **ACCURACY, decision={**MONEY, **prices})
    return make_report("kinds", plan, each)


@pytest.mark.parametrize(
    ("retraining", "policy"),
    [(0.0, "every window"), (33.0, "every window"), (34.0, "every 2 windows"), (126.0, "never")],
)
def test_the_cadence_is_recommended_whose_decisions_and_retrainings_cost_least(retraining, policy):
    sometimes = played("every 2 windows", wrong=30, refreshes=2)

    report = in_money(NEVER, EVERY, sometimes, retraining=retraining)

    total = {each.name: each.total for each in report.money.policies}
    assert report.recommended.policy == policy == min(total, key=total.get)
    assert total["never"] == report.money.policies[0].cost.value
    assert total["every window"] - report.money.policies[1].cost.value == pytest.approx(
        5 * retraining / ANSWERED, abs=1e-5
    )


def test_an_hour_of_cpu_has_a_price_too():
    report = in_money(NEVER, EVERY, cpu_hour=3600.0)

    assert [each.retraining for each in report.money.policies] == pytest.approx([1.0 / ANSWERED] * 2, rel=1e-5)


def test_decisions_of_a_window_rest_on_labels_that_had_arrived():
    late = stream_course(stream(angle=still), **ACCURACY, decision=MONEY, backtest={"label_delay_windows": 2})
    known = priced(late, [EVERY])
    turned = replace(late, truth=np.where(np.arange(late.rows) < late.windows[-2].start, late.truth, 1 - late.truth))

    charged = priced(turned, [EVERY])

    first = late.windows[-2].start - late.start
    assert (known.costs[0][:first] == charged.costs[0][:first]).all()
    assert known.costs[0][first:] == pytest.approx(10 - charged.costs[0][first:])  # the same decisions, other labels


def test_money_is_told_with_its_unit_beside_the_best_constant_decision():
    report = in_money(NEVER, EVERY, retraining=2.0)

    text = render_markdown(backtest_page(report))

    assert BacktestReport.model_validate_json(report.model_dump_json()) == report
    assert "best constant decision" in text
    assert "EUR a row, retraining included" in advice(report)
    assert price_curve(report).startswith("Least total by the price of a refresh, in EUR: every window; from ")


def test_the_gate_of_a_backtest_judges_by_money_where_production_does():
    plan = stream_course(stream(angle=still), gate={"metric": "cost"}, decision=MONEY)
    folds = tuple(Fold(each.start, each.end) for each in plan.windows[:3])
    rows = folds[-1].end - folds[0].start
    mine, other = (answers(wrong, plan=plan)[:rows] for wrong in (0, 55))

    better, worse = (
        EvaluateRefresh("schedule", 3, folds, each, served, ()).run(plan.context)
        for each, served in ((mine, other), (other, mine))
    )

    accepted, refused = (judge(each, plan.context.params, has_champion=True) for each in (better, worse))
    assert accepted.held_against == (Opponent.CHAMPION, Opponent.SAME_DECISION)
    assert [one.of for one in refused.failed] == [Opponent.CHAMPION]
