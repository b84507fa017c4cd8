import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.drift import verdict as drift
from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.drift.two_sample_tests import Change
from releve.domain.drift.verdict import STRONG_EFFECT, DriftState, Predictions, compare, corrected
from tests.images import png
from tests.tables import (
    make_params,
    messages_rows,
    messages_schema,
    rentals_rows,
    rentals_schema,
    shop_rows,
    shop_schema,
)

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

RULE = make_params().monitor


def seen(reference, current, schema=None, **options):
    return compare(reference, current, schema or shop_schema(), options.pop("params", RULE), **options).verdict


def shifted(rows=300, *, by=15.0, seed=8):
    """Dearer things: one column of three has changed."""
    return shop_rows(rows, seed=seed, price_shift=by)


@pytest.mark.parametrize("rows", [199, 200, 201])
@pytest.mark.parametrize("kind", [DataIssueKind.FEW_ANSWERS, DataIssueKind.FEW_REFERENCE_ROWS])
def test_a_verdict_needs_enough_rows_on_both_sides(rows, kind):
    few, enough = shop_rows(rows), shop_rows(300)

    verdict = seen(enough, few) if kind == DataIssueKind.FEW_ANSWERS else seen(few, enough)

    if rows < 200:
        assert verdict.state == INSUFFICIENT
        assert [(issue.kind, issue.value) for issue in verdict.problems] == [(kind, 199)]
        assert verdict.columns == ()
    else:
        assert verdict.state != INSUFFICIENT


def test_rows_of_the_same_table_have_not_drifted():
    verdict = seen(shop_rows(1000), shop_rows(300, seed=3))

    assert (verdict.state, verdict.drifted, verdict.notes) == (NO_DRIFT, (), ())
    assert (verdict.rows, verdict.reference_rows, len(verdict.columns)) == (300, 1000, 3)


@pytest.mark.parametrize(("before", "others"), [(NO_DRIFT, SUSPECTED), (SUSPECTED, DRIFT)])
def test_beside_a_broken_column_the_others_have_a_verdict_of_their_own(before, others):
    predictions = Predictions(["yes", "no"] * 500, ["yes"] * 300)

    verdict = seen(shop_rows(1000), shifted().assign(kind=None), before=before, predictions=predictions)

    assert (verdict.state, verdict.broken, verdict.of_sound_columns) == (BROKEN, ("kind",), others)
    assert [column.name for column in verdict.drifted] == ["price"]
    assert {column.name for column in verdict.columns} == {"price", "weight"}


def test_where_most_columns_are_broken_the_rest_has_no_verdict():
    verdict = seen(shop_rows(1000), shifted().assign(kind=None, weight=None))

    assert (verdict.state, verdict.of_sound_columns, verdict.columns) == (BROKEN, INSUFFICIENT, ())


def test_one_weak_alarm_is_a_suspicion():
    verdict = seen(shop_rows(1000), shifted())

    assert verdict.state == SUSPECTED
    assert [column.name for column in verdict.drifted] == ["price"]


@pytest.mark.parametrize(
    ("before", "state"),
    [(NO_DRIFT, SUSPECTED), (INSUFFICIENT, SUSPECTED), (BROKEN, SUSPECTED), (SUSPECTED, DRIFT), (DRIFT, DRIFT)],
)
def test_the_second_alarm_running_is_drift(before, state):
    assert seen(shop_rows(1000), shifted(), before=before).state == state


@pytest.mark.parametrize("before", [SUSPECTED, DRIFT])
def test_a_window_without_alarm_ends_the_suspicion(before):
    assert seen(shop_rows(1000), shop_rows(300, seed=3), before=before).state == NO_DRIFT


def test_a_strong_alarm_is_drift_at_once_and_named():
    verdict = seen(shop_rows(1000), shifted(by=50.0))

    assert verdict.state == DRIFT
    assert [column.name for column in verdict.columns if column.strong] == ["price"]


@pytest.mark.parametrize(("by", "state"), [(15.0, SUSPECTED), (30.0, DRIFT)])
def test_a_sure_but_small_change_is_no_strong_alarm(by, state):
    verdict = seen(shop_rows(1000), shifted(by=by))

    assert verdict.state == state
    assert (verdict.drifted[0].change.effect >= STRONG_EFFECT) == (state == DRIFT)


@pytest.mark.parametrize(
    ("p_value", "effect", "drifted"),
    [
        (0.009, 0.2, True),
        (0.01, 0.2, True),  # the threshold itself is no chance
        (0.011, 0.2, False),
        (0.009, 0.1, True),  # the least effect itself matters
        (0.009, 0.0999, False),
    ],
)
def test_a_change_has_to_be_both_unlikely_and_large(p_value, effect, drifted):
    assert drift.has_drifted(Change(p_value, effect), threshold=0.01, min_effect=0.1) is drifted


@pytest.mark.parametrize(
    ("p_values", "threshold"),
    [
        ([0.5, 0.5, 0.5, 0.5], 0.01),  # Bonferroni where nothing passes
        ([0.01, 0.5, 0.5, 0.5], 0.01),
        ([0.011, 0.5, 0.5, 0.5], 0.01),
        ([0.02, 0.02, 0.5, 0.5], 0.02),  # two together need less each
        ([0.04, 0.04, 0.04, 0.04], 0.04),
    ],
)
def test_the_threshold_is_shared_out_over_the_columns(p_values, threshold):
    assert corrected(p_values, 0.04) == pytest.approx(threshold)


def test_rows_that_depend_on_each_other_widen_what_is_normal():
    random = np.random.default_rng(5)
    wave = pd.DataFrame({"price": 50 + 20 * np.repeat(random.normal(size=30), 100), "weight": 1.0, "kind": "apple"})
    rows = wave.assign(price=lambda frame: frame["price"] + random.normal(size=len(frame)))

    in_time = seen(rows[:2700], rows[2700:].reset_index(drop=True))
    shuffled = rows[:2700].sample(frac=1, random_state=1)

    assert in_time.state == NO_DRIFT
    assert max(in_time.columns, key=lambda column: column.normal_effect).name == "price"
    assert seen(shuffled, rows[2700:].reset_index(drop=True)).state in drift.ALARMS


def test_one_change_in_the_past_does_not_hide_the_next():
    past = pd.concat([shop_rows(1500, seed=1), shop_rows(1500, seed=2, price_shift=50.0)], ignore_index=True)

    verdict = seen(past, shop_rows(300, seed=3))

    assert [column.name for column in verdict.drifted] == ["price"]


def test_texts_about_other_things_are_drift_even_where_they_are_as_long():
    current = messages_rows(300, seed=3)
    other = current.assign(message=current["message"].replace("home|lunch|later|friend", "barn", regex=True))

    assert seen(messages_rows(1000), current, messages_schema()).state == NO_DRIFT
    assert [column.name for column in seen(messages_rows(1000), other, messages_schema()).drifted] == ["message"]


def test_photos_by_another_lamp_are_drift():
    random = np.random.default_rng(7)
    reference, newer = ([png(random.integers(low, low + 100, (2, 2))) for _ in range(300)] for low in (0, 80))

    verdict = seen(
        rentals_rows(300).assign(sky=reference), rentals_rows(300, seed=5).assign(sky=newer), rentals_schema()
    )

    assert [column.name for column in verdict.drifted] == ["sky"]


def test_dates_are_not_judged_and_the_verdict_says_so():
    newer = rentals_rows(300, seed=5).assign(day=lambda frame: frame["day"] + pd.Timedelta(days=400))

    verdict = seen(rentals_rows(1000), newer, rentals_schema())

    assert [column.name for column in verdict.columns] == ["temperature", "season", "note", "sky"]
    assert DataIssue(DataIssueKind.DATES, ("day",), limit=20) in verdict.notes


def test_answers_that_changed_are_evidence_of_their_own():
    answers = Predictions(["yes", "no"] * 500, ["yes"] * 250 + ["no"] * 50)

    verdict = seen(shop_rows(1000), shop_rows(300, seed=3), predictions=answers)

    assert verdict.columns[-1].name == "prediction"
    assert [(column.name, column.method) for column in verdict.drifted] == [("prediction", "chi-square")]


def test_answers_in_numbers_are_compared_as_numbers():
    answers = Predictions(np.linspace(0, 1, 1000), np.linspace(0, 1, 300))

    verdict = seen(rentals_rows(1000), rentals_rows(300, seed=5), rentals_schema(), predictions=answers)

    assert (verdict.columns[-1].method, verdict.columns[-1].drifted) == ("KS and rank sum", False)


def test_answers_are_compared_with_those_to_any_number_of_rows_that_were_held_out():
    answers = Predictions(["yes", "no"] * 60, ["yes"] * 250 + ["no"] * 50)

    verdict = seen(shop_rows(1000), shop_rows(300, seed=3), predictions=answers)

    assert verdict.drifted[0].of_predictions


def test_answers_held_out_that_are_too_few_are_no_evidence_and_the_verdict_says_so():
    answers = Predictions(["yes"] * 19, ["no"] * 300)

    verdict = seen(shop_rows(1000), shop_rows(300, seed=3), predictions=answers)

    assert not any(column.of_predictions for column in verdict.columns)
    assert DataIssue(DataIssueKind.FEW_PRESENT, ("prediction",), limit=20) in verdict.notes


def test_a_row_without_a_prediction_is_refused():
    with pytest.raises(BadInput, match="2 predictions for 300 rows; expected one for each row"):
        seen(shop_rows(1000), shop_rows(300), predictions=Predictions(["yes"] * 1000, ["no"] * 2))


def test_the_frames_of_the_caller_are_left_alone():
    reference, current = shop_rows(300), shifted()
    before = (reference.copy(), current.copy())

    seen(reference, current)

    pd.testing.assert_frame_equal(reference, before[0])
    pd.testing.assert_frame_equal(current, before[1])


def normal_table(rows, seed, *, shift=0.0):
    cells = np.random.default_rng(seed).normal(size=(rows, 16))
    cells[:, :2] += shift
    return pd.DataFrame(cells, columns=[f"c{number}" for number in range(16)])


SIXTEEN = shop_schema().from_dict(
    {
        "target": {"name": "y", "task": "regression"},
        "columns": {f"c{number}": {"type": "number"} for number in range(16)},
    }
)


def alarms(rows, repeats, *, shift):
    verdicts = [
        seen(normal_table(2000, seed), normal_table(rows, seed + 1000, shift=shift), SIXTEEN) for seed in range(repeats)
    ]
    return sum(verdict.state in drift.ALARMS for verdict in verdicts)


def test_tables_without_change_seldom_raise_an_alarm():
    assert alarms(200, 40, shift=0.0) <= 5  # two are expected; six and more come once in a hundred


@pytest.mark.parametrize(("rows", "shift", "at_least"), [(200, 0.25, 11), (200, 0.5, 20), (1000, 0.25, 20)])
def test_a_shift_of_two_columns_in_sixteen_is_seen(rows, shift, at_least):
    assert alarms(rows, 20, shift=shift) >= at_least
