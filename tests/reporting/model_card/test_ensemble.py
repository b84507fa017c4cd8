"""What people read of an ensemble: its members, and what a search bought."""

import pytest

from releve.reporting.blocks import ReportPage, ReportSection, TableBlock
from releve.reporting.markdown import render_markdown
from releve.reporting.model_card.ensemble import ensemble_blocks
from tests.evaluations import make_ensemble, make_evaluation


def written(**changes: object) -> str:
    blocks = tuple(ensemble_blocks(make_ensemble(**changes), make_evaluation()))
    return render_markdown(ReportPage("", "", (ReportSection("", blocks),)))


@pytest.mark.parametrize(
    "line",
    [
        "| hist_gradient_boosting | hist_gradient_boosting: the defaults | all rows | 320 | 60% | 0.410 |",
        "| hist_gradient_boosting_last_2 | hist_gradient_boosting: the defaults | the newest 2 batches | 320 | 40% |",
        "| first | an older ensemble, as it was kept |  |  |  |  |",
        "rest on 1,800 rows of 6 windows, each answered before it was learned from",
    ],
)
def test_every_member_is_a_line_with_its_window_its_weight_and_what_it_alone_would_lose(line: str) -> None:
    assert line in written()


def test_windows_that_hold_all_rows_so_far_say_why_members_are_alike() -> None:
    learned = make_ensemble().members[1].rows

    assert "| the newest 2 batches, so far all rows |" in written(learned=learned)
    assert "so far all rows" not in written(learned=learned + 80)


def test_losses_say_why_they_may_be_lower_than_the_score() -> None:
    assert "losses may be lower than the model's own accuracy" in written()


def test_rows_that_no_member_learned_since_their_labels_are_wrong_are_counted() -> None:
    assert "Labels of 100 rows were found to be wrong: no member learned these rows." in written(left_out=100)
    assert "found to be wrong" not in written()


@pytest.mark.parametrize(
    ("serves", "words"),
    [
        ("ensemble", "the weighted mean of the members"),
        ("plain refit", "the first member alone"),
        ("naive answer", "the naive answer, the same to every row"),
    ],
)
def test_what_serves_is_said_first(serves: str, words: str) -> None:
    assert f"What serves is {words}" in written(serves=serves)


def test_a_member_that_could_not_be_fitted_says_why() -> None:
    member = make_ensemble().members[0].model_copy(update={"problem": "too few labels", "weight": 0.0})

    assert "| too few labels | 320 |  |" in written(members=(member,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "svm C=0.123 joined the pool: a gain of +0.100 [+0.020, +0.180] over the pool without it"),
        ({"joined": False}, "svm C=0.123 was left out: a gain of +0.100 [+0.020, +0.180] over the pool without it"),
        ({"proposed": "", "gain": None, "joined": False}, "nothing new could be proposed"),
    ],
)
def test_a_search_says_why_it_was_made_and_what_it_bought(change: dict[str, object], words: str) -> None:
    search = make_ensemble().search
    assert search is not None
    outcome = search.outcome.model_copy(update=change)

    text = written(search=search.model_copy(update={"outcome": outcome}))

    assert f"A search was opened (drift) and made 1 trial: {words}." in text
    assert "| 1 | search | svm | C = 0.1235 | 0.800 |" in text


def test_without_a_search_none_is_told() -> None:
    assert "search" not in written(search=None)


@pytest.mark.parametrize(("sign", "numbers"), [(1, ["2", "1"]), (-1, ["1", "2"])])
def test_the_best_trial_stands_first_whatever_the_metrics_sign_and_a_failed_one_is_left_out(
    sign: int, numbers: list[str]
) -> None:
    search = make_ensemble().search
    assert search is not None
    trial = search.trials[0]
    scores = (0.7, 0.8, None)
    trials = tuple(
        trial.model_copy(update={"number": number, "score": score}) for number, score in enumerate(scores, start=1)
    )
    ensemble = make_ensemble(search=search.model_copy(update={"trials": trials}))

    table = ensemble_blocks(ensemble, make_evaluation(sign=sign))[-1]

    assert isinstance(table, TableBlock)
    assert [row[0] for row in table.rows] == numbers
