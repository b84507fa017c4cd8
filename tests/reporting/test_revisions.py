import pytest

from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.revisions import RevisionChange, RevisionComparison
from releve.reporting.markdown import render_markdown
from releve.reporting.revisions import build_changes
from tests.evaluations import make_comparison, make_evaluation

GAIN = Interval(0.02, 0.01, 0.03)
NAIVE = {Opponent.MAJORITY_LABEL: make_comparison(0.5, Interval(0.4, 0.3, 0.5))}


def change(scenario="shop", *, gain=GAIN, is_same=False, metric="accuracy", score=0.88, **rest):
    values = make_evaluation(metric=metric, against=NAIVE)
    compared = RevisionComparison(120, {metric: make_comparison(score, gain)}, is_same)
    return RevisionChange(scenario, **{"before": values, "after": values, "comparison": compared} | rest)


def written(*changes):
    return render_markdown(build_changes(changes))


def test_where_nothing_changed_it_says_so_and_nothing_else():
    assert written(change("a", is_same=True), change("b", is_same=True)) == (
        "# What this change does to the models\n\n"
        "Nothing changed: both commits make the same models and figures of a, b.\n"
    )


def test_a_change_is_told_with_its_interval_and_the_naive_baseline_beside():
    text = written(change("shop"), change("rides", is_same=True))

    assert "1 scenario of 2 changed. Nothing changed in rides." in text
    assert "| accuracy, judged by | 0.880 | 0.900 | +0.020 [+0.010, +0.030] |" in text
    assert "Best naive baseline: majority label, 0.500; gain over it +0.400 [+0.300, +0.500]." in text


def test_a_lower_loss_is_a_gain():
    assert "| mae, judged by | 0.880 | 0.860 | +0.020" in written(change(metric="mae"))


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (Interval(0.02, 0.001, 0.04), "Better by accuracy"),
        (Interval(0.02, 0.0, 0.04), "Neither better nor worse by accuracy, as far as can be told"),
        (Interval(-0.02, -0.04, 0.0), "Neither better nor worse by accuracy, as far as can be told"),
        (Interval(-0.02, -0.04, -0.001), "Worse by accuracy"),
    ],
)
def test_better_and_worse_are_said_where_the_interval_shows_it(gain, verdict):
    assert f"{verdict}, on the same 120 rows" in written(change(gain=gain))


def test_figures_of_other_rows_are_shown_and_no_difference_is_made_of_them():
    text = written(change(comparison=RevisionComparison(0, {}, is_same=False)))

    assert "no difference is paired" in text
    assert "- before: accuracy 0.900 [0.850, 0.950] on 120 rows" in text
    assert "gain [" not in text


def test_new_broken_and_removed_scenarios_are_told():
    assert "New: accuracy 0.900" in written(change(before=None, comparison=None))
    assert "Its folder is gone" in written(change(after=None, comparison=None))
    broken = change(after=None, comparison=None, problem="no column `price`", is_broken=True)
    assert "This change keeps it from being built: no column \\`price\\`" in written(broken)
    absent = RevisionChange("rides", problem="there are no rows")
    assert "It cannot be built here: there are no rows" in written(absent)
