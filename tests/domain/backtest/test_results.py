import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.backtest.engine import PlayedPolicy, WindowDecision
from releve.domain.backtest.report import BacktestReport, recommended_settings
from releve.domain.backtest.results import check_scorable, naive
from releve.domain.backtest.results import report as make_report
from releve.domain.backtest.variants import PolicyVariant
from releve.domain.backtest.walk_forward import walk_forward
from releve.domain.evaluation.intervals import Interval
from releve.domain.schema.schema import Schema
from releve.domain.trigger.trigger import TriggerDecision
from releve.reporting.backtest import advice, backtest_page
from releve.reporting.markdown import render_markdown
from tests.page_histories import make_backtest
from tests.streams import LINEAR, still, stream, stream_course, stream_params

COURSE = stream_course(stream(angle=still))
ANSWERED = COURSE.rows - COURSE.start


def played(name, *, wrong, retrainings, gated=True, first=0, plan=COURSE):
    """Answers of which `wrong` rows, every tenth from `first` on, are wrong."""
    truth = plan.context.rows["kind"].iloc[COURSE.start :].eq("yes").to_numpy().astype(float)
    places = (first + np.arange(wrong) * 10) % ANSWERED
    truth[places] = 1 - truth[places]
    settings = {"trigger.policy": "static" if name == "static" else "refresh", "trigger.min_new_rows": 1}
    turns = [WindowDecision(number, TriggerDecision(True, ()), promoted=True) for number in range(1, retrainings + 1)]
    return PlayedPolicy(
        PolicyVariant(name, settings, gated=gated), np.column_stack([1 - truth, truth]), turns, seconds=1.0
    )


def report_of(*each):
    return make_report("kinds", COURSE, each)


def test_what_is_not_distinguishable_from_the_best_and_is_cheaper_is_recommended():
    report = report_of(
        played("static", wrong=55, retrainings=0),
        played("dear", wrong=20, retrainings=5),
        played("cheap", wrong=21, retrainings=2, first=3),
    )

    assert (report.recommended.policy, report.recommended.rival) == ("cheap", "dear")
    assert report.recommended.gain.low <= 0
    assert "Recommended: cheap (not distinguishable from 'dear', the best" in advice(report)


def test_what_is_clearly_the_best_is_recommended_whatever_it_costs():
    report = report_of(played("static", wrong=59, retrainings=0), played("dear", wrong=5, retrainings=5))

    assert (report.recommended.policy, report.recommended.rival) == ("dear", "static")
    assert report.recommended.gain == report.policy("dear").gain_over_static
    assert "Recommended: dear (the best score" in advice(report)


def test_what_skips_the_gate_is_never_recommended():
    report = report_of(
        played("static", wrong=59, retrainings=0),
        played("gated", wrong=30, retrainings=5),
        played("freely", wrong=0, retrainings=5, gated=False),
    )

    assert report.recommended.policy == "gated"
    assert recommended_settings(report)["trigger.policy"] == "refresh"


@pytest.mark.parametrize(("policy", "rows"), [("refresh", 98), ("schedule", 98), ("static", 1)])
def test_a_policy_by_the_window_waits_in_production_for_as_many_rows_as_the_smallest_window_had(policy, rows):
    settings = {"trigger.policy": policy, "trigger.min_new_rows": 1}
    report = make_backtest(policies=("static", "it"))
    sizes = zip(report.windows, (100, 98, 99, 100), strict=True)
    windows = [window.model_copy(update={"rows": size}) for window, size in sizes]
    it = report.policy("it").model_copy(update={"settings": settings})

    written = recommended_settings(report.model_copy(update={"windows": windows, "policies": (it,)}))

    assert written == {"trigger.policy": policy, "trigger.min_new_rows": rows}
    assert settings["trigger.min_new_rows"] == 1


def test_gains_and_regrets_are_differences_of_the_same_rows():
    report = report_of(played("static", wrong=55, retrainings=0), played("dear", wrong=20, retrainings=5))
    static, dear = report.policies

    assert dear.score.value == pytest.approx(1 - 20 / ANSWERED, abs=1e-5)
    assert dear.gain_over_static.value == pytest.approx(35 / ANSWERED, abs=1e-5)
    assert static.regret == dear.gain_over_static
    assert dear.regret == Interval(0.0, 0.0, 0.0)
    assert dear.gain_over_static.low > 0
    assert np.mean(dear.scores) == pytest.approx(dear.score.value, abs=1e-5)


def test_the_report_survives_json_and_has_a_line_per_policy_and_per_naive_baseline():
    report = report_of(played("static", wrong=55, retrainings=0), played("dear", wrong=20, retrainings=2))

    assert BacktestReport.model_validate_json(report.model_dump_json()) == report
    assert [window.number for window in report.windows] == [1, 2, 3, 4, 5, 6]
    assert report.policies[1].retrained_at == (1, 2)
    assert {"majority label", "previous label"} <= {each.name for each in report.baselines}
    page = render_markdown(backtest_page(report))
    assert all(f"| {name} |" in page for name in ("static", "dear", "naive: majority label"))
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

    report = make_report("kinds", plan, [played(name, wrong=55, retrainings=0, plan=plan) for name in ("static", "b")])

    static = report.policies[0]
    defined = [score for score in static.scores if score is not None]
    assert [score is None for score in static.scores] == [False, True, False, False, False, False]
    assert static.score.value == pytest.approx(np.mean(defined), abs=1e-5)
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

    check_scorable(walk_forward(rows, schema, LINEAR, stream_params(gate={"metric": "auto"})))


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
